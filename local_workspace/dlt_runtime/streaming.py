"""Refreshing a streaming table: batch by batch, the new rows of its sources through its query into one commit each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_workspace.dlt_runtime import commit, delta_source, expectations, recovery, rewrite
from local_workspace.dlt_runtime.auto_loader import types as loader_types
from local_workspace.dlt_runtime.auto_loader.listing import InputFile, list_files
from local_workspace.dlt_runtime.auto_loader.stage import Staged, empty_staged, source_schema, stage_files
from local_workspace.dlt_runtime.commit import Target
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.crash_points import crash_point
from local_workspace.dlt_runtime.delta_source import Position
from local_workspace.dlt_runtime.events import Event
from local_workspace.dlt_runtime.graph import Dataset, PlannedFlow, first_reader
from local_workspace.dlt_runtime.plans import Relation
from local_workspace.dlt_runtime.sources import (
    BatchSources,
    ExpectationViolated,
    Source,
    empty_slice,
    streaming_sources,
)
from local_workspace.dlt_runtime.spec import ExpectationCount, SourceFile
from local_workspace.dlt_runtime.staging import (
    conform,
    declared_schema,
    delta_schema,
    query_schema,
    stage_query,
)
from local_workspace.dlt_runtime.state import Batch, FileRecord, FlowState
from local_workspace.errors import DataFault, PipelineCodeError

_SMALL_BYTES = 64 * 1024 * 1024


@dataclass
class Input:
    """What one source has for a batch."""

    source: Source
    files: list[InputFile] = field(default_factory=list)
    adds: list[dict[str, Any]] | None = None
    since: Position | None = None
    until: Position | None = None
    backlog: int = 0

    @property
    def has_rows(self) -> bool:
        return bool(self.files) or bool(self.adds) or (self.until is not None and self.since is None)

    @property
    def size(self) -> int:
        if self.until is not None and self.since is None:
            return _SMALL_BYTES  # a whole table: not known, taken as big
        return sum(f.size for f in self.files) + sum(int(a.get("size", 0)) for a in self.adds or ())

    def records(self, batch: int) -> list[FileRecord]:
        """Give the ledger's records of the files, before they are read."""
        return [FileRecord(f.uri, f.size, f.mtime_ns, batch) for f in self.files]

    def final_records(self, staged: Staged, batch: int) -> list[FileRecord]:
        """Give the ledger's records of the files, with what came of them."""
        return [
            FileRecord(f.uri, f.size, f.mtime_ns, batch, staged.rows.get(f.uri, 0), staged.faults.get(f.uri))
            for f in self.files
        ]


def refresh_flow(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> None:
    """Take all that is new through a flow.

    Raises:
        LocalWorkspaceError: The flow failed; what it had committed before is there, the rest is not.
    """
    flow_id = context.flow_id(dataset, planned)
    check_bookkeeping(context, dataset, flow_id)
    sources = streaming_sources(context, planned)
    while True:
        state = context.state.flow(flow_id)
        if planned.flow.once and state.once_done:
            return
        inputs = [look(context, flow_id, source, state) for source in sources]
        exists = commit.open_table(context.location(dataset)) is not None
        if exists and not planned.flow.once and not any(i.has_rows for i in inputs):
            return
        _run_batch(context, dataset, planned, flow_id, state, inputs)
        if not any(i.backlog for i in inputs):
            return


def check_bookkeeping(context: UpdateContext, dataset: Dataset, flow_id: str) -> None:
    """Make sure that the table is not ahead of the bookkeeping.

    Raises:
        DataFault: It is: the pipeline's folder was lost or restored from an older copy.
    """
    done = commit.committed_batch(context.location(dataset), flow_id)
    known = context.state.flow(flow_id).batch
    if done is not None and done > known:
        raise DataFault(
            f"Table {dataset.shown} holds batch {done} of its flow, but the bookkeeping ends at batch {known}",
            got=f"bookkeeping {context.state.path}",
            consequence="Which input the table already has is not known, so nothing was added to it",
            next_step=f"Restore the pipeline's folder, or do a full refresh of {dataset.shown}",
        )


def look(context: UpdateContext, flow_id: str, source: Source, state: FlowState) -> Input:
    if source.loader is not None:
        listing = list_files(
            source.loader.path,
            source.loader.glob,
            context.layout.local_path,
            lambda path: _uri(context, path),
            context.state.files(flow_id, source.id),
        )
        for file in listing.overwritten:
            text = f"{file.uri} has changed since it was taken; its new content is not read (allowOverwrites is false)"
            if text not in context.warnings:
                context.warnings.append(text)
        limit = source.loader.max_files or len(listing.new)
        return Input(source, files=listing.new[:limit], backlog=max(0, len(listing.new) - limit))
    assert source.location is not None  # noqa: S101
    now = delta_source.position(source.location)
    if now is None:
        raise DataFault(f"{source.shown} does not exist yet", consequence="There is nothing to stream from")
    known = state.offsets.get(source.id)
    if known is None:
        return Input(source, until=now)
    since = Position(known["table_id"], known["version"])
    adds = delta_source.added_files(
        source.location, source.shown, since, now, skip_changes=source.skip_changes
    )
    return Input(source, adds=adds, since=since, until=now)


def _uri(context: UpdateContext, path: Path) -> str:
    if context.layout.volumes in path.parents:
        return context.layout.volume_uri(path)
    return f"file:{path}"


def _run_batch(
    context: UpdateContext,
    dataset: Dataset,
    planned: PlannedFlow,
    flow_id: str,
    state: FlowState,
    inputs: list[Input],
) -> None:
    location = context.location(dataset)
    batch = Batch(
        flow_id,
        state.batch + 1,
        context.events.update_id,
        dataset.shown,
        str(location),
        "append",
        offsets=state.offsets | {i.source.id: i.until.to_json() for i in inputs if i.until is not None},
        facts={"once": planned.flow.once} if planned.flow.once else {},
    )
    claimed = {i.source.id: i.records(batch.batch) for i in inputs if i.source.loader is not None}
    context.state.plan(batch, claimed)
    crash_point("batch_planned")
    folder = context.fresh_stage(f"batch-{batch.batch}")
    sources = BatchSources(context, planned.flow.name, folder)
    try:
        staged_inputs = stage_inputs(context, flow_id, inputs, sources, folder)
        crash_point("input_staged")
        assert planned.plan is not None  # noqa: S101
        relation = rewrite.resolve(planned.plan, sources, f"flow {planned.flow.name}")
        relation, target = describe_target(context, dataset, relation, planned.flow.name)
        rules = dataset.output.expectations
        staged = stage_query(
            relation,
            rules,
            folder / "out",
            context.session,
            planned.flow.name,
            partition_by=dataset.output.partition_cols,
            small=sum(i.size for i in inputs) < _SMALL_BYTES,
        )
        crash_point("output_staged")
        failed = staged.counts.failed("fail")
        if failed:
            raise ExpectationViolated.of(planned.flow.name, failed, staged.all_files, rules)
        new_columns, empty = prepare_table(context, dataset, target)
        batch.events = _batch_events(
            context, dataset, planned, batch, inputs, staged_inputs, staged.counts, sources, new_columns
        )
        final = {
            i.source.id: i.final_records(staged_inputs[i.source.id], batch.batch)
            for i in inputs
            if i.source.id in staged_inputs
        }
        context.state.prepare(batch, final)
        crash_point("batch_prepared")
        if staged.kept:
            actions = commit.adopt(target, staged.kept, flow_id, batch.batch)
            commit.commit(
                target,
                actions,
                overwrite=empty,
                flow=flow_id,
                batch=batch.batch,
                metadata={
                    "update_id": batch.update_id,
                    "run_id": context.run_id,
                    "flow": planned.flow.name,
                    "batch": batch.batch,
                    "sources": batch.offsets,
                },
            )
    except BaseException:
        recovery.settle(context.state, batch)
        raise
    finally:
        sources.forget()
    recovery.finish(context.state, batch)
    crash_point("batch_recorded")
    context.show(*batch.events)
    _add_to_result(context, dataset, inputs, staged_inputs, staged.counts)


def stage_inputs(
    context: UpdateContext, flow_id: str, inputs: list[Input], sources: BatchSources, folder: Path
) -> dict[str, Staged]:
    staged: dict[str, Staged] = {}
    for at, item in enumerate(inputs):
        place = folder / f"source-{at}"
        if item.source.loader is not None:
            staged[item.source.id] = stage_loader(context, flow_id, item.source, item.files, place)
            relation = rewrite.parquet_read(place / "rows.parquet")
        else:
            assert item.source.location is not None and item.until is not None  # noqa: S101, PT018
            if item.since is None:
                relation = rewrite.delta_read(item.source.location, item.until.version)
            elif item.adds:
                delta_source.make_slice(item.source.location, item.until, item.adds, place)
                relation = rewrite.delta_read(place, 0)
            else:
                relation = empty_slice(item.source.location, item.until, place)
        sources.relations[item.source.id] = relation
    return staged


def stage_loader(
    context: UpdateContext, flow_id: str, source: Source, files: list[InputFile], folder: Path
) -> Staged:
    """Stage the new files of an Auto Loader source and keep its schema.

    Raises:
        PipelineCodeError: There is neither a file nor a hint from which a schema could come.
    """
    options = source.loader
    assert options is not None  # noqa: S101
    kept = context.state.schema(flow_id, source.id)
    stored = None if kept is None else loader_types.from_store(kept[1])
    if files:
        result = stage_files(options, files, stored, folder, source.shown)
    else:
        columns = source_schema(options, [], stored)
        if not columns:
            raise PipelineCodeError(
                f"[CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE] Cannot infer schema when the input path is empty: {source.shown}",
                next_step="Land a file first, or give cloudFiles.schemaHints",
            )
        result = empty_staged(options, columns, folder)
    content = loader_types.to_store(result.columns)
    if files and (kept is None or kept[1] != content):
        context.state.put_schema(flow_id, source.id, (kept[0] if kept else 0) + 1, content)
    return result


def prepare_table(context: UpdateContext, dataset: Dataset, target: Target) -> tuple[list[str], bool]:
    """Create or widen the table of a batch; return the columns added, and whether a full refresh has left the table empty.

    An empty table takes the schema of its first batch as it is, even if a column's type has changed.
    """
    now = delta_source.position(target.location)
    if (
        now is not None
        and context.state.flow(reset_flow(context, dataset)).facts.get("version") == now.version
    ):
        return [], True
    return commit.ensure_table(target), False


def reset_flow(context: UpdateContext, dataset: Dataset) -> str:
    """Give the application id under which full refreshes of a table are committed."""
    return f"{context.spec.name}/{dataset.key}/__reset__"


def describe_target(
    context: UpdateContext, dataset: Dataset, relation: Relation, flow: str
) -> tuple[Relation, Target]:
    """Ask for the schema of a resolved query and describe the table it goes to; bring the columns into the declared order.

    Raises:
        PipelineCodeError: The query does not fit what the dataset declares.
    """
    actual = query_schema(relation, context.session, flow)
    declared = declared_schema(dataset.output, context.session)
    comments: dict[str, str] = {}
    if declared is not None:
        relation = conform(relation, actual, declared, flow)
        comments = {
            f.name.lower(): f.metadata["comment"] for f in declared.fields if f.metadata.get("comment")
        }
    schema = delta_schema(declared if declared is not None else actual, flow, comments)
    missing = [
        c for c in dataset.output.partition_cols if c.lower() not in {f.name.lower() for f in schema.fields}
    ]
    if missing:
        raise PipelineCodeError(
            f"partition_cols of {dataset.shown} names {', '.join(missing)}, which its query does not give",
            got=f"at {dataset.output.location}",
        )
    target = Target(
        dataset.shown,
        context.location(dataset),
        schema,
        dataset.output.comment,
        dataset.output.table_properties,
        dataset.output.partition_cols,
    )
    return relation, target


def _batch_events(
    context: UpdateContext,
    dataset: Dataset,
    planned: PlannedFlow,
    batch: Batch,
    inputs: list[Input],
    staged_inputs: dict[str, Staged],
    counts: expectations.Counts,
    sources: BatchSources,
    new_columns: list[str],
) -> list[Event]:
    make = context.events
    shown, flow = dataset.shown, planned.flow.name
    rules = dataset.output.expectations
    events: list[Event] = []
    for view, seen in told_views(context, dataset, sources):
        events.append(
            make.flow_batch(
                view,
                view,
                batch.batch,
                output_rows=seen.rows - seen.dropped,
                dropped=seen.dropped,
                rules=seen.rules,
            )
        )
    backlog = (
        {"backlog_files": sum(i.backlog for i in inputs)} if any(i.source.loader for i in inputs) else None
    )
    events.append(
        make.flow_batch(
            shown,
            flow,
            batch.batch,
            output_rows=counts.rows - counts.dropped,
            dropped=counts.dropped if rules else None,
            rules=counts.rules,
            backlog=backlog,
        )
    )
    for item in inputs:
        done = staged_inputs.get(item.source.id)
        if done is None:
            continue
        files = _source_files(dataset, item.files, done)
        events += make.source_files(shown, flow, batch.batch, [f for f in files if f.fault is None])
        events += make.file_faults(shown, flow, [f for f in files if f.fault is not None])
        if done.added:
            events.append(
                make.make(
                    "flow_progress",
                    f"Flow '{flow}' found new columns in {item.source.shown} and added them: {', '.join(done.added)}",
                    {"status": "RUNNING"},
                    level="WARN",
                    dataset=shown,
                    flow=flow,
                    batch=batch.batch,
                )
            )
    if new_columns:
        events.append(
            make.make(
                "flow_progress",
                f"Table {shown} got new columns: {', '.join(new_columns)}",
                {"status": "RUNNING"},
                dataset=shown,
                flow=flow,
                batch=batch.batch,
            )
        )
    return events


def told_views(
    context: UpdateContext, dataset: Dataset, sources: BatchSources
) -> list[tuple[str, expectations.Counts]]:
    """List what the expectations of views counted, for the one reader of each view whose batches tell it.

    Every reader evaluates a view on its own rows; counting all of them would count rows twice.
    """
    assert context.graph is not None  # noqa: S101
    return [
        (view.shown, counts)
        for key, counts in sources.view_counts.items()
        if first_reader(context.graph, (view := context.graph.datasets[key])) is dataset
    ]


def _source_files(dataset: Dataset, files: list[InputFile], done: Staged) -> list[SourceFile]:
    return [
        SourceFile(dataset.shown, f.uri, f.size, done.rows.get(f.uri, 0), done.faults.get(f.uri))
        for f in files
    ]


def _add_to_result(
    context: UpdateContext,
    dataset: Dataset,
    inputs: list[Input],
    staged: dict[str, Staged],
    counts: expectations.Counts,
) -> None:
    result = context.result(dataset)
    result.refresh = "APPEND"
    result.batches += 1
    result.rows_in += counts.rows
    result.rows_dropped += counts.dropped
    result.rows_out += counts.rows - counts.dropped
    result.expectations = add_counts(result.expectations, counts.rules)
    for item in inputs:
        if item.source.id in staged:
            context.files += [
                f for f in _source_files(dataset, item.files, staged[item.source.id]) if f.fault is None
            ]


def add_counts(a: list[ExpectationCount], b: tuple[ExpectationCount, ...]) -> list[ExpectationCount]:
    """Add the counts of a batch to those of the batches before."""
    if not a:
        return list(b)
    return [
        ExpectationCount(x.name, x.action, x.passed + y.passed, x.failed + y.failed)
        for x, y in zip(a, b, strict=True)
    ]
