"""A running Postgres seen from outside: reading its `postmaster.pid`, and stopping it, even a forgotten one."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

# Fast shutdown, immediate shutdown, the end (PostgreSQL documentation, "Shutting Down the Server"), each
# with its seconds.
_STOPS = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True)
class Postmaster:
    """The lines of `postmaster.pid` that matter here (PostgreSQL's source, `src/include/utils/pidfile.h`)."""

    pid: int
    port: int
    state: str

    @classmethod
    def read(cls, data: Path) -> Postmaster | None:
        """Read the file of a data folder; None if there is none or it is not complete yet."""
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
            return cls(int(lines[0]), int(lines[3]), lines[7].strip() if len(lines) > 7 else "")
        except (FileNotFoundError, ValueError, IndexError):
            return None


def find_stale(data: Path) -> int | None:
    """Return the process id of a Postgres that runs on exactly this data folder, or None.

    The file alone proves nothing, as process ids are used again: the process must be a Postgres, and of this
    folder.
    """
    postmaster = Postmaster.read(data)
    if postmaster is None:
        return None
    try:
        process = psutil.Process(postmaster.pid)
        ours = process.name().startswith("postgres") and str(data) in process.cmdline()
    except psutil.Error:
        return None
    return process.pid if ours else None


def stop_stale(data: Path) -> int | None:
    """Stop a server that nobody owns any more and return its process id; None if there was none."""
    pid = find_stale(data)
    if pid is None:
        # Postgres replaces the file of a process that is gone, but not of one that lives and is something
        # else.
        postmaster = Postmaster.read(data)
        if postmaster is not None and psutil.pid_exists(postmaster.pid):
            (data / "postmaster.pid").unlink(missing_ok=True)
        return None
    stop(psutil.Process(pid))
    return pid


def stop(process: psutil.Process) -> None:
    """Stop a server, first so that every committed transaction is in its files, at last by force."""
    for number, seconds in _STOPS:
        try:
            process.send_signal(number)
            process.wait(seconds)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            pass
        return


def memory_bytes(pid: int) -> int:
    """Return the memory of a server and its workers, what they share counted once."""
    total = 0
    try:
        server = psutil.Process(pid)
        total = int(getattr(server.memory_info(), "shared", 0))
        family = [server, *server.children(recursive=True)]
    except psutil.Error:
        return total
    for process in family:
        with contextlib.suppress(psutil.Error):
            info = process.memory_info()
            total += int(info.rss - getattr(info, "shared", 0))
    return total
