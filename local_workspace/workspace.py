"""A workspace as its users see it: attach to it, and everything it offers is running."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from foundation.file_locks import FileLock
from local_workspace.catalog import Catalog
from local_workspace.daemon import client, requests
from local_workspace.daemon.loss import LossWatch, is_gone
from local_workspace.daemon.state import DaemonState
from local_workspace.daemon.supervisor import prepare_catalog
from local_workspace.endpoints import PostgresEndpoint, WarehouseEndpoint
from local_workspace.engine import connect
from local_workspace.errors import EngineError, NotSupported
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.pipeline_host import PipelineHost
from local_workspace.postgres import ensure_database, external_endpoint, read_endpoint
from local_workspace.private_files import write_private
from local_workspace.status import WorkspaceStatus, read_status

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from local_workspace.temporary import TemporaryWorkspace

__all__ = ["PostgresEndpoint", "WarehouseEndpoint", "Workspace", "WorkspaceOptions", "WorkspaceStatus"]


class Workspace(PipelineHost):
    """One process's hold on a running workspace; get it from :meth:`attach`, and use it as a context manager.

    While anyone holds it the servers stay. They end a moment after the last one releases it or is killed, unless
    the workspace was put up with :meth:`up`.
    """

    def __init__(self, layout: WorkspaceLayout, options: WorkspaceOptions, lease: FileLock) -> None:
        self.layout = layout
        self.options = options
        self.default_catalog = options.catalogs[0]
        self._lease = lease
        self._external = external_endpoint(layout, os.environ, database=options.postgres_database)

    # -- attaching ---------------------------------------------------------------------------------

    @classmethod
    def attach(cls, layout: WorkspaceLayout, options: WorkspaceOptions) -> Workspace:
        """Attach to the workspace, starting its daemon if there is none, and make what `options` names.

        Raises:
            LocalWorkspaceError: What hindered the start, in one sentence, by the class that says who must
            act.
        """
        layout.create()
        workspace = cls(layout, options, client.take_lease(layout))
        try:
            workspace._begin()
        except BaseException:
            workspace.close()
            raise
        return workspace

    @staticmethod
    def temporary(catalog: str = "main", schema: str = "default") -> TemporaryWorkspace:
        """Make an empty workspace for a test, deleted when its block ends.

        Args:
            catalog: Where names of two levels lie.
            schema: Where names of one level lie.
        """
        from local_workspace.temporary import TemporaryWorkspace  # noqa: PLC0415  (only tests need it)

        return TemporaryWorkspace(catalog, schema)

    def _begin(self) -> None:
        embedded = self.options.start_postgres and self._external is None
        state = client.ensure_running(self.layout, self.options, postgres=embedded)
        prepare_catalog(self.catalog, self.options)
        if embedded and self.postgres is not None:
            ensure_database(self.postgres, is_lost=lambda: is_gone(self.layout, state.pid))

    def close(self) -> None:
        """Let go of the workspace."""
        if "catalog" in self.__dict__:
            self.catalog.close()
        self._lease.release()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what it offers ----------------------------------------------------------------------------

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog."""
        return Catalog.open(self.layout)

    @property
    def _state(self) -> DaemonState:
        state = DaemonState.read(self.layout)
        if state is None:
            raise EngineError(
                "The workspace was stopped or deleted while this command used it",
                got=self.layout.home,
                next_step="Run the command again",
            )
        return state

    @property
    def engine_address(self) -> str:
        """The engine's Spark Connect address, of now: an engine that died and was started again has another.

        Raises:
            EngineError: There is none at the moment.
        """
        address = self._state.engine_address
        if address is None:
            raise EngineError(
                "The engine (Sail) has died and is restarting",
                next_step=f"Run the command again; {self.engine_log} says why it died",
            )
        return address

    @property
    def engine_log(self) -> str:
        """The engine's log file."""
        return str(self.layout.logs / "sail.log")

    def connect(self, conf: Mapping[str, str] | None = None) -> SparkSession:
        """Open a new session on the engine; see :func:`local_workspace.engine.connect`."""
        return connect(self.engine_address, conf, log_file=self.engine_log)

    @property
    def warehouse(self) -> WarehouseEndpoint:
        """The SQL warehouse.

        Raises:
            NotSupported: The daemon was started without one.
        """
        endpoint = self._state.warehouse_endpoint
        if endpoint is None:
            raise NotSupported("The SQL warehouse of this workspace", "Use the engine's address")
        return endpoint

    @property
    def postgres(self) -> PostgresEndpoint | None:
        """The server that `POSTGRES_HOST` names, otherwise the embedded one; None if the options want none."""
        if self._external is not None:
            return self._external
        if not self.options.start_postgres:
            return None
        return read_endpoint(
            self.layout, database=self.options.postgres_database, user=self.options.postgres_user
        )

    def postgres_uri(self) -> str | None:
        """Return the libpq URI of the metrics database without its password, or None without a database.

        The password of the embedded server is put beside its data, in a file that only the owner reads, and the URI names
        that file. The password of another server stays where its owner keeps it: PGPASSWORD or ~/.pgpass.
        """
        endpoint = self.postgres
        if endpoint is None or not endpoint.embedded:
            return None if endpoint is None else endpoint.uri_without_password()
        passfile = self.layout.postgres / "pgpass"
        write_private(passfile, endpoint.passfile_line())
        return endpoint.uri_without_password(passfile)

    @property
    def persistent(self) -> bool:
        """Whether the workspace stays when the last user releases it."""
        return requests.is_persistent(self.layout)

    def watched(self, end: Callable[[], None] | None = None) -> LossWatch:
        """Return a block whose work ends when the daemon goes, and that then raises EngineError; see :class:`LossWatch`."""
        return LossWatch(self.layout, end)

    def environment(self) -> dict[str, str]:
        """Return the variables with which other programs reach this workspace, secrets included."""
        variables = {"ORDERS_HOME": str(self.layout.home), **self.warehouse.environment()}
        if self.postgres is not None:
            variables.update(self.postgres.environment())
        if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")):
            # The HTTP clients of the warehouse would ask the proxy for a server on this machine.
            kept = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
            names = list(dict.fromkeys([*filter(None, kept.split(",")), "localhost", "127.0.0.1"]))
            variables.update(dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(names)))
        return variables

    # -- the workspace as a whole ------------------------------------------------------------------

    @classmethod
    def up(cls, layout: WorkspaceLayout, options: WorkspaceOptions) -> None:
        """Start the workspace and keep it up until :meth:`down`.

        Raises:
            LocalWorkspaceError: As :meth:`attach`.
        """
        with cls.attach(layout, options):
            requests.set_persistent(layout, True)

    @classmethod
    def down(cls, layout: WorkspaceLayout, *, force: bool = False) -> bool:
        """Stop the workspace, and what a killed one left behind; return whether it ran. The data stays.

        Args:
            layout: The workspace.
            force: Stop it under the commands that use it, too.

        Raises:
            WorkspaceBusy: A command uses it, and `force` is false. It then stops when that command ends.
        """
        return client.stop(layout, force=force)

    @classmethod
    def status(cls, layout: WorkspaceLayout) -> WorkspaceStatus:
        """Say what runs and what the workspace holds, starting nothing."""
        return read_status(layout)
