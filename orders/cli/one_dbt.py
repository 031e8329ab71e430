"""One dbt command at a time writes to a workspace, as one run at a time of the bundle's job does.

Two builds side by side compute the next periods of a snapshot from the same state, and both insert them: each customer
then has two open periods, which no later build mends. On Databricks `max_concurrent_runs: 1` of the job keeps them apart.
Plain dbt in another terminal is deliberately not held up: who runs it decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlt_ingest.errors import BusyError
from foundation.file_locks import FileLock

_WRITING = frozenset({"build", "clone", "retry", "run", "run-operation", "seed", "snapshot"})


@contextmanager
def alone(run_folder: Path, command: str) -> Iterator[None]:
    """Hold the lock of a dbt command that writes; a command that only reads takes none.

    Args:
        run_folder: Of the workspace, which exists.
        command: dbt's command, such as `build`.

    Raises:
        BusyError: Another one is running.
    """
    if command not in _WRITING:
        yield
        return

    def busy(holder: str) -> BusyError:
        return BusyError(
            "Another dbt command is running on this workspace",
            got=holder,
            consequence="dbt did not start, because both would write the same tables",
            next_step="Wait until it ends, then run the command again",
        )

    with FileLock(run_folder / "dbt-writes.lock").held(busy):
        yield
