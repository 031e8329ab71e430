"""From declarations to a graph.

What each flow reads, in which order datasets are refreshed, and what is wrong before a row moves.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql.connect.dataframe import DataFrame

from local_workspace.catalog import TableName
from local_workspace.dlt_runtime.declare.names import Names
from local_workspace.dlt_runtime.declare.registry import DatasetKind, Flow, Output, Registry
from local_workspace.dlt_runtime.plan import input_file_name, plans, stateful
from local_workspace.dlt_runtime.plan.engine_words import told
from local_workspace.dlt_runtime.plan.loader import folder_of, line_of, working_folder
from local_workspace.dlt_runtime.plan.plans import NamedRead, Relation
from local_workspace.dlt_runtime.plan.session import PipelineSession, relation_of
from local_workspace.errors import EngineError, LocalWorkspaceError, NotSupported, PipelineCodeError

_RUNTIME = Path(__file__).resolve().parents[1]


class NotBuiltYet(Exception):  # noqa: N818  (a signal inside the runtime, never shown)
    """A dataset function asked for the schema or rows of a dataset that does not exist yet."""

    def __init__(self, dataset: str) -> None:
        super().__init__(dataset)
        self.dataset = dataset


@dataclass
class PlannedFlow:
    """A flow with its query plan.

    Attributes:
        plan: None while the flow is postponed: its function needs `waits_for` to exist.
        reads: What it reads by name, in order of appearance; direct: what SQL text reads by path.
        streaming: Whether its query streams.
        error: Why there will be no plan: the function failed, or its query cannot run here. It stops the flow's dataset
            and what reads it, and nothing else.
    """

    flow: Flow
    plan: Relation | None = None
    reads: tuple[NamedRead, ...] = ()
    direct: tuple[NamedRead, ...] = ()
    streaming: bool = False
    waits_for: str | None = None
    error: LocalWorkspaceError | None = None


@dataclass
class Dataset:
    """A dataset of the graph.

    Attributes:
        key: Its name in lower case and full length (a view: its single name), by which it is looked up.
        name: Its table name; None for a view.
        inputs: Keys of the datasets of this pipeline that it reads.
        external: Tables outside the pipeline that it reads.
    """

    key: str
    output: Output
    kind: DatasetKind
    name: TableName | None
    flows: list[PlannedFlow] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    external: list[TableName] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The name that messages and events show."""
        return str(self.name) if self.name is not None else self.output.name

    @property
    def error(self) -> LocalWorkspaceError | None:
        """Why it cannot be refreshed, if one of its flows has no plan."""
        return next((planned.error for planned in self.flows if planned.error is not None), None)


@dataclass
class Graph:
    """Datasets in the order in which they are refreshed: each after everything that it reads."""

    datasets: dict[str, Dataset]
    names: Names

    def ordered(self) -> list[Dataset]:
        """Sort the datasets, in order of declaration as far as what they read allows.

        Raises:
            PipelineCodeError: Datasets read each other in a circle; the circle is named.
        """
        done: dict[str, Dataset] = {}
        path: list[str] = []

        def visit(key: str) -> None:
            if key in done:
                return
            if key in path:
                circle = [self.datasets[k] for k in [*path[path.index(key) :], key]]
                raise PipelineCodeError(
                    "Datasets read each other in a circle: " + " -> ".join(d.shown for d in circle),
                    got="; ".join(f"{d.shown} at {d.output.location}" for d in circle[:-1]),
                    consequence="No order of refresh exists, so nothing was refreshed",
                )
            path.append(key)
            for other in self.datasets[key].inputs:
                visit(other)
            path.pop()
            done[key] = self.datasets[key]

        for key in self.datasets:
            visit(key)
        return list(done.values())

    def downstream(self, key: str) -> set[str]:
        """Give the keys of all datasets that read a dataset, directly or not."""
        found: set[str] = set()
        pending = [key]
        while pending:
            current = pending.pop()
            for other in self.datasets.values():
                if current in other.inputs and other.key not in found:
                    found.add(other.key)
                    pending.append(other.key)
        return found

    def without_plan(self) -> set[str]:
        """Give the keys of the datasets that cannot be refreshed, since they or what they read have no plan."""
        failed = {key for key, dataset in self.datasets.items() if dataset.error is not None}
        return failed.union(*(self.downstream(key) for key in failed))


def build_graph(
    registry: Registry,
    session: PipelineSession,
    catalog: str,
    schema: str,
    exists: Callable[[TableName], bool],
) -> Graph:
    """Call the dataset functions and connect what they read.

    A function that fails is an error of its dataset (`Dataset.error`), not of the pipeline.

    Args:
        registry: What the files declared.
        session: A guarded session.
        catalog: The pipeline's catalog.
        schema: The pipeline's schema.
        exists: Whether a table outside the pipeline exists.

    Raises:
        PipelineCodeError: The code does not define a pipeline that can run; dataset, file and line are named.
        NotSupported: It asks for something the runtime does not do.
    """
    if not registry.outputs and not registry.flows:
        raise PipelineCodeError(
            "The pipeline declares no dataset",
            next_step="Decorate a function of a pipeline file with @dlt.table",
        )
    names = Names(registry, catalog, schema)
    datasets: dict[str, Dataset] = {}
    for output in registry.outputs:
        view = output.kind == "VIEW"
        name = None if view else names.table(output.name)
        key = output.name.lower() if view else ".".join(name.key)  # type: ignore[union-attr]
        datasets[key] = Dataset(key, output, output.kind, names.written.get(name, name) if name else None)
    for flow in registry.flows:
        target = names.key(flow.target)
        if target not in datasets:
            raise PipelineCodeError(
                f"Flow {flow.name} feeds {flow.target}, which the pipeline does not declare",
                got=f"at {flow.location}",
                next_step=f"Call dlt.create_streaming_table({flow.target!r})"
                + _suggest(flow.target, registry),
            )
        if flow.target.lower() != flow.name.lower() or flow.merges or datasets[target].kind == "SINK":
            _check_target(datasets[target], flow)
        datasets[target].flows.append(PlannedFlow(flow))
    graph = Graph(datasets, names)
    for dataset in datasets.values():
        if not dataset.flows:
            raise PipelineCodeError(
                f"Dataset {dataset.shown} has no flow",
                got=f"at {dataset.output.location}",
                next_step="Feed it with @dlt.append_flow or dlt.apply_changes",
            )
        for planned in dataset.flows:
            try:
                plan_flow(planned, session, names)
            except EngineError:
                raise
            except LocalWorkspaceError as error:
                planned.error, planned.plan = error, None
            else:
                connect(graph, dataset, planned, registry, exists)
        _decide_kind(dataset)
    graph.ordered()
    for dataset in datasets.values():
        _check_view_reads(graph, dataset)
    return graph


def call_function(flow: Flow, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of pipeline code in the folder of its file.

    Raises:
        PipelineCodeError: It fails; the line in it is named.
        NotBuiltYet: It asks for rows of a dataset that does not exist yet.
    """
    code = getattr(function, "__code__", None)
    if code is not None and Path(code.co_filename).is_relative_to(_RUNTIME):
        code = None  # a query of a SQL file, which the runtime made a function of
    try:
        with working_folder(folder_of(function)):
            return function(*arguments)
    except NotBuiltYet:
        raise
    except LocalWorkspaceError as error:
        line = (code and line_of(error, code.co_filename)) or flow.location.line
        error.args = (f"{error} (flow {flow.name}, {flow.location.file}:{line})",)
        raise
    except Exception as error:
        line = (code and line_of(error, code.co_filename)) or flow.location.line
        shown = told(error) if isinstance(error, PySparkException) else f"{type(error).__name__}: {error}"
        raise PipelineCodeError(
            f"The function of {flow.name} failed, {flow.location.file}:{line}",
            got=shown,
            consequence="Its table was left as it is, and so was what reads it",
        ) from error


def plan_flow(planned: PlannedFlow, session: PipelineSession, names: Names) -> None:
    """Call a flow's function and keep its plan, or note what it has to wait for.

    Args:
        planned: Receives the plan.
        session: A guarded session.
        names: What the pipeline's names mean.

    Raises:
        PipelineCodeError: The function fails or does not return a DataFrame.
        NotSupported: A streaming query does what needs state.
    """
    flow = planned.flow
    if flow.cdc is not None:
        source = _full(flow, names, flow.cdc.source)
        planned.flow = replace(flow, cdc=replace(flow.cdc, source=source))
        planned.reads = (NamedRead(source, streaming=True),)
        planned.streaming = True
        return
    if flow.snapshot is not None:
        # What a function of snapshots reads is known when it is asked for one.
        if isinstance(flow.snapshot.source, str):
            source = _full(flow, names, flow.snapshot.source)
            planned.flow = replace(flow, snapshot=replace(flow.snapshot, source=source))
            planned.reads = (NamedRead(source, streaming=False),)
        return
    assert flow.function is not None  # noqa: S101
    session.temp_frames.clear()
    try:
        frame = call_function(flow, flow.function)
    except NotBuiltYet as missing:
        planned.waits_for = missing.dataset
        planned.reads = (NamedRead(missing.dataset, streaming=False),)
        return
    if not isinstance(frame, DataFrame):
        raise PipelineCodeError(
            f"The function of {flow.name} returned no DataFrame",
            got=f"{type(frame).__name__} at {flow.location}",
            allowed="a Spark DataFrame",
        )
    planned.waits_for = None
    planned.plan = relation_of(frame, session)
    input_file_name.as_metadata(planned.plan)
    plans.name_direct_reads(planned.plan, session.direct_reads)
    if flow.namespace is not None:
        plans.rename_tables(planned.plan, lambda name: _full(flow, names, name), f"flow {flow.name}")
    label = f"{flow.name}, {flow.location}"
    named = plans.named_reads(planned.plan, f"flow {label}")
    for read in named:
        if read.options and not read.streaming:
            raise NotSupported(
                f"Option {', '.join(read.options)} of a batch read of {read.name} (flow {label})",
                "Leave it out; an older version of a Delta folder is read by its path: "
                "spark.read.format('delta').option('versionAsOf', n).load('/Volumes/...')",
            )
    planned.reads = tuple(read for read in named if not read.by_path)
    planned.direct = tuple(read for read in named if read.by_path)
    planned.streaming = plans.check_streaming(planned.plan, label)
    if planned.streaming:
        stateful.spell_out_windows(planned.plan)
        stateful.check(planned.plan, plans.refusals(label))


def _full(flow: Flow, names: Names, name: str) -> str:
    """Give a name in a flow the catalog and schema that its file uses; views of the pipeline have none."""
    inside = name.replace("`", "").lower() in names.views or name.startswith(plans.FILES)
    return name if flow.namespace is None or inside else flow.namespace.full(name)


def connect(
    graph: Graph,
    dataset: Dataset,
    planned: PlannedFlow,
    registry: Registry,
    exists: Callable[[TableName], bool],
) -> None:
    """Add what a flow reads to the edges of its dataset.

    Raises:
        PipelineCodeError: It reads something that neither the pipeline nor the workspace has, or its own
            table.
    """
    for read in planned.reads:
        key = graph.names.key(read.name)
        if key == dataset.key:
            raise PipelineCodeError(
                f"Dataset {dataset.shown} reads itself",
                got=f"at {planned.flow.location}",
                allowed="other datasets",
            )
        if key in graph.datasets:
            if key not in dataset.inputs:
                dataset.inputs.append(key)
            continue
        name = graph.names.table(read.name)
        if not exists(name):
            raise PipelineCodeError(
                f"Flow {planned.flow.name} reads {read.name}, which is neither a dataset of the pipeline nor a table of the"
                " workspace [TABLE_OR_VIEW_NOT_FOUND]",
                got=f"at {planned.flow.location}",
                consequence="No dataset was refreshed",
                next_step="Correct the name" + _suggest(read.name, registry),
            )
        if name not in dataset.external:
            dataset.external.append(name)


def _suggest(name: str, registry: Registry) -> str:
    known = [o.name for o in registry.outputs]
    close = difflib.get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else f"; the pipeline declares {', '.join(known)}"


def _check_target(dataset: Dataset, flow: Flow) -> None:
    if dataset.kind == "VIEW":
        raise PipelineCodeError(f"Flow {flow.name} feeds the view {dataset.shown}", got=f"at {flow.location}")
    if dataset.kind == "MATERIALIZED_VIEW":
        raise PipelineCodeError(
            f"Flow {flow.name} feeds the materialized view {dataset.shown}",
            got=f"at {flow.location}",
            allowed="a streaming table",
        )
    if dataset.kind == "SINK" and (flow.merges or flow.once):
        raise PipelineCodeError(
            f"Flow {flow.name} feeds the sink {dataset.output.name}",
            got=f"at {flow.location}",
            allowed="@dlt.append_flow with a streaming query, without once",
            next_step="Let it feed a streaming table, and the sink be fed from that",
        )
    if flow.snapshot and dataset.output.expectations:
        raise NotSupported(
            "Expectations on the target of dlt.apply_changes_from_snapshot",
            "Put them on the view or table that is its source",
            got=f"{dataset.shown} at {dataset.output.location}",
        )


def _decide_kind(dataset: Dataset) -> None:
    """Settle whether a `TABLE` is a streaming table or a materialized view, and check its flows by that."""
    if dataset.kind == "VIEW" or any(f.plan is None and not f.flow.merges for f in dataset.flows):
        return
    streaming = [f.streaming for f in dataset.flows]
    if dataset.kind == "TABLE":
        dataset.kind = "STREAMING_TABLE" if any(streaming) or len(dataset.flows) > 1 else "MATERIALIZED_VIEW"
    if dataset.kind == "MATERIALIZED_VIEW" and any(streaming):
        raise PipelineCodeError(
            f"Materialized view {dataset.shown} has a streaming query",
            got=f"at {dataset.output.location}",
            next_step="Use @dlt.table for a streaming table, or read with spark.read",
        )
    if dataset.kind in {"STREAMING_TABLE", "SINK"}:
        what = "sink" if dataset.kind == "SINK" else "streaming table"
        for planned in dataset.flows:
            if not planned.streaming and not planned.flow.once and planned.flow.snapshot is None:
                raise PipelineCodeError(
                    f"Flow {planned.flow.name} into the {what} {dataset.shown} has a batch query",
                    got=f"at {planned.flow.location}",
                    next_step="Read its source as a stream, or pass once=True to @dlt.append_flow for a single backfill",
                )
    if any(f.flow.merges for f in dataset.flows) and len(dataset.flows) > 1:
        raise NotSupported(
            f"Several flows into {dataset.shown}, the target of a change feed",
            "Union the sources, each read as a stream, in a view, and give that to one flow",
            got=f"at {', '.join(str(f.flow.location) for f in dataset.flows)}",
        )


def add_postponed(graph: Graph, dataset: Dataset) -> None:
    """Do for a dataset whose functions ran late what `build_graph` does for the others.

    Raises:
        PipelineCodeError: The late plan does not fit.
    """
    _decide_kind(dataset)
    graph.ordered()
    _check_view_reads(graph, dataset)


def _check_view_reads(graph: Graph, dataset: Dataset) -> None:
    def view_plan(name: str) -> Relation | None:
        view = graph.datasets.get(graph.names.key(name))
        return view.flows[0].plan if view is not None and view.kind == "VIEW" else None

    for planned in dataset.flows:
        if planned.plan is not None and planned.streaming:
            try:
                stateful.check_watermarks(
                    planned.plan,
                    view_plan,
                    f"{planned.flow.name}, {planned.flow.location}",
                    alone=len(dataset.flows) == 1 and dataset.kind != "SINK" and not planned.flow.once,
                )
            except LocalWorkspaceError as error:
                planned.error, planned.plan = error, None
                continue
        for read in planned.reads:
            other = graph.datasets.get(graph.names.key(read.name))
            if (
                other is None
                or other.kind != "VIEW"
                or other.flows[0].plan is None
                or (planned.plan is None and not planned.flow.merges)
            ):
                continue
            if read.streaming and not other.flows[0].streaming:
                raise PipelineCodeError(
                    f"Flow {planned.flow.name} reads the view {other.shown} as a stream, but its query is a batch one",
                    got=f"at {planned.flow.location}",
                    next_step=f"Read the source of {other.shown} with spark.readStream, or read the view with spark.read",
                )
            if not read.streaming and other.flows[0].streaming:
                raise PipelineCodeError(
                    f"Flow {planned.flow.name} reads the streaming view {other.shown} as a batch",
                    got=f"at {planned.flow.location}",
                    next_step=f"Use dlt.read_stream({other.output.name!r})",
                )


def first_reader(graph: Graph, view: Dataset) -> Dataset:
    """Give the first table, in order of declaration, that reads a view, directly or through other views."""
    readers = graph.downstream(view.key)
    return next((d for d in graph.datasets.values() if d.key in readers and d.kind != "VIEW"), view)
