"""The SQLite file below the catalog: connections, transactions and the revision counter."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_workspace.errors import ConfigurationError, DataFault

SCHEMA_VERSION = 2
BUSY_SECONDS = 30.0

# 2 added functions, and the filters and masks that use them.
_SECURABLES = """
CREATE TABLE {name} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent_id INTEGER REFERENCES securables (id) ON DELETE CASCADE,
    type TEXT NOT NULL CHECK (type IN ('CATALOG', 'SCHEMA', 'TABLE', 'VOLUME', 'FUNCTION')),
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    comment TEXT,
    owner TEXT NOT NULL,
    created_at TEXT NOT NULL,
    altered_at TEXT NOT NULL
)"""
_SECURABLES_INDEXES = """
CREATE UNIQUE INDEX securable_key ON securables (type, coalesce(parent_id, 0), key);
CREATE INDEX securable_parent ON securables (parent_id)"""
_FUNCTIONS = """
CREATE TABLE functions (
    id INTEGER PRIMARY KEY REFERENCES securables (id) ON DELETE CASCADE,
    definition TEXT NOT NULL
);
CREATE TABLE policies (
    id INTEGER NOT NULL REFERENCES securables (id) ON DELETE CASCADE,
    column_key TEXT NOT NULL DEFAULT '',
    column_name TEXT NOT NULL DEFAULT '',
    function TEXT NOT NULL,
    arguments TEXT NOT NULL,
    PRIMARY KEY (id, column_key)
)"""
_SCHEMA = f"""
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counter VALUES ('revision', 0);
{_SECURABLES.format(name="securables")};
{_SECURABLES_INDEXES};
{_FUNCTIONS};
CREATE TABLE tables (
    id INTEGER PRIMARY KEY REFERENCES securables (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    location TEXT,
    managed INTEGER NOT NULL,
    view_sql TEXT
);
CREATE TABLE view_columns (
    id INTEGER NOT NULL REFERENCES securables (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    data_type TEXT NOT NULL,
    nullable INTEGER NOT NULL,
    PRIMARY KEY (id, position)
);
CREATE TABLE column_comments (
    id INTEGER NOT NULL REFERENCES securables (id) ON DELETE CASCADE,
    column_key TEXT NOT NULL,
    comment TEXT NOT NULL,
    PRIMARY KEY (id, column_key)
);
CREATE TABLE properties (
    id INTEGER NOT NULL REFERENCES securables (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (id, name)
);
CREATE TABLE tags (
    id INTEGER NOT NULL REFERENCES securables (id) ON DELETE CASCADE,
    column_key TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (id, column_key, name)
);
CREATE TABLE constraints (
    id INTEGER NOT NULL REFERENCES securables (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    columns TEXT NOT NULL,
    expression TEXT,
    referenced_id INTEGER REFERENCES securables (id) ON DELETE CASCADE,
    referenced_columns TEXT NOT NULL,
    PRIMARY KEY (id, key)
);
CREATE TABLE grants (
    id INTEGER NOT NULL REFERENCES securables (id) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    privilege TEXT NOT NULL,
    PRIMARY KEY (id, principal, privilege)
);
CREATE TABLE file_moves (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL CHECK (action IN ('remove', 'rename')),
    source TEXT NOT NULL,
    target TEXT,
    table_id INTEGER,
    new_parent_id INTEGER,
    new_name TEXT
);
"""


class Store:
    """Connections to one catalog file, one for each thread, in WAL mode with explicit transactions.

    Args:
        file: The SQLite file; it is created if it does not exist.

    Raises:
        ConfigurationError: A newer version of the workspace wrote the file, or it cannot be opened.
        DataFault: The file is not a SQLite database.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._local = threading.local()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        connection = self._connection()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigurationError(
                "The catalog file was written by a newer version of the local workspace",
                got=f"version {version} in {file}",
                allowed=f"up to {SCHEMA_VERSION}",
                next_step="Update the project, or delete the workspace folder to start again",
            )
        if version < SCHEMA_VERSION:
            self._create(connection)

    def _create(self, connection: sqlite3.Connection) -> None:
        # Outside of a transaction, where alone it has an effect: a table that others refer to is created again.
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version < SCHEMA_VERSION:
                for statement in _statements(version):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        finally:
            connection.execute("PRAGMA foreign_keys = ON")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            self._local.mode = None
            with self._guard:
                # A server makes a thread for each client; what an ended thread opened is closed here.
                for thread in [thread for thread in self._connections if not thread.is_alive()]:
                    self._connections.pop(thread).close()
                self._connections[threading.current_thread()] = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        try:
            # Each connection is used by its own thread only; the check is off so that close() may close
            # them all.
            connection = sqlite3.connect(
                self.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            _switch_to_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.OperationalError as error:
            raise ConfigurationError(
                "The catalog file cannot be opened",
                got=f"{self.file}: {error}",
                next_step="Check the folder's permissions",
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataFault(
                "The catalog file is damaged",
                got=f"{self.file}: {error}",
                consequence="No table can be found by its name; the Delta folders are not affected",
                next_step="Restore the file from a copy, or delete the workspace folder and load again",
            ) from error
        return connection

    @property
    def is_reading(self) -> bool:
        """Whether this thread is inside a :meth:`read`, where nothing can be written."""
        return getattr(self._local, "mode", None) == "read"

    @property
    def is_writing(self) -> bool:
        """Whether this thread is inside a :meth:`write`, whose changes have no revision yet."""
        return getattr(self._local, "mode", None) == "write"

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection on which several queries see one state. A `read` inside another joins it."""
        connection = self._connection()
        if self._local.mode:
            yield connection
            return
        connection.execute("BEGIN")
        self._local.mode = "read"
        try:
            yield connection
        finally:
            self._local.mode = None
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a transaction that holds the write lock.

        The commit of a change bumps the revision. A `write` inside a `write` joins it.
        """
        connection = self._connection()
        if self._local.mode == "write":
            yield connection
            return
        if self._local.mode == "read":
            raise RuntimeError("a write cannot begin inside a read of the catalog")
        connection.execute("BEGIN IMMEDIATE")
        self._local.mode = "write"
        before = connection.total_changes
        try:
            yield connection
            # Whoever was late to make a schema that is there has changed nothing.
            if connection.total_changes != before:
                connection.execute("UPDATE counter SET value = value + 1 WHERE name = 'revision'")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        finally:
            self._local.mode = None

    def revision(self) -> int:
        """Return a number that is different after every committed change, by whichever process."""
        row = self._connection().execute("SELECT value FROM counter WHERE name = 'revision'").fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the connections of all threads; the next use opens a new one."""
        with self._guard:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
        self._local = threading.local()


def _statements(version: int) -> list[str]:
    """Return what takes a file of a version to the present one."""
    if version == 0:
        return _SCHEMA.split(";")
    anew = [
        _SECURABLES.format(name="securables_2"),
        "INSERT INTO securables_2 SELECT * FROM securables",
        "DROP TABLE securables",
        "ALTER TABLE securables_2 RENAME TO securables",
    ]
    return [*anew, *_SECURABLES_INDEXES.split(";"), *_FUNCTIONS.split(";")]


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # Switching needs the file for itself and does not honour the busy timeout, so two first openers may
    # collide.
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
