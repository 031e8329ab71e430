"""AUTO CDC (`apply_changes`): a change feed applied to a streaming table by key, SCD type 1 and 2.

Changes may come late and in any order, so what the table shows is not enough to go on from: the changes
themselves are kept, beside the pipeline's bookkeeping, as Databricks keeps them in a hidden table (for type 1 the
latest of each key, deletes included; for type 2, and where a NULL keeps the value before, all of them). Each batch
adds its changes to those and computes the table from them. Doing a batch again changes nothing, so the two commits
need not be one; the batch is done when the table's own commit is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

from pyspark.sql.connect import functions as f
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.window import Window
from pyspark.sql.types import DataType, StructType

from local_workspace.crash_points import crash_point
from local_workspace.delta import batches, log
from local_workspace.delta.batches import Target
from local_workspace.dlt_runtime.auto_loader.stage import NoColumnsYet
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.declare.registry import CdcSettings
from local_workspace.dlt_runtime.own_columns import (
    DELETED,
    END,
    GROUP,
    HASH,
    NEW,
    ORDER,
    SEQUENCE,
    START,
)
from local_workspace.dlt_runtime.plan import rewrite
from local_workspace.dlt_runtime.plan.graph import Dataset, PlannedFlow
from local_workspace.dlt_runtime.plan.plans import NamedRead, Relation
from local_workspace.dlt_runtime.plan.session import data_frame, relation_of
from local_workspace.dlt_runtime.record import recovery
from local_workspace.dlt_runtime.record.state import Batch
from local_workspace.dlt_runtime.refresh.committing import commit_batch
from local_workspace.dlt_runtime.refresh.constraints import check_constraints
from local_workspace.dlt_runtime.refresh.expectations import Counts, mask_columns
from local_workspace.dlt_runtime.refresh.feed_columns import chosen, require_keys
from local_workspace.dlt_runtime.refresh.inputs import Input, look, new_schemas, stage_inputs
from local_workspace.dlt_runtime.refresh.sources import (
    BatchSources,
    ExpectationViolated,
    kept_rows,
    streaming_sources,
)
from local_workspace.dlt_runtime.refresh.staging import StagedRows, delta_schema, query_schema, stage_query
from local_workspace.dlt_runtime.refresh.stateful import StreamState
from local_workspace.dlt_runtime.refresh.streaming import (
    add_counts,
    check_bookkeeping,
    describe_target,
    prepare_table,
)
from local_workspace.errors import DataFault, PipelineCodeError
from local_workspace.sql.tokens import quote_identifier


def refresh_cdc(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> None:
    """Apply the new changes of a feed to its table.

    Raises:
        LocalWorkspaceError: The flow failed; the table is as it was.
    """
    flow_id = context.flow_id(dataset, planned)
    check_bookkeeping(context, dataset, flow_id)
    sources = streaming_sources(context, planned)
    while True:
        state = context.state.flow(flow_id)
        inputs = [look(context, dataset, planned, source, state) for source in sources]
        exists = log.open_table(context.location(dataset)) is not None
        moved = StreamState.has_moved(state.facts)
        if exists and not moved and not any(i.has_rows for i in inputs):
            return
        batch = Batch(
            flow_id,
            state.batch + 1,
            context.events.update_id,
            dataset.shown,
            str(context.location(dataset)),
            "merge",
            offsets=state.offsets | {i.source.id: i.until.to_json() for i in inputs if i.until is not None},
            facts={"started": True, "kept_as": _kept_as(planned)},
        )
        before = state.facts.get("kept_as")
        if before is not None and before != batch.facts["kept_as"]:
            raise PipelineCodeError(
                f"Flow {planned.flow.name} has other settings than when it began",
                got=f"{batch.facts['kept_as']} at {planned.flow.location}",
                allowed=before,
                consequence="The changes that are kept answer the settings of before only, so the table was left as it is",
                next_step=f"Do a full refresh of {dataset.shown}, or take the change back",
            )
        try:
            _Merge(context, dataset, planned, batch, state.facts).run(inputs)
        except NoColumnsYet:
            context.waiting.add(dataset.key)
        if not any(i.backlog for i in inputs) and not StreamState.has_moved(
            context.state.flow(flow_id).facts
        ):
            return


def _kept_as(planned: PlannedFlow) -> str:
    """Say by which settings changes are kept; under others, the kept ones would give another table than all of them."""
    settings = planned.flow.cdc
    assert settings is not None  # noqa: S101
    kept = f"keys {', '.join(settings.keys)}; SCD type {settings.scd_type}"
    if not settings.keeps_values:
        return kept
    only, but = settings.ignore_null_updates_column_list, settings.ignore_null_updates_except_column_list
    which = f" of {', '.join(only)}" if only else f" but {', '.join(but)}" if but else ""
    return f"{kept}; ignore_null_updates{which}"


class _Merge:
    """One batch of a change feed.

    Args:
        facts: What the flow remembers. If it has not started, the table was just created or reset: changes kept from
            before do not count.
    """

    def __init__(
        self,
        context: UpdateContext,
        dataset: Dataset,
        planned: PlannedFlow,
        batch: Batch,
        facts: Mapping[str, Any],
    ) -> None:
        assert planned.flow.cdc is not None  # noqa: S101
        self.context, self.dataset, self.planned, self.batch, self.facts = (
            context,
            dataset,
            planned,
            batch,
            facts,
        )
        self.settings: CdcSettings = planned.flow.cdc
        self.flow = planned.flow.name
        self.kept_changes: Path = context.folder / "changes" / "/".join(dataset.key.split("."))

    def run(self, inputs: list[Input]) -> None:
        claimed = {i.source.id: i.records(self.batch.batch) for i in inputs if i.source.loader is not None}
        self.context.state.plan(self.batch, claimed)
        crash_point("batch_planned")
        folder = self.context.fresh_stage(f"batch-{self.batch.batch}")
        stream = StreamState.of(
            self.context, self.dataset, self.planned, self.facts, self.batch.batch, folder / "operators"
        )
        sources = BatchSources(self.context, self.flow, folder, stream=stream)
        try:
            staged_inputs = stage_inputs(self.context, self.batch.flow, inputs, sources, folder)
            changes, counts = self._checked(self._changes(sources), folder)
            merged = self._stage(relation_of(self._merged(changes), self.context.session), folder / "changes")
            # From the staged files, so that the feed is computed once.
            state = data_frame(rewrite.parquet_read(folder / "changes"), self.context.session)
            columns = [c for c in changes.columns if c not in (SEQUENCE, DELETED, NEW)]
            if self.settings.keeps_values:
                state = self._without_null_updates(state)
            upserted, deleted = self._effect(state)
            shown = (
                self._type_1(state, columns) if self.settings.scd_type == 1 else self._type_2(state, columns)
            )
            relation, target = describe_target(
                self.context, self.dataset, relation_of(shown, self.context.session), self.flow
            )
            rows = self._stage(relation, folder / "out", self.dataset.output.partition_cols)
            crash_point("output_staged")
            check_constraints(self.context, self.flow, rows.kept, target, overwrite=True)
            final = {
                i.source.id: i.final_records(staged_inputs[i.source.id], self.batch.batch)
                for i in inputs
                if i.source.loader is not None
            }
            self.batch.events = [
                self.context.events.flow_batch(
                    self.dataset.shown,
                    self.flow,
                    self.batch.batch,
                    output_rows=0,
                    upserted=upserted,
                    deleted=deleted,
                    dropped=counts.dropped if self.dataset.output.expectations else None,
                    rules=counts.rules,
                )
            ]
            self.batch.schemas = new_schemas(self.context, self.batch.flow, inputs, staged_inputs)
            if stream is not None:
                self.batch.facts |= stream.facts()
            with self.context.writing(self.dataset):
                self._commit(target, rows, merged, final)
        except BaseException:
            recovery.settle(self.context.state, self.batch)
            raise
        finally:
            sources.forget()
        recovery.finish(self.context.state, self.batch)
        crash_point("batch_recorded")
        if stream is not None:
            stream.clean()
        self.context.show(*self.batch.events)
        result = self.context.result(self.dataset)
        result.refresh = "AUTO_CDC"
        result.batches += 1
        result.rows_upserted += upserted
        result.rows_deleted += deleted
        result.rows_out += upserted
        result.rows_dropped += counts.dropped
        result.expectations = add_counts(result.expectations, counts.rules)

    def _checked(self, changes: DataFrame, folder: Path) -> tuple[DataFrame, Counts]:
        """Apply the expectations of the target to the changes; a delete leaves no row that could break one."""
        rules = tuple(
            replace(rule, condition=f"{DELETED} OR ({rule.condition}\n)")
            for rule in self.dataset.output.expectations
        )
        if not rules:
            return changes, Counts(0, 0, ())
        relation, place = relation_of(changes, self.context.session), folder / "checked"
        staged = stage_query(relation, rules, place, self.context.session, self.flow)
        ExpectationViolated.check(self.flow, staged, rules)
        kept = kept_rows(staged, place, relation, mask_columns(rules))
        return data_frame(kept, self.context.session), staged.counts

    def _changes(self, sources: BatchSources) -> DataFrame:
        """Give the new changes with their sequence and whether they delete."""
        settings = self.settings
        feed = data_frame(sources.table(NamedRead(settings.source, streaming=True)), self.context.session)
        require_keys(settings.keys, feed.columns, self.planned.flow, settings.source)
        delete = f.lit(False) if settings.apply_as_deletes is None else _expression(settings.apply_as_deletes)
        changes: Any = feed.select(
            "*",
            _expression(settings.sequence_by).alias(SEQUENCE),
            f.coalesce(delete, f.lit(False)).alias(DELETED),
        ).withColumn(NEW, f.lit(1))
        # A struct orders by its fields from the first on; one without any value gives no place either.
        empty = reduce(and_, (part.isNull() for part in _parts(changes)))
        without = changes.where(empty).limit(1).collect()
        if without:
            raise DataFault(
                f"A change of {settings.source} has no sequence (sequence_by is NULL)",
                got=str(without[0].asDict())[:300],
                consequence="Its place among the other changes is not known, so nothing of the batch was applied",
                next_step="Filter or repair such rows before dlt.apply_changes",
            )
        result: DataFrame = changes
        return result

    def _merged(self, changes: DataFrame) -> DataFrame:
        """Put new changes to the kept ones; of two with the same key and sequence the kept one stays."""
        keys = [f.col(quote_identifier(k)) for k in self.settings.keys]
        known = None if not self.facts.get("started") else log.position(self.kept_changes)
        everything: Any = changes
        if known is not None:
            kept = data_frame(rewrite.delta_read(self.kept_changes, known.version), self.context.session)
            everything = kept.withColumn(NEW, f.lit(0)).unionByName(changes, allowMissingColumns=True)
        # A change that comes late may give a value to those after it that have none, so all are needed then.
        latest_only = self.settings.scd_type == 1 and not self.settings.keeps_values
        group = keys if latest_only else [*keys, *_parts(changes)]
        latest_first = Window.partitionBy(*group).orderBy(
            *_latest_first(changes), f.col(NEW).asc(), f.to_json(f.struct(*_all(changes))).desc()
        )
        numbered = everything.withColumn(ORDER, f.row_number().over(latest_first))
        result: DataFrame = numbered.where(f.col(ORDER) == 1).drop(ORDER)
        return result

    def _without_null_updates(self, state: DataFrame) -> DataFrame:
        """Give each change the values that its NULLs keep: the last ones before it, unless a delete lies between.

        Fields of structs count each for itself (Databricks' page "create_auto_cdc_flow", ignore_null_updates).
        """
        settings = self.settings
        only = settings.ignore_null_updates_column_list
        names = {c.lower() for c in only or settings.ignore_null_updates_except_column_list or ()}
        kept_as_is = {c.lower() for c in (*settings.keys, SEQUENCE, DELETED, NEW)}
        keys = [f.col(quote_identifier(k)) for k in settings.keys]
        parts = _parts(state)
        in_order = Window.partitionBy(*keys).orderBy(*parts).rowsBetween(Window.unboundedPreceding, 0)
        lives = state.withColumn(GROUP, f.sum(f.col(DELETED).cast("bigint")).over(in_order))
        life = Window.partitionBy(*keys, GROUP).orderBy(*parts).rowsBetween(Window.unboundedPreceding, 0)

        def kept(column: Any, kind: DataType) -> Any:
            last = f.last(f.when(~f.col(DELETED), column), ignorenulls=True).over(life)
            if not isinstance(kind, StructType):
                return last
            fields = [kept(column[field.name], field.dataType).alias(field.name) for field in kind.fields]
            return f.when(last.isNotNull(), f.struct(*fields))

        filled = [
            kept(f.col(quote_identifier(field.name)), field.dataType).alias(field.name)
            if field.name.lower() not in kept_as_is and (field.name.lower() in names) == (only is not None)
            else f.col(quote_identifier(field.name))
            for field in state.schema.fields
        ]
        result: Any = lives.select(*filled)
        if settings.scd_type == 1:
            of_key = Window.partitionBy(*keys)
            numbered = result.withColumn(NEW, f.max(NEW).over(of_key)).withColumn(
                ORDER, f.row_number().over(of_key.orderBy(*_latest_first(state)))
            )
            result = numbered.where(f.col(ORDER) == 1).drop(ORDER)
        return result

    def _effect(self, state: DataFrame) -> tuple[int, int]:
        """Count keys that the batch wrote and keys that it deleted."""
        row = (
            state.where(f.col(NEW) == 1)
            .agg(
                f.count("*").alias("n"), f.coalesce(f.sum(f.col(DELETED).cast("bigint")), f.lit(0)).alias("d")
            )
            .collect()[0]
        )
        return int(row["n"]) - int(row["d"]), int(row["d"])

    def _columns(self, columns: list[str]) -> list[str]:
        settings = self.settings
        return chosen(columns, settings.column_list, settings.except_column_list)

    def _type_1(self, state: DataFrame, columns: list[str]) -> DataFrame:
        result: Any = state.where(~f.col(DELETED)).select(
            *[f.col(quote_identifier(c)) for c in self._columns(columns)]
        )
        return result

    def _type_2(self, state: DataFrame, columns: list[str]) -> DataFrame:
        """Give one row for each stretch in which the tracked columns of a key stayed the same."""
        shown = self._columns(columns)
        settings = self.settings
        tracked = chosen(shown, settings.track_history_column_list, settings.track_history_except_column_list)
        keys = [f.col(quote_identifier(k)) for k in settings.keys]
        parts = _parts(state)
        in_order = Window.partitionBy(*keys).orderBy(*parts)
        hashed = state.withColumn(
            HASH, f.to_json(f.struct(f.col(DELETED), *[f.col(quote_identifier(c)) for c in tracked]))
        )
        previous = hashed.withColumn(ORDER, f.lag(HASH).over(in_order))
        begins = f.when(f.col(ORDER).isNotNull() & (f.col(ORDER) == f.col(HASH)), 0).otherwise(1)
        flagged = previous.withColumn(ORDER, begins)
        grouped: Any = flagged.withColumn(
            GROUP, f.sum(ORDER).over(in_order.rowsBetween(Window.unboundedPreceding, 0))
        )
        stretch = Window.partitionBy(*keys, GROUP)
        from_first = stretch.orderBy(*parts).rowsBetween(Window.unboundedPreceding, 0)
        last = grouped.withColumn(START, f.first(SEQUENCE).over(from_first)).withColumn(
            ORDER, f.row_number().over(stretch.orderBy(*_latest_first(state)))
        )
        rows = last.where(f.col(ORDER) == 1)
        # Stretches of a key follow one another, so the order of their last changes is that of their first ones.
        ended = rows.withColumn(END, f.lead(START).over(Window.partitionBy(*keys).orderBy(*parts)))
        result: DataFrame = ended.where(~f.col(DELETED)).select(
            *[f.col(quote_identifier(c)) for c in shown], f.col(START), f.col(END)
        )
        return result

    def _stage(self, relation: Relation, folder: Path, partition_by: tuple[str, ...] = ()) -> StagedRows:
        return stage_query(relation, (), folder, self.context.session, self.flow, partition_by=partition_by)

    def _commit(self, target: Target, rows: StagedRows, merged: StagedRows, final: dict[str, Any]) -> None:
        batch = self.batch
        prepare_table(self.context, self.dataset, target)
        folder = merged.all_files[0].parent if merged.all_files else None
        kept = None
        if folder is not None:
            schema = query_schema(rewrite.parquet_read(folder), self.context.session, self.flow)
            kept = Target(f"the changes of {target.name}", self.kept_changes, delta_schema(schema, self.flow))
            if log.open_table(kept.location) is None:
                batches.ensure_table(kept)
        self.context.state.prepare(batch, final)
        crash_point("batch_prepared")
        for part, staged in ((kept, merged), (target, rows)):
            if part is not None:
                commit_batch(
                    self.context, part, staged, batch, overwrite=True, flow=self.flow, sources=batch.offsets
                )


def _expression(value: Any) -> Any:
    return f.expr(value) if isinstance(value, str) else value


def _parts(frame: DataFrame) -> list[Any]:
    """Return the columns by which changes are in order: the fields of a struct, as the engine orders by plain values only.

    Spark orders structs by their fields, from the first to the last.
    """

    def parts(column: Any, kind: DataType) -> list[Any]:
        if not isinstance(kind, StructType):
            return [column]
        return [part for field in kind.fields for part in parts(column.getField(field.name), field.dataType)]

    return parts(f.col(SEQUENCE), frame.schema[SEQUENCE].dataType)


def _latest_first(frame: DataFrame) -> list[Any]:
    return [part.desc() for part in _parts(frame)]


def _all(frame: DataFrame) -> list[Any]:
    return [f.col(quote_identifier(c)) for c in frame.columns if c not in (SEQUENCE, DELETED, NEW)]
