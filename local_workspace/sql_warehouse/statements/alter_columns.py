"""ALTER TABLE on columns: add, drop, rename, retype, comment, NOT NULL.

Changes go into the Delta log in one commit. Dropping, renaming and retyping a column writes the table again, because the
local engine does not read Delta's column mapping; Databricks wants column mapping for the same statements.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable

from local_workspace.catalog import Table
from local_workspace.catalog.char_types import DECLARED_TYPE, declared_type
from local_workspace.delta.commit import commit_metadata, commit_replacement
from local_workspace.delta.log import current_files
from local_workspace.delta.shape import TableShape, nullable, shape_of
from local_workspace.delta.staging import stage
from local_workspace.sql.sql_error import SqlError, not_supported, parse_error, unresolved_column
from local_workspace.sql.statement_reader import StatementReader, property_pairs, split_items
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.policies import alter_mask
from local_workspace.sql_warehouse.statements.table_checks import verify
from local_workspace.sql_warehouse.statements.table_definition import (
    ColumnDefinition,
    check_columns,
    read_columns,
    read_type,
)

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session


def delta_of(table: Table) -> DeltaTable:
    """Return the Delta table behind a table of the catalog."""
    return DeltaTable(location_of(table))


def commit_shape(session: Session, table: Table, shape: TableShape, operation: str) -> None:
    """Commit new columns or properties, and record them in the catalog."""
    commit_metadata(location_of(table), shape, operation=operation, statement=session.tag or session.id)
    session.catalog.touch(table.name)


def column_of(shape: TableShape, name: str) -> dict[str, Any]:
    """Return a copy of a column's field in the Delta schema.

    Raises:
        SqlError: There is no such column.
    """
    for field in shape.fields:
        if field["name"].lower() == name.lower():
            return dict(field)
    raise unresolved_column([name], [field["name"] for field in shape.fields])


def fields_of(session: Session, columns: list[ColumnDefinition]) -> list[dict[str, Any]]:
    """Return the fields of declared columns in the form of a Delta schema; the engine knows the types."""
    values = ", ".join(f"CAST(NULL AS {c.type}) AS {quote_identifier(c.name)}" for c in columns)
    fields = json.loads(session.engine.frame(f"SELECT {values}").schema.json())["fields"]
    made = [nullable(field) for field in fields]
    for field, column in zip(made, columns, strict=True):
        limited = declared_type(column.type)
        if limited is not None:
            field["metadata"] = {**field.get("metadata", {}), DECLARED_TYPE: limited}
    return made


def add_columns(session: Session, table: Table, reader: StatementReader) -> None:
    """ADD COLUMN[S] (name type [COMMENT ..], ...): NULL in the rows that are there."""
    text = reader.parenthesised() if reader.sees("(") else reader.rest()
    columns, _ = read_columns(text)
    check_columns(columns)
    shape = shape_of(delta_of(table))
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
    commit_shape(
        session, table, replace(shape, fields=[*shape.fields, *fields_of(session, columns)]), "ADD COLUMNS"
    )
    for column in columns:
        if column.comment:
            session.catalog.set_column_comment(table.name, column.name, column.comment)


def drop_columns(session: Session, table: Table, reader: StatementReader) -> None:
    """DROP COLUMN[S] [IF EXISTS] (names)."""
    if_exists = reader.accept("IF", "EXISTS")
    text = reader.parenthesised() if reader.sees("(") else reader.rest()
    names = [StatementReader(item).name() for item in split_items(text)]
    shape = shape_of(delta_of(table))
    present = {field["name"].lower() for field in shape.fields}
    gone = {n.lower() for n in names if not (if_exists and n.lower() not in present)}
    for name in gone:
        column_of(shape, name)
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
    shape = shape_of(delta_of(table))
    if former.lower() in {p.lower() for p in shape.partition_columns}:
        raise not_supported("RENAME COLUMN of a partition column", "Recreate the table.")
    field = column_of(shape, former)
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
    source = session.engine.table(table.name, location_of(table))
    frame = session.engine.frame(f"SELECT {', '.join(expressions)} FROM {source}", tag=session.tag)
    staged = stage(frame, location_of(table), shape.partition_columns)
    try:
        verify(session, staged.folder, staged.adds, shape.fields, shape.checks, table=table.name)
        commit_replacement(
            location_of(table), staged, shape, operation=operation, statement=session.tag or session.id
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
            column_of(shape_of(delta_of(table)), name)
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
        alter_mask(session, table, name, reader)
        return Result.empty()
    if reader.sees("SET", "DEFAULT") or reader.sees("DROP", "DEFAULT"):
        raise not_supported("DEFAULT of a column", "Compute the value in the model's query.")
    shape = shape_of(delta_of(table))
    field = column_of(shape, name)
    if reader.accept("SET", "NOT", "NULL") or reader.accept("DROP", "NOT", "NULL"):
        field["nullable"] = reader.tokens[reader.position - 3].upper == "DROP"
        fields = [field if f["name"] == field["name"] else f for f in shape.fields]
        if not field["nullable"]:
            verify(
                session,
                location_of(table),
                current_files(delta_of(table)),
                [field],
                {},
                table=table.name,
                new=True,
            )
        commit_shape(session, table, replace(shape, fields=fields), "CHANGE COLUMN")
        return None
    if reader.accept("TYPE"):
        new = fields_of(session, [ColumnDefinition(field["name"], read_type(reader))])[0]
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
