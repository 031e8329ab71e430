"""Refreshing a materialized view: not at all if nothing it depends on has changed, else by computing it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyspark.sql.connect.dataframe import DataFrame

from local_workspace.dlt_runtime import commit, delta_source, incremental, plans, recovery, rewrite
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.crash_points import crash_point
from local_workspace.dlt_runtime.delta_source import Position
from local_workspace.dlt_runtime.graph import Dataset, PlannedFlow
from local_workspace.dlt_runtime.plans import Relation
from local_workspace.dlt_runtime.session import data_frame
from local_workspace.dlt_runtime.sources import BatchSources, ExpectationViolated, static_tables
from local_workspace.dlt_runtime.staging import stage_query
from local_workspace.dlt_runtime.state import Batch
from local_workspace.dlt_runtime.streaming import add_counts, check_bookkeeping, describe_target, told_views
from local_workspace.errors import DataFault

#: Part of every fingerprint: raise it when a change of the runtime can change what a query gives.
RUNTIME_VERSION = "1"


def refresh_view(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> None:
    """Bring a materialized view up to date.

    Raises:
        LocalWorkspaceError: The flow failed; the view is as it was.
    """
    flow_id = context.flow_id(dataset, planned)
    flow = planned.flow.name
    check_bookkeeping(context, dataset, flow_id)
    tables = static_tables(context, planned)
    positions = {key: _position(key, path) for key, path in tables.items()}
    fingerprint = _fingerprint(context, dataset, planned)
    known = context.state.flow(flow_id).facts
    reason = _why_recompute(context, dataset, planned, known, fingerprint, positions)
    result = context.result(dataset)
    result.reason = reason
    if reason is None:
        result.refresh = "NO_OP"
        context.emit(context.events.planning(dataset.shown, flow, "NO_OP", ["NOTHING_CHANGED"]))
        if context.verify:
            _verify(context, dataset, planned, positions)
        return
    new_files: _NewFiles | None = None
    if reason == "SOURCES_CHANGED":
        new_files, reason = _new_files(context, dataset, planned, tables, known["sources"], positions)
        result.reason = reason
    technique = "COMPLETE_RECOMPUTE" if new_files is None else "APPEND_ONLY"
    context.emit(
        context.events.planning(dataset.shown, flow, technique, [reason] if new_files is None else [])
    )
    _compute(context, dataset, planned, flow_id, fingerprint, positions, new_files)
    result.refresh = technique
    if context.verify:
        _verify(context, dataset, planned, positions)


def _position(key: str, path: Path) -> dict[str, Any]:
    now = delta_source.position(path)
    if now is None:
        raise DataFault(f"{key} has no data yet", got=str(path), next_step="Refresh it first")
    return now.to_json()


def _fingerprint(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> str:
    output = dataset.output
    extra = [
        RUNTIME_VERSION,
        repr(output.expectations),
        str(output.schema),
        repr(output.partition_cols),
        json.dumps(dict(output.table_properties), sort_keys=True),
    ]
    extra += [plans.fingerprint(plan, repr(rules)) for plan, rules in _view_plans(context, planned)]
    assert planned.plan is not None  # noqa: S101
    return plans.fingerprint(planned.plan, *extra)


def _view_plans(context: UpdateContext, planned: PlannedFlow) -> list[tuple[Relation, Any]]:
    assert context.graph is not None  # noqa: S101
    found: list[tuple[Relation, Any]] = []
    for read in planned.reads:
        view = context.graph.datasets.get(context.graph.names.key(read.name))
        if view is not None and view.kind == "VIEW" and view.flows[0].plan is not None:
            found.append((view.flows[0].plan, view.output.expectations))
            found += _view_plans(context, view.flows[0])
    return found


def _why_recompute(
    context: UpdateContext,
    dataset: Dataset,
    planned: PlannedFlow,
    known: dict[str, Any],
    fingerprint: str,
    positions: dict[str, dict[str, Any]],
) -> str | None:
    """Say why the view must be computed anew; None if it would come out the same."""
    now = delta_source.position(context.location(dataset))
    if now is None or not known.get("fingerprint"):
        return "FIRST_REFRESH"
    if known.get("target") != now.to_json():
        return "TARGET_CHANGED_BY_OTHERS"
    if known["fingerprint"] != fingerprint:
        return "QUERY_CHANGED"
    assert planned.plan is not None  # noqa: S101
    all_plans = [planned.plan, *(plan for plan, _ in _view_plans(context, planned))]
    if any(plans.is_volatile(plan, planned.flow.name) for plan in all_plans):
        return "NON_DETERMINISTIC_EXPRESSION"
    if known["sources"] != positions:
        return "SOURCES_CHANGED"
    return None


#: Table -> the `add` actions of the files that came since the last refresh.
_NewFiles = dict[str, list[dict[str, Any]]]


def _new_files(
    context: UpdateContext,
    dataset: Dataset,
    planned: PlannedFlow,
    tables: dict[str, Path],
    before: dict[str, dict[str, Any]],
    now: dict[str, dict[str, Any]],
) -> tuple[_NewFiles | None, str]:
    """Find the new files of all sources, if the view can be refreshed by them alone; else say why it cannot."""
    where = f"flow {planned.flow.name}"
    assert planned.plan is not None  # noqa: S101
    views = _view_plans(context, planned)
    problems = [incremental.why_not(plan, where) for plan in (planned.plan, *(plan for plan, _ in views))]
    problems.append(incremental.why_not_rules(dataset.output.expectations, where))
    if any(rules for _plan, rules in views):
        problems.append("EXPECTATIONS_ON_A_VIEW")
    if set(before) != set(now):
        problems.append("SOURCES_CHANGED: not the same tables")
    problem = next((p for p in problems if p), None)
    if problem is not None:
        return None, problem
    found: _NewFiles = {}
    for key, path in tables.items():
        since, until = (Position(p["table_id"], p["version"]) for p in (before[key], now[key]))
        try:
            found[key] = delta_source.added_files(path, key, since, until, skip_changes=False)
        except DataFault:
            return None, f"CHANGE_SET_NOT_APPEND_ONLY: {key}"
    return found, "SOURCES_CHANGED"


def _compute(
    context: UpdateContext,
    dataset: Dataset,
    planned: PlannedFlow,
    flow_id: str,
    fingerprint: str,
    positions: dict[str, dict[str, Any]],
    new_files: _NewFiles | None,
) -> None:
    """Compute the view anew, or append what the new files give, and commit it with the state of its sources."""
    location = context.location(dataset)
    flow = planned.flow.name
    rules = dataset.output.expectations
    tables = static_tables(context, planned)
    number = context.state.flow(flow_id).batch + 1
    kind = "overwrite" if new_files is None else "append"
    batch = Batch(flow_id, number, context.events.update_id, dataset.shown, str(location), kind)
    context.state.plan(batch, {})
    crash_point("batch_planned")
    folder = context.fresh_stage(f"batch-{number}")
    sources = _sources(context, flow, folder, positions)
    try:
        for at, (key, adds) in enumerate((new_files or {}).items()):
            until = Position(positions[key]["table_id"], positions[key]["version"])
            delta_source.make_slice(tables[key], until, adds, folder / f"source-{at}")
            sources.replaced[key] = rewrite.delta_read(folder / f"source-{at}", 0)
        assert planned.plan is not None  # noqa: S101
        relation = rewrite.resolve(planned.plan, sources, f"flow {flow}")
        relation, target = describe_target(context, dataset, relation, flow)
        staged = stage_query(
            relation, rules, folder / "out", context.session, flow, partition_by=dataset.output.partition_cols
        )
        crash_point("output_staged")
        failed = staged.counts.failed("fail")
        if failed:
            raise ExpectationViolated.of(flow, failed, staged.all_files, rules)
        if commit.open_table(location) is None:
            commit.ensure_table(target)
        # Delta numbers versions without gaps and the pipeline's lock keeps other writers of ours out, so the version that the
        # commit will have is known before it; if it comes out otherwise the next update computes the view anew.
        before = delta_source.position(location)
        assert before is not None  # noqa: S101
        batch.facts = {
            "fingerprint": fingerprint,
            "sources": positions,
            "target": {"table_id": before.table_id, "version": before.version + 1},
        }
        counts = staged.counts
        batch.events = [
            *(
                context.events.flow_batch(
                    view, view, number, output_rows=c.rows - c.dropped, dropped=c.dropped, rules=c.rules
                )
                for view, c in told_views(context, dataset, sources)
            ),
            context.events.flow_batch(
                dataset.shown,
                flow,
                number,
                output_rows=counts.rows - counts.dropped,
                dropped=counts.dropped if rules else None,
                rules=counts.rules,
            ),
        ]
        context.state.prepare(batch, {})
        crash_point("batch_prepared")
        actions = commit.adopt(target, staged.kept, flow_id, number)
        commit.commit(
            target,
            actions,
            overwrite=new_files is None,
            flow=flow_id,
            batch=number,
            metadata={
                "update_id": batch.update_id,
                "run_id": context.run_id,
                "flow": flow,
                "batch": number,
                "sources": positions,
                "fingerprint": fingerprint,
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
    result = context.result(dataset)
    result.batches += 1
    result.rows_in, result.rows_dropped = counts.rows, counts.dropped
    result.rows_out = counts.rows - counts.dropped
    result.expectations = add_counts([], counts.rules)


def _sources(
    context: UpdateContext, flow: str, folder: Path, positions: dict[str, dict[str, Any]]
) -> BatchSources:
    sources = BatchSources(context, flow, folder)
    sources.pinned = {key: int(p["version"]) for key, p in positions.items()}
    return sources


def _verify(
    context: UpdateContext, dataset: Dataset, planned: PlannedFlow, positions: dict[str, dict[str, Any]]
) -> None:
    """Compute the view anew, beside it, and compare row by row.

    Raises:
        DataFault: They differ.
    """
    folder = context.fresh_stage("verify")
    sources = _sources(context, planned.flow.name, folder, positions)
    try:
        assert planned.plan is not None  # noqa: S101
        relation = rewrite.resolve(planned.plan, sources, f"flow {planned.flow.name}")
        relation, _target = describe_target(context, dataset, relation, planned.flow.name)
        dropping = [r.condition for r in dataset.output.expectations if r.action == "drop"]
        fresh = data_frame(rewrite.filter_true(relation, dropping) if dropping else relation, context.session)
        now = delta_source.position(context.location(dataset))
        assert now is not None  # noqa: S101
        kept = data_frame(rewrite.delta_read(context.location(dataset), now.version), context.session)
        missing, surplus = _difference(fresh, kept), _difference(kept, fresh)
    finally:
        sources.forget()
    if missing or surplus:
        raise DataFault(
            f"{dataset.shown} differs from a full recompute",
            got=f"{missing} rows missing, {surplus} rows too many",
            consequence="The table is not what its query gives",
            next_step=f"Do a full refresh of {dataset.shown} and report this",
        )


def _difference(a: DataFrame, b: DataFrame) -> int:
    # Rows are compared as JSON texts: EXCEPT ALL of the engine gets nested columns and NULLs wrong in some versions.
    from pyspark.sql.connect import functions as f

    def keyed(frame: DataFrame) -> DataFrame:
        return (
            frame.select(f.to_json(f.struct(*[f.col(f"`{c}`") for c in frame.columns])).alias("r"))
            .groupBy("r")
            .count()
        )  # type: ignore[return-value]

    left, right = keyed(a), keyed(b).withColumnRenamed("count", "other")
    joined = left.join(right, "r", "left").selectExpr("greatest(count - coalesce(other, 0L), 0L) as n")
    rows = joined.agg(f.sum("n")).collect()
    return int(rows[0][0] or 0)
