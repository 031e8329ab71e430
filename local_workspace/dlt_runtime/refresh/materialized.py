"""Refreshing a materialized view.

Not at all if nothing it depends on has changed, else by computing it anew.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from pyspark.sql.connect import functions as f

from local_workspace.crash_points import crash_point
from local_workspace.delta import batches, delta_source, log, slices
from local_workspace.delta.log import Position
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.plan import incremental, plans, rewrite
from local_workspace.dlt_runtime.plan.answers import columns_of_schema, expression_for_engine
from local_workspace.dlt_runtime.plan.graph import Dataset, PlannedFlow
from local_workspace.dlt_runtime.plan.plans import Relation
from local_workspace.dlt_runtime.plan.session import data_frame
from local_workspace.dlt_runtime.record import recovery
from local_workspace.dlt_runtime.record.events import Event
from local_workspace.dlt_runtime.record.state import Batch
from local_workspace.dlt_runtime.refresh import keyed_refresh
from local_workspace.dlt_runtime.refresh.committing import commit_batch
from local_workspace.dlt_runtime.refresh.constraints import check_constraints
from local_workspace.dlt_runtime.refresh.expectations import Counts
from local_workspace.dlt_runtime.refresh.inputs import SMALL_BYTES
from local_workspace.dlt_runtime.refresh.keyed_refresh import ChangedGroups, KeyedPlan
from local_workspace.dlt_runtime.refresh.sources import BatchSources, ExpectationViolated, static_tables
from local_workspace.dlt_runtime.refresh.staging import stage_query
from local_workspace.dlt_runtime.refresh.streaming import (
    add_counts,
    check_bookkeeping,
    describe_target,
    told_views,
)
from local_workspace.errors import DataFault
from local_workspace.sql.tokens import quote_identifier

#: Part of every fingerprint: raise it when a change of the runtime can change what a query gives.
RUNTIME_VERSION = "1"


#: Table -> the `add` actions of the files that came since the last refresh.
_NewFiles = dict[str, list[dict[str, Any]]]


def refresh_view(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> None:
    """Bring a materialized view up to date.

    Raises:
        LocalWorkspaceError: The flow failed; the view is as it was.
    """
    check_bookkeeping(context, dataset, context.flow_id(dataset, planned))
    refresh = _Refresh(context, dataset, planned)
    reason = refresh.why_recompute()
    if refresh.is_volatile:
        context.may_change_alone.append(f"{dataset.shown} is computed anew in every update")
    result = context.result(dataset)
    new_files: _NewFiles | None = None
    if reason == "SOURCES_CHANGED":
        new_files, reason = refresh.new_files()
    if reason is None:
        technique = "NO_OP"
    elif new_files is None:
        technique = "COMPLETE_RECOMPUTE"
    else:
        technique = "APPEND_ONLY" if refresh.changed is None else "GROUP_AGGREGATE"
    issues = {"NO_OP": ["NOTHING_CHANGED"], "COMPLETE_RECOMPUTE": [reason or ""]}.get(technique, [])
    context.emit(context.events.planning(dataset.shown, planned.flow.name, technique, issues))
    if technique != "NO_OP":
        refresh.compute(new_files)
    result.refresh, result.reason = technique, reason
    if context.verify:
        refresh.verify()


class _Refresh:
    """One refresh of one view: what it reads, how far, and what is known of the last time."""

    def __init__(self, context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> None:
        assert planned.plan is not None  # noqa: S101  (a postponed flow has been planned by now)
        self.context, self.dataset = context, dataset
        self.plan: Relation = planned.plan
        self.flow = planned.flow.name
        self.flow_id = context.flow_id(dataset, planned)
        self.location = context.location(dataset)
        self.known = context.state.flow(self.flow_id).facts
        self.tables = static_tables(context, planned)
        self.positions = {key: _position(key, path) for key, path in self.tables.items()}
        self.views = _view_plans(context, planned)
        self.keyed: KeyedPlan | None = None
        self.changed: ChangedGroups | None = None

    @cached_property
    def fingerprint(self) -> str:
        output = self.dataset.output
        extra = [
            RUNTIME_VERSION,
            repr(output.expectations),
            str(output.schema),
            repr(output.partition_cols),
            json.dumps(dict(output.table_properties), sort_keys=True),
        ]
        extra += [plans.fingerprint(plan, repr(rules)) for plan, rules in self.views]
        return plans.fingerprint(self.plan, *extra)

    def why_recompute(self) -> str | None:
        """Say why the view must be computed anew; None if it would come out the same."""
        now = log.position(self.location)
        if now is None or not self.known.get("fingerprint"):
            return "FIRST_REFRESH"
        target = self.known.get("target")
        if target is None or log.rows_changed(self.location, Position(**target), now):
            return "TARGET_CHANGED_BY_OTHERS"
        if self.known["fingerprint"] != self.fingerprint:
            return "QUERY_CHANGED"
        if self.is_volatile:
            return "NON_DETERMINISTIC_EXPRESSION"
        return "SOURCES_CHANGED" if self._sources_changed() else None

    @cached_property
    def is_volatile(self) -> bool:
        """Whether the view may come out different though its sources are as they were."""
        own = self.context.session.pipeline_functions
        return any(
            plans.is_volatile(plan, self.flow) or plans.calls(plan, own)
            for plan in (self.plan, *(plan for plan, _ in self.views))
        )

    def _sources_changed(self) -> bool:
        """Whether a source may have other rows than at the last refresh; compaction gives it other files only."""
        before = self.known["sources"]
        return before.keys() != self.positions.keys() or any(
            known.get("columns") != (now := self.positions[key])["columns"]
            or log.rows_changed(
                self.tables[key],
                Position(known["table_id"], known["version"]),
                Position(now["table_id"], now["version"]),
            )
            for key, known in before.items()
        )

    def new_files(self) -> tuple[_NewFiles | None, str]:
        """Find the new files of all sources, if the view can be refreshed by them alone.

        Else say why it cannot.
        """
        where = f"flow {self.flow}"
        before = self.known["sources"]
        problems = [
            incremental.why_not(plan, where) for plan in (self.plan, *(plan for plan, _ in self.views))
        ]
        problems.append(incremental.why_not_rules(self.dataset.output.expectations, where))
        if any(rules for _plan, rules in self.views):
            problems.append("EXPECTATIONS_ON_A_VIEW")
        if {k: p.get("columns") for k, p in before.items()} != {
            k: p["columns"] for k, p in self.positions.items()
        }:
            problems.append("SOURCE_SCHEMA_CHANGED")
        if problems[0] is not None and not any(problems[1:]) and not self.views:
            problems[0] = self._plan_by_groups(problems[0])
        problem = next((p for p in problems if p), None)
        if problem is not None:
            return None, problem
        found: _NewFiles = {}
        for key, path in self.tables.items():
            since, until = (Position(p["table_id"], p["version"]) for p in (before[key], self.positions[key]))
            try:
                found[key] = delta_source.added_files(path, key, since, until, skip_changes=False)
            except DataFault:
                return None, f"CHANGE_SET_NOT_APPEND_ONLY: {key}"
            if not log.files_exist(path, found[key]):
                return None, f"CHANGE_SET_VACUUMED: {key}"
        if self.keyed is not None and not self._find_groups(self.keyed, found):
            return None, "MORE_GROUPS_CHANGED_THAN_STAYED"
        return found, "SOURCES_CHANGED"

    def _plan_by_groups(self, problem: str) -> str | None:
        """Find out whether the view can be refreshed by groups; say why not."""
        graph = self.context.graph
        if self.dataset.output.expectations or graph is None:
            return problem
        plan = keyed_refresh.keyed_plan(self.plan, f"flow {self.flow}")
        if isinstance(plan, str):
            return problem
        if [graph.names.key(plan.source)] != list(self.tables):
            return problem  # a view of the catalog, say
        self.keyed = plan
        return None

    def _find_groups(self, plan: KeyedPlan, found: _NewFiles) -> bool:
        """Find the groups that have changed; say whether they are few enough."""
        ((key, adds),) = found.items()
        folder = self.context.fresh_stage("groups")
        place, position = self.tables[key], self.positions[key]
        until = Position(position["table_id"], position["version"])
        slices.make_slice(place, until, adds, folder / "new")
        changed = keyed_refresh.changed_groups(
            plan,
            rewrite.delta_read(folder / "new", 0),
            rewrite.delta_read(place, until.version),
            session=self.context.session,
            folder=folder,
            flow=self.flow,
        )
        if changed.count * 2 > log.table_rows(self.location):
            return False
        self.changed = changed
        return True

    def compute(self, new_files: _NewFiles | None) -> None:
        """Compute the view anew, or append what the new files give, and commit it."""
        context, rules = self.context, self.dataset.output.expectations
        number = context.state.flow(self.flow_id).batch + 1
        overwrite = new_files is None or self.changed is not None
        kind = "overwrite" if overwrite else "append"
        batch = Batch(
            self.flow_id, number, context.events.update_id, self.dataset.shown, str(self.location), kind
        )
        context.state.plan(batch, {})
        crash_point("batch_planned")
        folder = context.fresh_stage(f"batch-{number}")
        sources = self._sources(folder, new_files or {})
        try:
            relation = rewrite.resolve(self.plan, sources, f"flow {self.flow}")
            relation, target = describe_target(context, self.dataset, relation, self.flow)
            if self.keyed is not None and self.changed is not None:
                view = rewrite.delta_read(self.location, int(self.known["target"]["version"]))
                relation = keyed_refresh.replaced_groups(
                    self.keyed, self.changed, view, relation, context.session
                )
            staged = stage_query(
                relation,
                rules,
                folder / "out",
                context.session,
                self.flow,
                partition_by=self.dataset.output.partition_cols,
                small=sum(log.table_bytes(path) for path in self.tables.values()) < SMALL_BYTES,
            )
            crash_point("output_staged")
            ExpectationViolated.check(self.flow, staged, rules)
            check_constraints(context, self.flow, staged.kept, target, overwrite=overwrite)
            with context.writing(self.dataset):
                if log.open_table(self.location) is None:
                    batches.ensure_table(target)
                batch.facts = self._facts()
                batch.events = self._events(number, staged.counts, sources)
                context.state.prepare(batch, {})
                crash_point("batch_prepared")
                commit_batch(
                    context, target, staged, batch, overwrite=overwrite, flow=self.flow, sources=self.positions,
                    fingerprint=self.fingerprint,
                )  # fmt: skip
        except BaseException:
            recovery.settle(context.state, batch)
            raise
        finally:
            sources.forget()
        recovery.finish(context.state, batch)
        crash_point("batch_recorded")
        context.show(*batch.events)
        result = context.result(self.dataset)
        result.batches += 1
        result.rows_in, result.rows_dropped = staged.counts.rows, staged.counts.dropped
        result.rows_out = staged.counts.rows - staged.counts.dropped
        result.expectations = add_counts([], staged.counts.rules)

    def _facts(self) -> dict[str, Any]:
        """Say what the view will be made of.

        Delta numbers versions without gaps and the table's lock keeps other writers out, so the version that
        the commit will have is known before it. If it comes out otherwise, the next update computes the view
        anew.
        """
        before = log.position(self.location)
        assert before is not None  # noqa: S101  (the table has just been made sure of)
        target = Position(before.table_id, before.version + 1)
        return {"fingerprint": self.fingerprint, "sources": self.positions, "target": target.to_json()}

    def _events(self, number: int, counts: Counts, sources: BatchSources) -> list[Event]:
        make = self.context.events
        told = told_views(self.context, self.dataset, sources)
        return [
            *(
                make.flow_batch(
                    v, v, number, output_rows=c.rows - c.dropped, dropped=c.dropped, rules=c.rules
                )
                for v, c in told
            ),
            make.flow_batch(
                self.dataset.shown,
                self.flow,
                number,
                output_rows=counts.rows - counts.dropped,
                dropped=counts.dropped if self.dataset.output.expectations else None,
                rules=counts.rules,
            ),
        ]

    def _sources(self, folder: Path, new_files: _NewFiles) -> BatchSources:
        """Pin every table to its version; where there are new files, let only those be read."""
        sources = BatchSources(self.context, self.flow, folder)
        sources.pinned = {key: int(p["version"]) for key, p in self.positions.items()}
        if new_files and self.changed is not None:
            sources.replaced = dict.fromkeys(new_files, self.changed.rows)
            return sources
        for at, (key, adds) in enumerate(new_files.items()):
            until = Position(self.positions[key]["table_id"], self.positions[key]["version"])
            slices.make_slice(self.tables[key], until, adds, folder / f"source-{at}")
            sources.replaced[key] = rewrite.delta_read(folder / f"source-{at}", 0)
        return sources

    def verify(self) -> None:
        """Compute the view anew, beside it, and compare row by row.

        Raises:
            DataFault: They differ.
        """
        sources = self._sources(self.context.fresh_stage("verify"), {})
        session, dataset = self.context.session, self.dataset
        try:
            relation = rewrite.resolve(self.plan, sources, f"flow {self.flow}")
            relation, _target = describe_target(self.context, dataset, relation, self.flow)
            columns = columns_of_schema(sources.schema(relation))
            dropping = [
                expression_for_engine(r.condition, columns)
                for r in dataset.output.expectations
                if r.action == "drop"
            ]
            fresh = data_frame(rewrite.filter_true(relation, dropping) if dropping else relation, session)
            now = log.position(self.location)
            assert now is not None  # noqa: S101
            kept = data_frame(rewrite.delta_read(self.location, now.version), session)
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


def _position(key: str, path: Path) -> dict[str, Any]:
    now = log.position(path)
    table = log.open_table(path)
    if now is None or table is None:
        raise DataFault(f"{key} has no data yet", got=str(path), next_step="Refresh it first")
    columns = hashlib.sha256(table.schema().to_json().encode()).hexdigest()
    return now.to_json() | {"columns": columns}


def _view_plans(context: UpdateContext, planned: PlannedFlow) -> list[tuple[Relation, Any]]:
    assert context.graph is not None  # noqa: S101
    found: list[tuple[Relation, Any]] = []
    for read in planned.reads:
        view = context.graph.datasets.get(context.graph.names.key(read.name))
        if view is not None and view.kind == "VIEW" and view.flows[0].plan is not None:
            found.append((view.flows[0].plan, view.output.expectations))
            found += _view_plans(context, view.flows[0])
    return found


def _difference(a: Any, b: Any) -> int:
    """Count the rows of `a` that `b` lacks.

    Rows are compared as JSON text, so that nested columns and NULLs compare by value.
    """

    def counted(frame: Any) -> Any:
        row = f.to_json(f.struct(*[f.col(quote_identifier(c)) for c in frame.columns])).alias("r")
        return frame.select(row).groupBy("r").count()

    left, right = counted(a), counted(b).withColumnRenamed("count", "other")
    lacking = left.join(right, "r", "left").selectExpr("greatest(count - coalesce(other, 0L), 0L) as n")
    return int(lacking.agg(f.sum("n")).collect()[0][0] or 0)
