"""From Arrow to what COPY reads: CSV, in which NULL is an empty field and an empty string is a quoted one.

CSV is written by pyarrow, in C++: it encodes faster than Postgres can parse.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv

_CSV = pyarrow.csv.WriteOptions(include_header=False)


def prepared(batches: Iterable[pa.RecordBatch], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Cut batches to at most `batch_rows` rows and bring every column into a form that CSV can hold.

    Timestamps become UTC in microseconds, nested values JSON text, binary values Postgres' hex text. An empty
    batch
    passes through: it carries the columns of a model without rows.
    """
    for batch in batches:
        ready = _ready(batch)
        for start in range(0, max(ready.num_rows, 1), batch_rows):
            yield ready.slice(start, batch_rows)


def csv_bytes(batch: pa.RecordBatch) -> bytes:
    """Encode prepared rows for `COPY ... (FORMAT csv)`, without a header."""
    out = io.BytesIO()
    pyarrow.csv.write_csv(batch, out, _CSV)
    return out.getvalue()


def row_texts(batch: pa.RecordBatch, row: int) -> dict[str, str | None]:
    """Give one prepared row as texts that Postgres reads back to the same values."""
    return {name: _text(value) for name, value in batch.slice(row, 1).to_pylist()[0].items()}


def payload_json(row: dict[str, str | None]) -> str:
    """Write a row for the dead letter table. NUL becomes an escape, since text cannot hold it."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def _ready(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [_ready_column(batch.column(index)) for index in range(batch.num_columns)]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _ready_column(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _ready_column(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        # Same instant, other clock: CSV of a zone other than UTC would depend on the zone's name being known
        # here.
        return column.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False)
    if pa.types.is_nested(kind):
        return pa.array([_json(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if v is None else "\\x" + v.hex() for v in column.to_pylist()], pa.string())
    return column


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=_text)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
