"""What the streaming sources of a flow have for the next batch, and staging it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_workspace.delta import delta_source, log, slices
from local_workspace.delta.log import Position
from local_workspace.dlt_runtime.auto_loader import types as loader_types
from local_workspace.dlt_runtime.auto_loader.listing import InputFile, list_files
from local_workspace.dlt_runtime.auto_loader.options import AutoLoaderOptions
from local_workspace.dlt_runtime.auto_loader.stage import (
    NoColumnsYet,
    NoFileYet,
    Staged,
    empty_staged,
    source_schema,
    stage_files,
)
from local_workspace.dlt_runtime.auto_loader.verified import Fault
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.files import staging
from local_workspace.dlt_runtime.files.partitions import read_files, with_partitions
from local_workspace.dlt_runtime.files.reads import FileOptions, no_delta_folder
from local_workspace.dlt_runtime.plan import rewrite
from local_workspace.dlt_runtime.plan.graph import Dataset, PlannedFlow
from local_workspace.dlt_runtime.record.state import FAULT_MAY_PASS, FileRecord, FlowState
from local_workspace.dlt_runtime.refresh.sources import BatchSources, Source, empty_slice
from local_workspace.dlt_runtime.spec import SourceFile
from local_workspace.errors import DataFault

#: A batch of less input becomes one file.
SMALL_BYTES = 64 * 1024 * 1024


@dataclass
class Input:
    """What one source has for a batch."""

    source: Source
    files: list[InputFile] = field(default_factory=list)
    adds: list[dict[str, Any]] | None = None
    since: Position | None = None
    until: Position | None = None
    backlog: int = 0
    backlog_bytes: int = 0

    @property
    def has_rows(self) -> bool:
        """Whether there may be rows that the flow has not seen."""
        return bool(self.files) or bool(self.adds) or (self.until is not None and self.since is None)

    @property
    def size(self) -> int:
        """Bytes of the files to be read."""
        if self.until is not None and self.since is None:
            assert self.source.location is not None  # noqa: S101
            return log.table_bytes(self.source.location)
        return sum(f.size for f in self.files) + sum(int(a.get("size", 0)) for a in self.adds or ())

    def records(self, batch: int) -> list[FileRecord]:
        """Give the ledger's records of the files, before they are read."""
        return [FileRecord(f.uri, f.size, f.mtime_ns, batch) for f in self.files]

    def final_records(self, staged: Staged, batch: int) -> list[FileRecord]:
        """Give the ledger's records of the files, with what came of them."""
        records = []
        for file in self.files:
            fault = staged.faults.get(file.uri)
            changed_at = FAULT_MAY_PASS if fault is not None and fault.may_pass else file.mtime_ns
            reason = None if fault is None else fault.reason
            records.append(
                FileRecord(file.uri, file.size, changed_at, batch, staged.rows.get(file.uri, 0), reason)
            )
        return records

    def source_files(self, dataset: Dataset, staged: Staged) -> list[SourceFile]:
        """Describe the files and what came of them, for the event log."""
        return [
            SourceFile(
                dataset.shown,
                file.uri,
                file.size,
                staged.rows.get(file.uri, 0),
                staged.faults[file.uri].reason if file.uri in staged.faults else None,
            )
            for file in self.files
        ]


def look(
    context: UpdateContext, dataset: Dataset, planned: PlannedFlow, source: Source, state: FlowState
) -> Input:
    """Find what a source has that a flow has not taken.

    Raises:
        DataFault: The source does not exist, or changed rows that were taken.
        PipelineCodeError: A path is not one that a pipeline can read.
    """
    if source.loader is not None:
        return _look_for_files(context, dataset, planned, source, source.loader)
    assert source.location is not None  # noqa: S101
    now = log.position(source.location)
    if now is None:
        where = f"flow {planned.flow.name}, {planned.flow.location}"
        if source.id.startswith("delta:"):
            raise no_delta_folder(source.shown, where)
        raise DataFault(
            f"{source.shown} does not exist yet ({where})",
            consequence="There is nothing to stream from",
            next_step="Refresh it first",
        )
    known = state.offsets.get(source.id)
    if known is None:
        return Input(source, until=now)
    since = Position(known["table_id"], known["version"])
    adds = delta_source.added_files(
        source.location, source.shown, since, now, skip_changes=source.skip_changes
    )
    return Input(source, adds=adds, since=since, until=now)


def _look_for_files(
    context: UpdateContext,
    dataset: Dataset,
    planned: PlannedFlow,
    source: Source,
    options: AutoLoaderOptions | FileOptions,
) -> Input:
    flow_id = context.flow_id(dataset, planned)
    ledger = context.state.files(flow_id, source.id)
    listing = list_files(
        options.path,
        options.glob,
        context.paths.local,
        context.paths.uri,
        ledger,
    )
    new_faults = {
        uri: reason
        for uri, reason in listing.unreadable.items()
        # A file that was taken stays taken, whatever its name stands for now.
        if uri not in ledger or ledger[uri].fault not in (None, reason)
    }
    if new_faults or listing.gone:
        events = context.events.file_faults(
            dataset.shown,
            planned.flow.name,
            [SourceFile(dataset.shown, uri, 0, 0, reason) for uri, reason in new_faults.items()],
        )
        records = [FileRecord(uri, 0, FAULT_MAY_PASS, 0, fault=reason) for uri, reason in new_faults.items()]
        context.state.set_faults(flow_id, source.id, records, listing.gone, events)
        context.show(*events)
    for file in listing.overwritten:
        text = f"{file.uri} has changed since it was taken; its new content is not read (allowOverwrites is false)"
        if text not in context.warnings:
            context.warnings.append(text)
    # A file that could not be read a moment ago is for the next update, else one that never can be would keep
    # this one going for ever.
    listed = read_files(options, listing.new)
    new = [file for file in listed if (flow_id, file.uri) not in context.set_aside]
    limit = options.max_files or len(new)
    rest = new[limit:]
    return Input(
        source,
        files=new[:limit],
        backlog=len(rest),
        backlog_bytes=sum(file.size for file in rest),
    )


def stage_inputs(
    context: UpdateContext, flow_id: str, inputs: list[Input], sources: BatchSources, folder: Path
) -> dict[str, Staged]:
    """Stage the input of a batch and tell `sources` where it is; return what became of files, by source."""
    staged: dict[str, Staged] = {}
    for at, item in enumerate(inputs):
        place = folder / f"source-{at}"
        if item.source.loader is not None:
            try:
                done = stage_loader(context, flow_id, item.source, item.files, place)
            except NoColumnsYet as error:
                _set_aside(context, flow_id, item, error)
                raise
            except NoFileYet:
                ledger = context.state.files(flow_id, item.source.id).values()
                faults = {r.path: Fault(r.fault, may_pass=True) for r in ledger if r.fault is not None}
                if not faults:
                    raise
                raise NoColumnsYet(item.source.shown, flow_id, faults, _format(item.source)) from None
            staged[item.source.id] = done
            context.set_aside.update((flow_id, uri) for uri in done.faults)
            sources.file_columns[item.source.id] = list(done.columns)
            relation = rewrite.parquet_read(done.folder)
        else:
            assert item.source.location is not None and item.until is not None  # noqa: S101, PT018
            if item.since is None:
                relation = rewrite.delta_read(item.source.location, item.until.version)
            elif item.adds:
                slices.make_slice(item.source.location, item.until, item.adds, place)
                relation = rewrite.delta_read(place, 0)
            else:
                relation = empty_slice(item.source.location, item.until, place)
        sources.relations[item.source.id] = relation
    return staged


def _format(source: Source) -> str:
    return source.loader.format if isinstance(source.loader, FileOptions) else "json"


def _set_aside(context: UpdateContext, flow_id: str, item: Input, error: NoColumnsYet) -> None:
    """Note the faults of files from which no batch comes, so that the update tells them; the next one tries them again."""
    dataset, flow = flow_id.split("/")[-2:]
    records = [
        FileRecord(file.uri, file.size, FAULT_MAY_PASS, 0, fault=error.faults[file.uri].reason)
        for file in item.files
        if file.uri in error.faults
    ]
    events = context.events.file_faults(
        dataset, flow, [SourceFile(dataset, r.path, r.size, 0, r.fault) for r in records]
    )
    context.state.set_faults(flow_id, item.source.id, records, (), events)
    context.show(*events)
    context.set_aside.update((flow_id, record.path) for record in records)


def stage_loader(
    context: UpdateContext, flow_id: str, source: Source, files: list[InputFile], folder: Path
) -> Staged:
    """Stage the new files of an Auto Loader source.

    Raises:
        NoFileYet: There is neither a file nor a hint from which a schema could come.
    """
    options = source.loader
    assert options is not None  # noqa: S101
    kept = context.state.schema(flow_id, source.id)
    if isinstance(options, FileOptions):
        known = None if kept is None else staging.from_store(kept)
        staged = staging.stage(options, files, known, folder, source.shown)
        return with_partitions(staged, options, files, known)
    stored = None if kept is None else loader_types.from_store(kept)
    if files:
        staged = stage_files(options, files, stored, folder, source.shown)
        staged = with_partitions(staged, options, files, stored)
        if staged.columns or staged.rows:
            return staged
        faults = staged.faults
    else:
        faults = {}
    columns = source_schema(options, [], stored, {})
    if not columns and faults:
        raise NoColumnsYet(source.shown, flow_id, faults, "json")
    if not columns:
        raise NoFileYet(source.shown)
    return empty_staged(options, columns, folder)


def new_schemas(
    context: UpdateContext, flow_id: str, inputs: list[Input], staged: dict[str, Staged]
) -> dict[str, Any]:
    """Give the schemas of Auto Loader sources that hold from this batch on, where they are not those stored."""
    schemas = {}
    for item in inputs:
        if item.source.loader is None or not item.files:
            continue
        columns = staged[item.source.id].columns
        other = isinstance(item.source.loader, FileOptions)
        content: Any = staging.to_store(columns) if other else loader_types.to_store(columns)
        if context.state.schema(flow_id, item.source.id) != content:
            schemas[item.source.id] = content
    return schemas
