"""What an UPDATE or a clause of MERGE assigns, as one expression for each column of the table.

Source: "UPDATE" and "MERGE INTO" of the Databricks SQL language reference: a column, or a field of a struct, is set to an
expression or to DEFAULT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_workspace.catalog import TableName
from local_workspace.sql.sql_error import SqlError, unresolved_column
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.statements.merge_statement import Assignment, Clause


@dataclass(frozen=True)
class Target:
    """The table whose columns are set.

    Attributes:
        name: Its name.
        alias: The name by which expressions refer to it.
        fields: Its columns, as in a Delta schema.
        in_merge: A MERGE sets them, which tells of an unknown column in words of its own.
    """

    name: TableName
    alias: str
    fields: Sequence[Mapping[str, Any]]
    in_merge: bool = True


def values_of(target: Target, clause: Clause) -> list[str]:
    """Return the expression of each column of the table: what is assigned, else what it has, else NULL in a new row.

    Raises:
        SqlError: There is no such column (UNRESOLVED_COLUMN; of MERGE, DELTA_MERGE_UNRESOLVED_EXPRESSION), or it is
            assigned twice (DELTA_CONFLICT_SET_COLUMN).
    """
    given: dict[tuple[str, ...], str] = {}
    for assignment in clause.assignments or ():
        path = _path(target, assignment, clause)
        for known in given:
            if known[: len(path)] == path or path[: len(known)] == known:
                raise SqlError(
                    "DELTA_CONFLICT_SET_COLUMN",
                    f"There is a conflict from these SET columns: {', '.join(map(_shown, (known, path)))}.",
                    "42701",
                )
        given[path] = "NULL" if assignment.value.upper() == "DEFAULT" else assignment.value
    values = []
    for column in target.fields:
        place = f"{quote_identifier(target.alias)}.{quote_identifier(column['name'])}"
        present = None if clause.action == "INSERT" else place
        values.append(_value((column["name"].lower(),), column["type"], given, present))
    return values


def _value(
    path: tuple[str, ...], kind: Any, given: Mapping[tuple[str, ...], str], present: str | None
) -> str:
    if path in given:
        return given[path]
    if not any(known[: len(path)] == path for known in given):
        return "NULL" if present is None else present
    parts = []
    for field in kind["fields"]:
        quoted = quote_identifier(field["name"])
        inner = None if present is None else f"{present}.{quoted}"
        value = _value((*path, field["name"].lower()), field["type"], given, inner)
        parts.append(f"({value}) AS {quoted}")
    return f"struct({', '.join(parts)})"


def _path(target: Target, assignment: Assignment, clause: Clause) -> tuple[str, ...]:
    """Return the column, and the fields within it, that an assignment names."""
    lowered = tuple(part.lower() for part in assignment.column)
    full = tuple(part.lower() for part in target.name.key)
    prefixes = [(target.alias.lower(),), full, full[1:]] if len(lowered) > 1 else []
    candidates = [lowered[len(p) :] for p in prefixes if lowered[: len(p)] == p and len(lowered) > len(p)]
    for path in (*candidates, lowered):
        fields: Any = target.fields
        for part in path:
            field = next((f for f in fields if f["name"].lower() == part), None) if fields else None
            if field is None:
                break
            kind = field["type"]
            fields = kind["fields"] if isinstance(kind, dict) and kind["type"] == "struct" else None
        else:
            return path
    names = [field["name"] for field in target.fields]
    if not target.in_merge:
        raise unresolved_column(assignment.column, names)
    raise SqlError(
        "DELTA_MERGE_UNRESOLVED_EXPRESSION",
        f"Cannot resolve {_shown(assignment.column)} in {clause.action} clause given columns "
        f"{', '.join(names)}.",
        "42601",
    )


def _shown(path: Sequence[str]) -> str:
    return ".".join(map(quote_identifier, path))
