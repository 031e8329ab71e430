"""information_schema: relations built from the catalog when a query names them, so that any SQL can be asked of them.

Columns are those of the Databricks documentation, pages *Information schema* and below, as far as clients here read
them. A catalog's own information_schema shows that catalog, ``system.information_schema`` shows all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from local_workspace.catalog import Catalog, Constraint, Function, Policy, Securable, Table
from local_workspace.sql_warehouse.result import arrow_table
from local_workspace.sql_warehouse.statements.listing import (
    argument_text,
    column_list,
    last_changed,
    provider_of,
    table_type,
)

INFORMATION_SCHEMA = "information_schema"
_TEXT, _WHEN, _INT, _LONG = pa.string(), pa.timestamp("us", "UTC"), pa.int32(), pa.int64()
Columns = list[tuple[str, pa.DataType]]
Rows = Iterator[tuple[Any, ...]]


def _texts(*names: str) -> Columns:
    return [(name, _TEXT) for name in names]


def _all_tables(known: Catalog, catalogs: list[str]) -> Iterator[Table]:
    for catalog in catalogs:
        yield from known.tables(catalog)


def _name(table: Table) -> tuple[str, str, str]:
    return table.name.catalog, table.name.schema, table.name.table


def _catalogs(known: Catalog, catalogs: list[str]) -> Rows:
    for info in known.catalogs():
        if info.catalog in catalogs:
            yield (
                info.catalog,
                info.owner,
                info.comment,
                info.created_at,
                info.owner,
                info.altered_at,
                info.owner,
            )


def _schemata(known: Catalog, catalogs: list[str]) -> Rows:
    for catalog in catalogs:
        for s in known.schemas(catalog):
            yield s.catalog, s.schema, s.owner, s.comment, s.created_at, s.owner, s.altered_at, s.owner
        yield catalog, INFORMATION_SCHEMA, "System user", None, None, "System user", None, "System user"


def _tables(known: Catalog, catalogs: list[str]) -> Rows:
    for t in _all_tables(known, catalogs):
        source_format = "UNKNOWN_DATA_SOURCE_FORMAT" if t.is_view else provider_of(t).upper()
        location = None if t.location is None else str(t.location)
        changed = last_changed(t)
        yield (
            *_name(t),
            table_type(t),
            "NO" if t.is_view else "YES",
            "NO",
            t.owner,
            t.comment,
            t.created_at,
            t.owner,
            changed,
            t.owner,
            source_format,
            location,
        )


def _views(known: Catalog, catalogs: list[str]) -> Rows:
    for t in _all_tables(known, catalogs):
        if t.view_sql is not None:
            yield *_name(t), t.view_sql, "NONE", "NO", "NO", t.kind == "MATERIALIZED_VIEW"


def _columns(known: Catalog, catalogs: list[str]) -> Rows:
    for t in _all_tables(known, catalogs):
        for c in column_list(known, t):
            kind = c.data_type.partition("(")[0].partition("<")[0].upper()
            precision = scale = None
            if kind == "DECIMAL":
                digits = c.data_type[c.data_type.index("(") + 1 : -1].split(",")
                precision, scale = int(digits[0]), int(digits[1])
            yield (
                *_name(t),
                c.name,
                c.position,
                None,
                "YES" if c.nullable else "NO",
                c.data_type,
                kind,
                None,
                precision,
                scale,
                c.comment,
                None if c.partition_index is None else c.partition_index + 1,
            )


def _constraints(known: Catalog, catalogs: list[str]) -> Iterator[tuple[Table, Constraint]]:
    for t in _all_tables(known, catalogs):
        if t.is_view:
            continue
        for constraint in known.constraints(t.name):
            yield t, constraint


def _constraint_id(table: Table, name: str) -> tuple[str, str, str]:
    return table.name.catalog, table.name.schema, name


def _table_constraints(known: Catalog, catalogs: list[str]) -> Rows:
    for t, c in _constraints(known, catalogs):
        yield *_constraint_id(t, c.name), *_name(t), c.type, "NO", "NO", "YES" if c.type == "CHECK" else "NO"


def _key_column_usage(known: Catalog, catalogs: list[str]) -> Rows:
    for t, c in _constraints(known, catalogs):
        for position, column in enumerate(
            c.columns if c.type in ("PRIMARY KEY", "FOREIGN KEY") else (), start=1
        ):
            unique = position if c.type == "FOREIGN KEY" else None
            yield *_constraint_id(t, c.name), *_name(t), column, position, unique


def _referenced_key(known: Catalog, constraint: Constraint) -> str | None:
    if constraint.references is None or known.get(constraint.references) is None:
        return None
    key = known.primary_key(constraint.references)
    return None if key is None else key.name


def _referential_constraints(known: Catalog, catalogs: list[str]) -> Rows:
    for t, c in _constraints(known, catalogs):
        if c.references is not None:
            target = (c.references.catalog, c.references.schema, _referenced_key(known, c))
            yield *_constraint_id(t, c.name), *target, "FULL", "NO ACTION", "NO ACTION"


def _constraint_column_usage(known: Catalog, catalogs: list[str]) -> Rows:
    for t, c in _constraints(known, catalogs):
        if c.references is not None:
            for column in c.referenced_columns:
                yield (
                    c.references.catalog,
                    c.references.schema,
                    c.references.table,
                    column,
                    *_constraint_id(t, c.name),
                )
        else:
            for column in c.columns:
                yield *_name(t), column, *_constraint_id(t, c.name)


def _constraint_table_usage(known: Catalog, catalogs: list[str]) -> Rows:
    for t, c in _constraints(known, catalogs):
        used = (
            _name(t)
            if c.references is None
            else (c.references.catalog, c.references.schema, c.references.table)
        )
        yield *used, *_constraint_id(t, c.name)


def _check_constraints(known: Catalog, catalogs: list[str]) -> Rows:
    for t, c in _constraints(known, catalogs):
        if c.type == "CHECK":
            yield *_constraint_id(t, c.name), c.expression


def _table_tags(known: Catalog, catalogs: list[str]) -> Rows:
    for t in _all_tables(known, catalogs):
        for tag, value in known.tags(t.name).items():
            yield *_name(t), tag, value


def _column_tags(known: Catalog, catalogs: list[str]) -> Rows:
    for t in _all_tables(known, catalogs):
        for column, tags in known.column_tags(t.name).items():
            for tag, value in tags.items():
                yield *_name(t), column, tag, value


def _schema_tags(known: Catalog, catalogs: list[str]) -> Rows:
    for catalog in catalogs:
        for s in known.schemas(catalog):
            for tag, value in known.tags(Securable("SCHEMA", (catalog, s.schema or ""))).items():
                yield catalog, s.schema, tag, value


def _catalog_tags(known: Catalog, catalogs: list[str]) -> Rows:
    for catalog in catalogs:
        for tag, value in known.tags(Securable("CATALOG", (catalog,))).items():
            yield catalog, tag, value


def _table_privileges(known: Catalog, catalogs: list[str]) -> Rows:
    for t in _all_tables(known, catalogs):
        for g in known.grants(t.name):
            yield t.owner, g.principal, *_name(t), g.privilege, "NO", None


def _schema_privileges(known: Catalog, catalogs: list[str]) -> Rows:
    for catalog in catalogs:
        for s in known.schemas(catalog):
            for g in known.grants(Securable("SCHEMA", (catalog, s.schema or ""))):
                yield s.owner, g.principal, catalog, s.schema, g.privilege, "NO", None


def _catalog_privileges(known: Catalog, catalogs: list[str]) -> Rows:
    for catalog in catalogs:
        for g in known.grants(Securable("CATALOG", (catalog,))):
            yield None, g.principal, catalog, g.privilege, "NO", None


def _volumes(known: Catalog, catalogs: list[str]) -> Rows:
    for catalog in catalogs:
        for v in known.volumes(catalog):
            yield (
                v.catalog,
                v.schema,
                v.name,
                "MANAGED",
                v.owner,
                v.comment,
                str(v.location),
                v.created_at,
                v.altered_at,
            )


def _policies(known: Catalog, catalogs: list[str]) -> Iterator[tuple[Table, Policy]]:
    for t in _all_tables(known, catalogs):
        for policy in known.policies(t.name):
            yield t, policy


def _column_masks(known: Catalog, catalogs: list[str]) -> Rows:
    for t, p in _policies(known, catalogs):
        if p.column:
            yield (
                *_name(t),
                p.column,
                str(p.function),
                ",".join(argument_text(a) for a in p.arguments) or None,
            )


def _row_filters(known: Catalog, catalogs: list[str]) -> Rows:
    for t, p in _policies(known, catalogs):
        if not p.column:
            yield *_name(t), str(p.function), ",".join(argument_text(a) for a in p.arguments)


def _functions(known: Catalog, catalogs: list[str]) -> Iterator[Function]:
    for catalog in catalogs:
        yield from known.functions(catalog)


def _routine_name(f: Function) -> tuple[str, str, str]:
    return f.name.catalog, f.name.schema, f.name.table


def _routines(known: Catalog, catalogs: list[str]) -> Rows:
    for f in _functions(known, catalogs):
        kind = None if f.is_table else (f.returns or "").partition("(")[0].partition("<")[0].upper()
        yield (
            *_routine_name(f),
            *_routine_name(f),
            f.owner,
            "FUNCTION",
            "TABLE" if f.is_table else kind,
            "TABLE" if f.is_table else f.returns,
            "SQL",
            f.written,
            "SQL",
            "YES" if "NOT DETERMINISTIC" not in f.characteristics else "NO",
            "READS SQL DATA" if f.is_table else "CONTAINS SQL",
            "YES",
            "DEFINER",
            f.comment,
            f.created_at,
            f.owner,
            f.altered_at,
            f.owner,
        )


def _parameters(known: Catalog, catalogs: list[str]) -> Rows:
    for f in _functions(known, catalogs):
        for position, p in enumerate(f.parameters):
            kind = p.data_type.partition("(")[0].partition("<")[0].upper()
            yield *_routine_name(f), position, "IN", "NO", p.name, kind, p.data_type, p.default, p.comment


def _routine_columns(known: Catalog, catalogs: list[str]) -> Rows:
    for f in _functions(known, catalogs):
        for position, c in enumerate(f.columns):
            kind = c.data_type.partition("(")[0].partition("<")[0].upper()
            yield *_routine_name(f), c.name, position, kind, c.data_type, c.comment


_TABLE = ("table_catalog", "table_schema", "table_name")
_SPECIFIC = ("specific_catalog", "specific_schema", "specific_name")
_CONSTRAINT = ("constraint_catalog", "constraint_schema", "constraint_name")
_AUDIT: Columns = [
    ("created", _WHEN),
    ("created_by", _TEXT),
    ("last_altered", _WHEN),
    ("last_altered_by", _TEXT),
]

_RELATIONS: dict[str, tuple[Columns, Callable[[Catalog, list[str]], Rows]]] = {
    "catalogs": (_texts("catalog_name", "catalog_owner", "comment") + _AUDIT, _catalogs),
    "schemata": (_texts("catalog_name", "schema_name", "schema_owner", "comment") + _AUDIT, _schemata),
    "tables": (
        [
            *_texts(*_TABLE, "table_type", "is_insertable_into", "commit_action", "table_owner", "comment"),
            *_AUDIT,
            *_texts("data_source_format", "storage_path"),
        ],
        _tables,
    ),
    "views": (
        [
            *_texts(*_TABLE, "view_definition", "check_option", "is_updatable", "is_insertable_into"),
            ("is_materialized", pa.bool_()),
        ],
        _views,
    ),
    "columns": (
        [
            *_texts(*_TABLE, "column_name"),
            ("ordinal_position", _INT),
            *_texts("column_default", "is_nullable", "full_data_type", "data_type"),
            ("character_maximum_length", _LONG),
            ("numeric_precision", _INT),
            ("numeric_scale", _INT),
            ("comment", _TEXT),
            ("partition_index", _INT),
        ],
        _columns,
    ),
    "table_constraints": (
        _texts(*_CONSTRAINT, *_TABLE, "constraint_type", "is_deferrable", "initially_deferred", "enforced"),
        _table_constraints,
    ),
    "key_column_usage": (
        [
            *_texts(*_CONSTRAINT, *_TABLE, "column_name"),
            ("ordinal_position", _INT),
            ("position_in_unique_constraint", _INT),
        ],
        _key_column_usage,
    ),
    "referential_constraints": (
        _texts(
            *_CONSTRAINT,
            "unique_constraint_catalog",
            "unique_constraint_schema",
            "unique_constraint_name",
            "match_option",
            "update_rule",
            "delete_rule",
        ),
        _referential_constraints,
    ),
    "constraint_column_usage": (_texts(*_TABLE, "column_name", *_CONSTRAINT), _constraint_column_usage),
    "constraint_table_usage": (_texts(*_TABLE, *_CONSTRAINT), _constraint_table_usage),
    "check_constraints": (_texts(*_CONSTRAINT, "check_clause"), _check_constraints),
    "table_tags": (_texts("catalog_name", "schema_name", "table_name", "tag_name", "tag_value"), _table_tags),
    "column_tags": (
        _texts("catalog_name", "schema_name", "table_name", "column_name", "tag_name", "tag_value"),
        _column_tags,
    ),
    "schema_tags": (_texts("catalog_name", "schema_name", "tag_name", "tag_value"), _schema_tags),
    "catalog_tags": (_texts("catalog_name", "tag_name", "tag_value"), _catalog_tags),
    "table_privileges": (
        _texts("grantor", "grantee", *_TABLE, "privilege_type", "is_grantable", "inherited_from"),
        _table_privileges,
    ),
    "schema_privileges": (
        _texts(
            "grantor",
            "grantee",
            "catalog_name",
            "schema_name",
            "privilege_type",
            "is_grantable",
            "inherited_from",
        ),
        _schema_privileges,
    ),
    "catalog_privileges": (
        _texts("grantor", "grantee", "catalog_name", "privilege_type", "is_grantable", "inherited_from"),
        _catalog_privileges,
    ),
    "volumes": (
        [
            *_texts(
                "volume_catalog",
                "volume_schema",
                "volume_name",
                "volume_type",
                "volume_owner",
                "comment",
                "storage_location",
            ),
            ("created", _WHEN),
            ("last_altered", _WHEN),
        ],
        _volumes,
    ),
    "column_masks": (_texts(*_TABLE, "column_name", "mask_name", "using_columns"), _column_masks),
    "row_filters": (_texts(*_TABLE, "filter_name", "target_columns"), _row_filters),
    "routines": (
        [
            *_texts(
                *_SPECIFIC,
                "routine_catalog",
                "routine_schema",
                "routine_name",
                "routine_owner",
                "routine_type",
            ),
            *_texts("data_type", "full_data_type", "routine_body", "routine_definition", "external_language"),
            *_texts("is_deterministic", "sql_data_access", "is_null_call", "security_type", "comment"),
            *_AUDIT,
        ],
        _routines,
    ),
    "parameters": (
        [
            *_texts(*_SPECIFIC),
            ("ordinal_position", _INT),
            *_texts("parameter_mode", "is_result", "parameter_name", "data_type", "full_data_type"),
            *_texts("parameter_default", "comment"),
        ],
        _parameters,
    ),
    "routine_columns": (
        [
            *_texts(*_SPECIFIC, "column_name"),
            ("ordinal_position", _INT),
            *_texts("data_type", "full_data_type", "comment"),
        ],
        _routine_columns,
    ),
}

# Their rows rest on the tables' logs as well, which change without the catalog.
_OF_FOLDERS = frozenset({"tables", "columns"})


def build_relation(known: Catalog, catalog: str, relation: str) -> pa.Table | None:
    """Return the rows of ``<catalog>.information_schema.<relation>`` as they are now.

    Args:
        known: The catalog.
        catalog: ``system`` for all catalogs.
        relation: Its name.

    Returns:
        None if there is no such catalog or relation.
    """
    relation, catalog = relation.lower(), catalog.lower()
    if relation in _OF_FOLDERS:
        return _built(known, catalog, relation)
    return known.once(("information_schema", catalog, relation), lambda: _built(known, catalog, relation))


def _built(known: Catalog, catalog: str, relation: str) -> pa.Table | None:
    shape = _RELATIONS.get(relation)
    with known.snapshot():
        names = {c.catalog.lower(): c.catalog for c in known.catalogs()}
        if shape is None or (catalog not in names and catalog != "system"):
            return None
        catalogs = list(names.values()) if catalog == "system" else [names[catalog]]
        columns, rows = shape
        return arrow_table(columns, rows(known, catalogs))
