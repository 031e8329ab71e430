"""The daemon's work: start the servers of a workspace, start again what dies, end all of them with itself."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from datetime import datetime, timezone

import psutil

from foundation.file_locks import FileLock
from local_workspace.catalog import Catalog
from local_workspace.daemon import requests
from local_workspace.daemon.hosting import HostedWarehouse, StartWarehouse
from local_workspace.daemon.locks import DAEMON, LEASE
from local_workspace.daemon.state import ENDING, FAILED, READY, STARTING, DaemonState, code_fingerprint
from local_workspace.engine import EngineHandle, EngineSettings, SailEngine
from local_workspace.errors import EngineError, LocalWorkspaceError
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.postgres import PostgresServer

LOG = logging.getLogger("local_workspace.daemon")
TICK_SECONDS = 0.2
# An engine that dies this often in this time does not die by accident.
DEATHS, DEATH_SECONDS = 4, 60.0
MEMORY_SECONDS = 5.0  # between two looks at the engine's memory
# A session that was opened before the engine gave way may still be connecting to it.
RETIRED_SECONDS = 5.0


class Supervisor:
    """Runs one workspace from the main thread of its own process; the kernel ties the servers to that thread.

    Args:
        layout: The workspace.
        options: What its first client asked for.
        start_warehouse: Starts the SQL warehouse; None leaves it out.
    """

    def __init__(
        self, layout: WorkspaceLayout, options: WorkspaceOptions, start_warehouse: StartWarehouse | None
    ) -> None:
        self.layout, self.options = layout, options
        self._start_warehouse = start_warehouse
        self._lock = FileLock(layout.run / DAEMON)
        self._lease = FileLock(layout.run / LEASE)
        started_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._state = DaemonState(os.getpid(), started_at, code=code_fingerprint())
        self._catalog: Catalog | None = None
        self._engine: EngineHandle | None = None
        self._warehouse: HostedWarehouse | None = None
        self._postgres: PostgresServer | None = None
        self._deaths: list[float] = []
        self._retired: list[tuple[float, EngineHandle]] = []
        self._looked_at_memory = time.monotonic()
        self._idle_since: float | None = None
        self._stop_asked = False

    def run(self) -> int:
        """Serve until nobody needs the workspace, or it is told to stop; return the exit code."""
        if not self._lock.take(seconds=5.0):
            LOG.error("another daemon has this workspace; ending")
            return 1
        wake = self._watch_signals()
        try:
            self._start()
            while not self._must_end():
                self._look_after_engine()
                self._renew_full_engine()
                self._look_after_postgres()
                if select.select([wake], [], [], TICK_SECONDS)[0]:
                    os.read(wake, 100)
        except LocalWorkspaceError as error:
            LOG.error("%s", error)  # noqa: TRY400  (a known failure, in its own words)
            self._state.phase, self._state.error = FAILED, error.to_dict()
            self._publish()
            return 1
        except Exception as error:
            LOG.exception("the daemon failed")
            unexpected = LocalWorkspaceError(
                "The workspace daemon failed",
                got=f"{type(error).__name__}: {error}",
                next_step=f"Look at {self.layout.logs / 'daemon.log'}, and run the command again",
            )
            self._state.phase, self._state.error = FAILED, unexpected.to_dict()
            self._publish()
            return 1
        finally:
            self._end()
        return 0

    # -- start and end -----------------------------------------------------------------------------

    def _watch_signals(self) -> int:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler is what makes the signal wake the loop
        return read_end

    def _ask_stop(self, *_: object) -> None:
        self._stop_asked = True

    def _start(self) -> None:
        began = time.monotonic()
        previous = DaemonState.read_previous(self.layout)
        stop_forgotten_engine(previous)
        self._publish()
        self._catalog = Catalog.open(self.layout)
        known = [info.catalog for info in self._catalog.catalogs()]
        self._state.catalogs = list(dict.fromkeys([*self.options.catalogs, *known]))
        # Started first and asked for its address last: it gets ready while the others start.
        self._engine = self._launch_engine()
        prepare_catalog(self._catalog, self.options)
        if self.options.start_postgres:
            requests.want_postgres(self.layout, self.options)
        else:
            requests.forget_postgres(self.layout)
        self._look_after_postgres()
        self._engine_ready()
        port = None if previous is None or previous.warehouse is None else previous.warehouse["port"]
        if self._start_warehouse is not None and self._state.engine_address is not None:
            self._warehouse = self._start_warehouse(
                self.layout, self._catalog, self._state.engine_address, port
            )
            self._state.warehouse = DaemonState.of_warehouse(self._warehouse.endpoint)
        self._state.phase = READY
        self._publish()
        LOG.info("ready after %.2f s; engine at %s", time.monotonic() - began, self._state.engine_address)

    def _end(self) -> None:
        LOG.info("ending")
        if self._state.phase != FAILED:
            self._state.phase = ENDING
            self._publish()
        if self._warehouse is not None:
            self._warehouse.stop()
        if self._engine is not None:
            self._engine.stop()
        for _, engine in self._retired:
            engine.stop()
        if self._postgres is not None:
            self._postgres.stop()
        if self._catalog is not None:
            self._catalog.close()
        self._lock.release()
        self._lease.release()

    def _publish(self) -> None:
        # Not when the folder was deleted: nobody reads it, and it must stay deleted.
        if self._lock.still_there():
            self._state.write(self.layout)

    def _must_end(self) -> bool:
        if self._stop_asked:
            LOG.info("told to stop")
            return True
        if not self._lock.still_there():
            LOG.info("the workspace folder was deleted")
            return True
        if requests.is_persistent(self.layout) or not self._lease.take():
            self._idle_since = None
            return False
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        # The lease is kept from here to the end: a client that comes now waits, and starts a new daemon.
        if now - self._idle_since >= self.options.linger_seconds:
            LOG.info("nobody uses the workspace any more")
            return True
        self._lease.release()
        return False

    # -- the engine --------------------------------------------------------------------------------

    def _launch_engine(self, beside: EngineHandle | None = None) -> EngineHandle:
        settings = EngineSettings(tuple(self._state.catalogs), self.options.catalogs[0])
        handle = SailEngine.start(self.layout, settings, wait=False, beside=beside)
        if beside is None:
            self._state.engine_pid = handle.pid
            self._state.engine_starts += 1
        return handle

    def _engine_ready(self) -> None:
        if self._engine is not None:
            self._state.engine_address = self._engine.address

    def _look_after_engine(self) -> None:
        if self._engine is None or self._engine.alive():
            return
        ended = self._engine.how_it_ended()
        LOG.warning("the engine (process %d) ended: %s; starting a new one", self._engine.pid, ended)
        self._engine.stop()
        now = time.monotonic()
        self._deaths = [death for death in self._deaths if now - death < DEATH_SECONDS] + [now]
        if len(self._deaths) >= DEATHS:
            raise EngineError(
                f"The engine (Sail) died {DEATHS} times within {DEATH_SECONDS:.0f} s",
                got=ended,
                consequence="The workspace is stopped",
                next_step=f"See the end of {self._engine.log_file}, run `orders doctor`, then try again",
            )
        self._state.phase, self._state.engine_address = STARTING, None
        self._publish()
        self._engine = self._launch_engine()
        self._engine_ready()
        if self._warehouse is not None and self._state.engine_address is not None:
            self._warehouse.engine_moved(self._state.engine_address)
        self._state.phase = READY
        self._publish()

    def _renew_full_engine(self) -> None:
        """Let a fresh engine take the place of one that is full, when no client has anything on it.

        The old one goes when the last client that came to it in between has left it.
        """
        now = time.monotonic()
        for since, engine in list(self._retired):
            if now - since >= RETIRED_SECONDS and not self._has_clients(engine):
                engine.stop()
                self._retired.remove((since, engine))
                if self._warehouse is not None:
                    self._warehouse.forget_engine(engine.address)
        if now - self._looked_at_memory < MEMORY_SECONDS:
            return
        self._looked_at_memory = now
        full = self._engine
        if (
            full is None
            or self._retired
            or full.memory_bytes < self.options.full_bytes
            or self._has_clients(full)
        ):
            return
        # Whoever holds a share of the lease may have a session of its own on the engine. Who comes now waits a moment.
        if not self._lease.take():
            return
        held = full.memory_bytes
        try:
            fresh = self._launch_engine(beside=full)
            address = fresh.address
        except LocalWorkspaceError:
            LOG.exception("the engine holds %.0f MB, and a fresh one did not start; it goes on", held / 1e6)
        else:
            self._engine, self._state.engine_pid = fresh, fresh.pid
            self._engine_ready()
            if self._warehouse is not None:
                self._warehouse.engine_moved(address, retired=full.address)
            self._publish()
            self._retired.append((time.monotonic(), full))
            LOG.info(
                "the engine held %.0f MB and nobody used it; a fresh one serves at %s", held / 1e6, address
            )
        finally:
            self._lease.release()

    def _has_clients(self, engine: EngineHandle) -> bool:
        return self._warehouse is not None and self._warehouse.has_clients_on(engine.address)

    # -- Postgres ----------------------------------------------------------------------------------

    def _look_after_postgres(self) -> None:
        if self._postgres is not None and self._postgres.alive():
            return
        wanted = requests.wanted_postgres(self.layout)
        if wanted is None:
            return
        if self._postgres is not None:
            LOG.warning("Postgres ended by itself; starting it again")
            self._postgres.stop()
            # While it recovers it takes connections only to refuse them, so clients must not take it for ready.
            self._state.postgres_port = self._state.postgres_pid = None
            self._publish()
        self._postgres = PostgresServer(self.layout, database=wanted["database"], user=wanted["user"])
        self._state.postgres_port = self._postgres.start().port
        self._state.postgres_pid = self._postgres.pid
        self._publish()


def prepare_catalog(catalog: Catalog, options: WorkspaceOptions) -> None:
    """Make the catalogs, schemas and volumes that a project needs, where they are missing."""
    for name in options.catalogs:
        catalog.create_catalog(name, if_not_exists=True)
        for schema in options.schemas:
            catalog.create_schema(name, schema, if_not_exists=True)
    for name, schema, volume in options.volumes:
        catalog.create_catalog(name, if_not_exists=True)
        catalog.create_schema(name, schema, if_not_exists=True)
        catalog.create_volume(name, schema, volume, if_not_exists=True)


def stop_forgotten_engine(previous: DaemonState | None) -> int | None:
    """End the engine of a daemon that was killed, if it is still there, and return its process id.

    Linux ends it with the daemon; elsewhere it notices by itself a moment later. It is only touched if that
    process is an engine.
    """
    if previous is None or previous.engine_pid is None:
        return None
    try:
        process = psutil.Process(previous.engine_pid)
        if "local_workspace.engine.sail_server" not in process.cmdline():
            return None
        process.kill()
        process.wait(5)
    except psutil.Error:
        return None
    return previous.engine_pid
