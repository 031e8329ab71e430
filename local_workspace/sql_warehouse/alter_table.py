"""ALTER TABLE: columns, constraints, properties, tags, name; what it says of views is the same statement.

Changes of columns and rules go into the Delta log in one commit. Dropping, renaming and retyping a column writes the table anew, since
the local engine does not read Delta's column mapping; Databricks wants column mapping for the same statements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable

from local_workspace.catalog import Table
from local_workspace.sql_warehouse import governance
from local_workspace.sql_warehouse.create_table import (
    CHECK_PREFIX,
    CLUSTERING_PROPERTY,
    clear_staging,
    log_properties,
    resolved_constraint,
)
from local_workspace.sql_warehouse.delta_commit import (
    TableShape,
    commit_metadata,
    commit_replacement,
    nullable,
    shape_of,
    stage,
)
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.sql_error import SqlError, not_supported, parse_error
from local_workspace.sql_warehouse.sql_text import (
    StatementReader,
    property_pairs,
    quote_identifier,
    split_items,
)
from local_workspace.sql_warehouse.table_checks import verify
from local_workspace.sql_warehouse.table_definition import (
    ColumnDefinition,
    check_columns,
    constraint_name,
    read_columns,
    read_constraint,
    read_type,
)
from local_workspace.sql_warehouse.table_lock import table_lock

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


def _delta(table: Table) -> DeltaTable:
    if table.location is None:
        raise SqlError(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", f"{table.name.quoted} is a view, not a table.", "42809"
        )
    return DeltaTable(table.location)


def _commit(session: Session, table: Table, shape: TableShape, operation: str) -> None:
    assert table.location is not None
    commit_metadata(table.location, shape, operation=operation, statement=session.tag or session.id)
    session.catalog.touch(table.name)


def _column(shape: TableShape, name: str, table: Table) -> dict[str, Any]:
    for field in shape.fields:
        if field["name"].lower() == name.lower():
            return dict(field)
    raise SqlError(
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        f"A column with name {name} cannot be resolved in {table.name.quoted}. "
        f"Did you mean one of {', '.join(f['name'] for f in shape.fields)}?",
        "42703",
    )


def _fields_of(session: Session, columns: list[ColumnDefinition]) -> list[dict[str, Any]]:
    import json  # noqa: PLC0415

    values = ", ".join(f"CAST(NULL AS {c.type}) AS {quote_identifier(c.name)}" for c in columns)
    fields = json.loads(session.engine.frame(f"SELECT {values}").schema.json())["fields"]
    return [nullable(field) for field in fields]


def add_columns(session: Session, table: Table, reader: StatementReader) -> None:
    """ADD COLUMN[S] (name type [COMMENT ..], ...): NULL in the rows that are there."""
    text = reader.parenthesised() if reader.sees("(") else reader.rest()
    columns, _ = read_columns(text)
    check_columns(columns)
    shape = shape_of(_delta(table))
    present = {field["name"].lower() for field in shape.fields}
    for column in columns:
        if column.name.lower() in present:
            raise SqlError(
                "FIELD_ALREADY_EXISTS", f"Cannot add column, because {column.name} already exists.", "42710"
            )
        if column.not_null:
            raise SqlError(
                "DELTA_ADD_COLUMN_NOT_NULL", f"The new column {column.name} cannot be NOT NULL.", "42P16"
            )
    _commit(
        session, table, replace(shape, fields=[*shape.fields, *_fields_of(session, columns)]), "ADD COLUMNS"
    )
    for column in columns:
        if column.comment:
            session.catalog.set_column_comment(table.name, column.name, column.comment)


def drop_columns(session: Session, table: Table, reader: StatementReader) -> None:
    """DROP COLUMN[S] [IF EXISTS] (names)."""
    if_exists = reader.accept("IF", "EXISTS")
    text = reader.parenthesised() if reader.sees("(") else reader.rest()
    names = [StatementReader(item).name() for item in split_items(text)]
    shape = shape_of(_delta(table))
    present = {field["name"].lower() for field in shape.fields}
    gone = {n.lower() for n in names if not (if_exists and n.lower() not in present)}
    for name in gone:
        _column(shape, name, table)
        if name in {p.lower() for p in shape.partition_columns}:
            raise SqlError(
                "DELTA_UNSUPPORTED_DROP_PARTITION_COLUMN",
                f"Dropping partition column {name} is not allowed.",
                "0AKDC",
            )
    if gone:
        kept = [field for field in shape.fields if field["name"].lower() not in gone]
        expressions = [quote_identifier(field["name"]) for field in kept]
        _rewrite(session, table, replace(shape, fields=kept), expressions, "DROP COLUMNS")


def rename_column(session: Session, table: Table, reader: StatementReader) -> None:
    """RENAME COLUMN a TO b."""
    former = reader.name()
    reader.expect("TO")
    name = reader.name()
    shape = shape_of(_delta(table))
    if former.lower() in {p.lower() for p in shape.partition_columns}:
        raise not_supported("RENAME COLUMN of a partition column", "Recreate the table.")
    field = _column(shape, former, table)
    if name.lower() in {f["name"].lower() for f in shape.fields} - {former.lower()}:
        raise SqlError(
            "FIELD_ALREADY_EXISTS", f"Cannot rename column, because {name} already exists.", "42710"
        )
    fields = [{**f, "name": name} if f["name"] == field["name"] else f for f in shape.fields]
    expressions = [
        quote_identifier(f["name"]) + (f" AS {quote_identifier(name)}" if f["name"] == field["name"] else "")
        for f in shape.fields
    ]
    _rewrite(session, table, replace(shape, fields=fields), expressions, "RENAME COLUMN")
    comment = table.column_comments.get(former.lower())
    if comment:
        session.catalog.set_column_comment(table.name, former, None)
        session.catalog.set_column_comment(table.name, name, comment)


def _rewrite(
    session: Session, table: Table, shape: TableShape, expressions: list[str], operation: str
) -> None:
    assert table.location is not None
    source = session.engine.table(table.name, table.location)
    frame = session.engine.frame(f"SELECT {', '.join(expressions)} FROM {source}", tag=session.tag)
    staged = stage(frame, table.location, shape.partition_columns)
    try:
        checks = {
            k[len(CHECK_PREFIX) :]: v for k, v in shape.configuration.items() if k.startswith(CHECK_PREFIX)
        }
        verify(session, staged.folder, shape.fields, checks, table.name)
        commit_replacement(
            table.location, staged, shape, operation=operation, statement=session.tag or session.id
        )
    finally:
        staged.discard()
    session.catalog.touch(table.name)


def alter_column(session: Session, table: Table, reader: StatementReader) -> Result | None:
    """ALTER COLUMN name TYPE | COMMENT | SET/DROP NOT NULL | SET/UNSET TAGS."""
    name = reader.name()
    if reader.accept("COMMENT"):
        known = {c.name.lower() for c in session.catalog.columns(table)}
        if name.lower() not in known:
            _column(shape_of(_delta(table)), name, table)
        session.catalog.set_column_comment(table.name, name, reader.string())
        return Result.empty(note="recorded")
    if reader.accept("SET", "TAGS"):
        session.catalog.set_column_tags(table.name, name, property_pairs(reader.parenthesised()))
        return Result.empty(note="recorded")
    if reader.accept("UNSET", "TAGS"):
        session.catalog.set_column_tags(
            table.name, name, dict.fromkeys(property_pairs(reader.parenthesised()))
        )
        return Result.empty(note="recorded")
    if reader.sees("SET", "MASK") or reader.sees("DROP", "MASK"):
        raise not_supported("column masks", "Apply the mask on Databricks only.")
    if reader.sees("SET", "DEFAULT") or reader.sees("DROP", "DEFAULT"):
        raise not_supported("DEFAULT of a column", "Compute the value in the model's query.")
    shape = shape_of(_delta(table))
    field = _column(shape, name, table)
    if reader.accept("SET", "NOT", "NULL") or reader.accept("DROP", "NOT", "NULL"):
        field["nullable"] = reader.tokens[reader.position - 3].upper == "DROP"
        fields = [field if f["name"] == field["name"] else f for f in shape.fields]
        assert table.location is not None
        if not field["nullable"]:
            verify(session, table.location, [field], {}, table.name)
        _commit(session, table, replace(shape, fields=fields), "CHANGE COLUMN")
        return None
    if reader.accept("TYPE"):
        new = _fields_of(session, [ColumnDefinition(field["name"], read_type(reader))])[0]
        kind = new["type"]
        fields = [{**f, "type": kind} if f["name"] == field["name"] else f for f in shape.fields]
        spelled = reader.sql[reader.tokens[reader.position - 1].start :] if isinstance(kind, str) else None
        expressions = [
            f"CAST({quote_identifier(f['name'])} AS {spelled or ''}) AS {quote_identifier(f['name'])}"
            if f["name"] == field["name"]
            else quote_identifier(f["name"])
            for f in shape.fields
        ]
        if spelled is None:
            raise not_supported(
                "ALTER COLUMN TYPE of a nested column", "Recreate the table with CREATE OR REPLACE TABLE."
            )
        _rewrite(session, table, replace(shape, fields=fields), expressions, "CHANGE COLUMN")
        return None
    token = reader.peek()
    raise parse_error(repr(token.text) if token else "end of input", reader.sql)


def add_constraint(session: Session, table: Table, reader: StatementReader) -> Result:
    """ADD [CONSTRAINT name] PRIMARY KEY | FOREIGN KEY | CHECK: keys are recorded, a CHECK holds from now on."""
    definition = read_constraint(reader)
    name = constraint_name(table.name.table, definition)
    shape = shape_of(_delta(table))
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
        field = _column(shape, column, table)
        if definition.type == "PRIMARY KEY" and field["nullable"]:
            raise SqlError(
                "PRIMARY_KEY_COLUMN_NULLABLE",
                f"Cannot create the primary key {name} because its child column(s) {column} is nullable. "
                "Change the column nullability and retry.",
                "42831",
            )
    constraint = resolved_constraint(session, table.name, definition)
    if definition.type == "CHECK":
        assert table.location is not None
        verify(session, table.location, [], {name: definition.expression or ""}, table.name)
        configuration = {**shape.configuration, CHECK_PREFIX + name: definition.expression or ""}
        _commit(session, table, replace(shape, configuration=configuration), "ADD CONSTRAINT")
        session.catalog.add_constraint(table.name, constraint)
        return Result.empty()
    session.catalog.add_constraint(table.name, constraint)
    return Result.empty(note="recorded")


def drop_constraint(session: Session, table: Table, reader: StatementReader) -> None:
    """DROP CONSTRAINT [IF EXISTS] name [RESTRICT | CASCADE], DROP PRIMARY KEY."""
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    reader.accept("CASCADE")
    reader.accept("RESTRICT")
    known = {c.name.lower() for c in session.catalog.constraints(table.name)}
    shape = shape_of(_delta(table))
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
        _commit(session, table, replace(shape, configuration=kept), "DROP CONSTRAINT")
    session.catalog.drop_constraint(table.name, name, if_exists=True)


def drop_primary_key(session: Session, table: Table, reader: StatementReader) -> None:
    """DROP PRIMARY KEY [IF EXISTS] [RESTRICT | CASCADE]."""
    if_exists = reader.accept("IF", "EXISTS")
    reader.accept("CASCADE")
    reader.accept("RESTRICT")
    key = next((c for c in session.catalog.constraints(table.name) if c.type == "PRIMARY KEY"), None)
    if key is not None:
        session.catalog.drop_constraint(table.name, key.name)
    elif not if_exists:
        raise SqlError("DELTA_CONSTRAINT_DOES_NOT_EXIST", f"{table.name.quoted} has no primary key.", "42704")


def set_properties(session: Session, table: Table, reader: StatementReader) -> Result:
    """SET TBLPROPERTIES (..): those of Delta's log take effect, the others are recorded."""
    properties = property_pairs(reader.parenthesised())
    if any(key.lower().startswith(CHECK_PREFIX) for key in properties):
        raise not_supported("SET TBLPROPERTIES (delta.constraints...)", "Use ADD CONSTRAINT.")
    in_log = log_properties(properties)
    if in_log and table.location is not None:
        shape = shape_of(_delta(table))
        _commit(
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
        shape = shape_of(_delta(table))
        kept = {k: v for k, v in shape.configuration.items() if k not in in_log}
        _commit(session, table, replace(shape, configuration=kept), "UNSET TBLPROPERTIES")
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
        shape = shape_of(_delta(table))
        columns = [
            _column(shape, StatementReader(item).name(), table)["name"]
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
    ("ADD",): add_constraint,
    ("SET", "TBLPROPERTIES"): set_properties,
    ("UNSET", "TBLPROPERTIES"): unset_properties,
    ("SET", "TAGS"): set_tags,
    ("UNSET", "TAGS"): unset_tags,
    ("RENAME", "TO"): rename,
    ("CLUSTER", "BY"): cluster_by,
}

HANDLERS = {
    ("ALTER", "TABLE"): alter,
    ("ALTER", "STREAMING", "TABLE"): alter,
    ("ALTER", "MATERIALIZED", "VIEW"): alter,
}
