"""from_json() by Spark's rules: a number that its type cannot hold is NULL, and an empty text is none at all."""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    ByteType,
    DataType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StructField,
    StructType,
)
from sqlglot import exp

from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import call_of
from local_workspace.sql.rewrites.registry import Rewriting, on_call

_NARROW = (ByteType, ShortType, IntegerType)


@on_call("from_json")
def from_json(at: Rewriting, node: Node) -> None:
    """Sail 0.7.2 wraps an integer around, and makes a row of NULLs of an empty text."""
    parts = call_of(node)[1]
    if len(parts) < 2:
        return
    more = "".join(f", {{{n}}}" for n in range(2, len(parts)))
    text = "CASE WHEN trim({0}) <> '' THEN {0} END"
    kind = _declared(parts[1])
    wide = None if kind is None else _widened(kind)
    if kind is None or wide is None or wide == kind:
        at.replace(node, f"from_json({text}, {{1}}{more})", *parts)
        return
    schema = types.sql_name(wide).replace("'", "\\'").replace("{", "{{").replace("}", "}}")
    name = types.sql_name(kind).replace("{", "{{").replace("}", "}}")
    wide_value = f"from_json({text}, '{schema}'{more})"
    value = f"TRY_CAST({wide_value} AS {name})"
    if isinstance(kind, (ArrayType, MapType)):
        # Of a whole array or map nothing is left if one element does not fit; of a row the other fields are.
        value = f"CASE WHEN to_json({wide_value}) = to_json({value}) THEN {value} END"
    at.replace(node, value, *parts)


def _declared(schema: Node) -> DataType | None:
    """Return the type that a schema's text says: one type, or the columns of a row."""
    if not isinstance(schema, exp.Literal) or not schema.is_string:
        return None
    return types.of_text(f"STRUCT<{schema.name}>") or types.of_text(schema.name)


def _widened(kind: DataType) -> DataType:
    if isinstance(kind, _NARROW):
        return LongType()
    if isinstance(kind, ArrayType):
        return ArrayType(_widened(kind.elementType))
    if isinstance(kind, MapType):
        return MapType(kind.keyType, _widened(kind.valueType))
    if isinstance(kind, StructType):
        return StructType([StructField(f.name, _widened(f.dataType)) for f in kind.fields])
    return kind
