"""One process at a time in a folder of files."""

from __future__ import annotations

import contextlib
import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path

from foundation.file_locks import FileLock


@contextlib.contextmanager
def exclusive(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold a folder for this process; a process that is killed gives it up.

    Args:
        folder: The folder; created if missing.
        wait: Whether to wait for a process that holds it.

    Raises:
        BlockingIOError: If another process holds it and `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def busy(_: str) -> BlockingIOError:
        return BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(folder))

    # On a volume of Databricks, which knows no locks, the job's own concurrency limit keeps a second process out.
    with FileLock(folder, optional=True).held(busy, seconds=math.inf if wait else 0.0):
        yield
