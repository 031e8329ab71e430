"""One update of a pipeline at a time, across processes; the lock ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from local_workspace.errors import WorkspaceBusy


@contextlib.contextmanager
def pipeline_lock(path: Path, pipeline: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a pipeline.

    Raises:
        WorkspaceBusy: Another update still runs after `wait_seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise WorkspaceBusy(
                        f"Another update of pipeline {pipeline} is running",
                        got=f"process {file.read().strip() or 'unknown'}",
                        consequence="This update did not start",
                        next_step="Wait until it ends, then run the update again",
                    ) from None
                time.sleep(0.1)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
