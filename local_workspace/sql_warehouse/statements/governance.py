"""COMMENT ON, tags, GRANT and REVOKE: recorded in the catalog, where SHOW, DESCRIBE and information_schema find them.

Nobody is kept out by a local grant: the workspace has one user. That is why the statement log notes these as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_workspace.catalog import Securable, TableName
from local_workspace.sql.sql_error import SqlError, not_supported, unresolved_column
from local_workspace.sql.statement_reader import StatementReader, property_pairs, split_items
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

RECORDED = "recorded"


def securable(session: Session, reader: StatementReader) -> Securable | TableName:
    """Read ``[TABLE | VIEW | SCHEMA | CATALOG | VOLUME] name``; without such a word it is a table.

    Raises:
        SqlError: There is no such thing, or it is of another kind.
    """
    if reader.accept("CATALOG"):
        name = (
            session.catalog_name
            if reader.at_end or reader.sees("TO") or reader.sees("FROM")
            else reader.name()
        )
        session.require_catalog(name)
        return Securable("CATALOG", (name,))
    if reader.accept("SCHEMA") or reader.accept("DATABASE"):
        parts = session.schema_parts(reader.dotted_name())
        session.require_schema(*parts)
        return Securable("SCHEMA", parts)
    if reader.accept("VOLUME"):
        volume = session.table_name(reader.dotted_name())
        return Securable("VOLUME", (volume.catalog, volume.schema, volume.table))
    if reader.accept("FUNCTION"):
        function = session.function(reader.dotted_name())
        if function is None:
            raise SqlError("ROUTINE_NOT_FOUND", f"The routine {reader.sql} names cannot be found.", "42883")
        return Securable("FUNCTION", (function.name.catalog, function.name.schema, function.name.table))
    for word in ("EXTERNAL", "SHARE", "CONNECTION", "METASTORE", "MODEL", "PROCEDURE"):
        if reader.sees(word):
            raise not_supported(f"a securable of type {word}", "It exists on Databricks only.")
    if reader.accept("MATERIALIZED"):
        reader.expect("VIEW")
    elif reader.accept("STREAMING"):
        reader.expect("TABLE")
    elif not reader.accept("TABLE"):
        reader.accept("VIEW")
    return session.require_table(reader.dotted_name()).name


def comment_on(session: Session, reader: StatementReader) -> Result:
    """COMMENT ON TABLE | VIEW | COLUMN | SCHEMA | CATALOG | VOLUME name IS 'text' | NULL."""
    reader.expect("COMMENT", "ON")
    if reader.accept("COLUMN"):
        *parts, column = reader.dotted_name()
        comment = _comment(reader)
        table = session.require_table(parts)
        known = [c.name for c in session.catalog.columns(table)]
        if column.lower() not in {name.lower() for name in known}:
            raise unresolved_column([column], known)
        session.catalog.set_column_comment(table.name, column, comment)
        return Result.empty(note=RECORDED)
    target = securable(session, reader)
    session.catalog.set_comment(target, _comment(reader))
    return Result.empty(note=RECORDED)


def _comment(reader: StatementReader) -> str | None:
    reader.expect("IS")
    comment = None if reader.accept("NULL") else reader.string()
    reader.end()
    return comment


def set_tags(session: Session, name: Securable | TableName, reader: StatementReader) -> Result:
    """Read and record the pairs of ``SET TAGS (..)``."""
    session.catalog.set_tags(name, property_pairs(reader.parenthesised()))
    return Result.empty(note=RECORDED)


def unset_tags(session: Session, name: Securable | TableName, reader: StatementReader) -> Result:
    """Read and forget the names of ``UNSET TAGS (..)``."""
    session.catalog.set_tags(name, dict.fromkeys(property_pairs(reader.parenthesised())))
    return Result.empty(note=RECORDED)


def alter_namespace(session: Session, reader: StatementReader) -> Result:
    """ALTER CATALOG | SCHEMA | VOLUME name SET TAGS | UNSET TAGS | SET DBPROPERTIES."""
    reader.expect("ALTER")
    target = securable(session, reader)
    if reader.accept("SET", "TAGS"):
        result = set_tags(session, target, reader)
    elif reader.accept("UNSET", "TAGS"):
        result = unset_tags(session, target, reader)
    elif reader.accept("SET", "DBPROPERTIES"):
        session.catalog.set_properties(target, property_pairs(reader.parenthesised()))
        result = Result.empty(note=RECORDED)
    else:
        token = reader.peek()
        raise not_supported(
            f"ALTER {target} ... {token.text if token else ''}",
            "Only tags and properties can be changed here.",
        )
    reader.end()
    return result


def grant(session: Session, reader: StatementReader) -> Result:
    """GRANT privileges ON securable TO principal."""
    reader.expect("GRANT")
    privileges = _privileges(reader)
    target = securable(session, reader)
    reader.expect("TO")
    principal = _principal(reader)
    session.catalog.grant(target, principal, privileges)
    return Result.empty(note=RECORDED)


def revoke(session: Session, reader: StatementReader) -> Result:
    """REVOKE privileges ON securable FROM principal."""
    reader.expect("REVOKE")
    privileges = _privileges(reader)
    target = securable(session, reader)
    reader.expect("FROM")
    principal = _principal(reader)
    session.catalog.revoke(target, principal, privileges)
    return Result.empty(note=RECORDED)


def _privileges(reader: StatementReader) -> list[str]:
    first = reader.next()
    end = first.end
    while not reader.sees("ON"):
        end = reader.next().end
    reader.expect("ON")
    return [" ".join(item.upper().split()) for item in split_items(reader.sql[first.start : end])]


def _principal(reader: StatementReader) -> str:
    token = reader.next()
    name = token.value
    reader.end()
    return name


HANDLERS: Handlers = {
    ("COMMENT", "ON"): comment_on,
    ("GRANT",): grant,
    ("REVOKE",): revoke,
    ("ALTER", "CATALOG"): alter_namespace,
    ("ALTER", "SCHEMA"): alter_namespace,
    ("ALTER", "DATABASE"): alter_namespace,
    ("ALTER", "VOLUME"): alter_namespace,
}
