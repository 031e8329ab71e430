"""Folders of tables follow the catalog: a journal makes drop and rename whole under `kill -9`.

The catalog row and the folder cannot change in one step. So a drop first deletes the row and notes the folder
in the journal, in one transaction; then the folder is moved aside, which is one step again, and deleted at
leisure. A rename notes its intention first and changes row and folder after. Whoever opens the catalog, looks
a name up or writes first settles what a killed process left open, so nobody finds a table without its files,
or writes into the files of a dropped one.
"""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from pathlib import Path

from local_workspace.catalog.records import Anomaly
from local_workspace.catalog.store import Store
from local_workspace.errors import DataFault
from local_workspace.layout import WorkspaceLayout

TRASH = ".trash"


def stored_path(layout: WorkspaceLayout, location: Path) -> str:
    """Return how a location is recorded: relative if inside the workspace, which may then be moved."""
    try:
        return location.relative_to(layout.root).as_posix()
    except ValueError:
        return str(location)


def note_removal(connection: sqlite3.Connection, stored: str) -> None:
    """Note in the journal that a folder is to be removed. Its row is deleted in the same transaction."""
    connection.execute("INSERT INTO file_moves (action, source) VALUES ('remove', ?)", (stored,))


def note_rename(
    connection: sqlite3.Connection,
    *,
    table_id: int,
    parent_id: int,
    name: str,
    source: str | None,
    target: str | None,
) -> None:
    """Note in the journal that a table gets a new name and, if it is managed, a new folder."""
    connection.execute(
        "INSERT INTO file_moves (action, source, target, table_id, new_parent_id, new_name)"
        " VALUES ('rename', ?, ?, ?, ?, ?)",
        (source or "", target, table_id, parent_id, name),
    )


def settle(store: Store, layout: WorkspaceLayout) -> None:
    """Do what the journal says, under the write lock, so that two processes never move the same folder.

    Inside a read it does nothing: the read's own beginning is the moment to settle.

    Raises:
        DataFault: A folder cannot be moved; the journal keeps its entry.
    """
    if store.is_reading:
        return
    with store.read() as connection:
        if is_settled(connection):
            return
    with store.write() as connection:
        for move in connection.execute("SELECT * FROM file_moves ORDER BY id").fetchall():
            try:
                if move["action"] == "remove":
                    _move_to_trash(layout, layout.root / move["source"])
                else:
                    _finish_rename(connection, layout, move)
            except OSError as error:
                raise DataFault(
                    "A table's folder cannot be moved",
                    got=f"{move['source']}: {error.strerror or error}",
                    consequence="The catalog stays unchanged until the folder can be moved",
                    next_step="Check who owns the folder and whether a program has it open, then try again",
                ) from error
            connection.execute("DELETE FROM file_moves WHERE id = ?", (move["id"],))
    empty_trash(layout)


def is_settled(connection: sqlite3.Connection) -> bool:
    """Return whether the journal is empty."""
    return connection.execute("SELECT 1 FROM file_moves LIMIT 1").fetchone() is None


def _move_to_trash(layout: WorkspaceLayout, folder: Path) -> None:
    if folder.exists():
        trash = layout.warehouse / TRASH
        trash.mkdir(parents=True, exist_ok=True)
        folder.rename(trash / uuid.uuid4().hex)


def _finish_rename(connection: sqlite3.Connection, layout: WorkspaceLayout, move: sqlite3.Row) -> None:
    if move["target"] is not None:
        source, target = layout.root / move["source"], layout.root / move["target"]
        if source.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
        connection.execute("UPDATE tables SET location = ? WHERE id = ?", (move["target"], move["table_id"]))
    connection.execute(
        "UPDATE securables SET parent_id = ?, name = ?, key = ?,"
        " altered_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now') WHERE id = ?",
        (move["new_parent_id"], move["new_name"], move["new_name"].lower(), move["table_id"]),
    )


def empty_trash(layout: WorkspaceLayout) -> None:
    """Delete what drops moved aside, perhaps beside another process; :func:`rescan` reports what stays."""
    trash = layout.warehouse / TRASH
    if trash.is_dir():
        for folder in trash.iterdir():
            shutil.rmtree(folder, ignore_errors=True)


def rescan(store: Store, layout: WorkspaceLayout) -> list[Anomaly]:
    """Compare the catalog with the folders and report every difference; nothing is changed."""
    anomalies: list[Anomaly] = []
    with store.read() as connection:
        rows = connection.execute(
            "SELECT c.name || '.' || s.name || '.' || o.name AS name, o.type,"
            " coalesce(t.location, '') AS location FROM securables o"
            " JOIN securables s ON s.id = o.parent_id JOIN securables c ON c.id = s.parent_id"
            " LEFT JOIN tables t ON t.id = o.id WHERE o.type IN ('TABLE', 'VOLUME') ORDER BY 1"
        ).fetchall()
    known: set[Path] = set()
    for row in rows:
        if row["type"] == "VOLUME":
            if not layout.volume_path(*row["name"].split(".")).is_dir():
                anomalies.append(
                    Anomaly(
                        "volume without folder",
                        row["name"],
                        "Land files again; the folder is created when the volume is used",
                    )
                )
        elif row["location"]:
            location = layout.root / row["location"]
            known.add(location)
            if not (location / "_delta_log").is_dir():
                anomalies.append(
                    Anomaly(
                        "table without folder",
                        row["name"],
                        "Refresh the table in full, or drop it from the catalog",
                    )
                )
    for log in sorted(layout.warehouse.glob("*/*/*/_delta_log")):
        if log.parent not in known and log.parents[2].name != TRASH:
            below = log.parent.relative_to(layout.warehouse)
            anomalies.append(
                Anomaly(
                    "folder without table",
                    below.as_posix(),
                    "The next update or build of the table takes it over; delete the folder if nothing builds it",
                )
            )
    trash = layout.warehouse / TRASH
    if trash.is_dir():
        anomalies += [
            Anomaly(
                "leftover of a drop",
                entry.relative_to(layout.root).as_posix(),
                "Delete the folder; nothing refers to it",
            )
            for entry in sorted(trash.iterdir())
        ]
    return anomalies
