"""One update of a pipeline, from its files to its event log."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from local_workspace.catalog import Catalog, TableName
from local_workspace.crash_points import crash_point
from local_workspace.delta import log
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.declare.registry import Registry
from local_workspace.dlt_runtime.hooks import Hook
from local_workspace.dlt_runtime.lock import pipeline_lock
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.dlt_runtime.plan.analysis import AnalysisSources
from local_workspace.dlt_runtime.plan.graph import (
    Dataset,
    Graph,
    add_postponed,
    build_graph,
    connect,
    plan_flow,
)
from local_workspace.dlt_runtime.plan.loader import load_files, pipeline_environment
from local_workspace.dlt_runtime.plan.session import adopt_session
from local_workspace.dlt_runtime.record import recovery
from local_workspace.dlt_runtime.record.event_log import EventLog
from local_workspace.dlt_runtime.record.events import Event, EventFactory
from local_workspace.dlt_runtime.record.state import FAULT_MAY_PASS, PipelineState
from local_workspace.dlt_runtime.refresh import (
    cdc,
    compaction,
    materialized,
    publish,
    reset,
    snapshots,
    streaming,
)
from local_workspace.dlt_runtime.refresh.failures import failures_placed, shown
from local_workspace.dlt_runtime.refresh.sources import without_effect
from local_workspace.dlt_runtime.spec import PipelineSpec, SourceFile, UpdateResult
from local_workspace.engine import connect as connect_engine
from local_workspace.errors import EngineError, InputError, PipelineCodeError
from local_workspace.layout import WorkspaceLayout


def run_update(
    spec: PipelineSpec,
    *,
    layout: WorkspaceLayout,
    catalog: Catalog,
    engine_address: str,
    full_refresh: bool | Sequence[str] = False,
    refresh: Sequence[str] | None = None,
    dry_run: bool = False,
    verify: bool = False,
    run_id: str | None = None,
    cause: str = "USER_ACTION",
    on_event: Callable[[Event], None] | None = None,
    wait_seconds: float = 0.0,
) -> UpdateResult:
    """Run one triggered update of a pipeline.

    Args:
        spec: The pipeline.
        layout: The workspace.
        catalog: Its catalog.
        engine_address: `sc://HOST:PORT` of the engine.
        full_refresh: True empties and rebuilds every table; a list does so for the tables it names.
        refresh: Only these datasets; None for all.
        dry_run: Read the code and check the graph; no row is moved and no table is written, except the event
            log.
        verify: Compute every materialized view that would be left as it is, and compare.
        run_id: Joins this update with the job that started it; in the `create_update` event and in every
            commit.
        cause: Written into the `create_update` event.
        on_event: Called with each event as it happens, for progress on a terminal.
        wait_seconds: How long to wait for another update of the pipeline.

    Returns:
        The outcome; a failed update is a result, not an exception.

    Raises:
        WorkspaceBusy: Another update of the pipeline is running.
        ConfigurationError: The specification matches no file.
        InputError: A name to refresh is no dataset of the pipeline.
    """
    folder = layout.pipelines / spec.folder_name
    with (
        pipeline_lock(folder / "lock", spec.name, wait_seconds),
        closing(PipelineState(folder / "state.sqlite")) as state,
    ):
        log = EventLog(spec, layout, catalog, state)
        notes = recovery.recover(state, folder, spec.name)
        log.flush()
        update = _Update(
            spec=spec,
            layout=layout,
            catalog=catalog,
            engine_address=engine_address,
            state=state,
            run_id=run_id,
            on_event=on_event,
            verify=verify,
            notes=notes,
        )
        try:
            return update.run(full_refresh, refresh, cause, dry_run=dry_run)
        finally:
            log.flush()
            shutil.rmtree(folder / "stage", ignore_errors=True)


@dataclass
class _Update:
    """One update, from its first event to its last.

    Attributes:
        notes: What had to be repaired of the update before.
        error: The first error; it decides how the update ends.
    """

    spec: PipelineSpec
    layout: WorkspaceLayout
    catalog: Catalog
    engine_address: str
    state: PipelineState
    run_id: str | None
    on_event: Callable[[Event], None] | None
    verify: bool
    notes: list[str]
    update_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    error: BaseException | None = None
    context: UpdateContext | None = None

    def __post_init__(self) -> None:
        self.make = EventFactory(self.state.pipeline_id, self.spec.name, self.update_id)
        self.hooks: list[Hook] = []

    def run(
        self, full_refresh: bool | Sequence[str], refresh: Sequence[str] | None, cause: str, *, dry_run: bool
    ) -> UpdateResult:
        started = time.monotonic()
        selected = [] if isinstance(full_refresh, bool) else list(full_refresh)
        first = [
            self.make.create_update(
                cause=cause,
                run_id=self.run_id,
                full_refresh=full_refresh is True,
                full_refresh_selection=selected,
                validate_only=dry_run,
            ),
            self.make.update_progress("INITIALIZING"),
        ]
        self.state.start_update(self.update_id, self.run_id, int(time.time() * 1000), first)
        self._show(first)
        crash_point("update_recorded")
        try:
            self._execute(full_refresh, refresh, dry_run=dry_run)
        except (KeyboardInterrupt, SystemExit) as stop:
            self.error = stop
            self._finish("CANCELED", cause="The user stopped the update.")
            raise
        except InputError as error:
            self.error = error
            self._finish("FAILED")
            raise
        except Exception as error:  # noqa: BLE001  (whatever went wrong has to reach the event log)
            self.error = error
        state = "FAILED" if self.error is not None else "COMPLETED"
        self._finish(state)
        crash_point("update_finished")
        return self._result(state, time.monotonic() - started)

    def _finish(self, state: str, cause: str | None = None) -> None:
        last = [
            self.make.update_progress(state, error=self.error if state == "FAILED" else None, cause=cause)
        ]
        self.state.finish_update(self.update_id, state, last)
        self._show(last)

    def _show(self, events: Iterable[Event]) -> None:
        for event in events:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        """Let the caller and the hooks of the pipeline see an event."""
        if self.on_event is not None:
            self.on_event(event)
        for hook in self.hooks:
            problem = hook.call(event)
            if problem is not None and self.context is not None and problem not in self.context.warnings:
                self.context.warnings.append(problem)

    def _execute(
        self, full_refresh: bool | Sequence[str], refresh: Sequence[str] | None, *, dry_run: bool
    ) -> None:
        files = self.spec.files()
        session = connect_engine(self.engine_address)
        configuration = {
            **self.spec.configuration,
            "pipelines.update_id": self.update_id,
            "pipelines.id": self.state.pipeline_id,
        }
        paths = Paths(self.layout, self.spec.mounts)
        context = UpdateContext(
            self.spec,
            self.layout,
            self.catalog,
            self.state,
            adopt_session(session, configuration, paths),  # type: ignore[arg-type]
            paths,
            self.make,
            self.run_id,
            self._tell,
            self.verify,
        )
        self.context = context
        context.warnings += self.notes
        try:
            registry = Registry(root=self.spec.root())
            analysis = AnalysisSources(context, registry, use_existing=dry_run)
            with pipeline_environment(context.session, self.spec.root(), analysis.resolve):
                load_files(files, registry, context.session)
                graph = build_graph(
                    registry, context.session, self.spec.catalog, self.spec.schema, self._exists
                )
            context.graph = graph
            analysis.forget()
            context.warnings += registry.notes
            self.hooks = [Hook(hook) for hook in registry.hooks]
            self._check_catalogs(graph)
            self._describe(context, graph)
            stopped = graph.without_plan()
            if dry_run:
                for dataset in graph.ordered():
                    if dataset.error is not None:
                        self._fail(context, dataset, dataset.error)
                    else:
                        context.result(dataset).status = "SKIPPED" if dataset.key in stopped else "CHECKED"
                self._report_unchecked(context, graph)
                return
            for dataset in reset.selection(graph, full_refresh):
                # What cannot be filled again is not emptied.
                if dataset.key not in stopped:
                    reset.reset_dataset(context, dataset)
            wanted = _wanted(graph, refresh, reset.selection(graph, full_refresh))
            context.emit(self.make.update_progress("RUNNING"))
            self._refresh_all(context, graph, registry, analysis, wanted)
        finally:
            session.stop()

    def _exists(self, name: TableName) -> bool:
        return self.catalog.get(name) is not None

    def _check_catalogs(self, graph: Graph) -> None:
        known = {catalog.catalog.lower() for catalog in self.catalog.catalogs()}
        for dataset in graph.datasets.values():
            if dataset.name is not None and dataset.name.catalog.lower() not in known:
                raise PipelineCodeError(
                    f"Dataset {dataset.shown} lies in catalog {dataset.name.catalog}, which the workspace does not have",
                    got=f"at {dataset.output.location}",
                    allowed=", ".join(sorted(known)),
                )

    def _describe(self, context: UpdateContext, graph: Graph) -> None:
        """Emit what the graph is, and name each setting that has no effect here."""
        for dataset in graph.datasets.values():
            context.emit(publish.dataset_definition(self.make, dataset))
            for planned in dataset.flows:
                if planned.error is not None:
                    continue
                context.emit(publish.flow_definition(self.make, graph, dataset, planned))
                idle = without_effect(context, dataset, planned)
                context.warnings += idle
                context.emit(*(self.make.flow_note(dataset.shown, planned.flow.name, text) for text in idle))

    def _report_unchecked(self, context: UpdateContext, graph: Graph) -> None:
        context.warnings += [
            f"{d.shown} asks for the schema of {f.waits_for}, which does not exist yet, so its query was not checked"
            for d in graph.datasets.values()
            for f in d.flows
            if f.waits_for
        ]

    def _refresh_all(
        self,
        context: UpdateContext,
        graph: Graph,
        registry: Registry,
        analysis: AnalysisSources,
        wanted: set[str],
    ) -> None:
        failed: set[str] = set()
        pending = graph.ordered()
        while pending:
            dataset = next(
                (d for d in pending if not any(other.key in d.inputs for other in pending)), pending[0]
            )
            pending.remove(dataset)
            result = context.result(dataset)
            result.kind = dataset.kind
            reason = self._why_skip(context, graph, dataset, failed)
            if reason is not None:
                (failed if any(k in failed for k in dataset.inputs) else context.waiting).add(dataset.key)
                result.status, result.reason = "SKIPPED", reason
                context.emit(
                    *(
                        self.make.flow_status(dataset.shown, f.flow.name, "SKIPPED", reason=f"{reason}.")
                        for f in dataset.flows
                    )
                )
                continue
            if dataset.key not in wanted:
                result.status = "EXCLUDED"
                context.done.add(dataset.key)
                continue
            started = time.monotonic()
            try:
                if dataset.error is not None:
                    raise dataset.error  # noqa: TRY301  (told as any other failure of a dataset)
                if self._plan_late(context, graph, registry, analysis, dataset):
                    pending.insert(0, dataset)
                    continue
                self._refresh(context, dataset, analysis)
                result.status = "IDLE" if result.refresh == "NONE" and dataset.kind != "VIEW" else "COMPLETED"
                context.done.add(dataset.key)
            except EngineError as error:
                # Nothing can run without the engine; what is committed stays, the next update goes on from
                # there.
                self._fail(context, dataset, error)
                raise
            except Exception as error:  # noqa: BLE001  (one dataset's failure is a result, the others go on)
                failed.add(dataset.key)
                self._fail(context, dataset, error)
            finally:
                result.seconds += time.monotonic() - started
                result.kind = dataset.kind

    def _why_skip(
        self, context: UpdateContext, graph: Graph, dataset: Dataset, failed: set[str]
    ) -> str | None:
        bad = [graph.datasets[k].shown for k in dataset.inputs if k in failed]
        if bad:
            return f"{', '.join(bad)} failed"
        empty = [
            other.shown
            for other in (graph.datasets[k] for k in dataset.inputs if k in context.waiting)
            if other.name is None or log.open_table(context.location(other)) is None
        ]
        return f"{', '.join(empty)} has no columns yet: none of its files can be read" if empty else None

    def _plan_late(
        self,
        context: UpdateContext,
        graph: Graph,
        registry: Registry,
        analysis: AnalysisSources,
        dataset: Dataset,
    ) -> bool:
        """Call the functions that had to wait for their inputs.

        Say whether one waits for another dataset still.
        """
        late = [f for f in dataset.flows if f.plan is None and not f.flow.merges]
        for planned in late:
            with pipeline_environment(context.session, self.spec.root(), analysis.resolve):
                plan_flow(planned, context.session, graph.names)
            analysis.forget()
            connect(graph, dataset, planned, registry, self._exists)
            graph.ordered()
            if planned.waits_for:
                return True
        if late:
            add_postponed(graph, dataset)
            context.emit(*(publish.flow_definition(self.make, graph, dataset, f) for f in late))
        return False

    def _refresh(self, context: UpdateContext, dataset: Dataset, analysis: AnalysisSources) -> None:
        if dataset.kind == "VIEW":
            context.result(dataset).refresh = "VIEW"
            return
        for planned in dataset.flows:
            context.emit(self.make.flow_status(dataset.shown, planned.flow.name, "STARTING"))
            with failures_placed(planned.flow):
                if planned.flow.cdc is not None:
                    cdc.refresh_cdc(context, dataset, planned)
                elif planned.flow.snapshot is not None:
                    context.may_change_alone.append(f"{dataset.shown} reads whole snapshots")
                    code = partial(pipeline_environment, context.session, self.spec.root(), analysis.resolve)
                    snapshots.refresh_snapshots(context, dataset, planned, code)
                elif dataset.kind == "MATERIALIZED_VIEW":
                    materialized.refresh_view(context, dataset, planned)
                else:
                    streaming.refresh_flow(context, dataset, planned)
            publish.publish(context, dataset)
            context.emit(self.make.flow_status(dataset.shown, planned.flow.name, "COMPLETED"))
        if dataset.kind != "SINK":
            compaction.compact(context, dataset)

    def _fail(self, context: UpdateContext, dataset: Dataset, error: BaseException) -> None:
        result = context.result(dataset)
        result.status, result.error = "FAILED", shown(error)
        if self.error is None:
            self.error = error
        context.emit(
            *(self.make.flow_status(dataset.shown, f.flow.name, "FAILED", error=error) for f in dataset.flows)
        )

    def _result(self, state: str, seconds: float) -> UpdateResult:
        context = self.context
        faults = [
            SourceFile(flow.split("/")[-2], record.path, record.size, 0, record.fault)
            for flow, record in self.state.faulty_files()
        ]
        error = None if self.error is None else shown(self.error)
        return UpdateResult(
            self.update_id,
            self.spec.name,
            state,
            {r.name: r for r in context.results.values()} if context else {},
            context.files if context else [],
            faults,
            context.warnings if context else list(self.notes),
            self._may_change_alone(context) if context else [],
            seconds,
            error,
            self.error,
        )

    def _may_change_alone(self, context: UpdateContext) -> list[str]:
        return [
            *context.may_change_alone,
            *(f"{place} is outside of the volumes" for place in sorted(context.paths.outside)),
            *(
                f"{record.path} could not be read, and may be readable now"
                for _, record in self.state.faulty_files()
                if record.mtime_ns == FAULT_MAY_PASS
            ),
            *(["an event hook is called in every update"] if self.hooks else []),
        ]


def _wanted(graph: Graph, refresh: Sequence[str] | None, also: Iterable[Dataset]) -> set[str]:
    if refresh is None:
        return set(graph.datasets)
    chosen = {reset.find(graph, name).key for name in refresh} | {d.key for d in also}
    return chosen | {key for key, d in graph.datasets.items() if d.kind == "VIEW"}
