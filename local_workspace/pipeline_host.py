"""Running any pipeline in a workspace, and showing the result: what the command line and tests share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from foundation.whole_files import write_whole
from local_workspace.catalog import Catalog, TableName
from local_workspace.errors import InputError, NotFound
from local_workspace.layout import WorkspaceLayout

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from local_workspace.dlt_runtime.record.events import Event
    from local_workspace.dlt_runtime.spec import PipelineSpec, UpdateResult

_SPEC_FILE = "pipeline.json"


class Host(Protocol):
    """What it takes to run a pipeline: the folders, the catalog and an engine."""

    layout: WorkspaceLayout

    @property
    def catalog(self) -> Catalog:
        """The catalog."""

    @property
    def engine_address(self) -> str:
        """The engine's Spark Connect address."""


@dataclass(frozen=True)
class WorkspaceTable:
    """A table as it is now.

    Attributes:
        name: Its full name.
        location: The folder of its Delta log.
    """

    name: TableName
    location: Path

    def to_arrow(self) -> pa.Table:
        """Read all rows as an Arrow table."""
        from deltalake import DeltaTable  # noqa: PLC0415  (a command that reads no table need not pay for it)

        return DeltaTable(str(self.location)).to_pyarrow_table()

    def to_pandas(self) -> pd.DataFrame:
        """Read all rows as a pandas DataFrame."""
        return self.to_arrow().to_pandas()

    def rows(self) -> list[dict[str, Any]]:
        """Read all rows as dicts, in an order that depends on their values alone."""
        return sorted(self.to_arrow().to_pylist(), key=repr)


class PipelineHost:
    """The part of a workspace that runs pipelines: a mixin of every class that has a :class:`Host`'s attributes."""

    #: Where names of two and one levels lie.
    default_catalog: str | None = None
    default_schema: str | None = None

    def run_pipeline(
        self: Host,
        *paths: str | Path,
        catalog: str | None = None,
        schema: str | None = None,
        name: str | None = None,
        configuration: Mapping[str, str] | None = None,
        volumes: Mapping[str, str | Path] | None = None,
        full_refresh: bool | Sequence[str] = False,
        dry_run: bool = False,
        check: bool = True,
        on_event: Callable[[Event], None] | None = None,
    ) -> UpdateResult:
        """Run one update of the pipeline that files or folders define.

        Args:
            paths: Python files, SQL files, notebooks, or folders of them.
            catalog: The pipeline's catalog, created if missing; the workspace's default one if not given.
            schema: The pipeline's schema.
            name: The pipeline's name, under which the next run goes on from this one; the name of the first path
                if not given.
            configuration: What `spark.conf.get` serves to pipeline code.
            volumes: Path as pipeline code writes it -> the folder on this machine that stands for it.
            full_refresh: True rebuilds every table; a list those that it names.
            dry_run: Check the graph, move no row.
            check: Raise the error of a failed update, rather than give it back in the result.
            on_event: Called with each event as it happens.

        Raises:
            InputError: A path does not exist.
            LocalWorkspaceError: The update failed, and `check` is true.
        """
        spec = spec_of_paths(
            paths,
            catalog=catalog or getattr(self, "default_catalog", None) or "main",
            schema=schema or getattr(self, "default_schema", None) or "default",
            name=name,
            configuration=configuration or {},
            volumes=volumes or {},
        )
        result = run_spec(self, spec, full_refresh=full_refresh, dry_run=dry_run, on_event=on_event)
        if check and result.exception is not None:
            raise result.exception
        return result

    def table(self: Host, name: str) -> WorkspaceTable:
        """Return a table by its name of one to three levels.

        Raises:
            NotFound: There is no such table.
        """
        full = TableName.parse(
            name,
            catalog=getattr(self, "default_catalog", None),
            schema=getattr(self, "default_schema", None),
        )
        found = self.catalog.get(full)
        if found is None or found.location is None:
            raise NotFound(f"table {full}")
        return WorkspaceTable(full, found.location)


def spec_of_paths(
    paths: Sequence[str | Path],
    *,
    catalog: str,
    schema: str,
    name: str | None = None,
    configuration: Mapping[str, str] | None = None,
    volumes: Mapping[str, str | Path] | None = None,
) -> PipelineSpec:
    """Describe the pipeline that files and folders define.

    Raises:
        InputError: A path or the folder of a volume does not exist.
    """
    from local_workspace.dlt_runtime.spec import PipelineSpec  # noqa: PLC0415

    if not paths:
        raise InputError("A pipeline needs at least one file or folder", got="none")
    resolved = [Path(path).expanduser().resolve() for path in paths]
    missing = [str(path) for path in resolved if not path.exists()]
    if missing:
        raise InputError("The file or folder does not exist", got=", ".join(missing))
    folders = [path if path.is_dir() else path.parent for path in resolved]
    root = folders[0]
    while not all(folder.is_relative_to(root) for folder in folders):
        root = root.parent
    libraries: list[dict[str, dict[str, str]]] = [
        {"glob": {"include": (path.relative_to(root) / "**").as_posix()}}
        if path.is_dir()
        else {"file": {"path": str(path)}}
        for path in resolved
    ]
    return PipelineSpec(
        name=name or resolved[0].stem,
        catalog=catalog,
        schema=schema,
        libraries=libraries,
        base_path=root,
        configuration=dict(configuration or {}),
        mounts=mounts_of(volumes or {}),
    )


def mounts_of(volumes: Mapping[str, str | Path]) -> dict[str, Path]:
    """Check what shall stand for the paths of pipeline code.

    Raises:
        InputError: A folder does not exist.
    """
    mounts = {path.rstrip("/"): Path(folder).expanduser().resolve() for path, folder in volumes.items()}
    missing = [f"{path}={folder}" for path, folder in mounts.items() if not folder.is_dir()]
    if missing:
        raise InputError("The folder of a volume does not exist", got=", ".join(missing))
    return mounts


def run_spec(
    host: Host,
    spec: PipelineSpec,
    *,
    full_refresh: bool | Sequence[str] = False,
    dry_run: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> UpdateResult:
    """Run one update of a pipeline, making its catalog and schema if they are missing."""
    from local_workspace.dlt_runtime.refresh.update import run_update  # noqa: PLC0415

    host.catalog.create_catalog(spec.catalog, if_not_exists=True)
    host.catalog.create_schema(spec.catalog, spec.schema, if_not_exists=True)
    remember(host.layout, spec)
    return run_update(
        spec,
        layout=host.layout,
        catalog=host.catalog,
        engine_address=host.engine_address,
        full_refresh=full_refresh,
        dry_run=dry_run,
        on_event=on_event,
    )


def remember(layout: WorkspaceLayout, spec: PipelineSpec) -> None:
    """Note beside a pipeline's bookkeeping what it is, for `orders pipeline list` and `show`."""
    folder = layout.pipelines / spec.folder_name
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "name": spec.name,
        "catalog": spec.catalog,
        "schema": spec.schema,
        "files": [str(path) for path in spec.files()],
        "volumes": {path: str(folder) for path, folder in spec.mounts.items()},
    }
    write_whole(folder / _SPEC_FILE, json.dumps(content, indent=2) + "\n")


@dataclass(frozen=True)
class KnownPipeline:
    """A pipeline that has run in a workspace.

    Attributes:
        tables: What it has written and the catalog knows.
        updates: How many updates it has had.
        state: How the last one ended; None before the first.
        started_ms: When that was, in milliseconds since 1970.
    """

    name: str
    folder: Path
    catalog: str | None
    schema: str | None
    files: tuple[str, ...]
    tables: tuple[TableName, ...]
    updates: int
    state: str | None
    started_ms: int | None


def known_pipelines(layout: WorkspaceLayout, catalog: Catalog) -> list[KnownPipeline]:
    """List the pipelines that have run in a workspace, by name."""
    from local_workspace.dlt_runtime.record.state import PipelineState  # noqa: PLC0415

    found: list[KnownPipeline] = []
    for folder in sorted(layout.pipelines.glob("*/")):
        if not (folder / "state.sqlite").is_file():
            continue
        file = folder / _SPEC_FILE
        about = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        state = PipelineState(folder / "state.sqlite")
        try:
            updates = state.updates()
            own = state.pipeline_id
        finally:
            state.close()
        tables = tuple(
            table.name
            for known in catalog.catalogs()
            for table in catalog.tables(known.catalog)
            if table.properties.get("pipelines.pipelineId") == own
        )
        found.append(
            KnownPipeline(
                about.get("name", folder.name),
                folder,
                about.get("catalog"),
                about.get("schema"),
                tuple(about.get("files", ())),
                tables,
                len(updates),
                updates[-1][1] if updates else None,
                updates[-1][0] if updates else None,
            )
        )
    return found


def find_pipeline(layout: WorkspaceLayout, catalog: Catalog, name: str) -> KnownPipeline:
    """Find a pipeline by its name.

    Raises:
        InputError: None of that name has run here.
    """
    known = known_pipelines(layout, catalog)
    for pipeline in known:
        if pipeline.name == name:
            return pipeline
    raise InputError(
        "No pipeline of this name has run in the workspace",
        got=name,
        allowed=", ".join(p.name for p in known) or "none has run yet",
        next_step="List them: orders pipeline list",
    )


def reset_pipeline(layout: WorkspaceLayout, catalog: Catalog, name: str) -> tuple[TableName, ...]:
    """Drop the tables of a pipeline and forget what it has read, so that its next run is its first; give the tables.

    Input files stay. It is safe to stop it halfway: what is left is dropped by the next call.

    Raises:
        InputError: None of that name has run here, or one of its tables must not be reset.
        WorkspaceBusy: An update of it is running.
    """
    from local_workspace.dlt_runtime.lock import pipeline_lock  # noqa: PLC0415

    pipeline = find_pipeline(layout, catalog, name)
    with pipeline_lock(pipeline.folder / "lock", name, 0.0):
        kept = [
            table
            for table in pipeline.tables
            if (found := catalog.get(table)) is not None
            and found.properties.get("pipelines.reset.allowed", "").lower() == "false"
        ]
        if kept:
            raise InputError(
                f"Pipeline {name} has a table whose property pipelines.reset.allowed is false",
                got=", ".join(map(str, kept)),
                consequence="Nothing was reset",
                next_step="If the table may be deleted, remove the property from its code and run the pipeline once",
            )
        for table in pipeline.tables:
            catalog.drop(table, if_exists=True)
        # The lock's own file goes with the folder; whoever waits for it makes a new one.
        shutil.rmtree(pipeline.folder)
    return pipeline.tables
