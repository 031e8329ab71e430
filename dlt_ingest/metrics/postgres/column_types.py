"""Which Postgres type a warehouse column becomes, and which changes of it lose nothing.

The warehouse sends Arrow, whose types are its column types: DECIMAL(18,2) is decimal128(18, 2), TIMESTAMP is
a timestamp with time zone, TIMESTAMP_NTZ one without.
"""

from __future__ import annotations

import math
import re

import pyarrow as pa

from dlt_ingest.metrics.postgres.errors import ExportDeclarationError

_SIMPLE: tuple[tuple[object, str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "smallint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_uint8, "smallint"),
    (pa.types.is_int32, "integer"),
    (pa.types.is_uint16, "integer"),
    (pa.types.is_int64, "bigint"),
    (pa.types.is_uint32, "bigint"),
    (pa.types.is_uint64, "numeric(20,0)"),
    (pa.types.is_float16, "real"),
    (pa.types.is_float32, "real"),
    (pa.types.is_float64, "double precision"),
    (pa.types.is_date, "date"),
    (pa.types.is_string, "text"),
    (pa.types.is_large_string, "text"),
    (pa.types.is_binary, "bytea"),
    (pa.types.is_large_binary, "bytea"),
    (pa.types.is_fixed_size_binary, "bytea"),
)
_INTEGER_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
_WIDER: dict[str, tuple[str, ...]] = {
    "smallint": ("integer", "bigint", "double precision", "real"),
    "integer": ("bigint", "double precision"),
    "real": ("double precision",),
    "text": ("character varying", "character varying(n)"),
    "jsonb": ("json", "text"),
}
_NUMERIC = re.compile(r"numeric(?:\((\d+),(-?\d+)\))?$")


def postgres_type(column: str, arrow: pa.DataType) -> str:
    """Return the Postgres type of a column, spelled as `format_type()` spells it.

    Raises:
        ExportDeclarationError: For a type that Postgres has no counterpart of; the model has to cast it.
    """
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    if pa.types.is_decimal(arrow):
        return f"numeric({arrow.precision},{arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return "timestamp with time zone" if arrow.tz else "timestamp without time zone"
    if pa.types.is_nested(arrow):
        return "jsonb"
    for matches, name in _SIMPLE:
        if matches(arrow):  # type: ignore[operator]
            return name
    raise ExportDeclarationError(
        f"Postgres has no counterpart for the type of column {column}",
        got=arrow,
        allowed="boolean, integer, decimal, float, date, timestamp, string, binary, array, map, struct",
        consequence="Nothing of this model was exported",
        next_step=f"Cast {column} in the model, for example to string",
    )


def fits(source: str, existing: str) -> bool:
    """Return whether every value of Postgres type `source` is kept exactly by a column of type `existing`."""
    if source == existing:
        return True
    wider = _WIDER.get(source, ())
    if existing in wider or re.sub(r"\(\d+\)$", "(n)", existing) in wider:
        return True
    room, need = _digits(existing), _digits(source)
    if room is None or need is None or not existing.startswith("numeric"):
        return False
    return room[0] >= need[0] and room[1] >= need[1]


def _digits(kind: str) -> tuple[float, float] | None:
    """Return how many digits an exact type holds before and after the point; None for any other type."""
    if kind in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[kind], 0
    numeric = _NUMERIC.match(kind)
    if numeric is None:
        return None
    if numeric.group(1) is None:
        return math.inf, math.inf
    precision, scale = int(numeric.group(1)), int(numeric.group(2))
    return precision - scale, scale
