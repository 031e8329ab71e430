"""CPU time and memory of a command with all processes of its workspace, which a clock on the wall does not see."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_LOOK_SECONDS = 0.1


@dataclass
class Cost:
    """What a command took.

    Attributes:
        cpu_seconds: User and system time by role: `orders`, `dbt`, `daemon`, `engine`, `postgres`.
        peak_bytes: Most memory of all of them at one moment, shared pages counted once (PSS).
    """

    cpu_seconds: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0


def measured(command: Sequence[str], *, home: Path, environment: Mapping[str, str], folder: Path) -> Cost:
    """Run a command to its end and give what it took, with all processes of the workspace in `home`.

    A process that lives shorter than a tenth of a second may be missed.

    Raises:
        AssertionError: If the command fails, with the end of what it printed.
    """
    cost = Cost()
    begun = {process.pid: _cpu(process) for process in _family(home, None)}
    ended: dict[int, tuple[str, float]] = {}
    printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed below, or with the failure
    process = subprocess.Popen(
        command, env=dict(environment), cwd=folder, stdout=printed, stderr=subprocess.STDOUT
    )
    done = threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_SECONDS):
            memory = 0
            for member in _family(home, process.pid):
                try:
                    ended[member.pid] = (_role(member), _cpu(member))
                    memory += member.memory_full_info().pss
                except psutil.Error:
                    continue  # it ended just now
            cost.peak_bytes = max(cost.peak_bytes, memory)

    watcher = threading.Thread(target=look, name="watch-processes")
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        printed.seek(0)
        raise AssertionError(f"{command} ended with {code}:\n{printed.read()[-4000:].decode()}")
    printed.close()
    for pid, (role, seconds) in ended.items():
        cost.cpu_seconds[role] = cost.cpu_seconds.get(role, 0.0) + seconds - begun.get(pid, 0.0)
    return cost


def _family(home: Path, command: int | None) -> list[psutil.Process]:
    roots = [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.pid == command or str(home) in (process.info["cmdline"] or [])
    ]
    found: dict[int, psutil.Process] = {}
    for root in roots:
        try:
            found.update({process.pid: process for process in [root, *root.children(recursive=True)]})
        except psutil.Error:
            continue
    return list(found.values())


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _role(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    for mark, role in (
        ("local_workspace.fork_server", "dbt"),
        ("bin/dbt", "dbt"),
        ("resource_tracker", "dbt"),
        ("sail_server", "engine"),
        ("local_workspace.daemon", "daemon"),
        ("postgres", "postgres"),
    ):
        if mark in command:
            return role
    return "orders"
