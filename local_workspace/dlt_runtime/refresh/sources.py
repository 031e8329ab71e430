"""What a flow reads, and how far: offsets of streaming sources, pinned versions of all others."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyspark.sql.connect.proto import relations_pb2
from pyspark.sql.types import StructType

from local_workspace.catalog import TableName, refuse_policies
from local_workspace.delta import delta_source, log, slices
from local_workspace.delta.log import Position
from local_workspace.dlt_runtime.auto_loader.options import AutoLoaderOptions
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.declare.registry import Expectation
from local_workspace.dlt_runtime.files.reads import FileOptions, FileRead, check, no_delta_folder, read_of
from local_workspace.dlt_runtime.files.static import stage_static
from local_workspace.dlt_runtime.own_columns import DROPPED
from local_workspace.dlt_runtime.plan import rewrite
from local_workspace.dlt_runtime.plan.graph import Dataset, NotBuiltYet, PlannedFlow
from local_workspace.dlt_runtime.plan.plans import NamedRead, Relation, cloud_files_reads
from local_workspace.dlt_runtime.plan.session import data_frame, engine_schema
from local_workspace.dlt_runtime.refresh import expectations
from local_workspace.dlt_runtime.refresh.staging import StagedRows, stage_query
from local_workspace.dlt_runtime.refresh.stateful import StreamState
from local_workspace.errors import DataFault, LocalWorkspaceError, NotSupported, PipelineCodeError
from local_workspace.sql import pipeline_sql

_VIEW_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Source:
    """A streaming source of a flow: a Delta table or an Auto Loader folder.

    Args:
        id: Under this the bookkeeping knows it; it depends on what is read, not on where in the query it
            stands.
    """

    id: str
    location: Path | None = None
    shown: str = ""
    skip_changes: bool = False
    loader: AutoLoaderOptions | FileOptions | None = None


def streaming_sources(context: UpdateContext, planned: PlannedFlow) -> list[Source]:
    """List the streaming sources of a flow, those inside views included, each once.

    Raises:
        NotSupported: One folder is read twice with different options.
        PipelineCodeError: An option is wrong.
    """
    found: dict[str, Source] = {}
    for source in _sources(context, planned, planned.flow.name):
        known = found.setdefault(source.id, source)
        if known != source:
            raise NotSupported(
                f"Two reads of {source.shown} with different options in one flow", "Use two flows"
            )
    return list(found.values())


def _sources(context: UpdateContext, planned: PlannedFlow, flow: str) -> Iterator[Source]:
    assert context.graph is not None  # noqa: S101
    if planned.plan is not None:
        for loader in cloud_files_reads(planned.plan):
            asked = read_of(loader, flow)
            if asked.streaming:
                yield _file_source(asked, flow)
            elif asked.loader:
                raise PipelineCodeError(
                    f"Flow {flow} reads cloudFiles with spark.read", allowed="spark.readStream"
                )
    for named in planned.direct:
        direct = context.session.direct_reads[named.name]
        if named.streaming and direct.format == "delta":
            skip = delta_source.check_options(direct.options, direct.path)
            place = Path(context.local_path(direct.path))
            yield Source(f"delta:{direct.path.rstrip('/')}", place, direct.path, skip_changes=skip)
        elif named.streaming:
            yield _file_source(direct, flow)
    for read in planned.reads:
        key = context.graph.names.key(read.name)
        dataset = context.graph.datasets.get(key)
        if dataset is not None and dataset.kind == "VIEW":
            yield from _sources(context, dataset.flows[0], flow)
        elif read.streaming:
            skip = delta_source.check_options(read.options, read.name)
            yield Source(f"table:{key}", location_of(context, read.name), read.name, skip_changes=skip)


def _file_source(read: FileRead, flow: str) -> Source:
    options = check(read, flow)
    return Source(f"files:{options.path.rstrip('/')}", shown=options.path, loader=options)


def without_effect(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> list[str]:
    """Say which settings of a flow are known but do nothing here."""
    notes = [
        f"{planned.flow.name}: spark_conf {key} has no effect here: the engine is not Spark"
        for key in planned.flow.spark_conf
    ]
    if planned.plan is not None:
        whole = [read_of(r, planned.flow.name) for r in cloud_files_reads(planned.plan) if not r.is_streaming]
        whole += [context.session.direct_reads[r.name] for r in planned.direct if not r.streaming]
        for read in whole:
            with contextlib.suppress(LocalWorkspaceError):  # told when the files are read
                for option, why in check(read, planned.flow.name).ignored.items():
                    notes.append(f"{planned.flow.name}: option {option} has no effect here: {why}")
    if planned.plan is not None and planned.streaming and dataset.kind != "VIEW":
        for source in streaming_sources(context, planned):
            for option, why in (source.loader.ignored if source.loader else {}).items():
                notes.append(f"{planned.flow.name}: option {option} has no effect here: {why}")
    return notes


def location_of(context: UpdateContext, name: str) -> Path:
    """Give the folder of a table that a query names.

    Raises:
        PipelineCodeError: It is no table.
    """
    assert context.graph is not None  # noqa: S101
    dataset = context.graph.datasets.get(context.graph.names.key(name))
    if dataset is not None:
        return context.location(dataset)
    location = context.table_location(context.graph.names.table(name))
    if location is None:
        raise PipelineCodeError(
            f"{name} is a view of the catalog, which cannot be read as a stream", allowed="a table"
        )
    return location


def static_tables(context: UpdateContext, planned: PlannedFlow) -> dict[str, Path]:
    """List the tables that a flow reads as a whole, those inside views included: key -> folder."""
    assert context.graph is not None  # noqa: S101
    found: dict[str, Path] = {}
    for read in planned.reads:
        key = context.graph.names.key(read.name)
        dataset = context.graph.datasets.get(key)
        if dataset is not None and dataset.kind == "VIEW":
            found.update(static_tables(context, dataset.flows[0]))
        elif not read.streaming:
            found.update(_behind(context, key, context.graph.names.table(read.name)))
    return found


def _behind(context: UpdateContext, key: str, name: TableName) -> dict[str, Path]:
    """Give a table, or all tables behind a view of the catalog."""
    assert context.graph is not None  # noqa: S101
    if key in context.graph.datasets:
        return {key: context.location(context.graph.datasets[key])}
    table = context.catalog.get(name)
    refuse_policies(context.catalog, name)
    if table is not None and table.location is None and table.view_sql:
        found: dict[str, Path] = {}
        for reference in pipeline_sql.table_references(table.view_sql, f"view {name}"):
            inner = TableName.parse(reference.name, catalog=name.catalog, schema=name.schema)
            found.update(_behind(context, ".".join(inner.key), inner))
        return found
    return {key: table.location} if table is not None and table.location is not None else {}


@dataclass
class BatchSources:
    """The sources of one batch, as :class:`rewrite.SourceResolver`.

    Attributes:
        relations: Streaming source id -> the new rows.
        pinned: Table -> the version to read; one that is not here is read as it is now, and stays so for the
            batch.
        replaced: Table -> what is read in its place.
        view_counts: Key of a view -> what its expectations counted in this batch.
        file_columns: Id of an Auto Loader source -> the columns of its files.
        stream: What operators of the flow have kept, if one of them needs it.
    """

    context: UpdateContext
    flow: str
    folder: Path
    relations: dict[str, Relation] = field(default_factory=dict)
    pinned: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, Relation] = field(default_factory=dict)
    view_counts: dict[str, expectations.Counts] = field(default_factory=dict)
    file_columns: dict[str, list[str]] = field(default_factory=dict)
    _views: dict[str, Relation] = field(default_factory=dict)
    temp_views: list[str] = field(default_factory=list)
    stream: StreamState | None = None

    def resolved(self, plan: Relation, where: str) -> Relation:
        """Replace the sources of a plan, and operators with state by what they give in this batch."""
        if self.stream is not None:
            return self.stream.resolved(plan, self, where)
        return rewrite.resolve(plan, self, where)

    def table(self, read: NamedRead) -> Relation:  # noqa: PLR0911  (one a kind of source)
        """Give the new rows of a stream, a pinned version of a table, or the query of a view."""
        if read.by_path:
            return self._by_path(read)
        if self.stream is not None and read.name in self.stream.markers:
            return self.stream.markers[read.name]
        graph = self.context.graph
        assert graph is not None  # noqa: S101
        key = graph.names.key(read.name)
        dataset = graph.datasets.get(key)
        if dataset is not None and dataset.kind == "VIEW":
            return self._view(dataset)
        if read.streaming:
            return self.relations[f"table:{key}"]
        if dataset is not None:
            return self._pinned(key, self.context.location(dataset), read.name)
        name = graph.names.table(read.name)
        table = self.context.catalog.get(name)
        if table is not None and table.location is None:
            return self._catalog_view(name, table.view_sql or "")
        if table is None or table.location is None:
            raise PipelineCodeError(
                f"[TABLE_OR_VIEW_NOT_FOUND] {read.name} does not exist", got=f"flow {self.flow}"
            )
        return self._pinned(key, table.location, read.name)

    def _pinned(self, key: str, location: Path, shown: str) -> Relation:
        if key in self.replaced:
            return self.replaced[key]
        if key not in self.pinned:
            now = log.position(location)
            if now is None:
                raise DataFault(f"{shown} has no data yet", got=str(location), next_step="Refresh it first")
            self.pinned[key] = now.version
        return rewrite.delta_read(location, self.pinned[key])

    def _view(self, view: Dataset) -> Relation:
        if view.key not in self._views:
            planned = view.flows[0]
            if planned.plan is None:
                raise NotBuiltYet(view.key)
            relation = self.resolved(planned.plan, f"view {view.shown}")
            rules = view.output.expectations
            if rules:
                folder = self.folder / f"view-{view.key}"
                staged = stage_query(relation, rules, folder, self.context.session, view.shown)
                self.view_counts[view.key] = staged.counts
                ExpectationViolated.check(view.shown, staged, rules)
                relation = kept_rows(staged, folder, relation, expectations.mask_columns(rules))
            self._views[view.key] = relation
        return self._views[view.key]

    def _catalog_view(self, name: TableName, text: str) -> Relation:
        def replaced(reference: pipeline_sql.TableReference) -> str:
            inner = TableName.parse(reference.name, catalog=name.catalog, schema=name.schema)
            return self.view_name(NamedRead(str(inner), streaming=False))

        return rewrite.sql_relation(pipeline_sql.replace_tables(text, f"view {name}", replaced))

    def _by_path(self, named: NamedRead) -> Relation:
        read = self.context.session.direct_reads[named.name]
        if read.format == "delta":
            key = f"delta:{read.path.rstrip('/')}"
            if named.streaming:
                return self.relations[key]
            place = Path(self.context.local_path(read.path))
            if log.position(place) is None:
                raise no_delta_folder(read.path, f"flow {self.flow}")
            return self._pinned(key, place, read.path)
        staged = self._files(replace(read, streaming=named.streaming))
        return rewrite.files_for_text(staged, named.options.get("text", ""))

    def _files(self, read: FileRead) -> Relation:
        if read.streaming:
            return self.relations[f"files:{read.path.rstrip('/')}"]
        if read.name not in self.relations:
            place = self.folder / f"files-{len(self.relations)}"
            staged = stage_static(read, self.context.paths, place, self.flow)
            self.file_columns[read.name] = list(staged.columns)
            self.relations[read.name] = rewrite.parquet_read(staged.folder)
        return self.relations[read.name]

    def cloud_files(self, read: relations_pb2.Read) -> Relation:
        """Give the staged rows of files."""
        return self._files(read_of(read, self.flow))

    def has_column(self, read: relations_pb2.Read, name: str) -> bool:
        """Say whether the files of an Auto Loader source have a column."""
        asked = read_of(read, self.flow)
        self._files(asked)
        key = f"files:{asked.path.rstrip('/')}" if asked.streaming else asked.name
        return name in {column.lower() for column in self.file_columns.get(key, ())}

    def path(self, path: str) -> str:
        """Give the place of a file that a query reads directly."""
        return self.context.local_path(path)

    def view_name(self, read: NamedRead) -> str:
        """Register what a name stands for as a temporary view, for SQL text."""
        name = f"{rewrite.TEMP_VIEW}{next(_VIEW_NUMBERS)}"
        data_frame(self.table(read), self.context.session).createOrReplaceTempView(name)
        self.temp_views.append(name)
        return name

    def schema(self, relation: Relation) -> StructType | None:
        """Ask the engine for a schema."""
        return engine_schema(relation, self.context.session)

    def forget(self) -> None:
        """Drop the temporary views."""
        for name in self.temp_views:
            self.context.session.catalog.dropTempView(name)
        self.temp_views.clear()


def kept_rows(staged: StagedRows, folder: Path, relation: Relation, masks: list[str]) -> Relation:
    """Read what a view's expectations kept; its query, without any row, if that is nothing."""
    if not staged.kept:
        return rewrite.filter_true(relation, ["1 = 0"])
    split = folder / f"{DROPPED}=0"
    return rewrite.drop_columns(rewrite.parquet_read(split if split.exists() else folder), masks)


class ExpectationViolated(DataFault):
    """A row broke a rule of `expect_or_fail`; nothing of its batch was committed."""

    @classmethod
    def check(cls, flow: str, staged: StagedRows, rules: tuple[Expectation, ...]) -> None:
        """Raise if a staged row fails a rule whose action is `fail`.

        The first rows at fault are in the text.
        """
        failed = staged.counts.failed("fail")
        if not failed:
            return
        rows = expectations.violating_rows(staged.all_files, rules, [rule.name for rule in failed])
        counts = ", ".join(
            f"{rule.name}: {rule.failed} of {rule.failed + rule.passed} rows" for rule in failed
        )
        further = f"; further rows: {'; '.join(rows[1:])}" if rows[1:] else ""
        raise cls(
            expectations.violation_text(flow, failed, rows),
            got=counts,
            consequence="Nothing of this flow was committed" + further,
            next_step="Correct the rows or the rule, then run the update again",
        )


def empty_slice(location: Path, until: Position, folder: Path) -> Relation:
    """Give no row of a table, with its schema."""
    slices.make_slice(location, until, [], folder)
    return rewrite.delta_read(folder, 0)
