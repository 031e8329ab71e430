"""Lines into rows of the staged schema: the plainly clean ones in bulk, all others one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa

from local_workspace.dlt_runtime.auto_loader import inference
from local_workspace.dlt_runtime.auto_loader.bulk_json import BulkParser
from local_workspace.dlt_runtime.auto_loader.lines import Chunk
from local_workspace.dlt_runtime.auto_loader.listing import InputFile
from local_workspace.dlt_runtime.auto_loader.options import AutoLoaderOptions
from local_workspace.dlt_runtime.auto_loader.strict_json import (
    CORRUPT_COLUMN,
    Record,
    Unreadable,
    convert_record,
    parse_members,
    rescued_text,
)
from local_workspace.errors import DataFault

#: The struct that `_metadata` means for the query. No record can have a column of this name: Delta takes no space.
HIDDEN_METADATA = "_metadata of the file"
METADATA_TYPE = pa.struct(
    [
        ("file_path", pa.string()),
        ("file_name", pa.string()),
        ("file_size", pa.int64()),
        ("file_block_start", pa.int64()),
        ("file_block_length", pa.int64()),
        ("file_modification_time", pa.timestamp("us", "UTC")),
    ]
)

Columns = dict[str, pa.DataType]


class NewColumns(Exception):  # noqa: N818
    """Lines have keys that no column takes, in a mode that gives them columns."""


@dataclass
class Lines:
    """Chunks of one or several files, put together until they are worth a call of the bulk parser.

    Attributes:
        chunks: Each with the number of its file.
        size: Bytes of all lines.
    """

    chunks: list[tuple[int, Chunk]] = field(default_factory=list)
    size: int = 0

    def add(self, owner: int, chunk: Chunk) -> None:
        """Put the lines of a chunk to the others."""
        self.chunks.append((owner, chunk))
        self.size += chunk.lines.nbytes + sum(map(len, chunk.broken))

    def extend(self, other: Lines) -> None:
        """Put all lines of another collection to these."""
        self.chunks += other.chunks
        self.size += other.size

    def by_owner(self) -> dict[int, Lines]:
        """Take the files apart again."""
        apart: dict[int, Lines] = {}
        for owner, chunk in self.chunks:
            apart.setdefault(owner, Lines()).add(owner, chunk)
        return apart

    def together(self) -> tuple[pa.LargeStringArray, np.ndarray]:
        """Return all lines as one array, and for each the number of its file."""
        if not self.chunks:
            return pa.array([], pa.large_string()), np.zeros(0, dtype=np.int32)
        owners = np.array([owner for owner, _ in self.chunks], dtype=np.int32)
        lengths = [len(chunk.lines) for _, chunk in self.chunks]
        return pa.concat_arrays([chunk.lines for _, chunk in self.chunks]), np.repeat(owners, lengths)


class RowMaker:
    """Turns lines into rows.

    Args:
        options: The options of the source.
        files: The files of the batch; `Lines` refer to them by number.
        columns: The schema of the source.
        flow: For messages.
        may_grow: Whether a key without a column is a reason to stop and widen the schema.
    """

    def __init__(
        self,
        options: AutoLoaderOptions,
        files: list[InputFile],
        columns: Mapping[str, pa.DataType],
        flow: str,
        *,
        may_grow: bool,
    ) -> None:
        self.options, self.files, self.flow, self.may_grow = options, files, flow, may_grow
        self.fillable = {
            n: k for n, k in columns.items() if n not in (CORRUPT_COLUMN, options.rescued_column)
        }
        self._folded = {} if options.case_sensitive else {name.lower(): name for name in self.fillable}
        self.schema = staged_schema(columns, options.rescued_column)
        self._taken = {name.lower() for name in self.schema.names}
        self._has_corrupt = CORRUPT_COLUMN in self.schema.names
        self._metadata = pa.array([file_metadata(f) for f in files], METADATA_TYPE)
        self._parser = BulkParser(self.fillable)

    def close(self) -> None:
        """Release the bulk parser's memory."""
        self._parser.close()

    def rows(self, given: Lines) -> tuple[pa.Table, np.ndarray]:
        """Make rows; the second result says for each from which file it comes.

        Raises:
            NewColumns: A key has no column yet.
            DataFault: The options of the source refuse a line.
        """
        lines, owners = given.together()
        clean, clean_places, others = self._parser.parse(lines)
        records: list[Record] = []
        record_owners: list[int] = []
        places = others.to_numpy()
        for place, line in zip(places, lines.take(others), strict=True):
            for record in self._exact(line.as_py(), int(owners[place])):
                records.append(record)
                record_owners.append(int(owners[place]))
        for owner, chunk in given.chunks:
            for text in chunk.broken:
                records.append(self._unreadable(text, owner))
                record_owners.append(owner)
        clean_owners = owners[clean_places.to_numpy()] if clean.num_rows else np.zeros(0, dtype=np.int32)
        parts = [self._from_clean(clean, clean_owners), self._from_records(records, record_owners)]
        return pa.concat_tables(parts), np.concatenate(
            [clean_owners, np.array(record_owners, dtype=np.int32)]
        )

    def _exact(self, line: str, owner: int) -> list[Record]:
        try:
            members = parse_members(line)
        except Unreadable:
            return [self._unreadable(line.rstrip("\r\n"), owner)]
        records = [convert_record(m, self.fillable, self._folded) for m in members]
        for record in records:
            self._check_new(record, owner)
        return records

    def _check_new(self, record: Record, owner: int) -> None:
        new = [
            key for key in record.unknown if key.lower() not in self._taken and inference.can_be_column(key)
        ]
        if not new:
            return
        if self.may_grow and len(self._taken) < inference.MOST_COLUMNS:
            raise NewColumns
        if self.options.evolution == "failOnNewColumns":
            raise DataFault(
                f"[UNKNOWN_FIELD_EXCEPTION.NEW_FIELDS_IN_FILE] Flow {self.flow} found unknown fields while reading a file",
                got=f"{', '.join(sorted(new))} in {self.files[owner].uri}",
                consequence="The flow failed and loaded no file of this batch (schemaEvolutionMode failOnNewColumns)",
                next_step="Add the columns to the schema, or remove the file",
            )

    def _unreadable(self, line: str, owner: int) -> Record:
        if self._has_corrupt:
            return Record({CORRUPT_COLUMN: line})
        if self.options.rescued_column:
            return Record({}, {CORRUPT_COLUMN: json.dumps(line, ensure_ascii=False)})
        raise DataFault(
            f"Flow {self.flow} has no column for a line that is not a JSON object",
            got=f"{line[:80]!r} in {self.files[owner].uri}",
            consequence="The flow failed and loaded no file of this batch, because the line would have been lost",
            next_step=f'Add "{CORRUPT_COLUMN} STRING" to the schema or the schema hints',
        )

    def _from_clean(self, clean: pa.Table, owners: np.ndarray) -> pa.Table:
        columns: dict[str, Any] = dict(zip(self.fillable, clean.columns, strict=True))
        return self._table(columns, owners, clean.num_rows)

    def _from_records(self, records: list[Record], owners: list[int]) -> pa.Table:
        columns: dict[str, Any] = {
            f.name: pa.array([r.values.get(f.name) for r in records], f.type)
            for f in self.schema
            if f.name in self.fillable or f.name == CORRUPT_COLUMN
        }
        if self.options.rescued_column:
            texts = [rescued_text(r.rescued, self.files[o].uri) for r, o in zip(records, owners, strict=True)]
            columns[self.options.rescued_column] = pa.array(texts, pa.string())
        return self._table(columns, np.array(owners, dtype=np.int32), len(records))

    def _table(self, columns: dict[str, Any], owners: np.ndarray, rows: int) -> pa.Table:
        columns[HIDDEN_METADATA] = self._metadata.take(pa.array(owners))
        arrays = [columns[f.name] if f.name in columns else pa.nulls(rows, f.type) for f in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def staged_schema(columns: Mapping[str, pa.DataType], rescued: str | None) -> pa.Schema:
    """Return the schema of the staged parquet."""
    fields = [pa.field(name, kind) for name, kind in columns.items() if name != rescued]
    if rescued:
        fields.append(pa.field(rescued, pa.string()))
    return pa.schema([*fields, pa.field(HIDDEN_METADATA, METADATA_TYPE)])


def file_metadata(file: InputFile) -> dict[str, Any]:
    """Return what `_metadata` says of a file."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=file.mtime_ns // 1000)
    return {
        "file_path": file.uri,
        "file_name": file.path.name,
        "file_size": file.size,
        "file_block_start": 0,
        "file_block_length": file.size,
        "file_modification_time": moment,
    }
