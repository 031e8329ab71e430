"""CREATE VIEW, CREATE TEMPORARY VIEW, ALTER VIEW AS and DROP VIEW.

A view is its text: the catalog keeps it, and every statement that reads the view gets it put in place. So a view
always shows the present columns of its tables, where Databricks shows those at its creation.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from local_workspace.catalog import Column, TableName
from local_workspace.sql.metric_view import read_metric_view
from local_workspace.sql.references import Source, replace_references, table_names
from local_workspace.sql.sql_error import SqlError, not_supported, table_not_found
from local_workspace.sql.statement_reader import StatementReader, property_pairs, split_items
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql.view_text import VIEW_COLUMN_NAMES, VIEW_NAMESPACE, TemporaryView
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

    from local_workspace.sql_warehouse.session import Session


def engine_columns(schema: StructType) -> list[Column]:
    """Return the columns of a query as the catalog records them."""
    return [
        Column(
            field.name, field.dataType.simpleString(), True, (field.metadata or {}).get("comment"), position
        )
        for position, field in enumerate(schema.fields)
    ]


def create_view(session: Session, reader: StatementReader) -> Result:
    """CREATE [OR REPLACE] VIEW [IF NOT EXISTS] name [(columns)] [COMMENT ..] [TBLPROPERTIES ..] AS query."""
    reader.expect("CREATE")
    replace = reader.accept("OR", "REPLACE")
    reader.expect("VIEW")
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = session.table_name(reader.dotted_name())
    session.require_schema(name.catalog, name.schema)
    existing = session.catalog.get(name)
    if existing is not None and not existing.is_view:
        raise SqlError(
            "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE",
            f"{name.quoted} is a table, not a view. Drop it first.",
            "42809",
        )
    if existing is not None and if_not_exists:
        return Result.empty()
    if existing is not None and not replace:
        raise SqlError(
            "TABLE_OR_VIEW_ALREADY_EXISTS",
            f"Cannot create view {name.quoted} because it already exists.",
            "42P07",
        )
    names, comments, comment, properties, kind = _clauses(reader)
    text = _query(reader)
    query, columns = _definition(session, text, kind)
    if kind != "VIEW":
        if names:
            raise not_supported("a list of columns for a metric view", "Name them in its YAML.")
        comments = {c.name: c.comment for c in columns if c.comment}
    if names:
        if len(names) != len(columns):
            raise SqlError(
                "CREATE_VIEW_COLUMN_ARITY_MISMATCH",
                f"The view {name.quoted} names {len(names)} columns and its query has {len(columns)}.",
                "21S01",
            )
        columns = [
            Column(new, old.data_type, True, comments.get(new.lower()), old.position)
            for new, old in zip(names, columns, strict=True)
        ]
    _refuse_self_reference(session, query, name)
    properties[VIEW_NAMESPACE] = f"{session.catalog_name}.{session.schema_name}"
    if names:
        properties[VIEW_COLUMN_NAMES] = ", ".join(quote_identifier(n) for n in names)
    session.catalog.put_table(
        name,
        kind=kind,
        location=None,
        view_sql=text,
        columns=columns,
        comment=comment,
        properties=properties,
        column_comments=comments,
        replace_existing=True,
    )
    return Result.empty()


def _definition(session: Session, text: str, kind: str) -> tuple[str, list[Column]]:
    """Return the query that a view is read by, and its columns."""
    if kind == "VIEW":
        return text, engine_columns(session.schema_of(text))
    view = read_metric_view(text)
    columns = engine_columns(session.schema_of(view.columns_query()))
    return view.query(), [replace(c, comment=view.comments.get(c.name.lower())) for c in columns]


def _clauses(
    reader: StatementReader,
) -> tuple[list[str], dict[str, str], str | None, dict[str, str | None], str]:
    names: list[str] = []
    comments: dict[str, str] = {}
    comment: str | None = None
    properties: dict[str, str | None] = {}
    kind = "VIEW"
    if reader.sees("("):
        for item in split_items(reader.parenthesised()):
            column = StatementReader(item)
            names.append(column.name())
            if column.accept("COMMENT"):
                comments[names[-1].lower()] = column.string()
            column.end()
    while not reader.sees("AS"):
        if reader.accept("COMMENT"):
            comment = reader.string()
        elif reader.accept("TBLPROPERTIES"):
            properties.update(property_pairs(reader.parenthesised()))
        elif reader.sees("WITH", "SCHEMA"):
            raise not_supported(
                "WITH SCHEMA in CREATE VIEW", "Omit it: a local view always shows the present columns."
            )
        elif reader.accept("WITH", "METRICS"):
            kind = "METRIC_VIEW"
        elif kind != "VIEW" and reader.accept("LANGUAGE", "YAML"):
            continue
        else:
            reader.expect("AS")
    reader.expect("AS")
    return names, comments, comment, properties, kind


def _query(reader: StatementReader) -> str:
    """Return the rest of the statement, without parentheses around all of it."""
    query = reader.rest()
    while query.startswith("("):
        inner = StatementReader(query)
        text = inner.parenthesised()
        if not inner.at_end:
            break
        query = text.strip()
    return query


def _refuse_self_reference(session: Session, query: str, name: TableName) -> None:
    for parts in table_names(query):
        if len(parts) == 3 and session.table_name(parts) == name:
            raise SqlError("RECURSIVE_VIEW", f"Recursive view {name.quoted} detected.", "42P20")


def create_temporary_view(session: Session, reader: StatementReader) -> Result:
    """CREATE [OR REPLACE] TEMPORARY VIEW name AS query: known to this session only, gone with it."""
    reader.expect("CREATE")
    replace = reader.accept("OR", "REPLACE")
    if reader.accept("GLOBAL"):
        raise not_supported("GLOBAL TEMPORARY VIEW", "Use a temporary view of the session, or a view.")
    if not reader.accept("TEMPORARY"):
        reader.expect("TEMP")
    reader.expect("VIEW")
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = reader.name()
    names, _, _, _, kind = _clauses(reader)
    if kind != "VIEW":
        raise not_supported("a temporary metric view", "Create it in a schema.")
    query = _query(reader)
    if name.lower() in session.temporary_views and not replace:
        if if_not_exists:
            return Result.empty()
        raise SqlError(
            "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", f"The temporary view {name} already exists.", "42P07"
        )
    if names:
        query = f"SELECT * FROM ({query}\n) AS v({', '.join(quote_identifier(n) for n in names)})"
    session.schema_of(query)
    former = session.temporary_views.get(name.lower())
    if former is not None:
        # The new text may read the former view: that one lives on under a name that nobody else uses.
        kept = f"{name.lower()}_{secrets.token_hex(4)}"
        own = Source(quote_identifier(kept), False)
        renamed = replace_references(
            query,
            lambda parts: own if [p.lower() for p in parts] == [name.lower()] else None,
            missing_ok=True,
        )
        if renamed != query:
            session.temporary_views[kept] = former
            query = renamed
    session.temporary_views[name.lower()] = TemporaryView(
        name, query, session.catalog_name, session.schema_name
    )
    return Result.empty()


def alter_view(session: Session, reader: StatementReader) -> Result:
    """ALTER VIEW name AS query | RENAME TO | SET/UNSET TBLPROPERTIES | SET/UNSET TAGS | ALTER COLUMN .. COMMENT."""
    from local_workspace.sql_warehouse.statements import alter_table  # noqa: PLC0415

    start = reader.position
    reader.expect("ALTER", "VIEW")
    view = session.require_table(reader.dotted_name())
    if not view.is_view:
        raise SqlError(
            "EXPECT_VIEW_NOT_TABLE.USE_ALTER_TABLE",
            f"{view.name.quoted} is a table. Use ALTER TABLE instead.",
            "42809",
        )
    if not reader.accept("AS"):
        reader.position = start
        return alter_table.alter(session, reader)
    text = _query(reader)
    query, columns = _definition(session, text, view.kind)
    _refuse_self_reference(session, query, view.name)
    session.catalog.put_table(
        view.name,
        kind=view.kind,
        location=None,
        view_sql=text,
        columns=columns,
        properties={VIEW_NAMESPACE: f"{session.catalog_name}.{session.schema_name}", VIEW_COLUMN_NAMES: None},
        column_comments={
            **dict.fromkeys(view.column_comments),
            **{c.name: c.comment for c in columns if view.kind != "VIEW" and c.comment},
        },
    )
    return Result.empty()


def drop_view(session: Session, reader: StatementReader) -> Result:
    """DROP VIEW [IF EXISTS] name; a temporary view of that name goes first."""
    reader.expect("DROP", "VIEW")
    if_exists = reader.accept("IF", "EXISTS")
    parts = reader.dotted_name()
    reader.end()
    if session.temporary_view(parts) is not None:
        del session.temporary_views[parts[0].lower()]
        return Result.empty()
    name = session.table_name(parts)
    view = session.catalog.get(name)
    if view is None:
        if if_exists:
            return Result.empty()
        raise table_not_found(name.quoted)
    if not view.is_view:
        raise SqlError(
            "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE",
            f"{name.quoted} is a table. Use DROP TABLE instead.",
            "42809",
        )
    session.catalog.drop(view.name, if_exists=True)
    return Result.empty()


HANDLERS: Handlers = {
    ("CREATE", "VIEW"): create_view,
    ("CREATE", "OR", "REPLACE", "VIEW"): create_view,
    ("CREATE", "TEMPORARY", "VIEW"): create_temporary_view,
    ("CREATE", "TEMP", "VIEW"): create_temporary_view,
    ("CREATE", "GLOBAL"): create_temporary_view,
    ("CREATE", "OR", "REPLACE", "TEMPORARY", "VIEW"): create_temporary_view,
    ("CREATE", "OR", "REPLACE", "TEMP", "VIEW"): create_temporary_view,
    ("ALTER", "VIEW"): alter_view,
    ("DROP", "VIEW"): drop_view,
}
