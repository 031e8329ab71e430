"""WITH RECURSIVE, which Sail 0.7.2 does not run: the rows are made here, one level after the other.

Limits and errors are Databricks' ("Common table expression (CTE)", section *Recursive CTE*).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from local_workspace.sql.dialect import Node, SqlSyntaxError, peek, span
from local_workspace.sql.sql_error import SqlError, not_supported
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.arrow_types import type_text

_MOST_LEVELS = 100
_MOST_ROWS = 1_000_000
_UNION_ALL = re.compile(r"\s*\bUNION\s+ALL\s*$", re.IGNORECASE)
#: Runs a query as written and gives its rows.
Run = Callable[[str], pa.Table]
#: Makes rows readable under a name, and returns SQL that reads them.
Keep = Callable[[str, pa.Table], str]


def without_recursion(sql: str, run: Run, keep: Keep) -> str:
    """Return a query whose recursive tables are rows that are there.

    Args:
        sql: A query.
        run: Runs queries.
        keep: Keeps rows for the engine.

    Raises:
        SqlError: A table never ends, or is written in a form that Databricks does not take.
    """
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return sql  # the engine says what it does not understand
    with_ = tree.args.get("with_")
    for other in tree.find_all(exp.With):
        if (
            other.args.get("recursive")
            and other is not with_
            and any(_is_recursive(c) for c in other.expressions)
        ):
            raise not_supported("WITH RECURSIVE within a subquery", "Put it at the beginning of the query.")
    if with_ is None or not with_.args.get("recursive"):
        return sql
    ctes: list[str] = []
    for cte in with_.expressions:
        text = _text(cte, sql)
        if _is_recursive(cte):
            names = [c.name for c in cte.args["alias"].columns]
            branches = _branches(cte, sql)
            before = f"WITH {', '.join(ctes)}, " if ctes else "WITH "
            rows = _rows(_Recursion(cte.alias, names, before, *branches), run, keep)
            source = keep(f"recursive_{secrets.token_hex(4)}", rows)
            text = f"{quote_identifier(cte.alias)} AS ({source})"
        ctes.append(text)
    where = span(with_)
    assert where is not None  # noqa: S101  (it was read from this text)
    return f"{sql[: where[0]]}WITH {', '.join(ctes)} {sql[where[1] :]}"


def _is_recursive(cte: Node) -> bool:
    return any(
        t.name.lower() == cte.alias.lower() and not t.args.get("db") for t in cte.this.find_all(exp.Table)
    )


def _text(node: Node, sql: str) -> str:
    where = span(node)
    assert where is not None  # noqa: S101  (it was read from this text)
    return sql[where[0] : where[1]]


@dataclass(frozen=True)
class _Recursion:
    """One recursive table.

    Attributes:
        name: Its name.
        columns: The names of its columns, where they are given.
        before: WITH and the tables before it, up to where its own definition stands.
        first: The query of the first level.
        further: The query that makes a level of the one before.
    """

    name: str
    columns: list[str]
    before: str
    first: str
    further: str


def _branches(cte: Node, sql: str) -> tuple[str, str]:
    body = cte.this
    if not isinstance(body, exp.Union):
        raise SqlError(
            "INVALID_RECURSIVE_CTE",
            f"The recursive table {cte.alias} must be UNION ALL of a query without it and a query with it.",
            "42836",
        )
    if body.args.get("distinct"):
        raise SqlError(
            "UNION_NOT_SUPPORTED_IN_RECURSIVE_CTE",
            f"The UNION operator is not yet supported within recursive tables ({cte.alias}). Use UNION ALL.",
            "42836",
        )
    # By the second branch: not every form of the first one tells where it ends.
    whole, right = span(body), span(body.right)
    assert whole is not None  # noqa: S101  (it was read from this text)
    assert right is not None  # noqa: S101
    return _UNION_ALL.sub("", sql[whole[0] : right[0]]), sql[right[0] : whole[1]]


def _rows(table: _Recursion, run: Run, keep: Keep) -> pa.Table:
    level = run(f"{table.before.removesuffix(', ').removesuffix('WITH ')} {table.first}")
    names = table.columns
    if names and len(names) != level.num_columns:
        raise SqlError(
            "ASSIGNMENT_ARITY_MISMATCH",
            f"The table {table.name} names {len(names)} columns and its query has {level.num_columns}.",
            "42802",
        )
    level = level.rename_columns(names or level.column_names)
    levels, count = [level], level.num_rows
    while level.num_rows:
        if len(levels) > _MOST_LEVELS:
            raise SqlError(
                "RECURSION_LEVEL_LIMIT_EXCEEDED",
                f"Recursion level limit {_MOST_LEVELS} reached but the table {table.name} has not ended.",
                "42836",
            )
        source = keep(f"level_{secrets.token_hex(4)}", level)
        step = run(f"{table.before}{quote_identifier(table.name)} AS ({source}) {table.further}")
        try:
            level = step.rename_columns(level.column_names).cast(level.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            kinds = ", ".join(type_text(field.type) for field in step.schema)
            raise SqlError(
                "INCOMPATIBLE_COLUMN_TYPE",
                f"The second query of the recursive table {table.name} gives {kinds}, which the first does not take.",
                "42825",
            ) from error
        levels.append(level)
        count += level.num_rows
        if count > _MOST_ROWS:
            raise SqlError(
                "RECURSION_ROW_LIMIT_EXCEEDED",
                f"Recursion row limit {_MOST_ROWS} reached but the table {table.name} has not ended.",
                "42836",
            )
    return pa.concat_tables(levels)
