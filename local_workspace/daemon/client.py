"""Finding, starting and stopping the daemon of a workspace, from any number of processes at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

from foundation.file_locks import FileLock, is_held, is_used
from local_workspace.daemon import requests
from local_workspace.daemon.locks import DAEMON, LEASE, START
from local_workspace.daemon.state import FAILED, READY, DaemonState
from local_workspace.daemon.supervisor import stop_forgotten_engine
from local_workspace.endpoints import SECRET_VARIABLES
from local_workspace.engine.address import EngineAddress
from local_workspace.errors import ConfigurationError, EngineError, LocalWorkspaceError, WorkspaceBusy
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.ports import listens
from local_workspace.postgres.files import data_folder, server_account
from local_workspace.postgres.process import stop_stale
from local_workspace.private_files import append_private, write_private

START_SECONDS = 120.0
STOP_SECONDS = 30.0


def take_lease(layout: WorkspaceLayout) -> FileLock:
    """Take a share of the lease, which keeps a daemon alive, or wait until an ending one is gone.

    Raises:
        WorkspaceBusy: A daemon has been ending for too long.
    """
    lease = FileLock(layout.run / LEASE)
    if not lease.take(shared=True, seconds=STOP_SECONDS + 10):
        raise WorkspaceBusy(
            "The workspace has been stopping for a long time",
            got=layout.home,
            next_step=f"Look at {layout.logs / 'daemon.log'}, or stop it with `orders down`",
        )
    return lease


def ensure_running(layout: WorkspaceLayout, options: WorkspaceOptions, *, postgres: bool) -> DaemonState:
    """Return the state of a daemon that is ready, starting one if there is none. The caller holds the lease.

    Args:
        layout: The workspace.
        options: For a new daemon, and to check what a running one has.
        postgres: Whether the embedded server must run.

    Raises:
        LocalWorkspaceError: What the daemon said when it could not start.
        WorkspaceBusy: Another process has been starting it for too long, or it runs without a catalog that
        is wanted.
    """
    start = FileLock(layout.run / START)
    if not start.take(seconds=START_SECONDS):
        raise WorkspaceBusy(
            "Another command has been starting or stopping the workspace for a long time",
            got=layout.home,
            next_step=f"Look at {layout.logs / 'daemon.log'}, then run the command again",
        )
    try:
        state = None
        if is_held(layout.run / DAEMON):
            state = _wait_ready(layout, None, postgres=postgres, options=options)
        if state is None:
            started = _spawn(layout, replace(options, start_postgres=postgres))
            state = _wait_ready(layout, started, postgres=postgres, options=options)
    finally:
        start.release()
    if state is None:
        raise EngineError(
            "The workspace daemon was killed while it started",
            next_step=f"Run the command again; {layout.logs / 'daemon.log'} may have more",
        )
    have = {catalog.lower() for catalog in state.catalogs}
    missing = [catalog for catalog in options.catalogs if catalog.lower() not in have]
    if missing:
        raise WorkspaceBusy(
            "The running workspace lacks a catalog that this command needs",
            got=", ".join(missing),
            allowed=", ".join(state.catalogs),
            next_step="Stop it with `orders down` and run the command again",
        )
    return state


def _spawn(layout: WorkspaceLayout, options: WorkspaceOptions) -> subprocess.Popen[bytes]:
    write_private(layout.run / requests.OPTIONS, options.to_json())
    DaemonState.set_aside(layout)
    environment = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    with append_private(layout.logs / "daemon.log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_workspace.daemon", str(layout.home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=layout.home,
            env=environment,
            start_new_session=True,
        )
    # Whichever ends first: a daemon that ends is reaped at once, and one that outlives this process is nobody's leftover.
    threading.Thread(target=process.wait, name="reap-daemon", daemon=True).start()
    return process


def _wait_ready(
    layout: WorkspaceLayout,
    process: subprocess.Popen[bytes] | None,
    *,
    postgres: bool,
    options: WorkspaceOptions,
) -> DaemonState | None:
    """Wait for a daemon, ours or another's, until its servers answer; None if it went away silently."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        gone = process.poll() is not None if process is not None else not is_held(layout.run / DAEMON)
        state = DaemonState.read(layout)
        if (
            state is not None
            and state.phase == FAILED
            and state.error is not None
            and (gone or process is None)
        ):
            if process is not None:
                raise LocalWorkspaceError.from_dict(state.error)
            _wait_gone(layout)
            return None
        if gone:
            return None
        if state is not None and state.phase == READY and _answers(state):
            if not postgres or state.postgres_port is not None:
                return state
            requests.want_postgres(layout, options)
        time.sleep(0.02)
    raise WorkspaceBusy(
        f"The workspace was not ready after {START_SECONDS:.0f} s",
        got=layout.home,
        next_step=f"Look at {layout.logs / 'daemon.log'}; stop it with `orders down`",
    )


def _answers(state: DaemonState) -> bool:
    """Return whether each server takes connections: one that just died is about to be started again."""
    if state.engine_address is not None and not EngineAddress.parse(state.engine_address).listens():
        return False
    addresses = []
    if state.postgres_port is not None:
        addresses.append(("127.0.0.1", state.postgres_port))
    if state.warehouse is not None:
        addresses.append((state.warehouse["host"], state.warehouse["port"]))
    return all(listens(host, port) for host, port in addresses)


def _wait_gone(layout: WorkspaceLayout) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while is_held(layout.run / DAEMON):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop(layout: WorkspaceLayout, *, force: bool = False) -> bool:
    """Stop the daemon and what a killed one left behind; return whether one ran.

    Args:
        layout: The workspace.
        force: Stop it under the commands that use it, too.

    Raises:
        WorkspaceBusy: A command uses the workspace. It is not kept up any longer, and so ends with that
        command.
    """
    if not layout.run.is_dir():
        return False
    start = FileLock(layout.run / START)
    if not start.take(seconds=START_SECONDS):
        raise WorkspaceBusy("Another command is starting or stopping the workspace", next_step="Try again")
    try:
        requests.set_persistent(layout, False)
        state = DaemonState.read(layout)
        running = is_held(layout.run / DAEMON)
        if running:
            if not force and _is_leased(layout):
                raise WorkspaceBusy(
                    "A command is using the workspace",
                    consequence="The workspace stops by itself when that command ends",
                    next_step="Wait, or end that command",
                )
            _terminate(layout, state)
        stop_forgotten_engine(state)
        if layout.postgres.exists():
            with contextlib.suppress(ConfigurationError):  # it could not run here, so there is none
                stop_stale(data_folder(layout.home, server_account()))
        return running
    finally:
        start.release()


def _is_leased(layout: WorkspaceLayout) -> bool:
    """Return whether a command holds a share of the lease. Only the daemon takes all of it, to change its engine."""
    lease = layout.run / LEASE
    deadline = time.monotonic() + START_SECONDS
    while is_held(lease) and time.monotonic() < deadline:
        time.sleep(0.05)
    return all(is_used(lease) for _ in range(3))


def _terminate(layout: WorkspaceLayout, state: DaemonState | None) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(state.pid) if state is not None else None
            if process is not None and "local_workspace.daemon" in process.cmdline():
                process.send_signal(number)
        if _wait_gone(layout):
            return
    raise WorkspaceBusy(
        "The workspace daemon does not stop",
        got=layout.home,
        next_step=f"Find the process that holds {layout.run / DAEMON} and end it",
    )
