"""Arrow types as the names that Databricks' protocols give them, and values in the forms that its clients ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql.types import VariantVal

_NAMES: list[tuple[Callable[[pa.DataType], bool], str]] = [
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_int8, "TINYINT"),
    (pa.types.is_int16, "SMALLINT"),
    (pa.types.is_int32, "INT"),
    (pa.types.is_int64, "BIGINT"),
    (pa.types.is_float32, "FLOAT"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_null, "NULL"),
    (lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t), "BINARY"),
    (lambda t: pa.types.is_list(t) or pa.types.is_large_list(t), "ARRAY"),
    (pa.types.is_map, "MAP"),
    (pa.types.is_struct, "STRUCT"),
    (pa.types.is_decimal, "DECIMAL"),
    (pa.types.is_timestamp, "TIMESTAMP"),
]


def type_name(kind: pa.DataType) -> str:
    """Return the bare SQL name of a column type, such as ``BIGINT`` or ``ARRAY``; what has no own name travels as STRING."""
    return next((name for matches, name in _NAMES if matches(kind)), "STRING")


def type_text(kind: pa.DataType) -> str:
    """Return the full SQL text of a column type, such as ``DECIMAL(18,2)`` or ``ARRAY<STRUCT<a: INT>>``."""
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return "TIMESTAMP_NTZ"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"ARRAY<{type_text(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"MAP<{type_text(kind.key_type)}, {type_text(kind.item_type)}>"
    if pa.types.is_struct(kind):
        fields = ", ".join(
            f"{kind.field(i).name}: {type_text(kind.field(i).type)}" for i in range(kind.num_fields)
        )
        return f"STRUCT<{fields}>"
    return type_name(kind)


@dataclass(frozen=True)
class ValueForms:
    """In which form a client wants values that Arrow could carry in more than one way.

    Attributes:
        complex_as_arrow: Arrays, maps and structs as nested Arrow values, not as JSON text.
        decimal_as_arrow: Decimals as Arrow decimals, not as text.
        timestamp_as_arrow: Timestamps as Arrow timestamps, not as text.
    """

    complex_as_arrow: bool = True
    decimal_as_arrow: bool = True
    timestamp_as_arrow: bool = True

    def shape(self, schema: pa.Schema) -> BatchShaper:
        """Return the conversion for batches of one schema."""
        return BatchShaper(schema, self)


class BatchShaper:
    """Converts batches of one schema into the client's forms, without dictionaries, durations and NOT NULL.

    Args:
        schema: As the engine gives it.
        forms: As the client wants it.

    Attributes:
        schema: As the client gets it.
    """

    def __init__(self, schema: pa.Schema, forms: ValueForms) -> None:
        self._conversions = [_conversion(field, forms) for field in schema]
        self.schema = pa.schema(
            [
                pa.field(field.name, kind, metadata=_client_metadata(field))
                for field, (kind, _) in zip(schema, self._conversions, strict=True)
            ]
        )

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Convert one batch."""
        arrays = [
            convert(column) for column, (_, convert) in zip(batch.columns, self._conversions, strict=True)
        ]
        if not arrays:
            return batch
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _is_variant(field: pa.Field) -> bool:
    metadata = field.metadata or {}
    return metadata.get(b"ARROW:extension:name") == b"arrow.parquet.variant" or (
        pa.types.is_struct(field.type)
        and any(
            (field.type.field(i).metadata or {}).get(b"variant") == b"true"
            for i in range(field.type.num_fields)
        )
    )


def _client_metadata(field: pa.Field) -> dict[str, str]:
    # databricks-sql-connector names a column's type "variant" by this key.
    return {"Spark:DataType:SqlName": "VARIANT"} if _is_variant(field) else {}


Conversion = tuple[pa.DataType, Callable[[pa.Array], pa.Array]]


def _conversion(field: pa.Field, forms: ValueForms) -> Conversion:
    kind = field.type
    if _is_variant(field):
        return _as_text(lambda v: VariantVal(v["value"], v["metadata"]).toJson())
    for matches, convert in (
        (pa.types.is_dictionary, lambda: _cast(kind.value_type)),
        (pa.types.is_duration, lambda: _as_text(_interval_text)),
        (pa.types.is_interval, lambda: _as_text(lambda v: f"{v[0] // 12}-{v[0] % 12}")),
        (lambda t: pa.types.is_large_string(t) or pa.types.is_string_view(t), lambda: _cast(pa.string())),
        (lambda t: pa.types.is_nested(t) and forms.complex_as_arrow, lambda: _cast(_nullable(kind))),
        (pa.types.is_nested, lambda: _as_text(lambda v: json_text(v, kind))),
        (lambda t: pa.types.is_decimal(t) and not forms.decimal_as_arrow, lambda: _cast(pa.string())),
        (lambda t: pa.types.is_timestamp(t) and not forms.timestamp_as_arrow, lambda: _as_text(value_text)),
    ):
        if matches(kind):
            return convert()
    return kind, lambda array: array


def _cast(kind: pa.DataType) -> Conversion:
    return kind, lambda array: array.cast(kind)


def _as_text(convert: Callable[[Any], str]) -> Conversion:
    return pa.string(), lambda array: pa.array(
        [None if v is None else convert(v) for v in array.to_pylist()], pa.string()
    )


def _nullable(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(pa.field("element", _nullable(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct(
            [pa.field(kind.field(i).name, _nullable(kind.field(i).type)) for i in range(kind.num_fields)]
        )
    if pa.types.is_map(kind):
        return pa.map_(_nullable(kind.key_type), _nullable(kind.item_type))
    if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


def json_text(value: Any, kind: pa.DataType) -> str:
    """Return a nested value as compact JSON."""
    return json.dumps(plain_value(value, kind), ensure_ascii=False, separators=(",", ":"))


def plain_value(value: Any, kind: pa.DataType) -> Any:
    """Return a nested value as JSON carries it: maps as objects, dates, times and decimals as text.

    Args:
        value: As Arrow's ``to_pylist`` gives it.
        kind: Its type, which tells a map from a list of pairs.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if pa.types.is_map(kind):
        return {value_text(k): plain_value(v, kind.item_type) for k, v in value}
    if isinstance(value, dict):
        return {name: plain_value(v, kind.field(name).type) for name, v in value.items()}
    if isinstance(value, list):
        return [plain_value(v, kind.value_type) for v in value]
    return value_text(value)


def value_text(value: Any) -> str:
    """Return a single value as Spark writes it as a string."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _interval_text(value: timedelta) -> str:
    sign = "-" if value < timedelta(0) else ""
    moment = datetime(2000, 1, 1, tzinfo=timezone.utc) + timedelta(
        seconds=abs(value).seconds, microseconds=abs(value).microseconds
    )
    return f"{sign}{abs(value).days} {moment:%H:%M:%S.%f}000"
