"""The runtime's bookkeeping: one SQLite file a pipeline.

Delta is the truth about data: a batch is done when the table's log carries its application transaction. This
    file holds what Delta
cannot: which input files belong to which batch, offsets of sources, schemas of Auto Loader, events not yet in
    the event log, and the
intent of the batch that is being written. Every start reconciles it with Delta (`recovery.py`).
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_workspace.errors import DataFault

#: Time of change of a file whose fault may pass without a change: it is tried again in every update.
FAULT_MAY_PASS = -1
_LONGEST_TIME = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS updates (
    update_id TEXT PRIMARY KEY, run_id TEXT, started_ms INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS flows (
    flow TEXT PRIMARY KEY, batch INTEGER NOT NULL DEFAULT 0, offsets TEXT NOT NULL DEFAULT '{}',
    once_done INTEGER NOT NULL DEFAULT 0, facts TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS batches (
    flow TEXT NOT NULL, batch INTEGER NOT NULL, update_id TEXT NOT NULL, target TEXT NOT NULL, location TEXT NOT NULL,
    kind TEXT NOT NULL, offsets TEXT NOT NULL, facts TEXT NOT NULL DEFAULT '{}', events TEXT NOT NULL DEFAULT '[]',
    prepared INTEGER NOT NULL DEFAULT 0, schemas TEXT NOT NULL DEFAULT '{}', PRIMARY KEY (flow, batch));
CREATE TABLE IF NOT EXISTS files (
    flow TEXT NOT NULL, source TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    batch INTEGER NOT NULL, rows INTEGER NOT NULL DEFAULT 0, fault TEXT, PRIMARY KEY (flow, source, path));
CREATE TABLE IF NOT EXISTS schemas (
    flow TEXT NOT NULL, source TEXT NOT NULL, version INTEGER NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (flow, source, version));
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, flushed INTEGER NOT NULL DEFAULT 0);
"""


def storable_time(time_ns: int) -> int:
    """Return a file's time of change as the ledger keeps it: within what 64 bits hold, the years 1678 to 2262.

    File systems keep times beyond that, and a clock or a program that is wrong sets them.
    """
    return max(-_LONGEST_TIME, min(time_ns, _LONGEST_TIME))


@dataclass
class Batch:
    """The intent of one commit.

    Args:
        flow: The flow it belongs to, as the application id in Delta is made of it.
        batch: Its number; grows by one a batch and is never used twice.
        kind: `append`, `overwrite`, `merge` or `reset`.
        offsets: Source id -> where this batch ends.
        facts: What the flow shall remember when the batch is done (fingerprint, target version and the like).
        events: The events to be written once the batch is done.
        schemas: Source id -> the schema of an Auto Loader source that holds from this batch on.
    """

    flow: str
    batch: int
    update_id: str
    target: str
    location: str
    kind: str
    offsets: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    prepared: bool = False
    schemas: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FileRecord:
    """One input file as the ledger knows it; `batch` is the one that took it (or met its fault)."""

    path: str
    size: int
    mtime_ns: int
    batch: int
    rows: int = 0
    fault: str | None = None


@dataclass
class FlowState:
    """What a flow has done so far."""

    batch: int = 0
    offsets: dict[str, Any] = field(default_factory=dict)
    once_done: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


class PipelineState:
    """The SQLite file of one pipeline. Not shared between threads.

    The pipeline's lock keeps other processes out.

    Raises:
        DataFault: The file is none of SQLite's, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._prepare()
        except sqlite3.OperationalError:
            self._db.close()
            raise  # a lock, a disk, a right: of the system, not of the file
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise DataFault(
                "The bookkeeping of the pipeline is damaged",
                got=f"{path}: {error}",
                consequence="Which files its tables already have is not known, so nothing was read or written",
                next_step=f"Restore it from a copy; or delete the folder {path.parent} and do a full refresh of all tables",
            ) from error

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._add_later_columns()
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('pipeline_id', ?)", (str(uuid.uuid4()),))

    def _add_later_columns(self) -> None:
        """Bring the file of an older version up to date."""
        if "schemas" not in {row[1] for row in self._db.execute("PRAGMA table_info(batches)")}:
            self._db.execute("ALTER TABLE batches ADD COLUMN schemas TEXT NOT NULL DEFAULT '{}'")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @property
    def pipeline_id(self) -> str:
        """A UUID that stays with the pipeline as long as its bookkeeping does."""
        return str(self._db.execute("SELECT value FROM meta WHERE key = 'pipeline_id'").fetchone()[0])

    # --- updates

    def start_update(
        self, update_id: str, run_id: str | None, started_ms: int, events: list[dict[str, Any]]
    ) -> None:
        """Record that an update runs, with its first events."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO updates VALUES (?, ?, ?, 'RUNNING')", (update_id, run_id, started_ms)
            )
            self._add_events(events)

    def finish_update(self, update_id: str, state: str, events: list[dict[str, Any]]) -> None:
        """Record how an update ended, with its last events."""
        with self._transaction():
            self._db.execute("UPDATE updates SET state = ? WHERE update_id = ?", (state, update_id))
            self._add_events(events)

    def updates(self) -> list[tuple[int, str]]:
        """List `(start in milliseconds since 1970, state)` of all updates, oldest first."""
        return list(self._db.execute("SELECT started_ms, state FROM updates ORDER BY started_ms"))

    def unfinished_updates(self) -> list[tuple[str, str | None]]:
        """List `(update_id, run_id)` of updates whose process ended before they did."""
        return list(
            self._db.execute(
                "SELECT update_id, run_id FROM updates WHERE state = 'RUNNING' ORDER BY started_ms"
            )
        )

    # --- flows and batches

    def flow(self, flow: str) -> FlowState:
        """Return what a flow has done so far; a new flow has done nothing."""
        row = self._db.execute(
            "SELECT batch, offsets, once_done, facts FROM flows WHERE flow = ?", (flow,)
        ).fetchone()
        if row is None:
            return FlowState()
        return FlowState(row[0], json.loads(row[1]), bool(row[2]), json.loads(row[3]))

    def plan(self, batch: Batch, files: Mapping[str, Iterable[FileRecord]]) -> None:
        """Write the intent of a batch and claim its files, before anything else is written."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO batches (flow, batch, update_id, target, location, kind, offsets, facts)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    batch.flow,
                    batch.batch,
                    batch.update_id,
                    batch.target,
                    batch.location,
                    batch.kind,
                    json.dumps(batch.offsets),
                    json.dumps(batch.facts),
                ),
            )
            for source, records in files.items():
                self._put_files(batch.flow, source, records)

    def prepare(self, batch: Batch, files: Mapping[str, Iterable[FileRecord]]) -> None:
        """Record what the batch will have done (rows of files, schemas, facts, events), just before its commit."""
        with self._transaction():
            self._db.execute(
                "UPDATE batches SET prepared = 1, facts = ?, events = ?, offsets = ?, schemas = ?"
                " WHERE flow = ? AND batch = ?",
                (
                    json.dumps(batch.facts),
                    json.dumps(batch.events),
                    json.dumps(batch.offsets),
                    json.dumps(batch.schemas),
                    batch.flow,
                    batch.batch,
                ),
            )
            for source, records in files.items():
                self._put_files(batch.flow, source, records)
        batch.prepared = True

    def _put_files(self, flow: str, source: str, records: Iterable[FileRecord]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(flow, source, r.path, r.size, r.mtime_ns, r.batch, r.rows, r.fault) for r in records],
        )

    def finish(self, batch: Batch, *, once: bool = False, resets: Iterable[str] = ()) -> None:
        """Record that a batch is in Delta: its offsets, facts and events become those of the flow.

        Args:
            batch: The batch.
            once: Whether its flow has to run no more.
            resets: Flows that start again: a full refresh has emptied their table.
        """
        with self._transaction():
            self._db.execute(
                "INSERT INTO flows (flow, batch, offsets, once_done, facts) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (flow) DO UPDATE SET batch = excluded.batch, offsets = excluded.offsets,"
                " once_done = max(once_done, excluded.once_done), facts = excluded.facts",
                (batch.flow, batch.batch, json.dumps(batch.offsets), int(once), json.dumps(batch.facts)),
            )
            for source, content in batch.schemas.items():
                self._put_schema(batch.flow, source, content)
            for flow in resets:
                self._db.execute(
                    "UPDATE flows SET offsets = '{}', once_done = 0, facts = '{}' WHERE flow = ?", (flow,)
                )
                self._db.execute("DELETE FROM files WHERE flow = ?", (flow,))
                self._db.execute("DELETE FROM schemas WHERE flow = ?", (flow,))
            self._db.execute("DELETE FROM batches WHERE flow = ? AND batch = ?", (batch.flow, batch.batch))
            self._add_events(batch.events)

    def abandon(self, batch: Batch) -> None:
        """Forget a batch that is not in Delta; its files are new again, its number is not used again."""
        with self._transaction():
            self._db.execute("DELETE FROM files WHERE flow = ? AND batch = ?", (batch.flow, batch.batch))
            self._db.execute("DELETE FROM batches WHERE flow = ? AND batch = ?", (batch.flow, batch.batch))
            self._db.execute(
                "INSERT INTO flows (flow, batch) VALUES (?, ?) ON CONFLICT (flow) DO UPDATE SET batch = excluded.batch",
                (batch.flow, batch.batch),
            )

    def open_batches(self) -> list[Batch]:
        """List the batches that were planned and neither finished nor abandoned."""
        rows = self._db.execute(
            "SELECT flow, batch, update_id, target, location, kind, offsets, facts, events, prepared, schemas"
            " FROM batches ORDER BY rowid"
        )
        return [
            Batch(
                *(f, b, u, t, at, kind, json.loads(o), json.loads(facts), json.loads(e)),
                prepared=bool(p),
                schemas=json.loads(s),
            )
            for f, b, u, t, at, kind, o, facts, e, p, s in rows
        ]

    # --- files and schemas of Auto Loader

    def files(self, flow: str, source: str) -> dict[str, FileRecord]:
        """Return the ledger of one source: path -> record."""
        rows = self._db.execute(
            "SELECT path, size, mtime_ns, batch, rows, fault FROM files WHERE flow = ? AND source = ?",
            (flow, source),
        )
        return {row[0]: FileRecord(*row) for row in rows}

    def set_faults(
        self,
        flow: str,
        source: str,
        records: Iterable[FileRecord],
        gone: Iterable[str],
        events: Iterable[dict[str, Any]],
    ) -> None:
        """Record files that cannot even be opened, which no batch takes, and forget those that are gone."""
        with self._transaction():
            self._put_files(flow, source, records)
            self._db.executemany(
                "DELETE FROM files WHERE flow = ? AND source = ? AND path = ?",
                [(flow, source, path) for path in gone],
            )
            self._add_events(events)

    def faulty_files(self) -> list[tuple[str, FileRecord]]:
        """List `(flow, record)` of every file that could not be read."""
        rows = self._db.execute(
            "SELECT flow, path, size, mtime_ns, batch, rows, fault FROM files WHERE fault IS NOT NULL ORDER BY path"
        )
        return [(row[0], FileRecord(*row[1:])) for row in rows]

    def schema(self, flow: str, source: str) -> Any:
        """Return the newest schema of a source, or None."""
        row = self._db.execute(
            "SELECT content FROM schemas WHERE flow = ? AND source = ? ORDER BY version DESC LIMIT 1",
            (flow, source),
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def _put_schema(self, flow: str, source: str, content: Any) -> None:
        self._db.execute(
            "INSERT INTO schemas (flow, source, version, content)"
            " SELECT ?, ?, coalesce(max(version), 0) + 1, ? FROM schemas WHERE flow = ? AND source = ?",
            (flow, source, json.dumps(content), flow, source),
        )

    # --- events

    def _add_events(self, events: Iterable[dict[str, Any]]) -> None:
        self._db.executemany("INSERT INTO events (event) VALUES (?)", [(json.dumps(e),) for e in events])

    def add_events(self, events: Iterable[dict[str, Any]]) -> None:
        """Keep events until they are in the event log table."""
        with self._transaction():
            self._add_events(events)

    def unflushed_events(self) -> list[tuple[int, dict[str, Any]]]:
        """List `(sequence, event)` of events that the event log table does not have yet."""
        rows = self._db.execute("SELECT sequence, event FROM events WHERE flushed = 0 ORDER BY sequence")
        return [(row[0], json.loads(row[1])) for row in rows]

    def mark_flushed(self, up_to: int) -> None:
        """Forget the events up to a sequence number: they are in the event log table."""
        with self._transaction():
            self._db.execute("DELETE FROM events WHERE sequence <= ?", (up_to,))
