"""DESCRIBE in its forms, from the catalog and the Delta log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from local_workspace.catalog import Column, Table
from local_workspace.sql.sql_error import not_supported
from local_workspace.sql.statement_reader import StatementReader, split_items
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.listing import argument_text, provider_of, table_type
from local_workspace.sql_warehouse.statements.table_facts import (
    clustering_columns,
    columns_of,
    constraint_text,
    visible_properties,
)
from local_workspace.sql_warehouse.statements.views import engine_columns

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

_COLUMNS = [("col_name", pa.string()), ("data_type", pa.string()), ("comment", pa.string())]


def describe(session: Session, reader: StatementReader) -> Result:
    """DESC[RIBE] [TABLE] [EXTENDED] name [column] [AS JSON]."""
    reader.next()
    reader.accept("TABLE")
    extended = reader.accept("EXTENDED") or reader.accept("FORMATTED")
    parts = reader.dotted_name()
    as_json = reader.accept("AS", "JSON")
    if not reader.at_end:
        raise not_supported("DESCRIBE TABLE with a column or partition", "Describe the whole table.")
    view = session.temporary_view(parts)
    if view is not None:
        columns = engine_columns(session.schema_of(f"SELECT * FROM {view.name}"))
        if as_json:
            return _json(
                {"table_name": view.name, "type": "VIEW", "columns": [_json_column(c) for c in columns]}
            )
        return Result.of_rows(_COLUMNS, [(c.name, c.data_type, c.comment) for c in columns])
    table = session.require_table(parts)
    columns = columns_of(session, table)
    if as_json:
        return _json(_facts(session, table, columns))
    rows: list[tuple[str, str, str | None]] = [(c.name, c.data_type, c.comment) for c in columns]
    partitions = sorted(
        (c for c in columns if c.partition_index is not None), key=lambda c: c.partition_index or 0
    )
    if partitions:
        rows += [("# Partition Information", "", ""), ("# col_name", "data_type", "comment")]
        rows += [(c.name, c.data_type, c.comment) for c in partitions]
    clustering = clustering_columns(table)
    if clustering and clustering != ["AUTO"]:
        types = {c.name.lower(): c.data_type for c in columns}
        rows += [("# Clustering Information", "", ""), ("# col_name", "data_type", "comment")]
        rows += [(name, types.get(name.lower(), ""), None) for name in clustering]
    if extended:
        rows += _extended_rows(session, table)
    return Result.of_rows(_COLUMNS, rows)


def _extended_rows(session: Session, table: Table) -> list[tuple[str, str, str]]:
    facts = [
        ("Catalog", table.name.catalog),
        ("Database", table.name.schema),
        ("Table", table.name.table),
        ("Created Time", table.created_at.strftime("%a %b %d %H:%M:%S UTC %Y")),
        ("Last Access", "UNKNOWN"),
        ("Created By", "Local SQL warehouse"),
        ("Type", table_type(table)),
        ("Comment", table.comment or ""),
        ("Provider", "" if table.is_view else provider_of(table)),
        ("Owner", table.owner),
    ]
    if table.location is not None:
        facts.append(("Location", str(table.location)))
    if table.view_sql:
        facts.append(("View Text", table.view_sql))
    properties = visible_properties(table)
    facts.append(
        ("Table Properties", "[" + ",".join(f"{k}={v}" for k, v in sorted(properties.items())) + "]")
    )
    rows = [("", "", ""), ("# Detailed Table Information", "", "")]
    rows += [(name, value, "") for name, value in facts if value]
    constraints = session.catalog.constraints(table.name)
    if constraints:
        rows += [("", "", ""), ("# Constraints", "", "")]
        rows += [(c.name, constraint_text(c), "") for c in constraints]
    policies = session.catalog.policies(table.name)
    for policy in policies:
        columns = ", ".join(argument_text(a) for a in policy.arguments)
        if not policy.column:
            rows += [("", "", ""), ("# Row Filter", "", ""), ("Function", policy.function.quoted, "")]
            rows += [("Function Columns", columns, "")]
    masks = [p for p in policies if p.column]
    if masks:
        rows += [("", "", ""), ("# Column Masks", "", "")]
        rows += [(p.column, p.function.quoted, "") for p in masks]
    return rows


def _json(facts: dict[str, Any]) -> Result:
    return Result.of_rows([("json_metadata", pa.string())], [(json.dumps(facts, ensure_ascii=False),)])


def _facts(session: Session, table: Table, columns: list[Column]) -> dict[str, Any]:
    """Return the document of DESCRIBE .. AS JSON ("DESCRIBE TABLE", section *JSON formatted output*)."""
    keys = [c for c in session.catalog.constraints(table.name) if c.type != "CHECK"]
    facts: dict[str, Any] = {
        "table_name": table.name.table,
        "catalog_name": table.name.catalog,
        "namespace": [table.name.schema],
        "schema_name": table.name.schema,
        "columns": [_json_column(c) for c in columns],
        "owner": table.owner,
        "created_time": table.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created_by": "Local SQL warehouse",
        "type": table_type(table),
        "table_properties": visible_properties(table),
    }
    if table.comment:
        facts["comment"] = table.comment
    if table.location is not None:
        facts |= {"location": str(table.location), "provider": provider_of(table)}
    if table.view_sql:
        facts |= {"view_text": table.view_sql, "view_original_text": table.view_sql}
    partitions = sorted(
        (c for c in columns if c.partition_index is not None), key=lambda c: c.partition_index or 0
    )
    if partitions:
        facts["partition_columns"] = [c.name for c in partitions]
    clustering = clustering_columns(table)
    if clustering and clustering != ["AUTO"]:
        facts["clustering_information"] = {"clustering_columns": clustering}
    policies = session.catalog.policies(table.name)
    for policy in policies:
        function = {
            "catalog_name": policy.function.catalog,
            "schema_name": policy.function.schema,
            "function_name": policy.function.table,
        }
        names = [argument_text(a) for a in policy.arguments]
        if not policy.column:
            facts["row_filter"] = {"function_name": function, "column_names": names}
            continue
        mask = {"column_name": policy.column, "function_name": function}
        facts.setdefault("column_masks", []).append(mask | ({"using_column_names": names} if names else {}))
    if keys:
        facts["table_constraints"] = "[" + ", ".join(f"({c.name},{constraint_text(c)})" for c in keys) + "]"
    return facts


def _json_column(column: Column) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": column.name,
        "type": json_type(column.data_type),
        "nullable": column.nullable,
    }
    if column.comment:
        result["comment"] = column.comment
    return result


def json_type(text: str) -> dict[str, Any]:
    """Return a type in the form of DESCRIBE .. AS JSON.

    Args:
        text: The type as DDL, for example ``array<struct<a:decimal(18,2)>>``.
    """
    text = text.strip()
    name = text.partition("<")[0].partition("(")[0].strip().lower()
    if name == "array":
        return {"name": "array", "element_type": json_type(text[6:-1]), "element_nullable": True}
    if name == "map":
        key, value = split_items(text[4:-1])
        return {
            "name": "map",
            "key_type": json_type(key),
            "value_type": json_type(value),
            "value_nullable": True,
        }
    if name == "struct":
        fields = []
        for item in split_items(text[7:-1]):
            reader = StatementReader(item)
            field = reader.name()
            reader.accept(":")
            fields.append({"name": field, "type": json_type(reader.rest()), "nullable": True})
        return {"name": "struct", "fields": fields}
    if name == "decimal":
        precision, scale = split_items(text[text.index("(") + 1 : -1])
        return {"name": "decimal", "precision": int(precision), "scale": int(scale)}
    if name == "string":
        return {"name": "string", "collation": "UTF8_BINARY"}
    length = {"length": int(text[text.index("(") + 1 : -1])} if name in ("varchar", "char") else {}
    return length | {"name": {"timestamp": "timestamp_ltz"}.get(name, name)}


def describe_namespace(session: Session, reader: StatementReader) -> Result:
    """DESCRIBE SCHEMA | CATALOG [EXTENDED] name."""
    columns = [("info_name", pa.string()), ("info_value", pa.string())]
    reader.next()
    kind = reader.next().upper
    reader.accept("EXTENDED")
    if kind == "CATALOG":
        catalog = reader.name()
        session.require_catalog(catalog)
        info = next(c for c in session.catalog.catalogs() if c.catalog.lower() == catalog.lower())
        rows = [("Catalog Name", info.catalog), ("Comment", info.comment or ""), ("Owner", info.owner)]
        return Result.of_rows(columns, rows)
    catalog, schema = session.schema_parts(reader.dotted_name())
    session.require_schema(catalog, schema)
    found = next(s for s in session.catalog.schemas(catalog) if (s.schema or "").lower() == schema.lower())
    rows = [
        ("Catalog Name", found.catalog),
        ("Namespace Name", found.schema or ""),
        ("Comment", found.comment or ""),
        ("Location", ""),
        ("Owner", found.owner),
    ]
    return Result.of_rows(columns, rows)


def describe_query(session: Session, reader: StatementReader) -> Result:
    """DESCRIBE QUERY: the columns that a query would have."""
    reader.next()
    reader.accept("QUERY")
    columns = engine_columns(session.schema_of(reader.rest()))
    return Result.of_rows(_COLUMNS, [(c.name, c.data_type, c.comment) for c in columns])


HANDLERS: Handlers = {
    (verb, *words): handler
    for verb in ("DESCRIBE", "DESC")
    for words, handler in {
        (): describe,
        ("SCHEMA",): describe_namespace,
        ("DATABASE",): describe_namespace,
        ("CATALOG",): describe_namespace,
        ("QUERY",): describe_query,
        ("SELECT",): describe_query,
        ("WITH",): describe_query,
    }.items()
}
