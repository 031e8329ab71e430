"""What the log of a Delta table says: where the table stands, its files, its flows, what happened since a version.

This is the one reader of the log. Format: "Delta Transaction Log Protocol", sections *Delta Log Entries* and *Actions*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError


@dataclass(frozen=True)
class Position:
    """Where a table stands: its id and version. A new id is another table, even at the same place."""

    table_id: str
    version: int

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept in the bookkeeping."""
        return {"table_id": self.table_id, "version": self.version}


def open_table(location: Path) -> DeltaTable | None:
    """Return the Delta table in a folder, without reading its list of files; None if there is none."""
    try:
        return DeltaTable(str(location))
    except TableNotFoundError:
        return None


def position(path: Path) -> Position | None:
    """Return where a table stands now, or None if there is none."""
    table = open_table(path)
    return None if table is None else position_of(table)


def position_of(table: DeltaTable) -> Position:
    """Return where an opened table stands."""
    return Position(str(table.metadata().id), table.version())


def is_untouched(location: Path) -> bool:
    """Return whether a table was made and nothing was ever committed to it: an update ended in between."""
    table = open_table(location)
    return table is not None and table.version() == 0 and not table.file_uris()


def committed_batch(location: Path, flow: str) -> int | None:
    """Return the number of the last batch of a flow that is in the table; None if none is."""
    table = open_table(location)
    return None if table is None else table.transaction_version(flow)


def table_bytes(path: Path) -> int:
    """Sum the bytes of a table's current files; 0 if there is none."""
    table = open_table(path)
    if table is None:
        return 0
    return sum(pa.table(table.get_add_actions(flatten=True))["size_bytes"].to_pylist())


def table_rows(path: Path) -> int:
    """Count a table's rows by the statistics in its log; 0 if there is none."""
    table = open_table(path)
    return 0 if table is None else table.count()


def entry(path: Path, version: int) -> list[dict[str, Any]]:
    """Return the actions of one entry of the log.

    Raises:
        FileNotFoundError: The log does not have it, or not any more.
    """
    text = (path / "_delta_log" / f"{version:020d}.json").read_text(encoding="utf-8")
    # Not splitlines(), which ends a line at U+2028 and the like: a value in the statistics may have one.
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def rows_changed(path: Path, since: Position, until: Position) -> bool:
    """Whether a table may hold other rows, or other columns, at `until` than at `since`.

    Compaction changes files and no rows: Delta marks its actions with `dataChange` false (Delta protocol, "Add File and
    Remove File"). Where the log no longer tells, the answer is yes.
    """
    if since.table_id != until.table_id or since.version > until.version:
        return True
    for version in range(since.version + 1, until.version + 1):
        try:
            actions = entry(path, version)
        except FileNotFoundError:
            return True
        for kind, action in (item for one in actions for item in one.items()):
            if kind in ("metaData", "protocol", "cdc"):
                return True
            if kind in ("add", "remove") and action.get("dataChange", True):
                return True
    return False


def files_exist(path: Path, adds: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the files of these `add` actions are there: compaction and VACUUM may have taken them away since."""
    return all((path / unquote(add["path"])).exists() for add in adds)


def current_files(table: DeltaTable) -> list[dict[str, Any]]:
    """List a table's files as `add` actions, in the order of the log."""
    files = pa.table(table.get_add_actions(flatten=False))
    wanted = ("path", "size_bytes", "modification_time", "num_records", "null_count", "partition")
    rows = files.select([name for name in wanted if name in files.column_names]).to_pylist()
    return [
        {
            "path": row["path"],
            "size": row["size_bytes"],
            "modificationTime": row.get("modification_time") or 0,
            "partitionValues": {
                key: partition_text(value) for key, value in (row.get("partition") or {}).items()
            },
            **_stats(row.get("num_records"), row.get("null_count")),
        }
        for row in rows
    ]


def _stats(rows: int | None, nulls: Mapping[str, Any] | None) -> dict[str, str]:
    if rows is None:
        return {}
    known = {name: count for name, count in (nulls or {}).items() if isinstance(count, int)}
    return {"stats": json.dumps({"numRecords": rows, **({"nullCount": known} if known else {})})}


def row_count(add: Mapping[str, Any]) -> int:
    """Return the number of rows of a file, from the statistics of its ``add`` action."""
    return int(_stats_of(add).get("numRecords", 0))


def null_count(add: Mapping[str, Any], column: str) -> int | None:
    """Return how many rows of a file have no value in a column; None where its ``add`` action does not say.

    Source: the Delta protocol, "Per-file Statistics": nullCount is exact where a file has no deletion vector.
    """
    stats = _stats_of(add)
    partitions = add.get("partitionValues") or {}
    if column in partitions:
        return 0 if partitions[column] is not None else stats.get("numRecords")
    if add.get("deletionVector"):
        return None
    found = (stats.get("nullCount") or {}).get(column)
    return found if isinstance(found, int) else None


def _stats_of(add: Mapping[str, Any]) -> dict[str, Any]:
    stats: dict[str, Any] = json.loads(add.get("stats") or "{}")
    return stats


def partition_text(value: Any) -> str | None:
    """Write a partition value as Delta does (Delta protocol, "Partition Value Serialization")."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(timezone.utc)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, bytes):
        return "".join(chr(byte) for byte in value)
    return str(value)
