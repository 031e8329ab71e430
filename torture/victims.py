"""The processes of a workspace that a round may kill."""

from __future__ import annotations

import contextlib
import random

import psutil

from local_workspace.daemon.state import DaemonState
from local_workspace.layout import WorkspaceLayout


def victims(layout: WorkspaceLayout, command: psutil.Process) -> dict[str, list[psutil.Process]]:
    """Return what runs now, by kind; kinds that have no process are omitted.

    Args:
        layout: The workspace.
        command: The `orders` command that runs in it.
    """
    found: dict[str, list[psutil.Process]] = {"orders": [command]}
    state = DaemonState.read(layout)
    if state is not None:
        found["daemon"] = _process(state.pid)
        found["engine"] = _process(state.engine_pid)
        found["postmaster"] = _process(state.postgres_pid)
        found["postgres backend"] = [child for one in found["postmaster"] for child in _children(one)]
    servers = [
        process
        for process in psutil.process_iter()
        if _is_fork_server(process, str(layout.home))
        and not _is_fork_server(_parent(process), str(layout.home))
    ]
    found["fork server"] = servers
    found["dbt"] = [child for server in servers for child in _children(server)]
    found["dbt"] += [child for child in _children(command) if "dbt" in " ".join(_command_line(child))]
    return {kind: processes for kind, processes in found.items() if processes}


def kill_one(layout: WorkspaceLayout, command: psutil.Process, chance: random.Random) -> str:
    """Kill a process of a kind that is drawn, with SIGKILL; return the kind."""
    alive = victims(layout, command)
    kind = chance.choice(sorted(alive))
    with contextlib.suppress(psutil.NoSuchProcess):
        chance.choice(alive[kind]).kill()
    return kind


def _process(pid: int | None) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return [psutil.Process(pid)] if pid is not None else []
    return []


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.children()
    return []


def _parent(process: psutil.Process) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        return process.parent()
    return None


def _command_line(process: psutil.Process | None) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline() if process is not None else []
    return []


def _is_fork_server(process: psutil.Process | None, home: str) -> bool:
    words = _command_line(process)
    return "local_workspace.fork_server" in words and home in words
