"""From Arrow to what COPY reads: CSV, in which NULL is an empty field and an empty string is a quoted one.

CSV is written by pyarrow, in C++: it encodes faster than Postgres can parse.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv

from dlt_ingest.metrics.postgres.errors import ExportDeclarationError

_CSV = pyarrow.csv.WriteOptions(include_header=False)


def prepared(batches: Iterable[pa.RecordBatch], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Cut batches to at most `batch_rows` rows, with plain values for dictionary-coded ones.

    Types stay, because the table's are made from them. An empty batch passes through: it carries the columns of a
    model without rows.

    Raises:
        ExportDeclarationError: If a batch has other columns than the first one.
    """
    columns: pa.Schema | None = None
    for batch in batches:
        columns = columns or batch.schema
        if not batch.schema.equals(columns):
            raise ExportDeclarationError(
                "The source changed to other columns after its first batch",
                got=", ".join(f"{field.name} {field.type}" for field in batch.schema),
                allowed=", ".join(f"{field.name} {field.type}" for field in columns),
                consequence="Nothing of this model was exported",
                next_step="Read the model with one statement",
            )
        plain = pa.RecordBatch.from_arrays(
            [
                column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
                for column in batch
            ],
            names=batch.schema.names,
        )
        for start in range(0, max(plain.num_rows, 1), batch_rows):
            yield plain.slice(start, batch_rows)


def csv_bytes(batch: pa.RecordBatch) -> bytes:
    """Encode prepared rows for `COPY ... (FORMAT csv)`, without a header."""
    columns = [_writable(column) for column in batch]
    # Arrow's own stream: writing to a Python file would take the interpreter's lock for every piece.
    out = pa.BufferOutputStream()
    pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), out, _CSV)
    content: bytes = out.getvalue().to_pybytes()
    return content


def encoded_ahead(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, bytes]]:
    """Yield prepared batches with their CSV, the next one being encoded while the caller sends this one.

    Only the encoding runs in another thread: the source may belong to the caller's, as a dbt connection does.
    """
    with ThreadPoolExecutor(max_workers=1) as encoder:
        ready: tuple[pa.RecordBatch, Future[bytes]] | None = None
        for batch in batches:
            following = (batch, encoder.submit(csv_bytes, batch))
            if ready is not None:
                yield ready[0], ready[1].result()
            ready = following
        if ready is not None:
            yield ready[0], ready[1].result()


def row_texts(batch: pa.RecordBatch, row: int) -> dict[str, str | None]:
    """Return one prepared row as texts that Postgres reads back to the same values."""
    return {
        name: _text(_in_utc(batch.column(index).slice(row, 1))[0].as_py(), batch.schema.types[index])
        for index, name in enumerate(batch.schema.names)
    }


def payload_json(row: dict[str, str | None]) -> str:
    """Write a row for the dead letter table. NUL becomes an escape, because text cannot hold it."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def _writable(column: pa.Array) -> pa.Array:
    """Bring a column into a form that CSV can hold: UTC without a zone, JSON for nested values, hex for bytes."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        # UTC is the session's time zone, and Arrow writes a time with a zone 15 times slower than one without.
        return _in_utc(column).cast(pa.timestamp("us"))
    if pa.types.is_nested(kind) or _is_bytes(kind):
        return pa.array([_text(value, kind) for value in column.to_pylist()], pa.string())
    return column


def _in_utc(column: pa.Array) -> pa.Array:
    kind = column.type
    if not pa.types.is_timestamp(kind):
        return column
    return column.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False)


def _is_bytes(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(is_kind(kind) for is_kind in kinds)


def _text(value: Any, kind: pa.DataType | None = None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if kind is not None and pa.types.is_nested(kind):
        nested = dict(value) if pa.types.is_map(kind) else value
        return json.dumps(nested, ensure_ascii=False, default=_text)
    for group, write in _WRITERS:
        if isinstance(value, group):
            return write(value)
    return str(value)


# bool before what it also is (an int), datetime before date.
_WRITERS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda value: "true" if value else "false"),
    (bytes, lambda value: "\\x" + value.hex()),
    (datetime, lambda value: value.isoformat(sep=" ")),
    (date, lambda value: value.isoformat()),
    (Decimal, lambda value: format(value, "f")),
)
