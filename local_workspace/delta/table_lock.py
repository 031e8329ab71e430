"""One writer per table at a time, also between processes: the SQL warehouse, updates of pipelines, maintenance.

Delta lets appends by several writers through and fails the others; here they wait for each other instead, and a writer may
move files and look at the newest version before it commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from foundation.file_locks import FileLock
from local_workspace.catalog import TableName
from local_workspace.errors import WorkspaceBusy
from local_workspace.layout import WorkspaceLayout
from local_workspace.plain_names import plain_name

WAIT_SECONDS = 600.0


@contextmanager
def table_lock(
    layout: WorkspaceLayout, name: TableName, *, wait_seconds: float = WAIT_SECONDS
) -> Iterator[None]:
    """Hold a table for one change; the lock goes with the process that holds it, however it ends.

    Not reentrant: whoever holds it and asks again waits for itself.

    Args:
        layout: The workspace; its lock files are in `run/locks`.
        name: The table.
        wait_seconds: How long to wait for another writer.

    Raises:
        WorkspaceBusy: Another writer held the table for all this time.
    """
    folder = layout.run / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def busy(_: str) -> WorkspaceBusy:
        return WorkspaceBusy(
            f"Another writer has held the table {name.quoted} for {wait_seconds:.0f} seconds",
            consequence="Nothing was written",
            next_step="Run it again when the other writer has finished",
        )

    with FileLock(folder / _lock_name(name)).held(busy, seconds=wait_seconds):
        yield


def _lock_name(name: TableName) -> str:
    text = ".".join(map(plain_name, name.key))
    return f"{text if len(text) < 200 else hashlib.sha256(text.encode()).hexdigest()}.lock"
