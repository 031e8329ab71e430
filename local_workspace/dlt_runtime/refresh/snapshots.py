"""AUTO CDC from snapshots: a table follows what its source looks like from one snapshot to the next, SCD type 1 and 2.

A snapshot says all rows of the source, so what the table shows is enough to go on from: a key that is not in the snapshot
has gone, one that the table does not have has come, and another whose tracked columns differ has changed. Each snapshot is
one commit, and its version is recorded with it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

from pyspark.sql.connect import functions as f
from pyspark.sql.connect.dataframe import DataFrame

from local_workspace.crash_points import crash_point
from local_workspace.delta import log
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.own_columns import DELETED, END, HASH, KEY, NEW, START
from local_workspace.dlt_runtime.plan import plans, rewrite
from local_workspace.dlt_runtime.plan.graph import Dataset, NotBuiltYet, PlannedFlow, call_function
from local_workspace.dlt_runtime.plan.plans import NamedRead, Relation
from local_workspace.dlt_runtime.plan.session import data_frame, relation_of
from local_workspace.dlt_runtime.record import recovery
from local_workspace.dlt_runtime.record.state import Batch
from local_workspace.dlt_runtime.refresh.committing import commit_batch
from local_workspace.dlt_runtime.refresh.constraints import check_constraints
from local_workspace.dlt_runtime.refresh.feed_columns import chosen, require_keys, with_missing_columns
from local_workspace.dlt_runtime.refresh.sources import BatchSources
from local_workspace.dlt_runtime.refresh.staging import stage_query
from local_workspace.dlt_runtime.refresh.streaming import check_bookkeeping, describe_target, prepare_table
from local_workspace.errors import DataFault, PipelineCodeError
from local_workspace.sql.tokens import quote_identifier

_WAS = "__was_"
#: Sets up what code of the pipeline needs around it.
CodePlace = Callable[[], AbstractContextManager[None]]


def refresh_snapshots(
    context: UpdateContext, dataset: Dataset, planned: PlannedFlow, code: CodePlace
) -> None:
    """Take the snapshots that are new.

    Raises:
        LocalWorkspaceError: The flow failed; the table is as the last snapshot that was taken left it.
    """
    settings, flow_id = planned.flow.snapshot, context.flow_id(dataset, planned)
    assert settings is not None  # noqa: S101
    check_bookkeeping(context, dataset, flow_id)
    if isinstance(settings.source, str):
        sources = BatchSources(context, planned.flow.name, context.fresh_stage("snapshot-source"))
        try:
            relation = sources.table(NamedRead(settings.source, streaming=False))
            _Snapshot(context, dataset, planned, datetime.now(timezone.utc)).take(relation)
        finally:
            sources.forget()
        return
    while True:
        known = context.state.flow(flow_id).facts.get("version")
        latest = None if known is None else _from_store(known)
        found = _next(context, planned, settings.source, latest, code)
        if found is None:
            return
        plan, version = found
        sources = BatchSources(context, planned.flow.name, context.fresh_stage("snapshot-source"))
        try:
            relation = rewrite.resolve(plan, sources, f"flow {planned.flow.name}")
            _Snapshot(context, dataset, planned, version).take(relation)
        finally:
            sources.forget()


def _next(
    context: UpdateContext, planned: PlannedFlow, function: Callable[[Any], Any], latest: Any, code: CodePlace
) -> tuple[Relation, Any] | None:
    """Ask the function of pipeline code for the next snapshot and its version."""
    flow = planned.flow
    try:
        with code():
            found = call_function(flow, function, latest)
            if found is None:
                return None
            right = isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], DataFrame)
            plan = relation_of(found[0], context.session) if right else None
    except NotBuiltYet as missing:
        raise PipelineCodeError(
            f"The function of snapshots of flow {flow.name} reads {missing.dataset}, a dataset of its own pipeline",
            got=f"at {flow.location}",
            next_step="Give the name of the dataset as source",
        ) from None
    if plan is None:
        raise PipelineCodeError(
            f"The function of snapshots of flow {flow.name} gives neither None nor (DataFrame, version)",
            got=f"{type(found).__name__} at {flow.location}",
        )
    version = found[1]
    if isinstance(version, bool) or not isinstance(version, (int, float, str, Decimal, date)):
        raise PipelineCodeError(
            f"The version of a snapshot of flow {flow.name} is none that orders",
            got=f"{version!r} at {flow.location}",
            allowed="a number, a text, a date or a timestamp",
        )
    if latest is not None and (type(version) is not type(latest) or not version > latest):
        raise PipelineCodeError(
            f"The function of snapshots of flow {flow.name} gives a version that does not come after the last one",
            got=f"{version!r} after {latest!r} at {flow.location}",
            consequence="The snapshot was not taken",
            next_step="Give None when there is no newer snapshot",
        )
    plans.name_direct_reads(plan, context.session.direct_reads)
    return plan, version


class _Snapshot:
    """One snapshot on its way into the table."""

    def __init__(self, context: UpdateContext, dataset: Dataset, planned: PlannedFlow, version: Any) -> None:
        assert planned.flow.snapshot is not None  # noqa: S101
        self.context, self.dataset, self.planned = context, dataset, planned
        self.settings, self.flow, self.version = planned.flow.snapshot, planned.flow.name, version
        self.flow_id = context.flow_id(dataset, planned)
        self.state = context.state.flow(self.flow_id)

    def take(self, relation: Relation) -> None:
        context, session = self.context, self.context.session
        folder = context.fresh_stage("snapshot")
        stage_query(relation, (), folder / "rows", session, self.flow)
        rows = data_frame(rewrite.parquet_read(folder / "rows"), session)
        self._check_keys(rows)
        before = self._before()
        if before is not None:
            own = {START, END}
            rows, before = (
                with_missing_columns(rows, before, but=own),
                with_missing_columns(before, rows, but=own),
            )
        result, written, deleted = self._result(rows, before)
        asks_again = isinstance(self.settings.source, str)
        if before is not None and not written and not deleted and asks_again:
            return
        relation, target = describe_target(context, self.dataset, relation_of(result, session), self.flow)
        staged = stage_query(
            relation, (), folder / "out", session, self.flow, partition_by=self.dataset.output.partition_cols
        )
        crash_point("output_staged")
        check_constraints(context, self.flow, staged.kept, target, overwrite=True)
        batch = Batch(
            self.flow_id,
            self.state.batch + 1,
            context.events.update_id,
            self.dataset.shown,
            str(context.location(self.dataset)),
            "merge",
            facts={"started": True, "version": _to_store(self.version)},
        )
        context.state.plan(batch, {})
        crash_point("batch_planned")
        try:
            with context.writing(self.dataset):
                prepare_table(context, self.dataset, target)
                batch.events = [
                    context.events.flow_batch(
                        self.dataset.shown,
                        self.flow,
                        batch.batch,
                        output_rows=0,
                        upserted=written,
                        deleted=deleted,
                    )
                ]
                context.state.prepare(batch, {})
                crash_point("batch_prepared")
                commit_batch(
                    context, target, staged, batch, overwrite=True, flow=self.flow, version=str(self.version)
                )
        except BaseException:
            recovery.settle(context.state, batch)
            raise
        recovery.finish(context.state, batch)
        crash_point("batch_recorded")
        context.show(*batch.events)
        done = context.result(self.dataset)
        done.refresh = "AUTO_CDC"
        done.batches += 1
        done.rows_upserted += written
        done.rows_deleted += deleted
        done.rows_out += written

    def _check_keys(self, rows: DataFrame) -> None:
        keys = self.settings.keys
        require_keys(keys, rows.columns, self.planned.flow, "the snapshot")
        grouped: Any = rows.groupBy(*[f.col(quote_identifier(k)) for k in keys]).count()
        twice = grouped.where("count > 1").limit(1).collect()
        if twice:
            raise DataFault(
                f"A snapshot of flow {self.flow} has several rows of one key",
                got=str(twice[0].asDict())[:300],
                consequence="Which of them the table should show is not known, so the snapshot was not taken",
                next_step="Add the column that tells them apart to keys, or drop the doubles in the source",
            )

    def _before(self) -> DataFrame | None:
        now = log.position(self.context.location(self.dataset))
        if now is None or not self.state.facts.get("started"):
            return None
        return data_frame(
            rewrite.delta_read(self.context.location(self.dataset), now.version), self.context.session
        )

    def _result(self, rows: DataFrame, before: DataFrame | None) -> tuple[DataFrame, int, int]:
        """Give the table after the snapshot, and how many keys it wrote and deleted."""
        scd2, version = self.settings.scd_type == 2, _literal(self.version)
        names = list(rows.columns)
        if before is None:
            fresh: Any = rows.withColumn(START, version).withColumn(
                END, f.lit(None).cast(_type_of(self.version))
            )
            return fresh if scd2 else rows, int(rows.count()), 0
        live: Any = before.where(f.col(END).isNull()) if scd2 else before
        was = self._keyed(live, names, *([f.col(START)] if scd2 else []))
        now = self._keyed(rows, names)
        came: Any = rows.join(was, f.expr(self._same_key()), "left")
        gone = live.join(now, f.expr(self._same_key()), "left")
        as_it_was = _signature(names).eqNullSafe(f.col(_WAS + HASH)) & f.col(_WAS + NEW).isNotNull()
        written = int(came.where(~as_it_was).count())
        deleted = int(gone.where(f.col(_WAS + NEW).isNull()).count())
        if not scd2:
            return rows, written, deleted
        tracked = self._tracked(names)
        goes_on = f.col(_WAS + NEW).isNotNull() & _signature(tracked).eqNullSafe(f.col(_WAS + DELETED))
        columns = [f.col(quote_identifier(c)) for c in names]
        open_rows = came.select(
            *columns,
            f.when(goes_on, f.col(_WAS + START)).otherwise(version).alias(START),
            f.lit(None).cast(_type_of(self.version)).alias(END),
        )
        ended = gone.where(~goes_on).select(*columns, f.col(START), version.alias(END))
        closed: Any = before.where(f.col(END).isNotNull()).select(*columns, f.col(START), f.col(END))
        return closed.unionByName(ended).unionByName(open_rows), written, deleted

    def _keyed(self, frame: Any, names: list[str], *more: Any) -> DataFrame:
        """Give keys under names of their own, with a hash of all columns and one of those that are tracked."""
        keys = [f.col(quote_identifier(k)).alias(f"{KEY}{at}") for at, k in enumerate(self.settings.keys)]
        start = [column.alias(_WAS + START) for column in more]
        result: DataFrame = frame.select(
            *keys,
            _signature(names).alias(_WAS + HASH),
            _signature(self._tracked(names)).alias(_WAS + DELETED),
            f.lit(1).alias(_WAS + NEW),
            *start,
        )
        return result

    def _same_key(self) -> str:
        return " AND ".join(
            f"{quote_identifier(k)} <=> `{KEY}{at}`" for at, k in enumerate(self.settings.keys)
        )

    def _tracked(self, names: list[str]) -> list[str]:
        settings = self.settings
        return chosen(names, settings.track_history_column_list, settings.track_history_except_column_list)


def _signature(names: list[str]) -> Any:
    return f.to_json(f.struct(*[f.col(quote_identifier(c)) for c in names]))


def _type_of(version: Any) -> str:
    kinds: tuple[tuple[Any, str], ...] = (
        (datetime, "timestamp"), (date, "date"), (str, "string"), (float, "double"), (int, "bigint"),
    )  # fmt: skip
    return next((name for kind, name in kinds if isinstance(version, kind)), "decimal(38,18)")


def _literal(version: Any) -> Any:
    return f.lit(version).cast(_type_of(version))


def _to_store(version: Any) -> list[str]:
    text = (
        version.isoformat()
        if isinstance(version, date)
        else repr(version)
        if isinstance(version, float)
        else str(version)
    )
    return [type(version).__name__, text]


def _from_store(kept: list[str]) -> Any:
    kind, text = kept
    readers: dict[str, Callable[[str], Any]] = {
        "datetime": datetime.fromisoformat, "date": date.fromisoformat, "int": int, "float": float, "str": str,
        "Decimal": Decimal,
    }  # fmt: skip
    return readers[kind](text)
