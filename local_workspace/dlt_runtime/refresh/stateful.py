"""What the operators with state of one flow do in one batch, and what they keep for the next.

An operator is computed from the staged rows of its input and the rows that it has kept; its result takes its place in the
query. What it keeps is staged, too, and named in the facts of the batch: it counts if, and only if, the batch is in the
target's Delta log, so state and table are of one batch after any stop.

Watermarks are those of Apache Spark (`WatermarkTracker`, `WatermarkSupport`): that of a batch is the greatest event time of
the batches before it less the delay, the least of several such; it never goes back. In batch n a row is late by the
watermark of batch n - 1, and windows close by the watermark of batch n. An update ends, as Spark's trigger AvailableNow
does, with a batch without rows if the watermark has moved, which closes what it can.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.connect import functions as f
from pyspark.sql.connect.window import Window

from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.own_columns import KEY
from local_workspace.dlt_runtime.plan import rewrite, stateful
from local_workspace.dlt_runtime.plan.graph import Dataset, PlannedFlow
from local_workspace.dlt_runtime.plan.plans import Relation, children_of, walk
from local_workspace.dlt_runtime.plan.session import data_frame, relation_of
from local_workspace.dlt_runtime.plan.stateful import EventTime
from local_workspace.dlt_runtime.refresh.feed_columns import with_missing_columns
from local_workspace.dlt_runtime.refresh.staging import stage_query
from local_workspace.errors import DataFault, PipelineCodeError
from local_workspace.sql.tokens import quote_identifier

#: Columns beside the keys: the place of a row, its rank among those of its key, and its event time.
ORDER, RANK, TIME = f"{KEY}order", f"{KEY}rank", f"{KEY}time"
#: Names of tables that stand for the result of an operator begin with this.
MARKER = "__operator_"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass
class StreamState:
    """The state of a flow, as one batch finds and leaves it.

    Attributes:
        late: Watermark of the batch before, in milliseconds since 1970.
        closes: Watermark of this batch.
        markers: Name of a table -> the result of an operator.
        whole: Whether the batch gives the whole result, which replaces that of the batch before.
    """

    context: UpdateContext
    flow: str
    flow_id: str
    views: Mapping[str, Relation]
    known: Mapping[str, Any]
    batch: int
    stage: Path
    markers: dict[str, Relation] = field(default_factory=dict)
    whole: bool = False
    _operators: list[str] = field(default_factory=list)
    _watermarks: list[int] = field(default_factory=list)

    @classmethod
    def of(  # noqa: PLR0917
        cls,
        context: UpdateContext,
        dataset: Dataset,
        planned: PlannedFlow,
        facts: Mapping[str, Any],
        batch: int,
        stage: Path,
    ) -> StreamState | None:
        """Give the state of a flow for a batch; None if no operator of it needs any."""
        views = dict(_views(context, planned))
        plans = [*views.values(), *([planned.plan] if planned.plan is not None else [])]
        if not any(stateful.stateful_operators(plan) for plan in plans):
            return None
        flow_id = context.flow_id(dataset, planned)
        (stage / "state").mkdir(parents=True)
        return cls(context, planned.flow.name, flow_id, views, facts.get("stream") or {}, batch, stage)

    @staticmethod
    def has_moved(facts: Mapping[str, Any]) -> bool:
        """Say whether the watermark has moved since windows were last closed by it."""
        known = facts.get("stream") or {}
        return bool(known.get("next", 0) > known.get("used", 0))

    @property
    def late(self) -> int:
        """Watermark of the batch before, in milliseconds since 1970."""
        return int(self.known.get("used", 0))

    @property
    def closes(self) -> int:
        """Watermark of this batch."""
        return int(self.known.get("next", 0))

    @property
    def _home(self) -> Path:
        return self.context.folder / "state" / hashlib.sha256(self.flow_id.encode()).hexdigest()[:16]

    # --- the batch

    def facts(self) -> dict[str, Any]:
        """Put what was kept in its place, and say what the next batch has to know; call it before the batch is prepared.

        Raises:
            PipelineCodeError: The query has other operators than when its state was made.
        """
        before = self.known.get("operators")
        if before is not None and before != self._operators:
            raise PipelineCodeError(
                f"The stateful operators of flow {self.flow} are others than when its state was made",
                got="; ".join(self._operators),
                allowed="; ".join(before),
                consequence="The kept state does not fit the query, so nothing was written",
                next_step="Do a full refresh of the table, or take the change back",
            )
        place = self._home / str(self.batch)
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        (self.stage / "state").replace(place)
        seen = [max(pair) for pair in zip(self._watermarks, self._earlier(), strict=True)]
        following = max(self.closes, min(seen, default=0))
        return {
            "stream": {
                "batch": self.batch,
                "operators": self._operators,
                "watermarks": seen,
                "used": self.closes,
                "next": following,
            }
        }

    def _earlier(self) -> list[int]:
        before = self.known.get("watermarks")
        return list(before) if before is not None else [0] * len(self._watermarks)

    def clean(self) -> None:
        """Delete what earlier batches have kept; call it when the batch is done."""
        for folder in self._home.glob("*"):
            if folder.name != str(self.batch):
                shutil.rmtree(folder, ignore_errors=True)

    def _kept(self, name: str) -> Any:
        """Give what an operator has kept as a DataFrame, None if that is nothing."""
        if "batch" not in self.known:
            return None
        folder = self._home / str(self.known["batch"])
        if not folder.is_dir():
            raise DataFault(
                f"The state of flow {self.flow} is gone",
                got=str(folder),
                consequence="Which rows it has seen is not known, so nothing was written",
                next_step="Restore the pipeline's folder, or do a full refresh of the table",
            )
        files = list((folder / name).glob("*.parquet")) if (folder / name).is_dir() else []
        return data_frame(rewrite.parquet_read(folder / name), self.context.session) if files else None

    def _keep(self, name: str, *frames: Any) -> None:
        self._gather(self.stage / "state" / name, *frames)

    def _gather(self, place: Path, *frames: Any) -> bool:
        """Write the rows of frames of the same columns to one folder; say whether there is any file.

        Not as a union: the engine fails on one whose first branch turns out to be empty.
        """
        place.mkdir(parents=True)
        for at, frame in enumerate(frames):
            part = place.with_name(f"{place.name}-part-{at}")
            if self._write(relation_of(frame, self.context.session), part):
                for file in sorted(part.glob("*.parquet")):
                    file.replace(place / f"{at}-{file.name}")
            shutil.rmtree(part, ignore_errors=True)
        return any(place.iterdir())

    def _write(self, relation: Relation, place: Path) -> bool:
        written = stage_query(relation, (), place, self.context.session, self.flow, small=True)
        return bool(written.all_files)

    # --- the query

    def resolved(self, plan: Relation, sources: Any, where: str) -> Relation:
        """Replace the sources of a plan as :func:`rewrite.resolve` does, and each operator with state by its result."""
        copy = Relation()
        copy.CopyFrom(plan)
        # From the sources upwards, and what is known of the input before it is replaced.
        pending = [
            (
                message,
                [stateful.event_times(child, self._view) for child in children_of(message)],
                stateful.event_times(message, self._view),
            )
            for message in walk(copy)
            if isinstance(message, Relation)
            and (message.WhichOneof("rel_type") == "with_watermark" or stateful.is_stateful(message))
        ][::-1]
        for node, times, given in pending:
            kind = node.WhichOneof("rel_type")
            if kind == "join":
                return self._joined(copy, node, times, sources, where)  # nothing with state stands above it
            if kind == "with_watermark":
                self._watermark(node, sources, where, copy)
            elif kind == "deduplicate":
                self._deduplicate(node, times[0], sources, where, copy)
            else:
                self._aggregate(node, times[0], given, sources, where, copy)
        return rewrite.resolve(copy, sources, where)

    def _view(self, name: str) -> Relation | None:
        assert self.context.graph is not None  # noqa: S101
        return self.views.get(self.context.graph.names.key(name))

    def _input(self, relation: Relation, sources: Any, where: str, name: str) -> Relation:
        """Stage the input of an operator, its rows numbered in the order in which they came."""
        resolved = rewrite.resolve(relation, sources, where)
        place = self.stage / f"{name}-input"
        if not self._write(resolved, place):
            return rewrite.filter_true(resolved, ["1 = 0"])
        return rewrite.parquet_read(place)

    def _marker(self, node: Relation, result: Relation) -> Relation:
        name = f"{MARKER}{len(self.markers)}"
        self.markers[name] = result
        return _stand_in(node, name)

    def _replace(self, node: Relation, result: Relation, plan: Relation) -> None:
        """Let a table that stands for a result take the place of an operator."""
        marker = self._marker(node, result)
        below = _plan_ids(node)
        node.CopyFrom(marker)
        if not node.HasField("common"):
            return
        # `df["x"]` of a DataFrame below the operator means the column of the same name that the operator gives.
        for message in walk(plan):
            attribute = message.DESCRIPTOR.name == "UnresolvedAttribute"
            if attribute and message.HasField("plan_id") and message.plan_id in below:
                message.plan_id = node.common.plan_id

    def _watermark(self, node: Relation, sources: Any, where: str, plan: Relation) -> None:
        watermark = node.with_watermark
        name = f"watermark-{len(self._watermarks)}"
        rows = self._input(watermark.input, sources, where, name)
        column = watermark.event_time.rpartition(".")[2].strip("`")
        delay = stateful.duration(watermark.delay_threshold, "The delay of withWatermark")
        latest = _greatest(self.stage / f"{name}-input", column)
        self._operators.append(f"watermark of {column}")
        self._watermarks.append(0 if latest is None else latest // 1000 - delay // 1000)
        self._replace(node, rows, plan)

    def _begin(self, node: Relation) -> str:
        self._operators.append(stateful.described(node))
        return f"{len(self._operators) - 1}"

    def _deduplicate(
        self, node: Relation, times: list[EventTime], sources: Any, where: str, plan: Relation
    ) -> None:
        operator, name = node.deduplicate, self._begin(node)
        if operator.within_watermark and not times:
            raise stateful.no_watermark("dropDuplicatesWithinWatermark", self.flow)
        session = self.context.session
        source = self._input(operator.input, sources, where, name)
        numbered = self.stage / f"{name}-numbered"
        if not _number(self.stage / f"{name}-input", numbered):
            before = self._kept(name)
            if before is not None:
                # Keys of doubles within a watermark go by time alone; those of others are in nobody's way.
                ends = (
                    EventTime(TIME, window=False, delay=times[0].delay) if operator.within_watermark else None
                )
                gone = None if ends is None else _after(ends, self.closes, ends.delay)
                self._keep(name, before if gone is None else before.where(gone))
            self._replace(node, source, plan)
            return
        rows: Any = data_frame(rewrite.parquet_read(numbered), session)
        columns = [c for c in rows.columns if c != ORDER]
        wanted = {c.lower() for c in operator.column_names}
        keys = columns if operator.all_columns_as_keys else [c for c in columns if c.lower() in wanted]
        missing = wanted - {k.lower() for k in keys}
        if missing:
            raise PipelineCodeError(
                f"dropDuplicates of flow {self.flow} names {', '.join(sorted(missing))}, which its input does not have",
                allowed=", ".join(columns),
            )
        time = times[0] if times else None
        if time is not None:
            rows = rows.where(_after(time, self.late))
        before = self._kept(name)
        if before is not None:
            same = " AND ".join(f"{quote_identifier(k)} <=> `{KEY}{at}`" for at, k in enumerate(keys))
            rows = rows.join(before, f.expr(same), "left_anti")
        first = Window.partitionBy(*[f.col(quote_identifier(k)) for k in keys]).orderBy(f.col(ORDER))
        numbers = rows.withColumn(RANK, f.row_number().over(first))
        fresh = numbers.where(f.col(RANK) == 1).select(*[f.col(quote_identifier(c)) for c in columns])
        result = self.stage / f"{name}-result"
        shown = (
            rewrite.parquet_read(result)
            if self._write(relation_of(fresh, session), result)
            else rewrite.filter_true(source, ["1 = 0"])
        )
        self._keep_keys(
            name, before, data_frame(shown, session), keys, time, within=operator.within_watermark
        )
        self._replace(node, shown, plan)

    def _keep_keys(
        self, name: str, before: Any, fresh: Any, keys: list[str], time: EventTime | None, *, within: bool
    ) -> None:
        """Keep the keys that were seen, less those that no row can have any more, since it would be late."""
        columns = [f.col(quote_identifier(k)).alias(f"{KEY}{at}") for at, k in enumerate(keys)]
        if within:
            assert time is not None  # noqa: S101  (checked with the graph)
            columns.append(f.col(quote_identifier(time.name)).alias(TIME))
        seen = [*([] if before is None else [before]), fresh.select(*columns)]
        lower = [k.lower() for k in keys]
        if within and time is not None:
            ends = EventTime(TIME, window=False, delay=time.delay)
            seen = [frame.where(_after(ends, self.closes, time.delay)) for frame in seen]
        elif time is not None and time.name.lower() in lower:
            at = EventTime(f"{KEY}{lower.index(time.name.lower())}", time.window, time.delay)
            seen = [frame.where(_after(at, self.closes)) for frame in seen]
        self._keep(name, *seen)

    def _aggregate(  # noqa: PLR0917
        self,
        node: Relation,
        times: list[EventTime],
        groups: list[EventTime],
        sources: Any,
        where: str,
        plan: Relation,
    ) -> None:
        name, session = self._begin(node), self.context.session
        source = self._input(node.aggregate.input, sources, where, name)
        rows = self._with_kept(name, data_frame(source, session))
        if not groups:
            # Nothing ever closes a group: all rows are kept, and each batch gives all groups (Spark's complete mode).
            self.whole = True
            self._keep(name, rows)
            self._replace(node.aggregate.input, relation_of(rows, session), plan)
            return
        # Whatever is kept too long belongs to windows that have been given, and is not given again.
        self._keep(name, rows.where(_after(times[0], self.closes, stateful.longest_window(node.aggregate))))
        everything = Relation()
        everything.CopyFrom(node)
        self._replace(everything.aggregate.input, relation_of(rows, session), everything)
        closed: Any = data_frame(rewrite.resolve(everything, sources, where), session)
        window = groups[0]
        given = closed.where(_until(window, self.closes) & (_column(window) > _limit(self.late, 0)))
        result = self.stage / f"{name}-result"
        relation = relation_of(given, session)
        shown = (
            rewrite.parquet_read(result)
            if self._write(relation, result)
            else rewrite.filter_true(relation, ["1 = 0"])
        )
        self._replace(node, shown, plan)

    def _joined(
        self, plan: Relation, join: Relation, times: list[list[EventTime]], sources: Any, where: str
    ) -> Relation:
        """Join the new rows of each side with all rows of the other, each pair once."""
        name, session = self._begin(join), self.context.session
        sides: list[tuple[Relation, Relation, Relation | None]] = []
        nodes = (("left", join.join.left), ("right", join.join.right))
        for (side, node), event_time in zip(nodes, times, strict=True):
            rows: Any = data_frame(self._input(node, sources, where, f"{name}-{side}"), session)
            if event_time:
                rows = rows.where(_after(event_time[0], self.late))
            before = self._kept(f"{name}-{side}")
            every = self._with_kept(f"{name}-{side}", rows)
            self._keep(f"{name}-{side}", every)
            sides.append(
                (
                    relation_of(rows, session),
                    relation_of(every, session),
                    None if before is None else relation_of(before, session),
                )
            )
        (new_left, _, old_left), (new_right, every_right, _) = sides
        left, right = Relation(), Relation()
        left.CopyFrom(join.join.left)
        right.CopyFrom(join.join.right)
        pairs = [(new_left, every_right)] + ([] if old_left is None else [(old_left, new_right)])
        results = []
        for one, other in pairs:
            join.join.left.CopyFrom(left)
            join.join.right.CopyFrom(right)
            self._replace(join.join.left, one, plan)
            self._replace(join.join.right, other, plan)
            variant = Relation()
            variant.CopyFrom(plan)
            results.append(rewrite.resolve(variant, sources, where))
        place = self.stage / f"{name}-joined"
        if self._gather(place, *(data_frame(result, session) for result in results)):
            return rewrite.parquet_read(place)
        return rewrite.filter_true(results[0], ["1 = 0"])

    def _with_kept(self, name: str, rows: Any) -> Any:
        """Give the rows of a batch together with those that were kept."""
        before = self._kept(name)
        if before is None:
            return rows
        place = self.stage / f"{name}-every"
        if not self._gather(place, _in_one_order(before, rows), _in_one_order(rows, before)):
            return rows
        return data_frame(rewrite.parquet_read(place), self.context.session)


def _views(context: UpdateContext, planned: PlannedFlow) -> Iterator[tuple[str, Relation]]:
    """Return the views of the pipeline that a flow reads, directly or not, with their plans."""
    assert context.graph is not None  # noqa: S101
    for read in planned.reads:
        view = context.graph.datasets.get(context.graph.names.key(read.name))
        if view is not None and view.kind == "VIEW" and view.flows[0].plan is not None:
            yield view.key, view.flows[0].plan
            yield from _views(context, view.flows[0])


def _plan_ids(relation: Relation) -> set[int]:
    return {
        message.common.plan_id
        for message in walk(relation)
        if isinstance(message, Relation) and message.HasField("common") and message.common.HasField("plan_id")
    }


def _column(time: EventTime) -> Any:
    column = f.col(quote_identifier(time.name))
    return column.getField("end") if time.window else column


def _limit(watermark_ms: int, more: int) -> Any:
    return f.lit(_EPOCH + timedelta(microseconds=watermark_ms * 1000 - more))


def _until(time: EventTime, watermark_ms: int, more: int = 0) -> Any:
    """Whether the event time of a row is not after a watermark.

    Args:
        time: The column.
        watermark_ms: Milliseconds since 1970.
        more: Microseconds that are added to the event time.
    """
    return _column(time) <= _limit(watermark_ms, more)


def _after(time: EventTime, watermark_ms: int, more: int = 0) -> Any:
    """Whether the event time of a row is after a watermark, or there is none."""
    return _column(time).isNull() | (_column(time) > _limit(watermark_ms, more))


def _alias_of(relation: Relation) -> str | None:
    """Return the name under which the columns of a query can be written (`a.id`), if it has one."""
    kind = relation.WhichOneof("rel_type")
    if kind == "subquery_alias":
        return str(relation.subquery_alias.alias)
    if kind in {"filter", "with_watermark", "deduplicate", "hint", "repartition"}:
        return _alias_of(getattr(relation, kind).input)
    return None


def _stand_in(node: Relation, name: str) -> Relation:
    """Return a table of this name, under the alias and the plan id of a query."""
    marker, alias = Relation(), _alias_of(node)
    read = marker
    if alias is not None:
        marker.subquery_alias.alias = alias
        read = marker.subquery_alias.input
    read.read.named_table.unparsed_identifier = name
    if node.HasField("common") and node.common.HasField("plan_id"):
        marker.common.plan_id = node.common.plan_id
    return marker


def _greatest(folder: Path, column: str) -> int | None:
    """Give the greatest event time of staged rows, in microseconds since 1970."""
    files = [str(path) for path in folder.glob("*.parquet")]
    if not files:
        return None
    name = '"' + column.replace('"', '""') + '"'
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(f"select epoch_us(max({name})) from read_parquet([{listed}])").fetchone()
    except duckdb.Error as error:
        raise PipelineCodeError(
            f"The column {column} of withWatermark is no timestamp of its input",
            got=str(error).splitlines()[0][:200],
        ) from None
    finally:
        connection.close()
    return None if found is None or found[0] is None else int(found[0])


def _number(folder: Path, place: Path) -> bool:
    """Copy staged rows with their place in the order in which they came; say whether there is any file."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        return False
    place.mkdir(parents=True)
    at = 0
    schema = pq.read_schema(files[0]).append(pa.field(ORDER, pa.int64()))
    with pq.ParquetWriter(place / "rows.parquet", schema, store_schema=False) as out:
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches():
                order = pa.array(range(at, at + batch.num_rows), pa.int64())
                at += batch.num_rows
                table = pa.Table.from_batches([batch]).append_column(pa.field(ORDER, pa.int64()), order)
                out.write_table(table.cast(schema))
    return True


def _in_one_order(frame: Any, other: Any) -> Any:
    """Give a frame the columns that only another one has, and all in one order of names."""
    every = with_missing_columns(frame, other)
    return every.select(*[f.col(quote_identifier(name)) for name in sorted(every.columns)])
