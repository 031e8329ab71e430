"""NOT NULL and CHECK, verified on rows before they become part of a table, in the words of the SQL warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_workspace.catalog import TableName
from local_workspace.delta.constraints import Broken, Kind, first_broken
from local_workspace.sql.sql_error import SqlError

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session


def verify(
    session: Session,
    folder: Path,
    adds: Sequence[Mapping[str, Any]],
    fields: Sequence[Mapping[str, Any]],
    checks: Mapping[str, str],
    *,
    table: TableName,
    new: bool = False,
) -> None:
    """Hold rows against the rules of their table.

    Args:
        session: Counts rows where the files' statistics do not tell.
        folder: A Delta table with the rows.
        adds: Its files.
        fields: The columns as they are to be.
        checks: CHECK expressions by constraint name.
        table: For the error's text.
        new: The rules are to hold from now on, and the rows are those that are there.

    Raises:
        SqlError: A row breaks a rule (DELTA_NOT_NULL_CONSTRAINT_VIOLATED, DELTA_VIOLATE_CONSTRAINT_WITH_VALUES,
            DELTA_EXCEED_CHAR_VARCHAR_LIMIT; of a new rule DELTA_NEW_NOT_NULL_VIOLATION and
            DELTA_NEW_CHECK_CONSTRAINT_VIOLATION).
    """

    def count(conditions: Sequence[str]) -> list[int]:
        counts = ", ".join(
            f"count(CASE WHEN {condition} THEN 1 END) AS c{i}" for i, condition in enumerate(conditions)
        )
        query = session.engine_sql(f"SELECT {counts} FROM delta.`{folder}`")
        return list(session.engine.query(query).table().to_pylist()[0].values())

    broken = first_broken(adds, fields, checks, count)
    if broken is not None:
        raise _told(broken, table, new=new)


def _told(broken: Broken, table: TableName, *, new: bool) -> SqlError:
    rows, name = broken.rows, broken.name
    if broken.kind is Kind.LENGTH:
        return SqlError(
            "DELTA_EXCEED_CHAR_VARCHAR_LIMIT",
            f"{rows} values exceed the char/varchar type length limitation of column {name}, {broken.rule}. "
            "Nothing was written.",
            "22001",
        )
    if broken.kind is Kind.CHECK and new:
        text = f"{rows} rows in {table} violate the new CHECK constraint ({broken.rule})."
        return SqlError("DELTA_NEW_CHECK_CONSTRAINT_VIOLATION", text, "23512")
    if broken.kind is Kind.CHECK:
        return SqlError(
            "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES",
            f"CHECK constraint {name} ({broken.rule}) violated by {rows} rows for {table.quoted}. "
            "Nothing was written.",
            "23001",
        )
    if new:
        text = f"{rows} rows in {table} violate the new NOT NULL constraint on {name}."
        return SqlError("DELTA_NEW_NOT_NULL_VIOLATION", text, "23512")
    return SqlError(
        "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
        f"NOT NULL constraint violated for column: {name}: {rows} rows for {table.quoted} have no value. "
        "Nothing was written.",
        "23502",
    )
