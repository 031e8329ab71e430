"""From declarations to a graph.

What each flow reads, in which order datasets are refreshed, and what is wrong before a row moves.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.errors import PySparkException
from pyspark.sql.connect.dataframe import DataFrame

from local_workspace.catalog import TableName
from local_workspace.dlt_runtime.declare.names import Names
from local_workspace.dlt_runtime.declare.registry import DatasetKind, Flow, Output, Registry
from local_workspace.dlt_runtime.plan import plans
from local_workspace.dlt_runtime.plan.loader import folder_of, line_of, working_folder
from local_workspace.dlt_runtime.plan.plans import NamedRead, Relation
from local_workspace.dlt_runtime.plan.session import PipelineSession, relation_of
from local_workspace.errors import LocalWorkspaceError, NotSupported, PipelineCodeError


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
    """

    flow: Flow
    plan: Relation | None = None
    reads: tuple[NamedRead, ...] = ()
    direct: tuple[NamedRead, ...] = ()
    streaming: bool = False
    waits_for: str | None = None


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


def build_graph(
    registry: Registry,
    session: PipelineSession,
    catalog: str,
    schema: str,
    exists: Callable[[TableName], bool],
) -> Graph:
    """Call the dataset functions and connect what they read.

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
        datasets[key] = Dataset(key, output, output.kind, name)
    for flow in registry.flows:
        target = names.key(flow.target)
        if target not in datasets:
            raise PipelineCodeError(
                f"Flow {flow.name} feeds {flow.target}, which the pipeline does not declare",
                got=f"at {flow.location}",
                next_step=f"Call dlt.create_streaming_table({flow.target!r})"
                + _suggest(flow.target, registry),
            )
        if flow.target.lower() != flow.name.lower() or flow.cdc:
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
            plan_flow(planned, session)
            connect(graph, dataset, planned, registry, exists)
        _decide_kind(dataset)
    graph.ordered()
    for dataset in datasets.values():
        _check_view_reads(graph, dataset)
    return graph


def plan_flow(planned: PlannedFlow, session: PipelineSession) -> None:
    """Call a flow's function and keep its plan, or note what it has to wait for.

    Raises:
        PipelineCodeError: The function fails or does not return a DataFrame.
        NotSupported: A streaming query does what needs state.
    """
    flow = planned.flow
    if flow.cdc is not None:
        planned.reads = (NamedRead(flow.cdc.source, streaming=True),)
        planned.streaming = True
        return
    assert flow.function is not None  # noqa: S101
    try:
        with working_folder(folder_of(flow.function)):
            frame = flow.function()
    except NotBuiltYet as missing:
        planned.waits_for = missing.dataset
        planned.reads = (NamedRead(missing.dataset, streaming=False),)
        return
    except LocalWorkspaceError as error:
        error.args = (f"{error} (flow {flow.name}, {flow.location})",)
        raise
    except Exception as error:
        line = line_of(error, flow.function.__code__.co_filename)
        text = error.getMessage() if isinstance(error, PySparkException) else None
        raise PipelineCodeError(
            f"The function of {flow.name} failed, {flow.location.file}:{line or flow.location.line}",
            got=f"{type(error).__name__}: {text or error}",
            consequence="No dataset was refreshed",
        ) from error
    if not isinstance(frame, DataFrame):
        raise PipelineCodeError(
            f"The function of {flow.name} returned no DataFrame",
            got=f"{type(frame).__name__} at {flow.location}",
            allowed="a Spark DataFrame",
        )
    planned.waits_for = None
    planned.plan = relation_of(frame, session)
    plans.name_direct_reads(planned.plan, session.direct_reads)
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
    if flow.cdc and dataset.output.expectations:
        raise NotSupported(
            "Expectations on the target of dlt.apply_changes",
            "Put them on the view or table that is its source",
            got=f"{dataset.shown} at {dataset.output.location}",
        )


def _decide_kind(dataset: Dataset) -> None:
    """Settle whether a `TABLE` is a streaming table or a materialized view, and check its flows by that."""
    if dataset.kind == "VIEW" or any(f.plan is None and f.flow.cdc is None for f in dataset.flows):
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
    if dataset.kind == "STREAMING_TABLE":
        for planned in dataset.flows:
            if not planned.streaming and not planned.flow.once:
                raise PipelineCodeError(
                    f"Flow {planned.flow.name} into the streaming table {dataset.shown} has a batch query",
                    got=f"at {planned.flow.location}",
                    next_step="Read its source as a stream, or pass once=True to @dlt.append_flow for a single backfill",
                )
    if any(f.flow.cdc for f in dataset.flows) and len(dataset.flows) > 1:
        raise NotSupported(
            f"Several flows into {dataset.shown}, the target of dlt.apply_changes",
            "Union the sources, each read as a stream, in a view, and give that to one flow",
            got=f"at {', '.join(str(f.flow.location) for f in dataset.flows)}",
        )


def settle_postponed(graph: Graph, dataset: Dataset) -> None:
    """Do for a dataset whose functions ran late what `build_graph` does for the others.

    Raises:
        PipelineCodeError: The late plan does not fit.
    """
    _decide_kind(dataset)
    graph.ordered()
    _check_view_reads(graph, dataset)


def _check_view_reads(graph: Graph, dataset: Dataset) -> None:
    for planned in dataset.flows:
        for read in planned.reads:
            other = graph.datasets.get(graph.names.key(read.name))
            if (
                other is None
                or other.kind != "VIEW"
                or other.flows[0].plan is None
                or (planned.plan is None and not planned.flow.cdc)
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
