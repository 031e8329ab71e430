"""Sessions on the engine that are kept for the next client.

dbt opens a session for every node. A new one on the engine has to connect and to be told every table's name again, which
costs more than most of the queries that then run in it.
"""

from __future__ import annotations

import threading
import time
import weakref
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
        self._taken: weakref.WeakSet[EngineSession] = weakref.WeakSet()
        self._retired: frozenset[str] = frozenset()

    def take(self) -> EngineSession:
        """Return a session for one client: one that was given back, or a new one that connects when it is first used."""
        with self._lock:
            # Given back last, taken first: once one is too old, the rest are.
            if self._kept and time.monotonic() - self._kept[-1][0] < _KEPT_SECONDS:
                taken, stale = self._kept.pop()[1], []
            else:
                taken = EngineSession(self._address, self._log_file, lambda address: address in self._retired)
                stale, self._kept = [engine for _, engine in self._kept], []
            self._taken.add(taken)
        for engine in stale:  # outside of the lock: it asks the engine
            engine.close()
        return taken

    def retire(self, address: str) -> None:
        """Let sessions that are open stay with the engine at an address, and new ones go to the present one."""
        self._retired |= {address}
        self.close()

    def forget(self, address: str) -> None:
        """Note that a retired engine is gone."""
        self._retired -= {address}

    def has_clients_on(self, address: str) -> bool:
        """Return whether a client has anything on the engine at an address: a running statement, rows to fetch, a view."""
        with self._lock:
            return any(engine.is_connected_to(address) for engine in self._taken)

    def give_back(self, engine: EngineSession) -> None:
        """Keep a session for the next client, or end it if it has what the next one must not find."""
        with self._lock:
            self._taken.discard(engine)
            stays = not any(engine.is_connected_to(address) for address in self._retired)
            if engine.is_reusable and stays and len(self._kept) < _MOST_KEPT:
                self._kept.append((time.monotonic(), engine))
                return
        engine.close()

    def close(self) -> None:
        """End the sessions that nobody has."""
        with self._lock:
            kept, self._kept = self._kept, []
        for _, engine in kept:
            engine.close()
