"""The life of an order, as data.

`seeds/order_statuses.csv` says the same to dbt, together with what each status means for revenue; a test
compares the two.
"""

from __future__ import annotations

from types import MappingProxyType

# Status -> lifecycle rank. Of two events of one order at the same moment, the higher rank is the later one.
STATUS_RANKS = MappingProxyType({"pending": 1, "approved": 2, "fulfilled": 3, "cancelled": 4, "returned": 5})


def status_rank_sql(column: str = "status") -> str:
    """Give the SQL expression for the lifecycle rank of a status column; 0 for an unknown status."""
    branches = " ".join(f"WHEN '{status}' THEN {rank}" for status, rank in STATUS_RANKS.items())
    return f"CASE {column} {branches} ELSE 0 END"
