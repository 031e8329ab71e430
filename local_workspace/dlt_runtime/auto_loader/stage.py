"""New files into one staged parquet folder: the rows of a batch, before any query has seen them.

The staged columns are those of the source's schema, the rescued data, and a hidden struct with what
`_metadata` means for the query.

Every file stands for itself. Its rows enter the batch only after all of it was read and it still was the file
that was listed; whatever goes wrong before that sets the file aside, with the reason, and no other one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from local_workspace.dlt_runtime.auto_loader import inference
from local_workspace.dlt_runtime.auto_loader.lines import UnreadableFile
from local_workspace.dlt_runtime.auto_loader.listing import InputFile
from local_workspace.dlt_runtime.auto_loader.options import AutoLoaderOptions
from local_workspace.dlt_runtime.auto_loader.rows import (
    Columns,
    Lines,
    NewColumns,
    RowMaker,
    staged_schema,
)
from local_workspace.dlt_runtime.auto_loader.strict_json import CORRUPT_COLUMN
from local_workspace.dlt_runtime.auto_loader.verified import Fault, chunks_of, unforeseen
from local_workspace.errors import DataFault, LocalWorkspaceError, PipelineCodeError

_CHUNK_BYTES = 32 * 1024 * 1024
_CHUNK_FILES = 4096
_ROW_GROUP = 256 * 1024

Faults = dict[str, Fault]


@dataclass
class Staged:
    """The staged rows of a batch.

    Attributes:
        folder: Where they are.
        columns: The schema of the source after this batch, without rescued data and metadata.
        added: Columns that this batch added to a schema that was there before.
        rows: URI -> rows taken from the file; faults: URI -> why nothing was.
    """

    folder: Path
    columns: Columns
    added: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)


class NoFileYet(PipelineCodeError):  # noqa: N818  (says what is the case)
    """There is neither a file nor a hint from which a schema could come."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"[CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE] Cannot infer schema when the input path is empty: {path}",
            next_step="Land a file first, or give the schema (cloudFiles.schemaHints for some of its columns)",
        )


class NoColumnsYet(DataFault):
    """None of the files can be read, so the columns of their source are not known; the files are set aside."""

    def __init__(self, path: str, flow: str, faults: Faults, kind: str) -> None:
        self.faults = faults
        super().__init__(
            f"Files of {path} cannot be read, so their columns are not known (flow {flow})",
            got="; ".join(f"{uri}: {fault.reason}" for uri, fault in faults.items())[:400],
            consequence="Nothing was read",
            next_step=f"Repair or remove them; they have to be {kind} files",
        )


def source_schema(
    options: AutoLoaderOptions, files: list[InputFile], stored: Columns | None, faults: Faults
) -> Columns:
    """Give the schema of a source: the stored one, the one of the query, or one inferred from files.

    Hints apply to a stored schema too, so that a hint that was added to the code later works.
    """
    if options.schema is not None:
        return dict(options.schema)
    if stored is not None:
        return inference.apply_hints(stored, options.hints)
    if options.hints and options.evolution == "addNewColumns":
        # What else the files have is met while they are parsed; a file of the hinted columns is read once.
        return inference.apply_hints({}, options.hints)
    return inference.apply_hints(_survey(options, files, {}, faults), options.hints)


def stage_files(
    options: AutoLoaderOptions, files: list[InputFile], stored: Columns | None, folder: Path, flow: str
) -> Staged:
    """Parse files into parquet below `folder`.

    Raises:
        DataFault: The options of the source refuse a line, in mode failOnNewColumns for instance.
    """
    faults: Faults = {}
    known = source_schema(options, files, stored, faults)
    columns, may_grow = known, options.evolution == "addNewColumns"
    while True:
        before = len(faults)
        maker = RowMaker(options, files, columns, flow, may_grow=may_grow)
        try:
            rows = _parse(maker, folder / "rows", faults)
        except NewColumns:
            may_grow = False  # a key that the survey does not find, for whatever reason, is rescued
        else:
            if columns == known or len(faults) == before:
                added = [] if stored is None else [name for name in columns if name not in stored]
                return Staged(folder / "rows", columns, added, rows, faults)
            # A file that turned out to be unreadable may have brought a column; it must leave nothing behind.
        found = _survey(options, files, known, faults)
        columns = known | {name: options.hints.get(name, kind) for name, kind in found.items()}


def _survey(options: AutoLoaderOptions, files: list[InputFile], known: Columns, faults: Faults) -> Columns:
    """Look for keys without a column in all files that can be read; note those that cannot."""
    reserved = {CORRUPT_COLUMN, options.rescued_column or ""}
    while True:
        before = len(faults)
        survey = inference.KeySurvey(types=options.infer_types, known=[*known, *reserved])
        try:
            for file in files:
                if file.uri in faults:
                    continue
                try:
                    for chunk in chunks_of(file, multi_line=options.multi_line):
                        _look_at(survey, chunk.lines)
                except UnreadableFile as error:
                    faults[file.uri] = Fault.of(error)
            if len(faults) == before:
                taken = dict.fromkeys(reserved, pa.string()) | known
                return inference.possible_columns(survey.columns(), taken)
        finally:
            survey.close()


def _look_at(survey: inference.KeySurvey, lines: pa.LargeStringArray) -> None:
    try:
        survey.add(lines)
    except Exception as error:
        raise unforeseen(error) from error


class _Part:
    """One parquet file of the stage; it is there only once it is kept."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._hidden = path.with_name(f"_{path.name}")
        self._writer = pq.ParquetWriter(self._hidden, schema, compression="snappy", store_schema=False)

    def write(self, table: pa.Table) -> None:
        if table.num_rows:
            self._writer.write_table(table, row_group_size=_ROW_GROUP)

    def keep(self) -> None:
        self._writer.close()
        self._hidden.rename(self._path)

    def discard(self) -> None:
        self._writer.close()
        self._hidden.unlink()


class _Parse:
    """One pass over the files of a batch.

    Small files share a part and are given to it once they have been read and parsed; a large one has a part of
    its own, which goes if the file turns out to be unreadable.
    """

    def __init__(self, maker: RowMaker, folder: Path, faults: Faults) -> None:
        self._maker, self._folder, self._faults = maker, folder, faults
        self._files = maker.files
        self._shared = _Part(folder / "small.parquet", maker.schema)
        self._group = Lines()
        self.rows = np.zeros(len(self._files), dtype=np.int64)

    def file(self, at: int) -> None:
        """Take one file."""
        own = Lines()
        part: _Part | None = None
        rows = 0
        try:
            for chunk in chunks_of(self._files[at], multi_line=self._maker.options.multi_line):
                own.add(at, chunk)
                if own.size >= _CHUNK_BYTES:
                    part = part or _Part(self._folder / f"large-{at:06d}.parquet", self._maker.schema)
                    rows += self._write(part, own)
                    own = Lines()
            if part is not None:
                rows += self._write(part, own)
        except UnreadableFile as error:
            self._faults[self._files[at].uri] = Fault.of(error)
            if part is not None:
                part.discard()
            return
        if part is not None:
            part.keep()
            self.rows[at] = rows
            return
        self._group.extend(own)
        if self._group.size >= _CHUNK_BYTES or len(self._group.chunks) >= _CHUNK_FILES:
            self.flush()

    def flush(self) -> None:
        """Parse the small files that are waiting."""
        group, self._group = self._group, Lines()
        try:
            self._write_shared(group)
        except UnreadableFile:
            # One of them, it is not known which.
            for at, own in group.by_owner().items():
                try:
                    self._write_shared(own)
                except UnreadableFile as error:
                    self._faults[self._files[at].uri] = Fault.of(error)

    def finish(self) -> None:
        """Make the parts visible; there is always one, so that the query has a source of the right schema."""
        self.flush()
        self._shared.keep()

    def _write_shared(self, lines: Lines) -> None:
        table, owners = self._parsed(lines)
        self._shared.write(table)
        self.rows += np.bincount(owners, minlength=len(self._files))

    def _write(self, part: _Part, lines: Lines) -> int:
        table, _ = self._parsed(lines)
        part.write(table)
        return int(table.num_rows)

    def _parsed(self, lines: Lines) -> tuple[pa.Table, np.ndarray]:
        try:
            return self._maker.rows(lines)
        except (NewColumns, LocalWorkspaceError):
            raise
        except Exception as error:
            raise unforeseen(error) from error


def _parse(maker: RowMaker, folder: Path, faults: Faults) -> dict[str, int]:
    """Take all files that have no fault yet; give the rows of each by URI."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        parse = _Parse(maker, folder, faults)
        for at, file in enumerate(maker.files):
            if file.uri not in faults:
                parse.file(at)
        parse.finish()
    finally:
        maker.close()
    return {file.uri: int(parse.rows[at]) for at, file in enumerate(maker.files) if file.uri not in faults}


def empty_staged(options: AutoLoaderOptions, columns: Columns, folder: Path) -> Staged:
    """Stage no row: gives the query a source of the right schema when there is no file yet."""
    rows = folder / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    schema = staged_schema(columns, options.rescued_column)
    pq.write_table(schema.empty_table(), rows / "none.parquet", store_schema=False)
    return Staged(rows, columns)
