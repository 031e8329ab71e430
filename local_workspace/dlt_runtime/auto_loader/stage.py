"""New files into one staged parquet folder: the rows of a batch, before any query has seen them.

The staged columns are those of the source's schema, the rescued data, and a hidden struct with what
`_metadata` means for the query.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from local_workspace.dlt_runtime.auto_loader import inference
from local_workspace.dlt_runtime.auto_loader.bulk_json import BulkParser
from local_workspace.dlt_runtime.auto_loader.lines import Chunk, UnreadableFile, read_chunks, read_text
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

HIDDEN_METADATA = "__dlt_metadata"
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
_CHUNK_BYTES = 32 * 1024 * 1024
_CHUNK_FILES = 512

Columns = dict[str, pa.DataType]


@dataclass
class Staged:
    """The staged rows of a batch.

    Attributes:
        columns: The schema of the source after this batch, without rescued data and metadata.
        added: Columns that this batch added to a schema that was there before.
        rows: URI -> rows taken from the file; faults: URI -> why nothing was.
    """

    columns: Columns
    added: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


@dataclass
class _Pending:
    """Lines of several small files, put together until they are worth a call of the bulk parser."""

    lines: list[pa.LargeStringArray] = field(default_factory=list)
    owners: list[np.ndarray] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0

    def add(self, chunk: Chunk, owner: int) -> None:
        self.lines.append(chunk.lines)
        self.owners.append(np.full(len(chunk.lines), owner, dtype=np.int32))
        self.broken.extend((owner, text) for text in chunk.broken)
        self.size += chunk.lines.nbytes


class _NewColumns(Exception):  # noqa: N818
    """Lines have keys that no column takes, in a mode that gives them columns."""


def source_schema(options: AutoLoaderOptions, files: list[InputFile], stored: Columns | None) -> Columns:
    """Give the schema of a source: the stored one, the one of the query, or one inferred from files.

    Hints apply to a stored schema too, so that a hint that was added to the code later works.
    """
    if options.schema is not None:
        return dict(options.schema)
    if stored is not None:
        return inference.apply_hints(stored, options.hints)
    return inference.apply_hints(_survey(options, files, {}), options.hints)


def _survey(options: AutoLoaderOptions, files: list[InputFile], known: Columns) -> Columns:
    reserved = {CORRUPT_COLUMN, options.rescued_column or ""}
    survey = inference.KeySurvey(types=options.infer_types, known=[*known, *reserved])
    try:
        for file in files:
            try:
                if options.multi_line:
                    survey.add_text(read_text(file.path))
                else:
                    for chunk in read_chunks(file.path):
                        survey.add(chunk.lines)
            except UnreadableFile:
                continue  # reported when it is staged
        return inference.possible_columns(survey.columns(), known)
    finally:
        survey.close()


def stage_files(
    options: AutoLoaderOptions, files: list[InputFile], stored: Columns | None, folder: Path, flow: str
) -> Staged:
    """Parse files into `folder/rows.parquet`.

    Raises:
        DataFault: In mode failOnNewColumns, a file has a column that the schema does not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = source_schema(options, files, stored)
    # One parse is enough unless it meets keys without a column; then the schema is widened and the parse done
    # again.
    for _attempt in range(2):
        try:
            staged = _parse(options, files, columns, folder / "rows.parquet", flow)
        except _NewColumns:
            added = inference.apply_hints(_survey(options, files, columns), {})
            columns = columns | {n: options.hints.get(n, k) for n, k in added.items()}
        else:
            if stored is not None:
                staged.added = [name for name in columns if name not in stored]
            return staged
    raise AssertionError("a widened schema has every key")


def _parse(
    options: AutoLoaderOptions, files: list[InputFile], columns: Columns, target: Path, flow: str
) -> Staged:
    rescued = options.rescued_column
    fillable = {n: k for n, k in columns.items() if n not in (CORRUPT_COLUMN, rescued)}
    schema = staged_schema(columns, rescued)
    staged = Staged(columns)
    parser = BulkParser(fillable)
    may_grow = options.evolution == "addNewColumns"
    rows_of = np.zeros(len(files), dtype=np.int64)
    writer = _RowWriter(schema, files, options, fillable, flow, may_grow=may_grow)
    try:
        with pq.ParquetWriter(target, schema, compression="snappy", store_schema=False) as out:
            for pending in _batches(options, files, staged):
                table, owners = writer.rows(pending, parser)
                rows_of += np.bincount(owners, minlength=len(files))
                if table.num_rows:
                    out.write_table(table, row_group_size=256 * 1024)
    finally:
        parser.close()
    for at, file in enumerate(files):
        if file.uri not in staged.faults:
            staged.rows[file.uri] = int(rows_of[at])
    return staged


def staged_schema(columns: Mapping[str, pa.DataType], rescued: str | None) -> pa.Schema:
    """Give the schema of the staged parquet."""
    fields = [pa.field(name, kind) for name, kind in columns.items() if name != rescued]
    if rescued:
        fields.append(pa.field(rescued, pa.string()))
    return pa.schema([*fields, pa.field(HIDDEN_METADATA, METADATA_TYPE)])


def _batches(options: AutoLoaderOptions, files: list[InputFile], staged: Staged) -> Iterator[_Pending]:
    """Read files; one that may turn out to be faulty is given on only once all of it could be read."""
    pending = _Pending()
    for at, file in enumerate(files):
        own = _Pending()
        spilled: list[_Pending] = []
        try:
            if file.path.suffix.lower() not in {".gz", ".bz2"} and not options.multi_line:
                # A plain file cannot turn out to be unreadable half-way, so it need not be held in memory as
                # a whole.
                for chunk in read_chunks(file.path):
                    pending.add(chunk, at)
                    if pending.size >= _CHUNK_BYTES:
                        yield pending
                        pending = _Pending()
            else:
                for chunk in _multi_line(file) if options.multi_line else read_chunks(file.path):
                    own.add(chunk, at)
                    if own.size >= _CHUNK_BYTES:
                        spilled.append(own)
                        own = _Pending()
            _check_unchanged(file)
        except (UnreadableFile, FileNotFoundError) as error:
            staged.faults[file.uri] = str(error)
            continue
        yield from spilled
        pending.lines += own.lines
        pending.owners += own.owners
        pending.broken += own.broken
        pending.size += own.size
        if pending.size >= _CHUNK_BYTES or len(pending.lines) >= _CHUNK_FILES:
            yield pending
            pending = _Pending()
    yield pending


def _check_unchanged(file: InputFile) -> None:
    status = file.path.stat()
    if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
        raise UnreadableFile("it changed while it was read")


def _multi_line(file: InputFile) -> Iterator[Chunk]:
    text = read_text(file.path)
    yield Chunk(pa.array([text] if text.strip() else [], pa.large_string()))


class _RowWriter:
    """Turns pending lines into rows of the staged schema."""

    def __init__(
        self,
        schema: pa.Schema,
        files: list[InputFile],
        options: AutoLoaderOptions,
        fillable: Columns,
        flow: str,
        *,
        may_grow: bool,
    ) -> None:
        self.schema, self.files, self.options, self.fillable, self.flow = (
            schema,
            files,
            options,
            fillable,
            flow,
        )
        self.may_grow = may_grow
        self.folded = {} if options.case_sensitive else {name.lower(): name for name in fillable}
        self.lower = {name.lower() for name in schema.names}
        self.has_corrupt = CORRUPT_COLUMN in schema.names
        self._metadata = pa.array([_metadata(f) for f in files], METADATA_TYPE)

    def rows(self, pending: _Pending, parser: BulkParser) -> tuple[pa.Table, np.ndarray]:
        lines = pa.concat_arrays(pending.lines) if pending.lines else pa.array([], pa.large_string())
        owners = np.concatenate(pending.owners) if pending.owners else np.zeros(0, dtype=np.int32)
        clean, clean_places, others = parser.parse(lines)
        records: list[Record] = []
        record_owners: list[int] = []
        places = others.to_numpy()
        for place, line in zip(places, lines.take(others), strict=True):
            for record in self._exact(line.as_py(), int(owners[place])):
                records.append(record)
                record_owners.append(int(owners[place]))
        for owner, text in pending.broken:
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
        records = [convert_record(m, self.fillable, self.folded) for m in members]
        for record in records:
            self._check_new(record, owner)
        return records

    def _check_new(self, record: Record, owner: int) -> None:
        new = [
            key
            for key in record.rescued
            if key not in self.fillable and key.split(".", 1)[0] not in self.fillable
        ]
        new = [key for key in new if key.lower() not in self.lower and inference.can_be_column(key)]
        if not new:
            return
        if self.may_grow:
            raise _NewColumns
        if self.options.evolution == "failOnNewColumns":
            raise DataFault(
                f"[UNKNOWN_FIELD_EXCEPTION.NEW_FIELDS_IN_FILE] Flow {self.flow} met unknown fields while reading a file",
                got=f"{', '.join(sorted(new))} in {self.files[owner].uri}",
                consequence="The flow failed and took no file of this batch (schemaEvolutionMode failOnNewColumns)",
                next_step="Add the columns to the schema, or remove the file",
            )

    def _unreadable(self, line: str, owner: int) -> Record:
        if self.has_corrupt:
            return Record({CORRUPT_COLUMN: line})
        if self.options.rescued_column:
            return Record({}, {CORRUPT_COLUMN: json.dumps(line, ensure_ascii=False)})
        raise DataFault(
            f"Flow {self.flow} has no column for a line that is not a JSON object",
            got=f"{line[:80]!r} in {self.files[owner].uri}",
            consequence="The flow failed and took no file of this batch, since the line would have been lost",
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


def _metadata(file: InputFile) -> dict[str, Any]:
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=file.mtime_ns // 1000)
    return {
        "file_path": file.uri,
        "file_name": file.path.name,
        "file_size": file.size,
        "file_block_start": 0,
        "file_block_length": file.size,
        "file_modification_time": moment,
    }


def empty_staged(options: AutoLoaderOptions, columns: Columns, folder: Path) -> Staged:
    """Stage no row: gives the query a source of the right schema when there is no file yet."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = staged_schema(columns, options.rescued_column)
    pq.write_table(schema.empty_table(), folder / "rows.parquet", store_schema=False)
    return Staged(columns)
