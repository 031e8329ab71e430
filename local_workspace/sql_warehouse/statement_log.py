"""A line of JSON for every statement: what ran, for how long, how it ended.

``<home>/logs/statements.jsonl``. Values bound to markers are not in it, and neither are tokens or passwords.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from local_workspace.private_files import append_private
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.result import Result

_MAX_STATEMENT = 20_000
_MAX_FILE = 20_000_000


class Speaker(Protocol):
    """Whose statement it is, and where that session was."""

    id: str
    catalog_name: str
    schema_name: str


class StatementLog:
    """Appends to the log file; when it is full, the former half is kept as ``statements.jsonl.1``.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(
        self,
        session: Speaker,
        sql: str,
        seconds: float,
        *,
        result: Result | None = None,
        error: SqlError | None = None,
    ) -> None:
        """Add one line.

        Args:
            session: The session that ran the statement.
            sql: The statement as the client sent it, with markers.
            seconds: Until the first rows were there.
            result: What came back, if it went well.
            error: What went wrong, otherwise.
        """
        line = {
            "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "session": session.id,
            "catalog": session.catalog_name,
            "schema": session.schema_name,
            "seconds": round(seconds, 4),
            "outcome": "failed" if error else (result.note or "ok" if result else "ok"),
            "error": str(error) if error else None,
            "affected_rows": result.affected_rows if result else None,
            "statement": sql[:_MAX_STATEMENT],
        }
        text = json.dumps(line, ensure_ascii=False) + "\n"
        with self._lock:
            if self._path.exists() and self._path.stat().st_size > _MAX_FILE:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with append_private(self._path) as file:
                file.write(text.encode("utf-8", "backslashreplace"))
