"""The vocabulary of a pipeline: datasets, flows and expectations, as pipeline code declares them.

Declaring is separate from running, as in Apache Spark's `pyspark.pipelines`: a decorator validates its
arguments, freezes them and registers the result here. Nothing in this module touches an engine or a file.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from local_workspace.catalog.names import split_name
from local_workspace.errors import PipelineCodeError
from local_workspace.sql.tokens import quote_identifier

ExpectationAction = Literal["warn", "drop", "fail"]
DatasetKind = Literal["TABLE", "STREAMING_TABLE", "MATERIALIZED_VIEW", "VIEW", "SINK"]


@dataclass(frozen=True)
class SourceLocation:
    """Where in the pipeline code something was declared."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Namespace:
    """What `USE` says: the catalog, None for the pipeline's own, and the schema of names without them."""

    catalog: str | None
    schema: str

    def full(self, name: str) -> str:
        """Give a name as many levels as the namespace knows; `LIVE.` names stay what they are."""
        parts = split_name(name.strip())
        if len(parts) == 3 or parts[0].lower() == "live":
            return name
        known = (*([self.catalog] if self.catalog else []), self.schema)
        missing = known[: len(known) - len(parts) + 1]
        return ".".join(map(quote_identifier, (*missing, *parts)))


@dataclass(frozen=True)
class Expectation:
    """One rule on the rows of a dataset.

    Args:
        name: Unique within its dataset.
        condition: A SQL predicate over the columns of the dataset. A row for which it is not true, NULL
            included, fails.
        action: What happens to a failing row: kept and counted, dropped and counted, or the flow fails.
    """

    name: str
    condition: str
    action: ExpectationAction


@dataclass(frozen=True)
class CdcSettings:
    """What `apply_changes` / `create_auto_cdc_flow` were told about a change feed.

    Attributes:
        ignore_null_updates: A NULL in a change keeps the value that the row has; the two lists say of which columns.
    """

    source: str
    keys: tuple[str, ...]
    sequence_by: Any
    apply_as_deletes: Any = None
    column_list: tuple[str, ...] | None = None
    except_column_list: tuple[str, ...] | None = None
    scd_type: int = 1
    track_history_column_list: tuple[str, ...] | None = None
    track_history_except_column_list: tuple[str, ...] | None = None
    ignore_null_updates: bool = False
    ignore_null_updates_column_list: tuple[str, ...] | None = None
    ignore_null_updates_except_column_list: tuple[str, ...] | None = None

    @property
    def keeps_values(self) -> bool:
        """Whether a NULL in a change keeps a value of some column."""
        return bool(
            self.ignore_null_updates
            or self.ignore_null_updates_column_list
            or self.ignore_null_updates_except_column_list
        )


@dataclass(frozen=True)
class SnapshotSettings:
    """What `apply_changes_from_snapshot` was told.

    Attributes:
        source: A table or view, or the function that gives one snapshot after the other.
    """

    source: str | Callable[[Any], Any]
    keys: tuple[str, ...]
    scd_type: int = 1
    track_history_column_list: tuple[str, ...] | None = None
    track_history_except_column_list: tuple[str, ...] | None = None


@dataclass(frozen=True)
class SinkSettings:
    """Where a Delta sink is: a folder, as pipeline code writes its path, or a table of the workspace."""

    path: str | None = None
    table: str | None = None


@dataclass(frozen=True)
class EventHook:
    """A function of the pipeline that sees each event.

    Attributes:
        max_failures: After more than these in a row it is called no more; None for no limit.
    """

    function: Callable[[dict[str, Any]], Any]
    location: SourceLocation
    max_failures: int | None = None


@dataclass(frozen=True)
class Output:
    """A dataset: what exists after an update, apart from how it is fed.

    Args:
        name: As written in the code, one to three levels.
        kind: `TABLE` is decided later: a streaming query makes a streaming table, any other a materialized
            view, as Databricks does for `@dlt.table`.
        schema: A Spark DDL string or a StructType, or None.
    """

    name: str
    kind: DatasetKind
    location: SourceLocation
    comment: str | None = None
    table_properties: Mapping[str, str] = field(default_factory=dict)
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    partition_cols: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    schema: Any = None
    temporary: bool = False
    expectations: tuple[Expectation, ...] = ()
    sink: SinkSettings | None = None


@dataclass(frozen=True)
class Flow:
    """A query that feeds a dataset.

    Args:
        once: Run it a single time, until the next full refresh (a backfill).
        cdc: Set for a change feed; then `function` is None.
        snapshot: Set for a source of snapshots; then `function` is None.
        namespace: Where names without a catalog or schema are looked up, if the file said USE before.
    """

    name: str
    target: str
    function: Callable[[], Any] | None
    location: SourceLocation
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    cdc: CdcSettings | None = None
    snapshot: SnapshotSettings | None = None
    namespace: Namespace | None = None

    @property
    def merges(self) -> bool:
        """Whether it changes rows of its table, rather than adding or computing them."""
        return self.cdc is not None or self.snapshot is not None


@dataclass
class Registry:
    """Collects what the pipeline files declare, in the order of declaration.

    Attributes:
        notes: What the code asks for that has no effect here, each once.
        namespace: What `USE` said in the file that is being loaded.
    """

    outputs: list[Output] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    root: Path | None = None
    notes: list[str] = field(default_factory=list)
    hooks: list[EventHook] = field(default_factory=list)
    namespace: Namespace | None = None

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def add_output(self, output: Output) -> None:
        """Register a dataset.

        Raises:
            PipelineCodeError: The name is taken.
        """
        if self.namespace is not None and output.kind not in {"VIEW", "SINK"}:
            output = replace(output, name=self.namespace.full(output.name))
        for other in self.outputs:
            if other.name.lower() == output.name.lower():
                raise PipelineCodeError(
                    f"Dataset {output.name} is declared twice",
                    got=f"{other.location} and {output.location}",
                    next_step="Give one of them another name, or feed one table with several @dlt.append_flow",
                )
        self.outputs.append(output)

    def add_flow(self, flow: Flow) -> None:
        """Register a flow.

        Raises:
            PipelineCodeError: The name is taken.
        """
        if self.namespace is not None:
            flow = self._in_namespace(flow, self.namespace)
        for other in self.flows:
            if other.name.lower() == flow.name.lower():
                raise PipelineCodeError(
                    f"Flow {flow.name} is declared twice",
                    got=f"{other.location} and {flow.location}",
                    next_step="Pass name= to @dlt.append_flow",
                )
        self.flows.append(flow)

    def use(self, text: str) -> bool:
        """Take `USE CATALOG c`, `USE SCHEMA s`, `USE c.s` and the like for the rest of the file; False for anything else."""
        words = text.strip().rstrip(";").split(None, 2)
        kind = words[1].upper() if len(words) == 3 else ""
        if (
            len(words) < 2
            or words[0].upper() != "USE"
            or kind not in {"", "CATALOG", "SCHEMA", "DATABASE", "NAMESPACE"}
        ):
            return False
        try:
            parts = split_name(words[-1].strip("'\" "))
        except ValueError:
            return False
        if len(parts) > (1 if kind == "CATALOG" else 2):
            return False
        now = self.namespace
        if kind == "CATALOG":
            self.namespace = Namespace(parts[0], "default")
        elif len(parts) == 2:
            self.namespace = Namespace(parts[0], parts[1])
        else:
            self.namespace = Namespace(now.catalog if now is not None else None, parts[0])
        return True

    def _in_namespace(self, flow: Flow, namespace: Namespace) -> Flow:
        inside = {o.name.lower() for o in self.outputs if o.kind in {"VIEW", "SINK"}}
        if flow.target.lower() in inside:
            return replace(flow, namespace=namespace)
        target = namespace.full(flow.target)
        name = target if flow.name == flow.target else flow.name
        return replace(flow, target=target, name=name, namespace=namespace)

    def caller(self) -> SourceLocation:
        """Find the line of pipeline code that is being executed: the innermost frame outside of the runtime."""
        here = Path(__file__).parents[1]
        frame = sys._getframe(1)
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if here not in path.parents and "pyspark" not in path.parts:
                return SourceLocation(self.shown(path), frame.f_lineno)
            frame = frame.f_back  # type: ignore[assignment]
        return SourceLocation("<unknown>", 0)

    def shown(self, path: Path) -> str:
        """Give a path as messages show it: relative to the pipeline's root folder where it lies below it."""
        if self.root is not None:
            with contextlib.suppress(ValueError):
                return str(path.resolve().relative_to(self.root.resolve()))
        return str(path)


_ACTIVE: ContextVar[Registry | None] = ContextVar("dlt_registry", default=None)


@contextlib.contextmanager
def registration_into(registry: Registry) -> Iterator[Registry]:
    """Make `registry` the one that decorators register into."""
    token = _ACTIVE.set(registry)
    try:
        yield registry
    finally:
        _ACTIVE.reset(token)


def loading_registry() -> Registry | None:
    """Return the registry of the pipeline file that is being loaded, None inside a dataset function."""
    return _ACTIVE.get()


def active_registry(what: str) -> Registry:
    """Return the registry of the pipeline that is being loaded.

    Raises:
        PipelineCodeError: No pipeline is being loaded: the call came from inside a dataset function or from
            other code.
    """
    registry = _ACTIVE.get()
    if registry is None:
        raise PipelineCodeError(
            f"{what} was called while no pipeline file was being loaded",
            consequence="Nothing was declared",
            next_step="Declare datasets at the top level of a pipeline file, not inside a dataset function",
        )
    return registry
