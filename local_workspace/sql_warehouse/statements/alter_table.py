"""ALTER TABLE: constraints, properties, tags, name; what it says of views is the same statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from local_workspace.catalog import Constraint, Table
from local_workspace.delta.log import current_files
from local_workspace.delta.shape import CHECK_PREFIX, shape_of
from local_workspace.delta.table_lock import table_lock
from local_workspace.sql.sql_error import SqlError, not_supported
from local_workspace.sql.statement_reader import (
    StatementReader,
    property_pairs,
    split_items,
)
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements import governance
from local_workspace.sql_warehouse.statements.alter_columns import (
    add_columns,
    alter_column,
    column_of,
    commit_shape,
    delta_of,
    drop_columns,
    rename_column,
)
from local_workspace.sql_warehouse.statements.create_table import (
    log_properties,
    resolved_constraint,
)
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.listing import CLUSTERING_PROPERTY
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.policies import drop_row_filter, set_row_filter
from local_workspace.sql_warehouse.statements.staging_area import clear_staging
from local_workspace.sql_warehouse.statements.table_checks import verify
from local_workspace.sql_warehouse.statements.table_definition import (
    constraint_name,
    read_constraint,
)

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

Change = Callable[["Session", Table, StatementReader], "Result | None"]


def alter(session: Session, reader: StatementReader) -> Result:
    """ALTER TABLE | VIEW | STREAMING TABLE | MATERIALIZED VIEW name ..."""
    reader.expect("ALTER")
    if not (reader.accept("STREAMING", "TABLE") or reader.accept("MATERIALIZED", "VIEW")):
        reader.next()
    table = session.require_table(reader.dotted_name())
    for words, change in _CHANGES.items():
        if reader.accept(*words):
            with table_lock(session.warehouse.layout, table.name):
                if table.location is not None:
                    clear_staging(table.location)
                result = change(session, table, reader) or Result.empty()
            reader.end()
            return result
    token = reader.peek()
    raise not_supported(
        f"ALTER TABLE ... {token.text if token else ''}", "Recreate the table with CREATE OR REPLACE TABLE."
    )


def add_constraint(session: Session, table: Table, reader: StatementReader) -> Result:
    """ADD [CONSTRAINT name] PRIMARY KEY | FOREIGN KEY | CHECK: keys are recorded, a CHECK holds from now on."""
    definition = read_constraint(reader)
    name = constraint_name(table.name.table, definition)
    shape = shape_of(delta_of(table))
    taken = {c.name.lower(): c for c in session.catalog.constraints(table.name)}
    if name.lower() in taken or CHECK_PREFIX + name.lower() in {k.lower() for k in shape.configuration}:
        raise SqlError(
            "DELTA_CONSTRAINT_ALREADY_EXISTS",
            f"Constraint {name} already exists. Delete the old constraint first.",
            "42710",
        )
    if definition.type == "PRIMARY KEY" and any(c.type == "PRIMARY KEY" for c in taken.values()):
        raise SqlError(
            "PRIMARY_KEY_ALREADY_EXISTS", f"{table.name.quoted} already has a primary key.", "42830"
        )
    for column in definition.columns:
        field = column_of(shape, column)
        if definition.type == "PRIMARY KEY" and field["nullable"]:
            raise SqlError(
                "PRIMARY_KEY_COLUMN_NULLABLE",
                f"Cannot create the primary key {name} because its child column(s) {column} is nullable. "
                "Change the column nullability and retry.",
                "42831",
            )
    constraint = resolved_constraint(session, table.name, definition)
    if definition.type == "CHECK":
        files = current_files(delta_of(table))
        rule = {name: definition.expression or ""}
        verify(session, location_of(table), files, [], rule, table=table.name, new=True)
        configuration = {**shape.configuration, CHECK_PREFIX + name: definition.expression or ""}
        commit_shape(session, table, replace(shape, configuration=configuration), "ADD CONSTRAINT")
        session.catalog.add_constraint(table.name, constraint)
        return Result.empty()
    session.catalog.add_constraint(table.name, constraint)
    return Result.empty(note="recorded")


def drop_constraint(session: Session, table: Table, reader: StatementReader) -> None:
    """DROP CONSTRAINT [IF EXISTS] name [RESTRICT | CASCADE], DROP PRIMARY KEY."""
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    cascade = reader.accept("CASCADE")
    reader.accept("RESTRICT")
    key = session.catalog.primary_key(table.name)
    if key is not None and key.name.lower() == name.lower():
        _drop_key(session, table, key, cascade=cascade)
        return
    known = {c.name.lower() for c in session.catalog.constraints(table.name)}
    shape = shape_of(delta_of(table))
    kept = {k: v for k, v in shape.configuration.items() if k.lower() != CHECK_PREFIX + name.lower()}
    if name.lower() not in known and len(kept) == len(shape.configuration):
        if if_exists:
            return
        raise SqlError(
            "DELTA_CONSTRAINT_DOES_NOT_EXIST",
            f"Cannot drop nonexistent constraint {name} from {table.name.quoted}.",
            "42704",
        )
    if len(kept) != len(shape.configuration):
        commit_shape(session, table, replace(shape, configuration=kept), "DROP CONSTRAINT")
    session.catalog.drop_constraint(table.name, name, if_exists=True)


def _drop_key(session: Session, table: Table, key: Constraint, *, cascade: bool) -> None:
    referring = session.catalog.referring(table.name)
    if referring and not cascade:
        names = ", ".join(f"{constraint} of {other.quoted}" for other, constraint in referring)
        raise SqlError(
            "CANNOT_DROP_PRIMARY_KEY_REFERENCED",
            f"Cannot drop the primary key {key.name} of {table.name.quoted}: the foreign keys {names} refer to it. "
            "Drop them first, or use CASCADE.",
            "2BP01",
        )
    for other, constraint in referring:
        session.catalog.drop_constraint(other, constraint, if_exists=True)
    session.catalog.drop_constraint(table.name, key.name)


def drop_primary_key(session: Session, table: Table, reader: StatementReader) -> None:
    """DROP PRIMARY KEY [IF EXISTS] [RESTRICT | CASCADE]: with CASCADE the foreign keys that point to it go, too."""
    if_exists = reader.accept("IF", "EXISTS")
    cascade = reader.accept("CASCADE")
    reader.accept("RESTRICT")
    key = session.catalog.primary_key(table.name)
    if key is not None:
        _drop_key(session, table, key, cascade=cascade)
    elif not if_exists:
        raise SqlError("DELTA_CONSTRAINT_DOES_NOT_EXIST", f"{table.name.quoted} has no primary key.", "42704")


def set_properties(session: Session, table: Table, reader: StatementReader) -> Result:
    """SET TBLPROPERTIES (..): those of Delta's log take effect, the others are recorded."""
    properties = property_pairs(reader.parenthesised())
    if any(key.lower().startswith(CHECK_PREFIX) for key in properties):
        raise not_supported("SET TBLPROPERTIES (delta.constraints...)", "Use ADD CONSTRAINT.")
    in_log = log_properties(properties)
    if in_log and table.location is not None:
        shape = shape_of(delta_of(table))
        commit_shape(
            session,
            table,
            replace(shape, configuration={**shape.configuration, **in_log}),
            "SET TBLPROPERTIES",
        )
    session.catalog.set_properties(table.name, properties)
    return Result.empty(note="" if in_log else "recorded")


def unset_properties(session: Session, table: Table, reader: StatementReader) -> Result:
    """UNSET TBLPROPERTIES [IF EXISTS] (..)."""
    reader.accept("IF", "EXISTS")
    keys = list(property_pairs(reader.parenthesised()))
    in_log = log_properties(dict.fromkeys(keys, ""))
    if in_log and table.location is not None:
        shape = shape_of(delta_of(table))
        kept = {k: v for k, v in shape.configuration.items() if k not in in_log}
        commit_shape(session, table, replace(shape, configuration=kept), "UNSET TBLPROPERTIES")
    session.catalog.set_properties(table.name, dict.fromkeys(keys))
    return Result.empty(note="recorded")


def set_tags(session: Session, table: Table, reader: StatementReader) -> Result:
    """SET TAGS ('a' = 'b')."""
    return governance.set_tags(session, table.name, reader)


def unset_tags(session: Session, table: Table, reader: StatementReader) -> Result:
    """UNSET TAGS ('a')."""
    return governance.unset_tags(session, table.name, reader)


def rename(session: Session, table: Table, reader: StatementReader) -> None:
    """RENAME TO name."""
    target = session.table_name(reader.dotted_name())
    # A bare new name stays in the table's own schema, not in the session's.
    if reader.tokens[reader.position - 2].text != ".":
        target = replace(target, catalog=table.name.catalog, schema=table.name.schema)
    if session.catalog.get(target) is not None:
        raise SqlError(
            "TABLE_OR_VIEW_ALREADY_EXISTS",
            f"Cannot rename to {target.quoted} because it already exists.",
            "42P07",
        )
    session.require_schema(target.catalog, target.schema)
    session.catalog.rename(table.name, target)


def cluster_by(session: Session, table: Table, reader: StatementReader) -> Result:
    """CLUSTER BY (columns) | AUTO | NONE: recorded; the local engine does not cluster files."""
    if reader.accept("NONE"):
        session.catalog.set_properties(table.name, {CLUSTERING_PROPERTY: None})
        return Result.empty(note="recorded")
    if reader.accept("AUTO"):
        columns = ["AUTO"]
    else:
        shape = shape_of(delta_of(table))
        columns = [
            column_of(shape, StatementReader(item).name())["name"]
            for item in split_items(reader.parenthesised())
        ]
    session.catalog.set_properties(table.name, {CLUSTERING_PROPERTY: ",".join(columns)})
    return Result.empty(note="recorded")


_CHANGES: dict[tuple[str, ...], Change] = {
    ("ADD", "COLUMNS"): add_columns,
    ("ADD", "COLUMN"): add_columns,
    ("DROP", "COLUMNS"): drop_columns,
    ("DROP", "COLUMN"): drop_columns,
    ("RENAME", "COLUMN"): rename_column,
    ("ALTER", "COLUMN"): alter_column,
    ("CHANGE", "COLUMN"): alter_column,
    ("DROP", "CONSTRAINT"): drop_constraint,
    ("DROP", "PRIMARY", "KEY"): drop_primary_key,
    ("SET", "ROW", "FILTER"): set_row_filter,
    ("DROP", "ROW", "FILTER"): drop_row_filter,
    ("ADD",): add_constraint,
    ("SET", "TBLPROPERTIES"): set_properties,
    ("UNSET", "TBLPROPERTIES"): unset_properties,
    ("SET", "TAGS"): set_tags,
    ("UNSET", "TAGS"): unset_tags,
    ("RENAME", "TO"): rename,
    ("CLUSTER", "BY"): cluster_by,
}

HANDLERS: Handlers = {
    ("ALTER", "TABLE"): alter,
    ("ALTER", "STREAMING", "TABLE"): alter,
    ("ALTER", "MATERIALIZED", "VIEW"): alter,
}
