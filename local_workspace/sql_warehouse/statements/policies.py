"""SET ROW FILTER, SET MASK and their DROP, also as clauses of CREATE TABLE; and the guard of statements that change rows."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from local_workspace.catalog import Policy, Table
from local_workspace.sql.sql_error import SqlError, not_supported, unresolved_column
from local_workspace.sql.statement_reader import StatementReader, split_items
from local_workspace.sql_warehouse.policies import restricted
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local_workspace.sql_warehouse.session import Session


def read_policy(session: Session, reader: StatementReader, *, column: str = "") -> Policy:
    """Read ``function [ON (columns)]`` of a row filter, or ``function [USING COLUMNS (columns)]`` of a mask.

    Args:
        session: Whose names these are.
        reader: Stands at the function's name.
        column: The masked column; "" for a row filter.

    Raises:
        SqlError: There is no such function, or it does not take these columns.
    """
    parts = reader.dotted_name()
    function = session.function(parts)
    if function is None:
        name = session.table_name(parts)
        raise SqlError("ROUTINE_NOT_FOUND", f"The routine {name.quoted} cannot be found.", "42883")
    arguments: tuple[str, ...] = ()
    if (column and reader.accept("USING", "COLUMNS")) or (not column and reader.accept("ON")):
        arguments = tuple(_argument(item) for item in split_items(reader.parenthesised()))
    given = len(arguments) + bool(column)
    least = sum(p.default is None for p in function.parameters)
    if function.is_table or not least <= given <= len(function.parameters):
        what = "mask" if column else "row filter"
        raise SqlError(
            "ROW_COLUMN_ACCESS_FUNCTION_ARITY_MISMATCH" if not function.is_table else "NOT_A_SCALAR_FUNCTION",
            f"{function.name.quoted} cannot be a {what} here: it takes {len(function.parameters)} values and gets {given}.",
            "42605",
        )
    return Policy(function.name, column, arguments)


def _argument(item: str) -> str:
    reader = StatementReader(item)
    token = reader.peek()
    if (
        token is not None
        and token.is_name
        and len(reader.tokens) == 1
        and token.upper not in ("NULL", "TRUE", "FALSE")
    ):
        return token.value
    return f"={item}"


def apply_policies(session: Session, table: Table, policies: Sequence[Policy]) -> None:
    """Record policies of a table whose columns are there.

    Raises:
        SqlError: A column is not, or a view is to have them.
    """
    if table.is_view:
        raise SqlError(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
            f"{table.name.quoted} is a view; row filters and masks belong to tables.",
            "42809",
        )
    known = {c.name.lower(): c.name for c in session.catalog.columns(table)}
    for policy in policies:
        for column in (policy.column, *policy.arguments):
            if column and not column.startswith("=") and column.lower() not in known:
                raise unresolved_column([column], list(known.values()))
        session.catalog.set_policy(table.name, policy)


def set_row_filter(session: Session, table: Table, reader: StatementReader) -> None:
    """SET ROW FILTER function ON (columns)."""
    apply_policies(session, table, [read_policy(session, reader)])


def drop_row_filter(session: Session, table: Table, _: StatementReader) -> None:
    """DROP ROW FILTER: none that is there is no error, as on Databricks."""
    session.catalog.drop_policy(table.name)


def alter_mask(session: Session, table: Table, column: str, reader: StatementReader) -> None:
    """ALTER COLUMN name SET MASK function [USING COLUMNS (..)] | DROP MASK."""
    if reader.accept("DROP", "MASK"):
        session.catalog.drop_policy(table.name, column)
        return
    reader.expect("SET", "MASK")
    apply_policies(session, table, [read_policy(session, reader, column=column)])


def guarded(handler: Handler) -> Handler:
    """Return a handler of UPDATE, DELETE or MERGE that lets a statement change only what its user may see."""

    @functools.wraps(handler)
    def run(session: Session, reader: StatementReader) -> Result:
        words = reader.position
        reader.next()
        reader.accept("WITH", "SCHEMA", "EVOLUTION")
        for word in ("INTO", "FROM"):
            reader.accept(word)
        token = reader.peek()
        parts = reader.dotted_name() if token is not None and token.is_name else ()
        reader.position = words
        table = session.catalog.get(session.table_name(parts)) if 0 < len(parts) <= 3 else None
        policies = session.catalog.policies(table.name) if table is not None else []
        if table is None or not policies:
            return handler(session, reader)
        return handler(session, StatementReader(restricted(reader.sql, table, policies)))

    return run


def refuse_policies(session: Session, table: Table, what: str) -> None:
    """Refuses what would show, or lose, rows that a policy hides.

    Raises:
        SqlError: The table has one.
    """
    if session.catalog.policies(table.name):
        raise not_supported(f"{what} of a table with row filters or masks", "Drop them first.")
