"""SHOW in its forms, from the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from local_workspace.catalog import Securable, Table
from local_workspace.sql.patterns import Fits, show_pattern
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql.tokens import quote_identifier, quote_string
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements import governance
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.information_schema import INFORMATION_SCHEMA
from local_workspace.sql_warehouse.statements.listing import (
    column_list,
    provider_of,
    table_type,
    type_in_capitals,
)
from local_workspace.sql_warehouse.statements.table_facts import (
    clustering_columns,
    columns_of,
    constraint_text,
    visible_properties,
)

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

_TEXT = pa.string()


def _pattern(reader: StatementReader) -> Fits:
    if reader.at_end:
        return show_pattern(None)
    reader.accept("LIKE")
    pattern = reader.string()
    reader.end()
    return show_pattern(pattern)


def _schema(session: Session, reader: StatementReader) -> tuple[str, str]:
    parts: tuple[str, ...] = (session.schema_name,)
    if reader.accept("IN") or reader.accept("FROM"):
        parts = reader.dotted_name()
    catalog, schema = session.schema_parts(parts)
    session.require_schema(catalog, schema)
    return catalog, schema


def show_catalogs(session: Session, reader: StatementReader) -> Result:
    """SHOW CATALOGS [LIKE ..]."""
    reader.expect("SHOW", "CATALOGS")
    fits = _pattern(reader)
    names = sorted({c.catalog for c in session.catalog.catalogs()} | {"system"})
    return Result.of_rows([("catalog", _TEXT)], [(name,) for name in names if fits(name)])


def show_schemas(session: Session, reader: StatementReader) -> Result:
    """SHOW SCHEMAS [IN catalog] [LIKE ..]."""
    reader.expect("SHOW")
    reader.next()
    catalog = reader.name() if reader.accept("IN") or reader.accept("FROM") else session.catalog_name
    fits = _pattern(reader)
    session.require_catalog(catalog)
    names = sorted({s.schema or "" for s in session.catalog.schemas(catalog)} | {INFORMATION_SCHEMA})
    return Result.of_rows([("databaseName", _TEXT)], [(name,) for name in names if fits(name)])


def show_tables(session: Session, reader: StatementReader) -> Result:
    """SHOW TABLES [IN schema] [LIKE ..]: tables and views, and the session's temporary views."""
    reader.expect("SHOW", "TABLES")
    catalog, schema = _schema(session, reader)
    fits = _pattern(reader)
    rows = [
        (t.name.schema, t.name.table, False)
        for t in session.catalog.tables(catalog, schema)
        if fits(t.name.table)
    ]
    rows += [("", view.name, True) for view in session.temporary_views.values() if fits(view.name)]
    return Result.of_rows([("database", _TEXT), ("tableName", _TEXT), ("isTemporary", pa.bool_())], rows)


def show_views(session: Session, reader: StatementReader) -> Result:
    """SHOW VIEWS [IN schema] [LIKE ..]."""
    reader.expect("SHOW", "VIEWS")
    catalog, schema = _schema(session, reader)
    fits = _pattern(reader)
    rows = [
        (t.name.schema, t.name.table, False, False)
        for t in session.catalog.tables(catalog, schema)
        if t.is_view and fits(t.name.table)
    ]
    rows += [("", view.name, True, False) for view in session.temporary_views.values() if fits(view.name)]
    columns = [
        ("namespace", _TEXT),
        ("viewName", _TEXT),
        ("isTemporary", pa.bool_()),
        ("isMaterialized", pa.bool_()),
    ]
    return Result.of_rows(columns, rows)


def show_volumes(session: Session, reader: StatementReader) -> Result:
    """SHOW VOLUMES [IN schema] [LIKE ..]."""
    reader.expect("SHOW", "VOLUMES")
    catalog, schema = _schema(session, reader)
    fits = _pattern(reader)
    rows = [(v.schema, v.name) for v in session.catalog.volumes(catalog, schema) if fits(v.name)]
    return Result.of_rows([("database", _TEXT), ("volume_name", _TEXT)], rows)


def show_columns(session: Session, reader: StatementReader) -> Result:
    """SHOW COLUMNS IN table."""
    reader.expect("SHOW", "COLUMNS")
    if not reader.accept("IN"):
        reader.expect("FROM")
    parts = reader.dotted_name()
    if len(parts) < 3 and (reader.accept("IN") or reader.accept("FROM")):
        parts = reader.dotted_name() + parts[-1:]
    reader.end()
    columns = columns_of(session, session.require_table(parts))
    return Result.of_rows([("col_name", _TEXT)], [(c.name,) for c in columns])


def show_table_extended(session: Session, reader: StatementReader) -> Result:
    """SHOW TABLE EXTENDED [IN schema] LIKE ..: what dbt reads for its catalog of columns."""
    reader.expect("SHOW", "TABLE", "EXTENDED")
    catalog, schema = _schema(session, reader)
    reader.expect("LIKE")
    fits = show_pattern(reader.string())
    reader.end()
    rows = [
        (t.name.schema, t.name.table, False, _information(session, t))
        for t in session.catalog.tables(catalog, schema)
        if fits(t.name.table)
    ]
    columns = [("database", _TEXT), ("tableName", _TEXT), ("isTemporary", pa.bool_()), ("information", _TEXT)]
    return Result.of_rows(columns, rows)


def _information(session: Session, table: Table) -> str:
    lines = [
        f"Catalog: {table.name.catalog}",
        f"Database: {table.name.schema}",
        f"Table: {table.name.table}",
        f"Owner: {table.owner}",
        f"Created Time: {table.created_at.strftime('%a %b %d %H:%M:%S UTC %Y')}",
        f"Type: {table_type(table)}",
    ]
    if table.is_view:
        lines.append(f"View Text: {table.view_sql}")
    else:
        lines += [f"Provider: {provider_of(table)}", f"Location: {table.location}"]
    if table.comment:
        # Last of the facts: dbt-databricks reads the comment up to the last word that begins a line and ends with a colon.
        lines.append(f"Comment: {table.comment}")
    lines.append("Schema: root")
    # A table that is dropped while it is listed has no columns; the listing goes on.
    columns = columns_of(session, table) if table.is_view else column_list(session.catalog, table)
    lines += [f" |-- {c.name}: {c.data_type} (nullable = {str(c.nullable).lower()})" for c in columns]
    return "\n".join(lines) + "\n"


def show_properties(session: Session, reader: StatementReader) -> Result:
    """SHOW TBLPROPERTIES table [(key)]."""
    reader.expect("SHOW", "TBLPROPERTIES")
    table = session.require_table(reader.dotted_name())
    properties = visible_properties(table)
    for constraint in session.catalog.constraints(table.name) if not table.is_view else ():
        if constraint.type == "CHECK":
            properties[f"delta.constraints.{constraint.name.lower()}"] = constraint.expression or ""
    columns = [("key", _TEXT), ("value", _TEXT)]
    if reader.sees("("):
        key = reader.parenthesised().strip().strip("'\"")
        if key not in properties:
            text = f"Table {table.name} does not have property: {key}"
            return Result.of_rows(columns, [(key, text)])
        return Result.of_rows(columns, [(key, properties[key])])
    return Result.of_rows(columns, sorted(properties.items()))


def show_create_table(session: Session, reader: StatementReader) -> Result:
    """SHOW CREATE TABLE name."""
    reader.expect("SHOW", "CREATE", "TABLE")
    table = session.require_table(reader.dotted_name())
    reader.end()
    columns = columns_of(session, table)
    lines = []
    for column in columns:
        line = f"  {quote_identifier(column.name)}"
        if not table.is_view:
            line += f" {type_in_capitals(column.data_type)}" + ("" if column.nullable else " NOT NULL")
        lines.append(line + (f" COMMENT {quote_string(column.comment)}" if column.comment else ""))
    lines += [
        f"  CONSTRAINT {quote_identifier(c.name)} {constraint_text(c)}"
        for c in session.catalog.constraints(table.name)
        if c.type != "CHECK"
    ]
    text = (
        f"CREATE {'VIEW' if table.is_view else 'TABLE'} {table.name.quoted} (\n" + ",\n".join(lines) + ")\n"
    )
    if not table.is_view:
        text += f"USING {provider_of(table)}\n"
        partitions = sorted(
            (c for c in columns if c.partition_index is not None), key=lambda c: c.partition_index or 0
        )
        if partitions:
            text += f"PARTITIONED BY ({', '.join(quote_identifier(c.name) for c in partitions)})\n"
        clustering = clustering_columns(table)
        if clustering:
            text += f"CLUSTER BY {'AUTO' if clustering == ['AUTO'] else '(' + ', '.join(clustering) + ')'}\n"
    if table.comment:
        text += f"COMMENT {quote_string(table.comment)}\n"
    properties = {k: v for k, v in visible_properties(table).items() if not k.startswith("cluster")}
    if properties:
        pairs = ",\n  ".join(f"{quote_string(k)} = {quote_string(v)}" for k, v in sorted(properties.items()))
        text += f"TBLPROPERTIES (\n  {pairs})\n"
    if table.kind == "METRIC_VIEW":
        text = f"CREATE VIEW {table.name.quoted}\n{text.partition(chr(10) + ')')[2].lstrip()}WITH METRICS\nLANGUAGE YAML\n"
    if table.is_view:
        text += f"AS {table.view_sql}\n"
    return Result.of_rows([("createtab_stmt", _TEXT)], [(text,)])


def show_grants(session: Session, reader: StatementReader) -> Result:
    """SHOW GRANTS [principal] ON securable."""
    reader.expect("SHOW")
    reader.next()
    principal = None if reader.sees("ON") else reader.next().value
    reader.expect("ON")
    target = governance.securable(session, reader)
    reader.end()
    securable = Securable.of(target)
    columns = [("Principal", _TEXT), ("ActionType", _TEXT), ("ObjectType", _TEXT), ("ObjectKey", _TEXT)]
    rows = [
        (g.principal, g.privilege, securable.type, ".".join(securable.parts))
        for g in session.catalog.grants(target)
        if principal is None or g.principal == principal
    ]
    return Result.of_rows(columns, rows)


HANDLERS: Handlers = {
    ("SHOW", "CATALOGS"): show_catalogs,
    ("SHOW", "SCHEMAS"): show_schemas,
    ("SHOW", "DATABASES"): show_schemas,
    ("SHOW", "TABLES"): show_tables,
    ("SHOW", "VIEWS"): show_views,
    ("SHOW", "VOLUMES"): show_volumes,
    ("SHOW", "COLUMNS"): show_columns,
    ("SHOW", "TABLE", "EXTENDED"): show_table_extended,
    ("SHOW", "TBLPROPERTIES"): show_properties,
    ("SHOW", "CREATE", "TABLE"): show_create_table,
    ("SHOW", "GRANTS"): show_grants,
    ("SHOW", "GRANT"): show_grants,
}
