"""UPDATE, DELETE and TRUNCATE, each in one Delta commit; see :mod:`row_changes`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deltalake import DeltaTable

from local_workspace.catalog import Table
from local_workspace.delta.shape import shape_of
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.insert import require_writable
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.merge_statement import Clause, Match, read_assignments
from local_workspace.sql_warehouse.statements.row_changes import Change, change_rows
from local_workspace.sql_warehouse.statements.set_columns import Target, values_of
from local_workspace.sql_warehouse.statements.staging_area import held_for_change

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session


def update(session: Session, reader: StatementReader) -> Result:
    """UPDATE name [alias] SET .. [WHERE ..]."""
    reader.expect("UPDATE")
    table, alias = _table(session, reader, "SET")
    reader.expect("SET")
    assignments = read_assignments(reader, "WHERE")
    return _changed(session, table, alias, Clause(Match.BY_SOURCE, _where(reader), "UPDATE", assignments))


def delete(session: Session, reader: StatementReader) -> Result:
    """DELETE FROM name [alias] [WHERE ..]."""
    reader.expect("DELETE", "FROM")
    table, alias = _table(session, reader, "WHERE")
    return _changed(session, table, alias, Clause(Match.BY_SOURCE, _where(reader), "DELETE"))


def truncate(session: Session, reader: StatementReader) -> Result:
    """TRUNCATE TABLE name: no rows are left, older versions are."""
    reader.expect("TRUNCATE", "TABLE")
    table = session.require_table(reader.dotted_name())
    reader.end()
    return _changed(session, table, table.name.table, Clause(Match.BY_SOURCE, None, "DELETE"))


def _table(session: Session, reader: StatementReader, before: str) -> tuple[Table, str]:
    """Read the table, and the name by which the statement refers to it."""
    parts = reader.dotted_name()
    table = session.require_table(parts)
    if reader.accept("AS") or not (reader.at_end or reader.sees(before)):
        return table, reader.name()
    return table, parts[-1]


def _where(reader: StatementReader) -> str | None:
    if reader.at_end:
        return None
    reader.expect("WHERE")
    return reader.rest() or None


def _changed(session: Session, table: Table, alias: str, clause: Clause) -> Result:
    require_writable(table)
    with held_for_change(session, table) as held:
        target = Target(held.name, alias, shape_of(DeltaTable(location_of(held))).fields, in_merge=False)
        change = Change(
            clause.action,
            alias,
            [clause],
            values={clause: values_of(target, clause)} if clause.action == "UPDATE" else {},
            parameters={} if clause.condition is None else {"predicate": json.dumps([clause.condition])},
        )
        changed = change_rows(session, held, change)
    return Result.of_affected(changed.affected)


HANDLERS: Handlers = {
    ("UPDATE",): update,
    ("DELETE",): delete,
    ("TRUNCATE", "TABLE"): truncate,
}
