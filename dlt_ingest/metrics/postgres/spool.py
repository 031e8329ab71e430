"""A one-pass source that can be read again, so that a retry does not ask the warehouse twice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType

import pyarrow as pa


class Spool:
    """Keeps the batches that were pulled so far in an unnamed temporary file; memory does not grow with them.

    The file is gone with the process, however that ends. A source that fails part way raises its own error,
    and is not asked again.

    Args:
        source: Batches of one schema.
        keep: Whether a second pass may come; without, nothing is written.
    """

    def __init__(self, source: Iterable[pa.RecordBatch], *, keep: bool) -> None:
        self._source = iter(source)
        self._file = tempfile.TemporaryFile(prefix="orders-export-") if keep else None  # noqa: SIM115  # closed in __exit__
        self._places: list[tuple[int, int]] = []
        self._schema: pa.Schema | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield all batches from the first one on: those on disk, then what the source still has."""
        for start, length in self._places:
            yield self._read(start, length)
        for batch in self._source:
            self._write(batch)
            yield batch

    def _write(self, batch: pa.RecordBatch) -> None:
        if self._file is None:
            return
        self._schema = batch.schema
        data = batch.serialize()
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(data)
        self._places.append((start, data.size))

    def _read(self, start: int, length: int) -> pa.RecordBatch:
        assert self._file is not None  # noqa: S101  # places are only noted with a file
        self._file.seek(start)
        return pa.ipc.read_record_batch(pa.py_buffer(self._file.read(length)), self._schema)
