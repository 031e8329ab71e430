"""A Delta table as a streaming source: the files that its commits added since a version, and nothing else.

A slice is a throw-away Delta table in the stage whose files are hard links to the new ones. Delta's own
reader then does what it always does about partition columns and columns that older files lack.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from local_workspace.errors import DataFault, NotSupported, PipelineCodeError

_NO_EFFECT = frozenset(
    {"maxfilespertrigger", "maxbytespertrigger", "witheventtimeorder", "skipchangecommits"}
)
_UNREADABLE_FEATURES = frozenset({"deletionVectors", "columnMapping", "v2Checkpoint"})


@dataclass(frozen=True)
class Position:
    """Where a table stands: its id and version. A new id is another table, even at the same place."""

    table_id: str
    version: int

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept in the bookkeeping."""
        return {"table_id": self.table_id, "version": self.version}


def position(path: Path) -> Position | None:
    """Return where a table stands now, or None if there is none."""
    try:
        table = DeltaTable(str(path))
    except TableNotFoundError:
        return None
    return Position(str(table.metadata().id), table.version())


def table_bytes(path: Path) -> int:
    """Sum the bytes of a table's current files; 0 if there is none."""
    try:
        files: Any = DeltaTable(str(path)).get_add_actions(flatten=True)
    except TableNotFoundError:
        return 0
    return sum(pa.table(files)["size_bytes"].to_pylist())


def table_rows(path: Path) -> int:
    """Count a table's rows by the statistics in its log; 0 if there is none."""
    try:
        return DeltaTable(str(path)).count()
    except TableNotFoundError:
        return 0


def check_options(options: Mapping[str, str], source: str) -> bool:
    """Check the options of `spark.readStream.table`; say whether commits that change rows are to be skipped.

    Raises:
        NotSupported: An option that would change which rows are read.
        PipelineCodeError: An unknown option.
    """
    known = {
        "startingversion",
        "startingtimestamp",
        "readchangefeed",
        "readchangedata",
        "ignorechanges",
        "ignoredeletes",
        "schematrackinglocation",
        "failondataloss",
        "excluderegex",
    }
    lowered = {key.lower(): value for key, value in options.items()}
    for key, value in lowered.items():
        if key in known:
            raise NotSupported(
                f"Option {key} of a streaming read",
                "Leave it out, or use skipChangeCommits",
                got=f"{value!r}, {source}",
            )
        if key not in _NO_EFFECT:
            raise PipelineCodeError(
                f"Unknown option {key} of the streaming read of {source}", got=repr(value)
            )
    return lowered.get("skipchangecommits", "false").lower() == "true"


def added_files(
    path: Path, source: str, since: Position, until: Position, *, skip_changes: bool
) -> list[dict[str, Any]]:
    """List the `add` actions of the commits after `since` up to `until`.

    Raises:
        DataFault: A commit changed or removed rows, the table was replaced, or its log no longer reaches back
            that far. The texts are those of Delta's streaming source.
    """
    if since.table_id != until.table_id:
        raise DataFault(
            f"[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] {source} is another table than the one that was read before",
            got=f"id {until.table_id}",
            allowed=f"id {since.table_id}",
            consequence="Its old rows cannot be told from its new ones",
            next_step="Do a full refresh of the tables that read it as a stream",
        )
    adds: list[dict[str, Any]] = []
    for version in range(since.version + 1, until.version + 1):
        commit = path / "_delta_log" / f"{version:020d}.json"
        try:
            actions = [
                json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines() if line.strip()
            ]
        except FileNotFoundError:
            raise DataFault(
                f"The log of {source} no longer has version {version}",
                consequence="The rows that came since the last update cannot be found",
                next_step="Do a full refresh of the tables that read it as a stream",
            ) from None
        removed = [a["remove"] for a in actions if "remove" in a and a["remove"].get("dataChange", True)]
        if removed and _is_reset(actions):
            raise DataFault(
                f"[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] {source} was refreshed in full at version {version}",
                consequence="Its rows come a second time, and skipChangeCommits would take them again",
                next_step="Do a full refresh of the tables that read it as a stream, together with it",
            )
        if removed:
            if skip_changes:
                continue
            raise DataFault(
                f"[DELTA_SOURCE_TABLE_IGNORE_CHANGES] Detected a data update (for example {_operation(actions)})"
                f" in the source table {source} at version {version}. This is currently not supported. If this is"
                " going to happen regularly and you are okay to skip changes, set the option 'skipChangeCommits' to"
                " 'true'. If you would like the data update to be reflected, please restart this query with a fresh"
                " checkpoint directory or do a full refresh",
                got=removed[0]["path"],
            )
        adds.extend(a["add"] for a in actions if "add" in a and a["add"].get("dataChange", True))
    return adds


def files_exist(path: Path, adds: list[dict[str, Any]]) -> bool:
    """Whether the files of these `add` actions are there: compaction and VACUUM may have taken them away since."""
    return all((path / unquote(add["path"])).exists() for add in adds)


def rows_changed(path: Path, since: Position, until: Position) -> bool:
    """Whether a table may hold other rows, or other columns, at `until` than at `since`.

    Compaction changes files and no rows: Delta marks its actions with `dataChange` false (Delta protocol, "Add File and
    Remove File"). Where the log no longer tells, the answer is yes.
    """
    if since.table_id != until.table_id or since.version > until.version:
        return True
    for version in range(since.version + 1, until.version + 1):
        try:
            text = (path / "_delta_log" / f"{version:020d}.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return True
        for line in filter(str.strip, text.splitlines()):
            for kind, action in json.loads(line).items():
                if kind in ("metaData", "protocol", "cdc"):
                    return True
                if kind in ("add", "remove") and action.get("dataChange", True):
                    return True
    return False


def _operation(actions: list[dict[str, Any]]) -> str:
    info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    return str(info.get("operation", "UNKNOWN"))


def _is_reset(actions: list[dict[str, Any]]) -> bool:
    """Whether a commit is that of a full refresh; see `reset.py`."""
    info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    return json.loads(info.get("dlt") or "{}").get("operation") == "full refresh"


def current_files(table: DeltaTable) -> list[dict[str, Any]]:
    """List a table's files as `add` actions, in the order of the log."""
    files = pa.table(table.get_add_actions(flatten=False))
    wanted = ("path", "size_bytes", "modification_time", "num_records", "partition")
    rows = files.select([name for name in wanted if name in files.column_names]).to_pylist()
    return [
        {
            "path": row["path"],
            "size": row["size_bytes"],
            "modificationTime": row.get("modification_time") or 0,
            "partitionValues": {
                key: partition_text(value) for key, value in (row.get("partition") or {}).items()
            },
            **(
                {"stats": json.dumps({"numRecords": rows_in})}
                if (rows_in := row.get("num_records")) is not None
                else {}
            ),
        }
        for row in rows
    ]


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


def make_slice(
    path: Path,
    until: Position,
    adds: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    fields: Sequence[Mapping[str, Any]] | None = None,
    numbered: str | None = None,
) -> None:
    """Write a Delta table into `folder` that has exactly the files of `adds`.

    Args:
        path: The table's folder.
        until: Where the table stands.
        adds: `add` actions of its log.
        folder: Where the slice goes; it must not exist.
        fields: The slice's columns if they are others than the table's; files that lack one are read as having NULL.
        numbered: Name of one more column, which says from which of `adds` a row is, counted from 0. It is a partition
            column, whose values stand in the log: so it costs nothing, and a filter on it reads those files alone.

    Raises:
        NotSupported: The source uses a Delta feature with which files cannot be taken out of their table.
    """
    table = DeltaTable(str(path), version=until.version)
    protocol = table.protocol()
    features = set(protocol.reader_features or ())
    if (
        features & _UNREADABLE_FEATURES
        or protocol.min_reader_version == 2
        or any(a.get("deletionVector") for a in adds)
    ):
        found = ", ".join(sorted(features & _UNREADABLE_FEATURES)) or "column mapping"
        raise NotSupported(
            f"Reading single files of a Delta table with {found}",
            "Read the table with spark.read, or write it anew without the feature",
            got=str(path),
        )
    log = folder / "_delta_log"
    log.mkdir(parents=True)
    metadata = table.metadata()
    columns = list(json.loads(table.schema().to_json())["fields"] if fields is None else fields)
    partitions = list(metadata.partition_columns)
    if numbered is not None:
        columns.append({"name": numbered, "type": "integer", "nullable": False, "metadata": {}})
        partitions.append(numbered)
    actions: list[dict[str, Any]] = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
        if not features
        else {
            "protocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": sorted(features),
                "writerFeatures": sorted(features),
            }
        },
        {
            "metaData": {
                "id": str(metadata.id),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": columns}),
                "partitionColumns": partitions,
                "configuration": {},
                "createdTime": 0,
            }
        },
    ]
    for at, add in enumerate(adds):
        name = f"{at:06d}.parquet"
        _link(path / unquote(add["path"]), folder / name)
        kept = {k: add[k] for k in ("partitionValues", "size", "modificationTime", "stats") if k in add}
        if numbered is not None:
            kept["partitionValues"] = {**kept.get("partitionValues", {}), numbered: str(at)}
        actions.append({"add": {"path": name, "dataChange": True, **kept}})
    (log / f"{0:020d}.json").write_text("\n".join(json.dumps(a) for a in actions) + "\n", encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise DataFault(
            f"The file {source.name} of {source.parent} is gone: VACUUM has deleted it before it was streamed",
            consequence="The rows that came since the last update cannot be read",
            next_step="Do a full refresh of the tables that read it as a stream",
        ) from None
    except OSError:
        shutil.copyfile(source, target)  # another file system, or one without hard links
