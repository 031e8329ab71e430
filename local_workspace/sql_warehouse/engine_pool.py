"""Sessions on the engine that are kept for the next client.

dbt opens a session for every node. A new one on the engine has to connect and to be told every table's name again, which
costs more than most of the queries that then run in it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from local_workspace.sql_warehouse.engine_session import EngineSession

# As many as dbt has threads, with some to spare.
_MOST_KEPT = 8
# Long before the engine forgets what a session without use has registered (SailSettings.session_timeout_seconds).
_KEPT_SECONDS = 3600


class EnginePool:
    """Hands out engine sessions; every client's session has one to itself until it gives it back.

    Args:
        address: Gives the engine's Spark Connect address.
        log_file: The engine's log.
    """

    def __init__(self, address: Callable[[], str], log_file: Path) -> None:
        self._address = address
        self._log_file = log_file
        self._lock = threading.Lock()
        self._kept: list[tuple[float, EngineSession]] = []

    def take(self) -> EngineSession:
        """Return a session for one client: one that was given back, or a new one that connects when it is first used."""
        with self._lock:
            # Given back last, taken first: once one is too old, the rest are.
            if self._kept and time.monotonic() - self._kept[-1][0] < _KEPT_SECONDS:
                return self._kept.pop()[1]
            stale, self._kept = [engine for _, engine in self._kept], []
        for engine in stale:  # outside of the lock: it asks the engine
            engine.close()
        return EngineSession(self._address, self._log_file)

    def give_back(self, engine: EngineSession) -> None:
        """Keep a session for the next client, or end it if it has what the next one must not find."""
        with self._lock:
            if engine.is_reusable and len(self._kept) < _MOST_KEPT:
                self._kept.append((time.monotonic(), engine))
                return
        engine.close()

    def close(self) -> None:
        """End the sessions that nobody has."""
        with self._lock:
            kept, self._kept = self._kept, []
        for _, engine in kept:
            engine.close()
