"""Answering pipeline code that asks for a schema or for rows while the graph is being built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pyspark.sql.connect.proto import relations_pb2
from pyspark.sql.types import StructType

from local_workspace.delta import log
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.declare.names import Names
from local_workspace.dlt_runtime.declare.registry import Registry
from local_workspace.dlt_runtime.files.reads import FileRead, no_delta_folder, read_of
from local_workspace.dlt_runtime.files.static import stage_static
from local_workspace.dlt_runtime.plan import plans, rewrite
from local_workspace.dlt_runtime.plan.graph import NotBuiltYet, PlannedFlow, plan_flow
from local_workspace.dlt_runtime.plan.plans import NamedRead, Relation
from local_workspace.dlt_runtime.plan.session import data_frame, engine_schema, unguarded
from local_workspace.errors import NotSupported, PipelineCodeError


class AnalysisSources:
    """Resolves names to tables that are up to date; for any other dataset the function has to wait.

    Args:
        use_existing: Also take tables that an earlier update left (for a dry run, which brings nothing up to
            date).
    """

    def __init__(self, context: UpdateContext, registry: Registry, *, use_existing: bool) -> None:
        self._context, self._registry, self._use_existing = context, registry, use_existing
        self._temp_views: list[str] = []
        self._staged: dict[str, Relation] = {}

    def resolve(self, plan: Relation) -> Relation:
        """Replace the sources of a plan."""
        copy = Relation()
        copy.CopyFrom(plan)
        plans.name_direct_reads(copy, self._context.session.direct_reads)
        return rewrite.resolve(copy, self, "a dataset function")

    def _names(self) -> Names:
        spec = self._context.spec
        return Names(self._registry, spec.catalog, spec.schema)

    def table(self, read: NamedRead) -> Relation:
        """Return a table as it is now."""
        if read.by_path:
            asked = self._context.session.direct_reads[read.name]
            if asked.format != "delta":
                staged = self._files(replace(asked, streaming=read.streaming))
                return rewrite.files_for_text(staged, read.options.get("text", ""))
            now = log.position(Path(self._context.local_path(asked.path)))
            if now is None:
                raise no_delta_folder(asked.path, "a dataset function")
            return rewrite.delta_read(Path(self._context.local_path(asked.path)), now.version)
        names = self._names()
        key = names.key(read.name)
        if key in names.views:
            return self._view(key)
        name = names.table(read.name)
        if name in names.tables:
            location = self._context.output_location(name, names.tables[name])
            if key not in self._context.done and not self._use_existing:
                raise NotBuiltYet(key)
        else:
            found = self._context.table_location(name)
            if found is None:
                raise PipelineCodeError(
                    f"[TABLE_OR_VIEW_NOT_FOUND] {read.name} is not a table of the workspace"
                )
            location = found
        now = log.position(location)
        if now is None:
            raise NotBuiltYet(key)
        return rewrite.delta_read(location, now.version)

    def _view(self, key: str) -> Relation:
        for flow in self._registry.flows:
            if flow.target.lower() == key:
                planned = PlannedFlow(flow)
                plan_flow(planned, self._context.session, self._names())
                if planned.plan is None:
                    raise NotBuiltYet(planned.waits_for or key)
                return self.resolve(planned.plan)
        raise NotBuiltYet(key)

    def cloud_files(self, read: relations_pb2.Read) -> Relation:
        """Return files that are read as a whole; see :meth:`_files`."""
        return self._files(read_of(read, "a dataset function"))

    def _files(self, read: FileRead) -> Relation:
        """Stage files that are read as a whole.

        Raises:
            NotSupported: They are a stream: the schema of new files is known when they are read.
        """
        if not read.streaming:
            place = self._context.fresh_stage(f"analysis-{len(self._staged)}")
            if read.name not in self._staged:
                staged = stage_static(read, self._context.paths, place, "a dataset function")
                self._staged[read.name] = rewrite.parquet_read(staged.folder)
            return self._staged[read.name]
        raise NotSupported(
            "Asking for the schema of a cloudFiles source inside a dataset function",
            "Use select('*', ...) or withColumn, which need no schema; or ask in a dataset that reads this one",
            got=read.path,
        )

    def has_column(self, read: object, name: str) -> bool:  # noqa: ARG002 - the protocol's
        """Answer no: `cloud_files` refuses such a source."""
        return False

    def path(self, path: str) -> str:
        """Return the place of a file that a query reads directly."""
        return self._context.local_path(path)

    def view_name(self, read: NamedRead) -> str:
        """Register a table for SQL text."""
        name = f"{rewrite.TEMP_VIEW}analysis_{len(self._temp_views)}"
        session = self._context.session
        with unguarded(session):
            data_frame(self.table(read), session).createOrReplaceTempView(name)
        self._temp_views.append(name)
        return name

    def schema(self, relation: Relation) -> StructType | None:
        """Ask the engine for a schema."""
        return engine_schema(relation, self._context.session)

    def forget(self) -> None:
        """Drop the temporary views."""
        for name in self._temp_views:
            self._context.session.catalog.dropTempView(name)
        self._temp_views.clear()
