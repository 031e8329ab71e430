"""Column types of Auto Loader: written as Spark DDL, kept as Arrow types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local_workspace.errors import NotSupported, PipelineCodeError

TIMESTAMP = pa.timestamp("us", "UTC")
TIMESTAMP_NTZ = pa.timestamp("us")

_SIMPLE: dict[Any, pa.DataType] = {
    exp.DataType.Type.TEXT: pa.string(),
    exp.DataType.Type.VARCHAR: pa.string(),
    exp.DataType.Type.CHAR: pa.string(),
    exp.DataType.Type.BOOLEAN: pa.bool_(),
    exp.DataType.Type.TINYINT: pa.int8(),
    exp.DataType.Type.SMALLINT: pa.int16(),
    exp.DataType.Type.INT: pa.int32(),
    exp.DataType.Type.BIGINT: pa.int64(),
    exp.DataType.Type.FLOAT: pa.float32(),
    exp.DataType.Type.DOUBLE: pa.float64(),
    exp.DataType.Type.DATE: pa.date32(),
    exp.DataType.Type.TIMESTAMP: TIMESTAMP,
    exp.DataType.Type.TIMESTAMPTZ: TIMESTAMP,
    exp.DataType.Type.TIMESTAMPLTZ: TIMESTAMP,
    exp.DataType.Type.TIMESTAMPNTZ: TIMESTAMP_NTZ,
}
_NAMES: tuple[tuple[pa.DataType, str], ...] = (
    (pa.string(), "STRING"),
    (pa.bool_(), "BOOLEAN"),
    (pa.int8(), "TINYINT"),
    (pa.int16(), "SMALLINT"),
    (pa.int32(), "INT"),
    (pa.int64(), "BIGINT"),
    (pa.float32(), "FLOAT"),
    (pa.float64(), "DOUBLE"),
    (pa.date32(), "DATE"),
    (TIMESTAMP, "TIMESTAMP"),
    (TIMESTAMP_NTZ, "TIMESTAMP_NTZ"),
)


def parse_columns(ddl: str, where: str) -> dict[str, pa.DataType]:
    """Read `name TYPE, name TYPE` as schema hints and schemas are written.

    Raises:
        PipelineCodeError: The text is not a list of columns, or a name comes twice.
        NotSupported: A type that Auto Loader's JSON cannot fill here.
    """
    text = ddl.strip()
    if text.upper().startswith("STRUCT<") and text.endswith(">"):
        text = text[len("STRUCT<") : -1]
    try:
        tree = sqlglot.parse_one(f"CREATE TABLE t ({text})", read="databricks")
        definitions = list(tree.this.expressions) if isinstance(tree.this, exp.Schema) else []
    except SqlglotError as error:
        raise PipelineCodeError(
            f"{where} cannot be read as columns", got=repr(ddl), allowed="name TYPE, ..."
        ) from error
    columns: dict[str, pa.DataType] = {}
    for definition in definitions:
        if not isinstance(definition, exp.ColumnDef) or definition.kind is None:
            raise PipelineCodeError(
                f"{where} cannot be read as columns", got=repr(ddl), allowed="name TYPE, ..."
            )
        if definition.name.lower() in {c.lower() for c in columns}:
            raise PipelineCodeError(f"{where} names column {definition.name} twice", got=repr(ddl))
        columns[definition.name] = _arrow(definition.kind, f"column {definition.name} of {where}")
    return columns


def parse_type(text: str) -> pa.DataType:
    """Read one type as `render` writes it."""
    return parse_columns(f"c {text}", "a stored schema")["c"]


def _arrow(kind: exp.DataType, where: str) -> pa.DataType:
    this = kind.this
    if this in _SIMPLE:
        return _SIMPLE[this]
    if this in (exp.DataType.Type.DECIMAL, exp.DataType.Type.BIGDECIMAL):
        numbers = [int(p.name) for p in kind.expressions]
        precision, scale = (numbers + [10, 0][len(numbers) :])[:2] if numbers else (10, 0)
        if not (1 <= precision <= 38 and 0 <= scale <= precision):
            raise PipelineCodeError(
                f"{where} has an impossible DECIMAL", got=f"({precision}, {scale})", allowed="1..38"
            )
        return pa.decimal128(precision, scale)
    if this == exp.DataType.Type.ARRAY:
        return pa.list_(_arrow(kind.expressions[0], where))
    if this == exp.DataType.Type.MAP:
        key, value = (_arrow(k, where) for k in kind.expressions)
        if key != pa.string():
            raise NotSupported(
                f"A map whose key is not a string ({where})", "Keys of JSON objects are strings"
            )
        return pa.map_(key, value)
    if this == exp.DataType.Type.STRUCT:
        return pa.struct([pa.field(d.name, _arrow(d.kind, where)) for d in kind.expressions])
    raise NotSupported(
        f"Type {kind.sql('databricks')} ({where})", "Use STRING and convert it in the next dataset"
    )


def render(kind: pa.DataType) -> str:
    """Write a type as Spark DDL."""
    for known, name in _NAMES:
        if kind == known:
            return name
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_map(kind):
        return f"MAP<STRING, {render(kind.item_type)}>"
    if pa.types.is_list(kind):
        return f"ARRAY<{render(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return "STRUCT<" + ", ".join(f"{_quote(f.name)}: {render(f.type)}" for f in kind) + ">"
    raise AssertionError(kind)


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def to_store(columns: Mapping[str, pa.DataType]) -> list[list[str]]:
    """Return a schema as JSON-ready `[name, type]` pairs, in order."""
    return [[name, render(kind)] for name, kind in columns.items()]


def from_store(content: list[list[str]]) -> dict[str, pa.DataType]:
    """Read what :func:`to_store` gave."""
    return {name: parse_type(kind) for name, kind in content}
