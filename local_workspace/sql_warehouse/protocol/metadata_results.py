"""Answers to the metadata calls of the Thrift protocol: catalogs, schemas, tables, columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from local_workspace.sql.patterns import like_pattern
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.listing import column_list, type_in_capitals

if TYPE_CHECKING:
    from local_workspace.catalog import Column
    from local_workspace.sql_warehouse.session import Session

_TEXT, _INT = pa.string(), pa.int32()
# java.sql.Types by SQL name, which JDBC-style clients read from the DATA_TYPE column.
_JDBC_TYPES = {
    "boolean": 16, "tinyint": -6, "smallint": 5, "int": 4, "bigint": -5, "float": 6, "double": 8, "decimal": 3, "string": 12,
    "date": 91, "timestamp": 93, "timestamp_ntz": 93, "binary": -2, "array": 2003, "map": 2000, "struct": 2002,
    "varchar": 12, "char": 1, "variant": 1111,
}  # fmt: skip
# Size and scale of the types that do not say them; as Spark's Thrift server gives them (SparkGetColumnsOperation).
_SIZES = {
    "boolean": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "float": 4, "double": 8, "date": 4, "timestamp": 8,
    "timestamp_ntz": 8,
}  # fmt: skip
_SCALES = {
    "boolean": 0, "tinyint": 0, "smallint": 0, "int": 0, "bigint": 0, "float": 7, "double": 15, "timestamp": 6,
    "timestamp_ntz": 6,
}  # fmt: skip
# All columns of GetColumns, in the order of the protocol (TCLIService, TGetColumnsReq; java.sql.DatabaseMetaData).
_COLUMNS = [
    ("TABLE_CAT", _TEXT),
    ("TABLE_SCHEM", _TEXT),
    ("TABLE_NAME", _TEXT),
    ("COLUMN_NAME", _TEXT),
    ("DATA_TYPE", _INT),
    ("TYPE_NAME", _TEXT),
    ("COLUMN_SIZE", _INT),
    ("BUFFER_LENGTH", pa.int8()),
    ("DECIMAL_DIGITS", _INT),
    ("NUM_PREC_RADIX", _INT),
    ("NULLABLE", _INT),
    ("REMARKS", _TEXT),
    ("COLUMN_DEF", _TEXT),
    ("SQL_DATA_TYPE", _INT),
    ("SQL_DATETIME_SUB", _INT),
    ("CHAR_OCTET_LENGTH", _INT),
    ("ORDINAL_POSITION", _INT),
    ("IS_NULLABLE", _TEXT),
    ("SCOPE_CATALOG", _TEXT),
    ("SCOPE_SCHEMA", _TEXT),
    ("SCOPE_TABLE", _TEXT),
    ("SOURCE_DATA_TYPE", pa.int16()),
    ("IS_AUTO_INCREMENT", _TEXT),
]


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
    of_type = ("TYPE_CAT", "TYPE_SCHEM", "TYPE_NAME", "SELF_REFERENCING_COL_NAME", "REF_GENERATION")
    names = ("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS", *of_type)
    return Result.of_rows([(name, _TEXT) for name in names], [(*row, *[None] * 5) for row in rows])


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
            names = (t.name.catalog, t.name.schema, t.name.table)
            rows += [(*names, *_column_facts(c)) for c in column_list(session.catalog, t) if fits(c.name)]
    return Result.of_rows(_COLUMNS, rows)


def _column_facts(column: Column) -> tuple[Any, ...]:
    """Return what GetColumns says of a column, after the names of its table."""
    plain = column.data_type.partition("(")[0].partition("<")[0]
    digits = [int(n) for n in re.findall(r"\d+", column.data_type)] if "<" not in column.data_type else []
    size = digits[0] if digits else _SIZES.get(plain)
    scale = digits[1] if len(digits) > 1 else _SCALES.get(plain)
    code = _JDBC_TYPES.get(plain, 1111)
    return (
        column.name,
        code,
        type_in_capitals(column.data_type),
        size,
        None,
        scale,
        10 if scale is not None else None,
        int(column.nullable),
        column.comment or "",
        None,
        None,
        None,
        None,
        column.position + 1,
        "YES" if column.nullable else "NO",
        None,
        None,
        None,
        None,
        "NO",
    )
