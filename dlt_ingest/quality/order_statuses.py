"""The life of an order, as data.

`seeds/order_statuses.csv` says the same to dbt, together with what each status means for revenue; a test
compares the two.
"""

from __future__ import annotations

from types import MappingProxyType

# Status -> lifecycle rank. Of two events of one line at the same moment, the higher rank is the later one.
STATUS_RANKS = MappingProxyType({"pending": 1, "approved": 2, "fulfilled": 3, "cancelled": 4, "returned": 5})

# Statuses by which an event does not state the line but takes something of it back.
RETURN_STATUSES = frozenset({"returned"})

# Status of an order whose lines differ: the first of these that a line has. While any line counts as revenue,
# the order does, too.
STATUS_PRECEDENCE = MappingProxyType(
    {"approved": 1, "fulfilled": 2, "pending": 3, "returned": 4, "cancelled": 5}
)


def status_rank_sql(column: str = "status") -> str:
    """Return the SQL expression for the lifecycle rank of a status column; 0 for an unknown status."""
    return _number_sql(column, STATUS_RANKS)


def status_precedence_sql(column: str = "status") -> str:
    """Return the SQL expression for the place of a line's status in the order's; 0 for an unknown status."""
    return _number_sql(column, STATUS_PRECEDENCE)


def status_of_precedence_sql(column: str) -> str:
    """Return the SQL expression for the status at a place of the precedence; NULL where there is none."""
    branches = " ".join(f"WHEN {place} THEN '{status}'" for status, place in STATUS_PRECEDENCE.items())
    return f"CASE {column} {branches} END"


def is_return_sql(column: str = "status") -> str:
    """Return the SQL condition that an event takes back what its line has sold."""
    listed = ", ".join(f"'{status}'" for status in sorted(RETURN_STATUSES))
    return f"{column} IN ({listed})"


def _number_sql(column: str, numbers: MappingProxyType[str, int]) -> str:
    branches = " ".join(f"WHEN '{status}' THEN {number}" for status, number in numbers.items())
    return f"CASE {column} {branches} ELSE 0 END"
