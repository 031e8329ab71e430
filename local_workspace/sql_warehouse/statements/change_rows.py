"""UPDATE, DELETE and TRUNCATE: the engine does them, each in one Delta commit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable

from local_workspace.catalog import Table
from local_workspace.catalog.char_types import limit_of
from local_workspace.delta.delta_commit import commit_replacement, shape_of, stage
from local_workspace.delta.table_lock import table_lock
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.sql_text import StatementReader
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.create_table import CHECK_PREFIX, clear_staging
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.insert import require_writable
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.table_checks import too_long

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

# What the engine's commits say of the rows they changed, by operation.
_METRICS = {
    "UPDATE": ("numUpdatedRows",),
    "DELETE": ("numDeletedRows",),
    "MERGE": ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"),
}


def update(session: Session, reader: StatementReader) -> Result:
    """UPDATE name [alias] SET .. [WHERE ..]."""
    reader.expect("UPDATE")
    return change(session, session.require_table(reader.dotted_name()), reader.sql)


def delete(session: Session, reader: StatementReader) -> Result:
    """DELETE FROM name [alias] [WHERE ..]."""
    reader.expect("DELETE", "FROM")
    start = reader.position
    table = session.require_table(reader.dotted_name())
    if any(token.upper == "SELECT" for token in reader.tokens):
        return _keep_the_rest(session, table, reader, start)
    try:
        return change(session, table, reader.sql)
    except SqlError as error:
        if error.error_class != "ENGINE_ERROR" or not any(token.upper == "WHERE" for token in reader.tokens):
            raise
        # Some conditions the engine plans in SELECT but not in DELETE, coalesce() among them.
        return _keep_the_rest(session, table, reader, start)


def _keep_the_rest(session: Session, table: Table, reader: StatementReader, start: int) -> Result:
    """A DELETE that writes the rows which stay, all of them, as the table's new content; also one commit."""
    require_writable(table)
    location = location_of(table)
    reader.position = start
    reader.dotted_name()
    name = reader.sql[reader.tokens[start].start : reader.tokens[reader.position - 1].end]
    reader.accept("AS")
    alias = quote_identifier(table.name.table if reader.sees("WHERE") else reader.name())
    reader.expect("WHERE")
    query = f"SELECT {alias}.* FROM {name} AS {alias} WHERE ({reader.rest()}) IS NOT TRUE"
    with table_lock(session.warehouse.layout, table.name):
        clear_staging(location)
        before = DeltaTable(location)
        shape = shape_of(before)
        frame = session.engine.frame(session.engine_sql(query, raw=table.name), tag=session.tag)
        staged = stage(frame, location, shape.partition_columns)
        try:
            affected = before.count() - staged.rows
            if affected:
                tag = session.tag or session.id
                commit_replacement(location, staged, shape, operation="DELETE", statement=tag)
        finally:
            staged.discard()
    session.catalog.touch(table.name)
    return Result.of_affected(affected)


def truncate(session: Session, reader: StatementReader) -> Result:
    """TRUNCATE TABLE name: no rows are left, older versions are."""
    reader.expect("TRUNCATE", "TABLE")
    table = session.require_table(reader.dotted_name())
    reader.end()
    return change(session, table, f"DELETE FROM {table.name.quoted}")


def change(session: Session, table: Table, sql: str) -> Result:
    """Lets the engine change the rows of a table.

    Args:
        session: Runs it.
        table: The table that the statement names.
        sql: The statement, with the catalog's names.

    Raises:
        SqlError: It failed, or broke a CHECK; the table's rows are as they were.
    """
    require_writable(table)
    with table_lock(session.warehouse.layout, table.name):
        clear_staging(location_of(table))
        return change_locked(session, table, sql)


def change_locked(session: Session, table: Table, sql: str) -> Result:
    """As :func:`change`, for a caller who holds the table's lock."""
    location = location_of(table)
    before = DeltaTable(location)
    session.engine.frame(session.engine_sql(sql, statement_names_table=True), tag=session.tag)
    after = DeltaTable(location)
    if after.version() == before.version():
        return Result.of_affected(0)
    _verify_or_undo(session, table, before.version(), after)
    commit = after.history(1)[0]
    session.catalog.touch(table.name)
    return Result.of_affected(_affected(commit))


def _affected(commit: dict[str, Any]) -> int | None:
    names = _METRICS.get(commit.get("operation", ""))
    metrics = commit.get("operationMetrics") or {}
    if names is None or not any(name in metrics for name in names):
        return None
    return sum(int(metrics.get(name, 0)) for name in names)


def _verify_or_undo(session: Session, table: Table, version: int, after: DeltaTable) -> None:
    """Takes a change back that broke a CHECK.

    The engine verifies NOT NULL in all, but CHECK only in INSERT. So the change is committed for the moment of one
    count; then the former version is restored by another commit. A reader in between sees the broken rows.
    """
    configuration = after.metadata().configuration
    checks = {k[len(CHECK_PREFIX) :]: v for k, v in configuration.items() if k.startswith(CHECK_PREFIX)}
    for name, expression in checks.items():
        target = session.engine.table(table.name, location_of(table))
        count = session.engine.query(
            f"SELECT count(*) AS n FROM {target} WHERE ({expression}) IS NOT TRUE"
        ).table()
        broken = count.column("n")[0].as_py()
        if broken:
            after.restore(version)
            raise SqlError(
                "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES",
                f"CHECK constraint {name} ({expression}) violated by {broken} rows of {table.name.quoted}. "
                "The change was taken back.",
                "23001",
            )
    fields = json.loads(after.schema().to_json())["fields"]
    limited = [(field["name"], limit) for field in fields if (limit := limit_of(field)) is not None]
    if not limited:
        return
    target = session.engine.table(table.name, location_of(table))
    for column, (padded, length) in limited:
        longer = f"SELECT count(*) AS n FROM {target} WHERE length({quote_identifier(column)}) > {length}"
        rows = session.engine.query(longer).table().column("n")[0].as_py()
        if rows:
            after.restore(version)
            raise too_long(column, padded, length, rows)


HANDLERS: Handlers = {
    ("UPDATE",): update,
    ("DELETE",): delete,
    ("TRUNCATE", "TABLE"): truncate,
}
