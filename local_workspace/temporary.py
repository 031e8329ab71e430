"""A workspace for a test: folders of its own, gone afterwards, on an engine that all of this process share."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from local_workspace.catalog import Catalog
from local_workspace.engine import EngineHandle, SailEngine
from local_workspace.layout import WorkspaceLayout
from local_workspace.pipeline_host import PipelineHost


@functools.cache
def _shared_engine() -> EngineHandle:
    """Start the engine of this process once; it keeps nothing of the tables, which are addressed by folder."""
    home = Path(tempfile.mkdtemp(prefix="local-workspace-engine-"))
    engine = SailEngine.start(WorkspaceLayout(home))

    def stop() -> None:
        engine.stop()
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    return engine


class TemporaryWorkspace(PipelineHost):
    """An empty workspace without SQL warehouse and Postgres; get it from `Workspace.temporary()`.

    The first one of a process starts an engine (some 2 s), every further one is there at once.

    Attributes:
        layout: Its folders.
        catalog: Its catalog.
    """

    def __init__(self, catalog: str = "main", schema: str = "default") -> None:
        self.default_catalog, self.default_schema = catalog, schema
        self._home = Path(tempfile.mkdtemp(prefix="local-workspace-"))
        self.layout = WorkspaceLayout(self._home).create()
        self.catalog = Catalog.open(self.layout)
        self.catalog.create_catalog(catalog, if_not_exists=True)
        self.catalog.create_schema(catalog, schema, if_not_exists=True)

    @property
    def engine_address(self) -> str:
        """The address of the engine, started when it is first asked for."""
        return _shared_engine().address

    def volume(self, path: str) -> Path:
        """Return the folder on this machine that stands for a path below `/Volumes`, created if missing.

        Raises:
            InputError: The path is in no volume.
        """
        folder = self.layout.local_path(path)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """Delete the workspace."""
        self.catalog.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> TemporaryWorkspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
