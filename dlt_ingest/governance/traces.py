"""Where the id of a customer still is below a folder: the search that an erasure ends with, and the masking of logs."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dlt_ingest.governance.compressed_files import COMPRESSED, unpacked
from dlt_ingest.governance.customer_records import CustomerId

# dbt's cache of the project's own source, which no data ever reaches.
_SOURCE_CACHES = frozenset({"partial_parse.msgpack"})


def traces(folder: Path, customer: CustomerId) -> Iterator[Path]:
    """Yield the files below a folder that hold the id, compressed ones too: values in Parquet, bytes in all others.

    A file that another process removes meanwhile is skipped.
    """
    for path in _files(folder):
        try:
            if path.stat().st_size and _holds(path, customer):
                yield path
        except FileNotFoundError:
            continue


def mask(folder: Path, customer: CustomerId) -> int:
    """Replace the id by asterisks in all plain files below a folder; return how many files had it.

    In place and byte for byte, because the workspace's processes have their logs open.
    """
    masked = 0
    for path in _files(folder):
        if path.name in _SOURCE_CACHES or path.suffix.lower() in {".parquet", *COMPRESSED}:
            continue
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        if customer.trace.search(content) is None:
            continue
        masked += 1
        clean = customer.masked(content)
        with path.open("r+b") as file:
            file.write(clean)
    return masked


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file() and not path.is_symlink():
            yield path


def _holds(path: Path, customer: CustomerId) -> bool:
    if path.suffix == ".parquet":
        return _parquet_holds(path, customer)
    # Of no archive, or a broken one, its bytes are all there is.
    if path.suffix.lower() in COMPRESSED and (content := unpacked(path)) is not None:
        return customer.trace.search(content) is not None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return customer.trace.search(mapped) is not None


def _parquet_holds(path: Path, customer: CustomerId) -> bool:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid:
        return customer.trace.search(path.read_bytes()) is not None
    with file:
        for batch in file.iter_batches():
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if any(_value_is(text, name, customer) for text in _texts(column)):
                    return True
    return False


def _value_is(text: str, column: str, customer: CustomerId) -> bool:
    if column == "customer_id":
        return text.strip() == customer.value
    return customer.trace.search(text.encode()) is not None


def _texts(column: Any) -> Iterator[str]:
    """Yield all texts of an Arrow column, nested ones too, each distinct value once."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _texts(column.dictionary)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from (text for text in pc.unique(column).to_pylist() if text is not None)
    elif pa.types.is_map(kind):
        yield from _texts(column.keys)
        yield from _texts(column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts(column.flatten())
    elif pa.types.is_struct(kind):
        for part in column.flatten():
            yield from _texts(part)
