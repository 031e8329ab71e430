"""One writer per table at a time, also between processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from local_workspace.catalog import TableName
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.sql_error import SqlError

WAIT_SECONDS = 600.0


@contextmanager
def table_lock(
    layout: WorkspaceLayout, name: TableName, *, wait_seconds: float = WAIT_SECONDS
) -> Iterator[None]:
    """Holds the table for one change; the lock goes with the process that holds it, however it ends.

    Args:
        layout: The workspace; its lock files are in ``run/locks``.
        name: The table.
        wait_seconds: How long to wait for another writer.

    Raises:
        SqlError: Another writer held the table for all this time (DELTA_CONCURRENT_WRITE).
    """
    folder = layout.run / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / (".".join(name.key) + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        pause = 0.005
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SqlError(
                        "DELTA_CONCURRENT_WRITE",
                        f"Another writer has held the table {name.quoted} for {wait_seconds:.0f} seconds. "
                        "Nothing of this statement was written; run it again when that writer is done.",
                    ) from None
                time.sleep(pause)
                pause = min(pause * 2, 0.2)
        yield
    finally:
        os.close(descriptor)
