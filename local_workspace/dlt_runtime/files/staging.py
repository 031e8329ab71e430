"""Files of every format but JSON into one staged parquet file, in the shape in which Auto Loader stages JSON."""

from __future__ import annotations

import base64
import codecs
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ArrowException

from local_workspace.dlt_runtime.auto_loader.inference import apply_hints
from local_workspace.dlt_runtime.auto_loader.lines import UnreadableFile, read_text
from local_workspace.dlt_runtime.auto_loader.listing import InputFile
from local_workspace.dlt_runtime.auto_loader.rows import (
    HIDDEN_METADATA,
    METADATA_TYPE,
    Columns,
    file_metadata,
    staged_schema,
)
from local_workspace.dlt_runtime.auto_loader.stage import NoColumnsYet, NoFileYet, Staged
from local_workspace.dlt_runtime.auto_loader.strict_json import rescued_text
from local_workspace.dlt_runtime.auto_loader.types import TIMESTAMP
from local_workspace.dlt_runtime.auto_loader.verified import Fault, check_unchanged, unforeseen
from local_workspace.dlt_runtime.files import csv_rows
from local_workspace.dlt_runtime.files.reads import FileOptions
from local_workspace.errors import DataFault, NotSupported

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ROWS = 50_000
_UNSIGNED = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}


def to_store(columns: Columns) -> dict[str, str]:
    """Give a schema in a form that JSON can hold."""
    return {"arrow": base64.b64encode(pa.schema(list(columns.items())).serialize().to_pybytes()).decode()}


def from_store(content: dict[str, str]) -> Columns:
    """Read what :func:`to_store` gave."""
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(content["arrow"])))
    return {field.name: field.type for field in schema}


def stage(
    options: FileOptions, files: list[InputFile], stored: Columns | None, folder: Path, flow: str
) -> Staged:
    """Read files into `rows.parquet`: the columns of the source, rescued data, and the hidden metadata.

    A file that cannot be read is a fault of the result, and the others are staged.

    Raises:
        DataFault: The content can be read in more than one way, or does not fit the schema that is known.
        NotSupported: A column has something that the runtime does not read.
    """
    folder = folder / "rows"
    folder.mkdir(parents=True, exist_ok=True)
    source = {"csv": _Csv, "text": _Text, "binaryfile": _Binary, "parquet": _Columnar, "orc": _Columnar}.get(
        options.format
    )
    if source is None:
        raise NotSupported(
            f"Reading {options.format} files (flow {flow})", "Convert them to parquet or JSON lines"
        )
    staged = Staged(folder, {})
    reader = source(options, flow)
    readable = []
    for file in files:
        try:
            reader.look(file)
        except UnreadableFile as error:
            staged.faults[file.uri] = Fault.of(error)
        except (OSError, ArrowException) as error:
            staged.faults[file.uri] = Fault.of(unforeseen(error))
        else:
            readable.append(file)
    columns = reader.columns(stored)
    if not columns and staged.faults:
        raise NoColumnsYet(options.path, flow, staged.faults, options.format)
    if not columns:
        raise NoFileYet(options.path)
    staged.columns = columns
    staged.added = [name for name in columns if stored is not None and name not in stored]
    schema = staged_schema(columns, options.rescued_column)
    with pq.ParquetWriter(folder / "rows.parquet", schema, compression="snappy", store_schema=False) as out:
        for file in readable:
            rows = 0
            # A change between the look and the rows stops the flow; the next update reads the file as it is then.
            for table in reader.tables(file, columns):
                metadata = pa.array([file_metadata(file)], METADATA_TYPE).take(
                    pa.array([0] * table.num_rows, pa.int32())
                )
                table = table.append_column(pa.field(HIDDEN_METADATA, METADATA_TYPE), metadata)  # noqa: PLW2901
                out.write_table(table.select(schema.names).cast(schema))
                rows += table.num_rows
            check_unchanged(file)
            staged.rows[file.uri] = rows
    return staged


class _Reader:
    """Reads the files of one source: first it looks at each, then it gives the rows of each."""

    def __init__(self, options: FileOptions, flow: str) -> None:
        self.options, self.flow = options, flow
        self.found: Columns = {}

    def look(self, file: InputFile) -> None:
        """Note the columns of a file."""

    def columns(self, stored: Columns | None) -> Columns:
        """Give the schema of the source."""
        options = self.options
        if options.schema is not None:
            return dict(options.schema)
        if stored is None:
            return apply_hints(self.found, options.hints) if self.found else dict(options.hints)
        known = {name.lower() for name in stored}
        new = {name: kind for name, kind in self.found.items() if name.lower() not in known}
        if new and options.evolution == "failOnNewColumns":
            raise DataFault(
                f"[UNKNOWN_FIELD_EXCEPTION.NEW_FIELDS_IN_FILE] Flow {self.flow} met unknown columns in {options.path}",
                got=", ".join(new),
                consequence="The flow failed and took no file of this batch (schemaEvolutionMode failOnNewColumns)",
                next_step="Add the columns to the schema, or remove the file",
            )
        return apply_hints(stored | (new if options.evolution == "addNewColumns" else {}), options.hints)

    def tables(self, file: InputFile, columns: Columns) -> Iterator[pa.Table]:
        """Give the rows of a file."""
        raise NotImplementedError

    def _table(self, rows: list[dict[str, Any]], rescued: list[str | None], columns: Columns) -> pa.Table:
        names = [name for name in columns if name != self.options.rescued_column]
        data = {name: pa.array([row.get(name) for row in rows], columns[name]) for name in names}
        if self.options.rescued_column:
            data[self.options.rescued_column] = pa.array(rescued, pa.string())
        return pa.table(data)


class _Csv(_Reader):
    def __init__(self, options: FileOptions, flow: str) -> None:
        super().__init__(options, flow)
        self.where = f"flow {flow}"
        self.dialect = csv_rows.Dialect.of(options.settings, self.where)
        self.mode = options.settings.get("mode", "PERMISSIVE").upper()
        self.encoding = _encoding(options.settings, self.where)
        self.heads: dict[str, list[str]] = {}
        self.empty: set[str] = set()
        bad = options.settings.get("columnnameofcorruptrecord", "_corrupt_record")
        self.corrupt = next((name for name in options.schema or options.hints if name == bad), None)

    def _rows(self, file: InputFile) -> Iterator[tuple[list[str | None], str]]:
        return csv_rows.rows_of(read_text(file.path, self.encoding), self.dialect)

    def look(self, file: InputFile) -> None:
        rows = (cells for cells, _ in self._rows(file))
        head = next(rows, None)
        if head is None:
            return
        first = [] if self.dialect.header else [head]
        names = [cell or f"_c{at}" if self.dialect.header else f"_c{at}" for at, cell in enumerate(head)]
        # As Spark does: columns of one name are told apart by their place.
        lower = [name.lower() for name in names]
        names = [f"{name}{at}" if lower.count(name.lower()) > 1 else name for at, name in enumerate(names)]
        if self.heads and self.dialect.header and self.options.schema is None:
            known = next(iter(self.heads.values()))
            if names != known and self.options.evolution == "none" and self.options.rescued_column is None:
                raise DataFault(
                    f"CSV files of {self.options.path} have different headers ({self.where})",
                    got=f"{', '.join(names)} in {file.uri}, {', '.join(known)} before",
                    consequence="spark.read would take the columns by their place, so nothing was read",
                    next_step="Read them with Auto Loader or read_files, which go by name, or give the schema",
                )
        self.heads[file.uri] = names
        if self.options.schema is not None:
            return
        if not self.options.infer_types:
            for row in [*first, *rows] if not self.dialect.header else []:
                names += [f"_c{at}" for at in range(len(names), len(row))]
            self.found |= {name: pa.string() for name in names if self._unknown(name)}
            return
        columns: list[list[str | None]] = [[] for _ in names]
        for row in [*first, *rows]:
            for at, cell in enumerate(row[: len(names)]):
                columns[at].append(cell)
        for name, cells in zip(names, columns, strict=True):
            kind = csv_rows.inferred(iter(cells), self.dialect)
            column = next((key for key in self.found if key.lower() == name.lower()), name)
            empty = all(cell is None for cell in cells)
            if column in self.found and not empty:
                kind = (
                    csv_rows.wider(self.found[column], kind, self.dialect)
                    if column not in self.empty
                    else kind
                )
            elif column in self.found:
                kind = self.found[column]
            (
                self.empty.add
                if empty and (column not in self.found or column in self.empty)
                else self.empty.discard
            )(column)
            self.found[column] = kind

    def _unknown(self, name: str) -> bool:
        return name.lower() not in {known.lower() for known in self.found}

    def tables(self, file: InputFile, columns: Columns) -> Iterator[pa.Table]:
        rows = self._rows(file)
        if self.dialect.header:
            next(rows, None)
        targets = [name for name in columns if name not in (self.options.rescued_column, self.corrupt)]
        by_lower = {name.lower(): name for name in targets}
        head = self.heads.get(file.uri, [])
        # Spark takes the columns of a given schema by their place, Auto Loader and an inferred schema by name.
        by_place = self.options.schema is not None and self.options.rescued_column is None
        order: list[str | None] = [*targets] if by_place else [by_lower.get(name.lower()) for name in head]
        parse = {name: csv_rows.converter(columns[name], self.dialect) for name in targets}
        batch: list[dict[str, Any]] = []
        rescued: list[str | None] = []
        for row, raw in rows:
            values: dict[str, Any] = {}
            lost: dict[str, str] = {}
            fits = len(row) == (len(targets) if by_place else len(head))
            for at, cell in enumerate(row):
                name = order[at] if at < len(order) else None
                if cell is None:
                    continue
                if name is None:
                    lost[head[at] if at < len(head) else f"_c{at}"] = _json_text(cell)
                    continue
                try:
                    values[name] = parse[name](cell)
                except csv_rows.Unfit:
                    lost[name] = _json_text(cell)
                    # What is rescued is not malformed.
                    fits = fits and self.options.rescued_column is not None
            if not fits and self.mode != "PERMISSIVE":
                if self.mode == "DROPMALFORMED":
                    continue
                raise DataFault(
                    f"[MALFORMED_RECORD_IN_PARSING] A line does not fit the schema, and mode is FAILFAST ({self.where})",
                    got=f"{raw[:200]!r} in {file.uri}",
                    consequence="No row of these files was loaded",
                    next_step="Correct the line, or read it with mode PERMISSIVE or DROPMALFORMED",
                )
            if self.corrupt is not None and not fits:
                values[self.corrupt] = raw
            batch.append(values)
            rescued.append(rescued_text(lost, file.uri) if lost and self.options.rescued_column else None)
            if len(batch) >= _ROWS:
                yield self._table(batch, rescued, columns)
                batch, rescued = [], []
        if batch:
            yield self._table(batch, rescued, columns)


def _encoding(settings: Mapping[str, str], where: str) -> str:
    name = settings.get("encoding", settings.get("charset", "utf-8"))
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise NotSupported(f"encoding {name} ({where})", "Correct its name, or land files as UTF-8") from None


def _json_text(cell: str) -> str:
    return json.dumps(cell, ensure_ascii=False)


class _Text(_Reader):
    def look(self, file: InputFile) -> None:
        read_text(file.path)

    def columns(self, stored: Columns | None) -> Columns:
        del stored
        return dict(self.options.schema or {"value": pa.string()})

    def tables(self, file: InputFile, columns: Columns) -> Iterator[pa.Table]:
        text = read_text(file.path)
        if self.options.settings.get("wholetext", "false").lower() == "true":
            lines = [text]
        else:
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            lines = lines[:-1] if lines[-1] == "" else lines
        if lines:
            yield self._table([{next(iter(columns)): line} for line in lines], [], columns)


class _Binary(_Reader):
    def columns(self, stored: Columns | None) -> Columns:
        del stored
        return {
            "path": pa.string(),
            "modificationTime": TIMESTAMP,
            "length": pa.int64(),
            "content": pa.binary(),
        }

    def tables(self, file: InputFile, columns: Columns) -> Iterator[pa.Table]:
        changed = _EPOCH + timedelta(microseconds=file.mtime_ns // 1000)
        row = {
            "path": file.uri,
            "modificationTime": changed,
            "length": file.size,
            "content": file.path.read_bytes(),
        }
        yield self._table([row], [], columns)


class _Columnar(_Reader):
    """Parquet and ORC: the files say their columns and types."""

    def _schema(self, file: InputFile) -> pa.Schema:
        if self.options.format == "orc":
            from pyarrow import orc  # noqa: PLC0415

            return orc.ORCFile(str(file.path)).schema
        return pq.read_schema(file.path)

    def look(self, file: InputFile) -> None:
        mine = {field.name: self._spark_type(field.type, field.name, file) for field in self._schema(file)}
        if (
            self.found
            and set(mine) != set(self.found)
            and self.options.evolution == "none"
            and self.options.schema is None
        ):
            merge = "mergeschema" in self.options.ignored
            if not merge:
                raise DataFault(
                    f"Files of {self.options.path} have different columns (flow {self.flow})",
                    got=", ".join(sorted(set(mine) ^ set(self.found))),
                    consequence="Spark would take the columns of one of them, so nothing was read",
                    next_step="Give option mergeSchema=true, or the schema",
                )
        for name, kind in mine.items():
            known = self.found.setdefault(name, kind)
            if known != kind:
                wider = {known, kind}
                if wider == {pa.int32(), pa.int64()}:
                    self.found[name] = pa.int64()
                elif wider == {pa.float32(), pa.float64()}:
                    self.found[name] = pa.float64()
                else:
                    raise DataFault(
                        f"Column {name} has two types in files of {self.options.path} (flow {self.flow})",
                        got=f"{known}, {kind}",
                    )

    def _spark_type(  # noqa: PLR0911  (one a type)
        self, kind: pa.DataType, name: str, file: InputFile
    ) -> pa.DataType:
        if pa.types.is_dictionary(kind):
            return self._spark_type(kind.value_type, name, file)
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            return pa.string()
        if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            return pa.binary()
        if pa.types.is_timestamp(kind):
            legacy = not kind.tz and self.options.format == "parquet" and self._is_int96(name, file)
            return TIMESTAMP if kind.tz or legacy else pa.timestamp("us")
        unsigned = {
            pa.uint8(): pa.int16(),
            pa.uint16(): pa.int32(),
            pa.uint32(): pa.int64(),
            pa.uint64(): pa.decimal128(20, 0),
        }
        if kind in unsigned:
            return unsigned[kind]
        if pa.types.is_large_list(kind) or pa.types.is_list(kind):
            return pa.list_(self._spark_type(kind.value_type, name, file))
        if pa.types.is_struct(kind):
            return pa.struct([(f.name, self._spark_type(f.type, f"{name}.{f.name}", file)) for f in kind])
        if pa.types.is_map(kind):
            return pa.map_(
                self._spark_type(kind.key_type, name, file), self._spark_type(kind.item_type, name, file)
            )
        if (
            pa.types.is_time(kind)
            or pa.types.is_duration(kind)
            or pa.types.is_null(kind)
            or pa.types.is_interval(kind)
        ):
            raise NotSupported(
                f"Column {name} of type {kind} in {file.uri}", "Write the file without this column"
            )
        return kind

    def _is_int96(self, name: str, file: InputFile) -> bool:
        schema = pq.ParquetFile(file.path).schema
        return any(
            schema.column(at).path == name and schema.column(at).physical_type == "INT96"
            for at in range(len(schema))
        )

    def tables(self, file: InputFile, columns: Columns) -> Iterator[pa.Table]:
        if self.options.format == "orc":
            from pyarrow import orc  # noqa: PLC0415

            batches = iter([orc.ORCFile(str(file.path)).read()])
        else:
            parquet = pq.ParquetFile(file.path)
            batches = (pa.Table.from_batches([batch]) for batch in parquet.iter_batches(_ROWS))
        for batch in batches:
            by_lower = {name.lower(): name for name in batch.schema.names}
            arrays = {}
            for name, kind in columns.items():
                if name == self.options.rescued_column:
                    continue
                there = by_lower.get(name.lower())
                try:
                    arrays[name] = (
                        pa.nulls(batch.num_rows, kind) if there is None else _cast(batch[there], kind)
                    )
                except ArrowException as error:
                    raise DataFault(
                        f"Column {name} of {file.uri} does not fit the type {kind} (flow {self.flow})",
                        got=str(error).splitlines()[0],
                        consequence="No file of this batch was taken",
                        next_step="Give its type in the schema hints, or do a full refresh",
                    ) from error
            if self.options.rescued_column:
                arrays[self.options.rescued_column] = pa.nulls(batch.num_rows, pa.string())
            yield pa.table(arrays)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(column.type):
        # Spark keeps microseconds and cuts what is finer.
        naive = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return naive.cast(kind)
    return column.cast(kind)
