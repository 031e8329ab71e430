"""INSERT in its forms: into, overwrite, replace where, replace on; each is one Delta commit.

Rows are aligned to the table's columns by name (BY NAME), by the column list, or by position; a column that is left
out is NULL, and a value is cast to the column's type; see :mod:`store_assignment`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_workspace.catalog import Table, TableName
from local_workspace.delta.commit import commit_append, commit_replacement
from local_workspace.delta.log import open_table
from local_workspace.delta.shape import shape_of
from local_workspace.delta.staging import Staged, stage
from local_workspace.sql.sql_error import SqlError, not_supported, table_not_found, unresolved_column
from local_workspace.sql.statement_reader import StatementReader, split_items
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.merge_statement import Clause, Match
from local_workspace.sql_warehouse.statements.row_changes import (
    Change,
    ChangingRows,
    change_rows,
    stand_in_of,
)
from local_workspace.sql_warehouse.statements.staging_area import held_for_change
from local_workspace.sql_warehouse.statements.store_assignment import assigned
from local_workspace.sql_warehouse.statements.table_checks import verify
from local_workspace.sql_warehouse.statements.table_definition import require_different

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from local_workspace.sql_warehouse.session import Session


@dataclass
class InsertStatement:
    """What an INSERT says.

    Attributes:
        name: Name parts of the target.
        overwrite: OVERWRITE: the rows become the whole table.
        by_name: BY NAME.
        columns: The column list, if there is one.
        replace_where: Condition of REPLACE WHERE.
        replace_on: Condition of REPLACE ON.
        target_alias: The name of the target in ``replace_on``.
        source_alias: The name of the rows in ``replace_on``.
        query: The rows.
    """

    name: tuple[str, ...]
    overwrite: bool = False
    by_name: bool = False
    columns: tuple[str, ...] = ()
    replace_where: str | None = None
    replace_on: str | None = None
    target_alias: str | None = None
    source_alias: str | None = None
    query: str = ""


def read_insert(reader: StatementReader) -> InsertStatement:
    """Read an INSERT statement.

    Raises:
        SqlError: A clause is unknown or not supported.
    """
    reader.expect("INSERT")
    overwrite = reader.accept("OVERWRITE")
    if not overwrite:
        reader.expect("INTO")
    elif reader.sees("DIRECTORY"):
        raise not_supported("INSERT OVERWRITE DIRECTORY", "Write into a table.")
    reader.accept("TABLE")
    statement = InsertStatement(reader.dotted_name(), overwrite)
    if reader.accept("AS"):
        statement.target_alias = reader.name()
    if reader.sees("PARTITION", "("):
        raise not_supported(
            "INSERT ... PARTITION (...)", "Use REPLACE WHERE, or let dbt use REPLACE ON (its default)."
        )
    if reader.accept("BY", "NAME"):
        statement.by_name = True
    elif reader.sees("(") and not _starts_query(reader):
        statement.columns = tuple(
            StatementReader(item).name() for item in split_items(reader.parenthesised())
        )
    if reader.accept("REPLACE", "WHERE"):
        statement.replace_where = _condition(reader)
    elif reader.accept("REPLACE", "ON"):
        statement.replace_on = reader.parenthesised()
    elif reader.sees("REPLACE", "USING"):
        raise not_supported("INSERT ... REPLACE USING", "Use REPLACE ON (t.key <=> s.key).")
    if statement.replace_on is not None and reader.sees("("):
        statement.query = reader.parenthesised()
        reader.accept("AS")
        statement.source_alias = reader.name()
        reader.end()
    else:
        statement.query = reader.rest()
    if not statement.query:
        raise SqlError("PARSE_SYNTAX_ERROR", "INSERT has no rows: expected a query or VALUES.", "42601")
    return statement


def _starts_query(reader: StatementReader) -> bool:
    following = reader.peek(1)
    return following is not None and following.upper in ("SELECT", "WITH", "VALUES", "FROM", "TABLE", "(")


def _condition(reader: StatementReader) -> str:
    """Return the condition of REPLACE WHERE: everything before the query that follows it."""
    first = reader.peek()
    depth, end = 0, 0
    while (token := reader.peek()) is not None:
        if (
            depth == 0
            and token.kind == "word"
            and token.upper in ("SELECT", "TABLE", "VALUES", "WITH", "FROM")
            and end
        ):
            break
        following = reader.peek(1)
        if (
            depth == 0
            and token.text == "("
            and end
            and following is not None
            and following.upper in ("SELECT", "WITH", "TABLE")
        ):
            before = reader.tokens[reader.position - 1].upper
            if before not in ("IN", "EXISTS", "=", "<", ">", "<=", ">=", "<>", "!=", "AND", "OR", "NOT"):
                break
        depth += {"(": 1, ")": -1}.get(token.text if token.kind == "symbol" else "", 0)
        end = reader.next().end
    if first is None or not end:
        raise SqlError("PARSE_SYNTAX_ERROR", "REPLACE WHERE has no condition.", "42601")
    return reader.sql[first.start : end]


def insert(session: Session, reader: StatementReader) -> Result:
    """INSERT INTO | INSERT OVERWRITE | INSERT INTO .. REPLACE WHERE | INSERT INTO .. REPLACE ON."""
    statement = read_insert(reader)
    table = session.require_table(statement.name)
    name = table.name
    require_writable(table)
    with held_for_change(session, table) as held:
        location = location_of(held)
        frame = session.frame(statement.query)
        target = open_table(location)
        if target is None:
            raise table_not_found(name.quoted)
        fields = json.loads(target.schema().to_json())["fields"]
        aligned = _aligned(frame, fields, statement, name)
        shape = shape_of(target)
        staged = stage(aligned, location, shape.partition_columns)
        try:
            verify(session, staged.folder, staged.adds, fields, shape.checks, table=name)
            tag = session.tag or session.id
            if statement.replace_where is not None:
                _replace_where(session, held, statement.replace_where, staged)
            elif statement.replace_on is not None:
                _replace_on(session, held, statement, staged, fields)
            elif statement.overwrite:
                commit_replacement(location, staged, shape, operation="WRITE", statement=tag)
            else:
                commit_append(location, staged, statement=tag)
        finally:
            staged.discard()
    session.catalog.touch(name)
    return Result.of_affected(staged.rows, inserted=staged.rows)


def require_writable(table: Table) -> None:
    """Refuses to change rows of a view, or of a table that a pipeline owns.

    Raises:
        SqlError: It is one of these.
    """
    if table.is_view:
        raise SqlError(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
            f"{table.name.quoted} is a view; rows cannot be changed.",
            "42809",
        )
    if table.kind == "MATERIALIZED_VIEW":
        raise SqlError(
            "MATERIALIZED_VIEW_OPERATION_NOT_ALLOWED.MV_NOT_SUPPORTED",
            f"{table.name.quoted} is a materialized view of a pipeline; its rows come from its query.",
            "42601",
        )


def _aligned(
    frame: DataFrame, fields: Sequence[dict[str, Any]], statement: InsertStatement, name: TableName
) -> DataFrame:
    names = [field["name"] for field in fields]
    given = frame.schema.names
    if statement.by_name:
        order = {column.lower(): i for i, column in enumerate(given)}
        unknown = [column for column in given if column.lower() not in {n.lower() for n in names}]
        if unknown:
            raise SqlError(
                "INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS",
                f"Cannot write to {name.quoted}: the table has no column {', '.join(unknown)}; it has {', '.join(names)}.",
                "21S01",
            )
    else:
        listed = statement.columns or names
        require_different(listed)
        unknown = [column for column in listed if column.lower() not in {n.lower() for n in names}]
        if unknown:
            raise unresolved_column(unknown[:1], names)
        if len(listed) != len(given):
            many = "TOO_MANY" if len(given) > len(listed) else "NOT_ENOUGH"
            raise SqlError(
                f"INSERT_COLUMN_ARITY_MISMATCH.{many}_DATA_COLUMNS",
                f"Cannot write to {name.quoted}, the reason is {many.lower().replace('_', ' ')} data columns. "
                f"Table columns: {', '.join(listed)}. Data columns: {', '.join(given)}.",
                "21S01",
            )
        order = {column.lower(): i for i, column in enumerate(listed)}
    return assigned(frame, fields, order)


def _replace_where(session: Session, table: Table, condition: str, staged: Staged) -> None:
    """Put the staged rows in the place of those that meet the condition.

    Raises:
        SqlError: A staged row does not meet the condition (DELTA_REPLACE_WHERE_MISMATCH).
    """
    query = f"SELECT count(*) AS n FROM delta.`{staged.folder}` WHERE ({condition}) IS NOT TRUE"
    count = session.engine.query(session.engine_sql(query)).table()["n"][0].as_py()
    if count:
        raise SqlError(
            "DELTA_REPLACE_WHERE_MISMATCH",
            f"Written data does not conform with the partial table overwrite condition or constraint '{condition}': "
            f"{count} rows. Nothing was written.",
            "44000",
        )
    clause = Clause(Match.BY_SOURCE, condition, "DELETE")
    parameters = {"mode": "Overwrite", "predicate": condition}
    change = Change("WRITE", table.name.table, [clause], added=staged, parameters=parameters)
    change_rows(session, table, change)


def _replace_on(
    session: Session,
    table: Table,
    statement: InsertStatement,
    staged: Staged,
    fields: Sequence[Mapping[str, Any]],
) -> None:
    """Delete the rows that a staged row matches and add the staged ones; without staged rows nothing changes."""
    if not staged.adds:
        return
    rows = stand_in_of(staged.folder, fields, [field["name"] for field in fields])
    condition = statement.replace_on or ""
    change = Change(
        "WRITE",
        statement.target_alias or table.name.table,
        [Clause(Match.MATCHED, None, "DELETE")],
        ChangingRows(statement.source_alias or "source", rows, condition),
        added=staged,
        parameters={"mode": "Overwrite", "predicate": condition},
    )
    change_rows(session, table, change)


HANDLERS: Handlers = {("INSERT",): insert}
