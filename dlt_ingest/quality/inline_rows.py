"""Rows of Bronze written out in SQL text, so that the warehouse itself can judge them by the rules.

The check of the rules and the replay of quarantined rows both ask the engine that will meet the row later,
instead of a second implementation of the rules in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dlt_ingest.quality.order_record import BRONZE_COLUMNS
from dlt_ingest.quality.reading import STANDARD, Reading
from dlt_ingest.quality.rules import failed_rules_sql
from dlt_ingest.quality.sql_literals import sql_text

# Runs one SQL statement and returns its rows; `SqlClient.query` is one.
Query = Callable[[str], list[dict[str, Any]]]

Value = str | int | Decimal | date | datetime | None

# Keeps one statement well below any limit on the length of a statement.
_ROWS_PER_STATEMENT = 200


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return sql_text(value.isoformat(sep=" "))
    return sql_text(str(value))


def inline_rows_sql(rows: Sequence[tuple[str, Mapping[str, Value]]]) -> str:
    """Return a query that yields the rows, typed as in Bronze, each with its `row_name`.

    Args:
        rows: Pairs of a name and the row's values by column of Bronze; a column that is omitted is NULL.
    """
    names = [column.name for column in BRONZE_COLUMNS]
    # An inline table takes its types from its rows; a column of NULLs alone has none, hence the cast of every
    # column.
    values = ",\n".join(
        f"({sql_text(name)}, " + ", ".join(_literal(row.get(column)) for column in names) + ")"
        for name, row in rows
    )
    casts = ", ".join(f"CAST({column.name} AS {column.type}) AS {column.name}" for column in BRONZE_COLUMNS)
    return f"SELECT row_name, {casts} FROM VALUES\n{values}\nAS t(row_name, {', '.join(names)})"


def judge(
    query: Query, rows: Iterable[tuple[str, Mapping[str, Value]]], reading: Reading = STANDARD
) -> list[tuple[str, ...]]:
    """Let the engine evaluate all rules on rows of Bronze.

    Args:
        query: Runs one statement on the warehouse or on a Spark session.
        rows: Pairs of a name and the row's values by column of Bronze.
        reading: How the records of this shop are read.

    Returns:
        For each row, in the order given, the names of the rules that it breaks.
    """
    pending = list(rows)
    verdicts: list[tuple[str, ...]] = []
    for start in range(0, len(pending), _ROWS_PER_STATEMENT):
        chunk = pending[start : start + _ROWS_PER_STATEMENT]
        # The position is the key: names may repeat. The list travels as text, because drivers differ on ARRAY.
        numbered = [(str(number), row) for number, (_, row) in enumerate(chunk)]
        statement = (
            f"SELECT row_name, CONCAT_WS(',', {failed_rules_sql(reading)}) AS failed_rules "
            f"FROM ({inline_rows_sql(numbered)}) AS judged"
        )
        found = {int(row["row_name"]): row["failed_rules"] for row in query(statement)}
        verdicts += [tuple(filter(None, found[number].split(","))) for number in range(len(chunk))]
    return verdicts
