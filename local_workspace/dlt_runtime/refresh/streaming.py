"""Refreshing a streaming table.

Batch by batch, the new rows of its sources through its query into one commit each.
"""

from __future__ import annotations

from local_workspace.crash_points import crash_point
from local_workspace.delta import batches, log
from local_workspace.delta.batches import Target
from local_workspace.dlt_runtime.auto_loader.stage import NoColumnsYet, Staged
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.plan.graph import Dataset, PlannedFlow, first_reader
from local_workspace.dlt_runtime.plan.plans import Relation
from local_workspace.dlt_runtime.record import recovery
from local_workspace.dlt_runtime.record.events import Event
from local_workspace.dlt_runtime.record.state import Batch, FlowState
from local_workspace.dlt_runtime.refresh import expectations
from local_workspace.dlt_runtime.refresh.committing import commit_batch
from local_workspace.dlt_runtime.refresh.constraints import check_constraints
from local_workspace.dlt_runtime.refresh.inputs import SMALL_BYTES, Input, look, new_schemas, stage_inputs
from local_workspace.dlt_runtime.refresh.sources import (
    BatchSources,
    ExpectationViolated,
    streaming_sources,
)
from local_workspace.dlt_runtime.refresh.staging import (
    conform,
    declared_schema,
    delta_schema,
    query_schema,
    stage_query,
)
from local_workspace.dlt_runtime.refresh.stateful import StreamState
from local_workspace.dlt_runtime.spec import ExpectationCount
from local_workspace.errors import DataFault, NotSupported, PipelineCodeError


def refresh_flow(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> None:
    """Take all that is new through a flow.

    Raises:
        LocalWorkspaceError: The flow failed; what it had committed before is there, the rest is not.
    """
    flow_id = context.flow_id(dataset, planned)
    check_bookkeeping(context, dataset, flow_id)
    if dataset.kind == "SINK":
        _check_sink(context, dataset)
    sources = streaming_sources(context, planned)
    while True:
        state = context.state.flow(flow_id)
        if planned.flow.once and state.once_done:
            return
        inputs = [look(context, dataset, planned, source, state) for source in sources]
        exists = log.open_table(context.location(dataset)) is not None
        moved = StreamState.has_moved(state.facts)
        if exists and not planned.flow.once and not moved and not any(i.has_rows for i in inputs):
            return
        try:
            _run_batch(context, dataset, planned, state, inputs)
        except NoColumnsYet:
            # Files that cannot be read stop no other; the update tells them.
            context.waiting.add(dataset.key)
        if not any(i.backlog for i in inputs) and not StreamState.has_moved(
            context.state.flow(flow_id).facts
        ):
            return


def _check_sink(context: UpdateContext, dataset: Dataset) -> None:
    table = log.open_table(context.location(dataset))
    if table is not None and table.metadata().partition_columns:
        raise NotSupported(
            f"A sink into a table with partitions ({dataset.shown})",
            "Write to a table without partitions, or declare a streaming table with partition_cols",
            got=", ".join(table.metadata().partition_columns),
        )


def check_bookkeeping(context: UpdateContext, dataset: Dataset, flow_id: str) -> None:
    """Make sure that the table is not ahead of the bookkeeping.

    Raises:
        DataFault: It is: the pipeline's folder was lost or restored from an older copy.
    """
    done = log.committed_batch(context.location(dataset), flow_id)
    known = context.state.flow(flow_id).batch
    if done is not None and done > known:
        raise DataFault(
            f"Table {dataset.shown} holds batch {done} of its flow, but the bookkeeping ends at batch {known}",
            got=f"bookkeeping {context.state.path}",
            consequence="Which input the table already has is not known, so nothing was added to it",
            next_step=f"Restore the pipeline's folder, or do a full refresh of {dataset.shown}",
        )


def _run_batch(
    context: UpdateContext,
    dataset: Dataset,
    planned: PlannedFlow,
    state: FlowState,
    inputs: list[Input],
) -> None:
    flow_id = context.flow_id(dataset, planned)
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
    stream = StreamState.of(context, dataset, planned, state.facts, batch.batch, folder / "operators")
    sources = BatchSources(context, planned.flow.name, folder, stream=stream)
    try:
        staged_inputs = stage_inputs(context, flow_id, inputs, sources, folder)
        crash_point("input_staged")
        assert planned.plan is not None  # noqa: S101
        relation = sources.resolved(planned.plan, f"flow {planned.flow.name}")
        relation, target = describe_target(context, dataset, relation, planned.flow.name)
        rules = dataset.output.expectations
        staged = stage_query(
            relation,
            rules,
            folder / "out",
            context.session,
            planned.flow.name,
            partition_by=dataset.output.partition_cols,
            small=sum(i.size for i in inputs) < SMALL_BYTES,
        )
        crash_point("output_staged")
        ExpectationViolated.check(planned.flow.name, staged, rules)
        check_constraints(context, planned.flow.name, staged.kept, target, overwrite=False)
        with context.writing(dataset):
            new_columns, empty = prepare_table(context, dataset, target)
            batch.events = _batch_events(
                context,
                dataset,
                planned,
                batch,
                inputs=inputs,
                staged_inputs=staged_inputs,
                counts=staged.counts,
                sources=sources,
                new_columns=new_columns,
            )
            final = {
                i.source.id: i.final_records(staged_inputs[i.source.id], batch.batch)
                for i in inputs
                if i.source.id in staged_inputs
            }
            batch.schemas = new_schemas(context, flow_id, inputs, staged_inputs)
            if stream is not None:
                batch.facts |= stream.facts()
                crash_point("state_placed")
            context.state.prepare(batch, final)
            crash_point("batch_prepared")
            whole = stream is not None and stream.whole
            if staged.kept or new_columns or whole:
                commit_batch(
                    context,
                    target,
                    staged,
                    batch,
                    overwrite=empty or whole,
                    flow=planned.flow.name,
                    sources=batch.offsets,
                )
    except BaseException:
        recovery.settle(context.state, batch)
        raise
    finally:
        sources.forget()
    recovery.finish(context.state, batch)
    crash_point("batch_recorded")
    if stream is not None:
        stream.clean()
    context.show(*batch.events)
    _add_to_result(context, dataset, inputs, staged_inputs, staged.counts)


def prepare_table(context: UpdateContext, dataset: Dataset, target: Target) -> tuple[list[str], bool]:
    """Create the table of a batch; return the columns that the batch adds, and whether the table is still empty.

    An empty table takes the schema of its first batch as it is, even if a column's type has changed: a full refresh has
    emptied it, or an update made it and ended before its first batch, which may have been another one.
    """
    now = log.position(target.location)
    emptied_at = context.state.flow(reset_flow(context, dataset)).facts.get("version")
    if now is not None and (emptied_at == now.version or log.is_untouched(target.location)):
        return [], True
    return batches.ensure_table(target), False


def reset_flow(context: UpdateContext, dataset: Dataset) -> str:
    """Give the application id under which full refreshes of a table are committed."""
    return f"{context.spec.name}/{dataset.key}/__reset__"


def describe_target(
    context: UpdateContext, dataset: Dataset, relation: Relation, flow: str
) -> tuple[Relation, Target]:
    """Describe the table that a resolved query goes to; bring the query's columns into the declared order.

    Raises:
        PipelineCodeError: The query does not fit what the dataset declares.
    """
    actual = query_schema(relation, context.session, flow)
    declared = declared_schema(dataset.output)
    if declared is not None:
        relation = conform(relation, actual, declared.columns, flow)
    schema = delta_schema(actual if declared is None else declared.columns, flow, declared)
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
    *,
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
    backlog = None
    if any(i.source.loader for i in inputs):
        backlog = {
            "backlog_files": sum(i.backlog for i in inputs),
            "backlog_bytes": sum(i.backlog_bytes for i in inputs),
        }
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
        files = item.source_files(dataset, done)
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
                f for f in item.source_files(dataset, staged[item.source.id]) if f.fault is None
            ]


def add_counts(a: list[ExpectationCount], b: tuple[ExpectationCount, ...]) -> list[ExpectationCount]:
    """Add the counts of a batch to those of the batches before."""
    if not a:
        return list(b)
    return [
        ExpectationCount(x.name, x.action, x.passed + y.passed, x.failed + y.failed)
        for x, y in zip(a, b, strict=True)
    ]
