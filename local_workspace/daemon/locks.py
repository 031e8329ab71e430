"""The three locks that make starting, using and ending a daemon free of races, whoever is killed.

All are `flock` locks on files in the run folder, which the kernel releases when their holder ends:

- `daemon.lock`: held by the daemon while it lives. It alone says whether there is one.
- `start.lock`: held while a client looks for the daemon and starts one, or stops it: one at a time.
- `lease`: shared by all clients that use the daemon. The daemon takes it for itself before it ends, so it
  never ends under a client, and a client that comes too late waits for the end and starts a new one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

DAEMON = "daemon.lock"
START = "start.lock"
LEASE = "lease"


class FileLock:
    """A `flock` lock on one file, not inherited by child processes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor: int | None = None

    def take(self, *, shared: bool = False, seconds: float = 0.0) -> bool:
        """Try to take the lock for so many seconds; return whether it is held."""
        descriptor = os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600)
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, operation)
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EACCES}:
                    os.close(descriptor)
                    raise
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(0.02)
            else:
                self._descriptor = descriptor
                return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def still_there(self) -> bool:
        """Return whether the file is still the one that was locked: somebody may have deleted the whole folder."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.file.stat())
        except FileNotFoundError:
            return False


def is_held(file: Path) -> bool:
    """Return whether somebody holds the lock for itself."""
    if not file.exists():
        return False
    probe = FileLock(file)
    if probe.take(shared=True):
        probe.release()
        return False
    return True


def is_used(file: Path) -> bool:
    """Return whether somebody holds the lock at all, shared or not."""
    if not file.exists():
        return False
    probe = FileLock(file)
    if probe.take():
        probe.release()
        return False
    return True
