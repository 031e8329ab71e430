"""`kill -9` while a workspace starts: of the command, of the daemon, or of both, at any moment of the start."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import psycopg2
import pytest

from foundation.file_locks import is_held
from local_workspace.daemon.locks import DAEMON
from local_workspace.daemon.state import DaemonState
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.postgres.files import possible_data_folders
from local_workspace.workspace import Workspace

OPTIONS = WorkspaceOptions(catalogs=("shop",), schemas=("gold",), linger_seconds=0.2)
ATTACH = """
import sys
from pathlib import Path
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.postgres.files import possible_data_folders
from local_workspace.workspace import Workspace
Workspace.attach(WorkspaceLayout(Path(sys.argv[1])), WorkspaceOptions.from_json(sys.argv[2]))
sys.stdin.readline()
"""


def own_processes(layout: WorkspaceLayout) -> dict[int, list[str]]:
    """Every process of this workspace with its command, found by what it says about itself, not by what the state says.

    Some live a moment only, such as those that set up Postgres: one that is listed may be gone already.
    """
    # Root's Postgres has its data outside of the workspace folder.
    places = tuple(map(str, (layout.home, *possible_data_folders(layout.home))))
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            ours = any(part.startswith(places) for part in command)
            if ours or (
                "local_workspace.engine.sail_server" in command and process.cwd() == str(layout.home)
            ):
                found[process.pid] = command
    return found


@pytest.mark.parametrize(
    ("moment", "victims"),
    [
        ("folder", "both"),
        ("daemon", "daemon"),
        ("engine", "command"),
        ("engine", "both"),
        ("postgres", "daemon"),
        ("postgres", "both"),
    ],
)
def test_the_next_attach_works(layout: WorkspaceLayout, moment: str, victims: str) -> None:
    """Guards a start that is cut off at each of its stages: the next command has all servers, one of each, and no orphan."""
    command = subprocess.Popen(
        [sys.executable, "-c", ATTACH, str(layout.home), OPTIONS.to_json()], stdin=subprocess.PIPE
    )
    reached = {
        "folder": layout.run.exists,
        "daemon": lambda: is_held(layout.run / DAEMON),
        "engine": (layout.logs / "sail.log").exists,
        "postgres": (layout.postgres / "password").exists,
    }[moment]
    deadline = time.monotonic() + 30
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert reached()
    daemons = [pid for pid, words in own_processes(layout).items() if "local_workspace.daemon" in words]
    if victims in {"command", "both"}:
        command.kill()
    if victims in {"daemon", "both"}:
        for daemon in daemons:
            os.kill(daemon, signal.SIGKILL)
    if victims == "daemon":
        assert command.stdin is not None
        command.stdin.close()
    command.wait(60)

    with Workspace.attach(layout, OPTIONS) as workspace:
        state = DaemonState.read(layout)
        assert state is not None
        assert workspace.connect().range(3).count() == 3
        assert workspace.postgres is not None
        psycopg2.connect(workspace.postgres.uri()).close()
        assert [table.name for table in workspace.catalog.tables("shop")] == []
        deadline = time.monotonic() + 60
        expected = {state.pid, state.engine_pid, state.postgres_pid}
        while set(own_processes(layout)) != expected and time.monotonic() < deadline:
            time.sleep(0.05)
        assert set(own_processes(layout)) == expected
    if command.stdin is not None and not command.stdin.closed:
        command.stdin.close()
