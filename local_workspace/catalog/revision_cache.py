"""Answers of the catalog, kept for as long as nobody has changed it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from local_workspace.catalog.store import Store
from local_workspace.catalog.table_files import is_settled, settle
from local_workspace.layout import WorkspaceLayout

T = TypeVar("T")

# Names that are not there count as well.
_MOST_KEPT = 10_000


class RevisionCache:
    """What was read of one revision of the catalog, for all threads of this process.

    Every committed change, by whichever process, gives the file a new revision, and the revision is read before each
    answer: one query instead of a transaction with several.

    Args:
        store: The catalog's file.
        layout: Where the folders of its tables are.
    """

    def __init__(self, store: Store, layout: WorkspaceLayout) -> None:
        self._store, self._layout = store, layout
        self._lock = threading.Lock()
        self._revision = -1
        self._kept: dict[Hashable, Any] = {}

    def get(self, asked: Hashable, read: Callable[[sqlite3.Connection], T]) -> T:
        """Return what there is under a key, or read it.

        Args:
            asked: What is read, and of which name.
            read: Reads it, within one transaction. Nobody may change what it gives.
        """
        if self._store.is_writing:  # what this thread changes has no revision yet
            with self._store.read() as connection:
                return read(connection)
        revision = self._store.revision()
        with self._lock:
            if revision == self._revision and asked in self._kept:
                kept: T = self._kept[asked]
                return kept
        settle(self._store, self._layout)
        with self._store.read() as connection:
            answer = read(connection)
            revision, settled = self._store.revision(), is_settled(connection)
        with self._lock:
            if settled and revision >= self._revision:
                if revision > self._revision or len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._revision = revision
                self._kept[asked] = answer
        return answer
