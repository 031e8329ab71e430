"""NOT NULL and CHECK, verified on rows before they become part of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from local_workspace.catalog import TableName
from local_workspace.catalog.char_types import limit_of
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.tokens import quote_identifier

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session


def verify(
    session: Session,
    folder: Path,
    fields: Sequence[Mapping[str, Any]],
    checks: Mapping[str, str],
    table: TableName,
    *,
    new: bool = False,
) -> None:
    """Count rows that break a rule: in the files' statistics where they tell, otherwise in one query.

    A CHECK holds only where it is true: Delta refuses rows for which it is NULL, too.

    Args:
        session: Runs the query.
        folder: A Delta table with the rows.
        fields: The columns as they are to be; those with ``nullable: false`` are checked.
        checks: CHECK expressions by constraint name.
        table: For the error's text.
        new: The rules are to hold from now on, and the rows are those that are there.

    Raises:
        SqlError: A row breaks a rule (DELTA_NOT_NULL_CONSTRAINT_VIOLATED, DELTA_VIOLATE_CONSTRAINT_WITH_VALUES,
            DELTA_EXCEED_CHAR_VARCHAR_LIMIT; of a new rule DELTA_NEW_NOT_NULL_VIOLATION and
            DELTA_NEW_CHECK_CONSTRAINT_VIOLATION). A CHECK is told before a NOT NULL, as Delta does.
    """
    nulls = _null_counts(folder)
    required = [field["name"] for field in fields if not field["nullable"] and nulls.get(field["name"]) != 0]
    conditions = [f"{quote_identifier(name)} IS NULL" for name in required]
    conditions += [f"({expression}) IS NOT TRUE" for expression in checks.values()]
    limited = [(field["name"], limit) for field in fields if (limit := limit_of(field)) is not None]
    conditions += [f"length({quote_identifier(name)}) > {length}" for name, (_, length) in limited]
    if not conditions:
        return
    counts = ", ".join(
        f"count(CASE WHEN {condition} THEN 1 END) AS c{i}" for i, condition in enumerate(conditions)
    )
    row = session.engine.query(f"SELECT {counts} FROM delta.`{folder}`").table().to_pylist()[0]
    for i, (name, expression) in enumerate(checks.items(), start=len(required)):
        broken = row[f"c{i}"]
        if broken and new:
            text = f"{broken} rows in {table} violate the new CHECK constraint ({expression})."
            raise SqlError("DELTA_NEW_CHECK_CONSTRAINT_VIOLATION", text, "23512")
        if broken:
            raise SqlError(
                "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES",
                f"CHECK constraint {name} ({expression}) violated by {broken} rows for {table.quoted}. "
                "Nothing was written.",
                "23001",
            )
    for i, name in enumerate(required):
        broken = row[f"c{i}"]
        if broken and new:
            text = f"{broken} rows in {table} violate the new NOT NULL constraint on {name}."
            raise SqlError("DELTA_NEW_NOT_NULL_VIOLATION", text, "23512")
        if broken:
            raise SqlError(
                "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
                f"NOT NULL constraint violated for column: {name}: {broken} rows for {table.quoted} have no value. "
                "Nothing was written.",
                "23502",
            )
    for i, (name, (padded, length)) in enumerate(limited, start=len(required) + len(checks)):
        if row[f"c{i}"]:
            raise too_long(name, padded, length, row[f"c{i}"])


def too_long(column: str, padded: bool, length: int, rows: int) -> SqlError:
    """Return the error for texts that a CHAR or VARCHAR column does not take."""
    kind = f"{'CHAR' if padded else 'VARCHAR'}({length})"
    return SqlError(
        "DELTA_EXCEED_CHAR_VARCHAR_LIMIT",
        f"{rows} values exceed the char/varchar type length limitation of column {column}, {kind}. Nothing was written.",
        "22001",
    )


def _null_counts(folder: Path) -> dict[str, int]:
    """Return how many values each column lacks, for the columns of which every file says so.

    Source: the Delta protocol, "Per-file Statistics": nullCount is exact where a file has no deletion vector.
    """
    files = pa.table(DeltaTable(folder).get_add_actions(flatten=True))
    columns = (name for name in files.column_names if name.startswith("null_count."))
    return {
        name.removeprefix("null_count."): pc.sum(files[name]).as_py() or 0
        for name in columns
        if files[name].null_count == 0
    }
