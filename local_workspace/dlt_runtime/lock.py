"""One update of a pipeline at a time, across processes; the lock ends with its process, however that ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from foundation.file_locks import FileLock
from local_workspace.errors import WorkspaceBusy


@contextlib.contextmanager
def pipeline_lock(path: Path, pipeline: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a pipeline.

    Raises:
        WorkspaceBusy: Another update still runs after `wait_seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    def busy(holder: str) -> WorkspaceBusy:
        return WorkspaceBusy(
            f"Another update of pipeline {pipeline} is running",
            got=holder,
            consequence="This update did not start",
            next_step="Wait until it ends, then run the update again",
        )

    with FileLock(path).held(busy, seconds=wait_seconds):
        yield
