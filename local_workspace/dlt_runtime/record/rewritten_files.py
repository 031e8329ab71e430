"""Telling the ledger of files that a taken file was rewritten on purpose, so that no update takes it for a mistake."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from local_workspace.dlt_runtime.record.state import storable_time


def note_rewritten(state_file: Path, uri: str, size: int, mtime_ns: int) -> None:
    """Record the new size and time of a file that was read without a fault; one with a fault stays as known.

    Call it while holding the pipeline's lock, before the new file takes the name: a file whose rewriting was killed is
    then reported as changed, which is true, until it is rewritten again.

    Args:
        state_file: `state.sqlite` of the pipeline; nothing happens if there is none yet.
        uri: The file as Databricks shows it, `dbfs:/Volumes/...`.
        size: Its bytes.
        mtime_ns: Time of its last change.
    """
    if not state_file.exists():
        return
    with closing(sqlite3.connect(state_file, timeout=30)) as database, database:
        database.execute(
            "UPDATE files SET size = ?, mtime_ns = ? WHERE path = ? AND fault IS NULL",
            (size, storable_time(mtime_ns), uri),
        )
