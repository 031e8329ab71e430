"""Answers to the metadata calls of the Thrift protocol: catalogs, schemas, tables, columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from local_workspace.sql.patterns import like_pattern
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.table_facts import column_list

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

_TEXT, _INT = pa.string(), pa.int32()
# java.sql.Types by SQL name, which JDBC-style clients read from the DATA_TYPE column.
_JDBC_TYPES = {
    "boolean": 16, "tinyint": -6, "smallint": 5, "int": 4, "bigint": -5, "float": 6, "double": 8, "decimal": 3, "string": 12,
    "date": 91, "timestamp": 93, "timestamp_ntz": 93, "binary": -2, "array": 2003, "map": 2000, "struct": 2002,
}  # fmt: skip


def _catalog_names(session: Session, catalog: str | None) -> Iterator[str]:
    """Catalogs by name; no name is the session's own catalog, and a pattern matches as LIKE does."""
    fits = like_pattern(catalog if catalog is not None else session.catalog_name)
    return (c.catalog for c in session.catalog.catalogs() if fits(c.catalog))


def catalogs(session: Session) -> Result:
    """All catalogs."""
    return Result.of_rows([("TABLE_CAT", _TEXT)], [(c.catalog,) for c in session.catalog.catalogs()])


def schemas(session: Session, catalog: str | None, schema: str | None) -> Result:
    """Schemas by LIKE patterns."""
    fits = like_pattern(schema)
    rows = [
        (s.schema, s.catalog)
        for name in _catalog_names(session, catalog)
        for s in session.catalog.schemas(name)
        if fits(s.schema or "")
    ]
    return Result.of_rows([("TABLE_SCHEM", _TEXT), ("TABLE_CATALOG", _TEXT)], rows)


def tables(
    session: Session, catalog: str | None, schema: str | None, table: str | None, kinds: list[str] | None
) -> Result:
    """Tables and views by LIKE patterns and kinds (``TABLE``, ``VIEW``)."""
    fits_schema, fits = like_pattern(schema), like_pattern(table)
    rows = [
        (t.name.catalog, t.name.schema, t.name.table, "VIEW" if t.is_view else "TABLE", t.comment or "")
        for name in _catalog_names(session, catalog)
        for t in session.catalog.tables(name)
        if fits_schema(t.name.schema)
        and fits(t.name.table)
        and (not kinds or ("VIEW" if t.is_view else "TABLE") in kinds)
    ]
    names = ("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS")
    return Result.of_rows([(name, _TEXT) for name in names], rows)


def columns(
    session: Session, catalog: str | None, schema: str | None, table: str | None, column: str | None
) -> Result:
    """Columns by LIKE patterns."""
    fits_schema, fits_table, fits = like_pattern(schema), like_pattern(table), like_pattern(column)
    rows = []
    for name in _catalog_names(session, catalog):
        for t in session.catalog.tables(name):
            if not (fits_schema(t.name.schema) and fits_table(t.name.table)):
                continue
            for c in column_list(session, t):
                if fits(c.name):
                    plain = c.data_type.partition("(")[0].partition("<")[0]
                    rows.append(
                        (
                            t.name.catalog,
                            t.name.schema,
                            t.name.table,
                            c.name,
                            _JDBC_TYPES.get(plain, 1111),
                            c.data_type.upper(),
                            int(c.nullable),
                            c.comment or "",
                            c.position + 1,
                            "YES" if c.nullable else "NO",
                        )
                    )
    return Result.of_rows(
        [
            ("TABLE_CAT", _TEXT),
            ("TABLE_SCHEM", _TEXT),
            ("TABLE_NAME", _TEXT),
            ("COLUMN_NAME", _TEXT),
            ("DATA_TYPE", _INT),
            ("TYPE_NAME", _TEXT),
            ("NULLABLE", _INT),
            ("REMARKS", _TEXT),
            ("ORDINAL_POSITION", _INT),
            ("IS_NULLABLE", _TEXT),
        ],
        rows,
    )
