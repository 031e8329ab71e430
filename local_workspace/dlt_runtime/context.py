"""What the parts of one update share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from local_workspace.catalog import Catalog, TableName, refuse_policies
from local_workspace.delta.table_lock import WAIT_SECONDS, table_lock
from local_workspace.dlt_runtime.declare.registry import Output
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.dlt_runtime.plan.graph import Dataset, Graph, PlannedFlow
from local_workspace.dlt_runtime.plan.session import PipelineSession
from local_workspace.dlt_runtime.record.events import Event, EventFactory
from local_workspace.dlt_runtime.record.state import PipelineState
from local_workspace.dlt_runtime.spec import DatasetResult, PipelineSpec, SourceFile
from local_workspace.errors import InputError, PipelineCodeError
from local_workspace.layout import WorkspaceLayout
from local_workspace.plain_names import plain_name


@dataclass
class UpdateContext:
    """One running update.

    Attributes:
        paths: Translates paths of pipeline code.
        graph: Set once the pipeline code has been read.
        done: Keys of datasets that this update has brought up to date.
        set_aside: Flow and URI of the files that this update could not read.
        waiting: Keys of datasets that a source has given no columns for, since none of its files can be read.
        may_change_alone: Why the next update may give other rows though no file and no table has changed.
        stage: A folder that is emptied at the start and the end of each update.
    """

    spec: PipelineSpec
    layout: WorkspaceLayout
    catalog: Catalog
    state: PipelineState
    session: PipelineSession
    paths: Paths
    events: EventFactory
    run_id: str | None
    on_event: Callable[[Event], None] | None = None
    verify: bool = False
    graph: Graph | None = None
    done: set[str] = field(default_factory=set)
    results: dict[str, DatasetResult] = field(default_factory=dict)
    files: list[SourceFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    set_aside: set[tuple[str, str]] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    may_change_alone: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where the pipeline keeps its bookkeeping."""
        return self.layout.pipelines / self.spec.folder_name

    @property
    def stage(self) -> Path:
        """Where batches are prepared."""
        return self.folder / "stage"

    def fresh_stage(self, name: str) -> Path:
        """Give an empty folder in the stage."""
        folder = self.stage / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def emit(self, *events: Event) -> None:
        """Keep events for the event log, and show them."""
        self.state.add_events(events)
        self.show(*events)

    def show(self, *events: Event) -> None:
        """Show events that are kept elsewhere."""
        if self.on_event is not None:
            for event in events:
                self.on_event(event)

    def location(self, dataset: Dataset) -> Path:
        """Give the folder of a dataset's table.

        A temporary one lies with the bookkeeping and is in no catalog.
        """
        assert dataset.name is not None  # noqa: S101  (views have none)
        return self.output_location(dataset.name, dataset.output)

    def output_location(self, name: TableName, output: Output) -> Path:
        """Give the folder of a declared table or sink."""
        if output.sink is not None:
            if output.sink.path is not None:
                return Path(self.local_path(output.sink.path))
            return self.layout.table_path(*name.key)
        if output.temporary:
            return self.folder.joinpath("tables", *map(plain_name, name.key))
        return self.layout.table_path(*name.key)

    def local_path(self, path: str) -> str:
        """Give the place of a file or folder that a query reads directly.

        Raises:
            PipelineCodeError: The path is not one that a pipeline can read.
        """
        try:
            return str(self.paths.local(path))
        except InputError as error:
            raise PipelineCodeError(error.what, allowed=error.allowed, next_step=error.next_step) from error

    def writing(
        self, dataset: Dataset, *, wait_seconds: float = WAIT_SECONDS
    ) -> AbstractContextManager[None]:
        """Hold a dataset's table for one change: SQL statements and maintenance wait meanwhile.

        Raises:
            WorkspaceBusy: Another writer has held it for too long.
        """
        assert dataset.name is not None  # noqa: S101
        return table_lock(self.layout, dataset.name, wait_seconds=wait_seconds)

    def table_location(self, name: TableName) -> Path | None:
        """Give the folder of a table outside the pipeline, None for a view or a table that does not exist.

        Raises:
            NotSupported: It has a row filter or column masks, which the folder knows nothing of.
        """
        table = self.catalog.get(name)
        refuse_policies(self.catalog, name)
        return None if table is None else table.location

    def flow_id(self, dataset: Dataset, planned: PlannedFlow) -> str:
        """Give the application id of a flow in Delta's transactions."""
        return f"{self.spec.name}/{dataset.key}/{planned.flow.name.lower()}"

    def result(self, dataset: Dataset) -> DatasetResult:
        """Give the result that is being filled for a dataset."""
        return self.results.setdefault(dataset.key, DatasetResult(dataset.shown, dataset.kind))
