"""Changes of a Delta table in exactly one commit: stage the rows, check them, then switch.

The engine writes the new rows as Parquet files into a folder beside the table's data. Only then one commit file
appears in the table's log, which names the new files and, for a replacement, drops the old ones, with schema,
partitioning and properties as they are to be. A process that is killed before leaves files that no reader looks at;
after, the change is whole.

The commit is written here and not by a library, since none offers a replacement that changes rows, schema, partitioning and
properties at once: Sail keeps old properties and makes literal columns NOT NULL, delta-rs keeps the old partitioning.
Format: "Delta Transaction Log Protocol", sections *Delta Log Entries* and *Actions*.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from local_workspace.delta.delta_source import current_files
from local_workspace.delta.log_entry import VersionTaken, write_log_entry
from local_workspace.sql.sql_error import SqlError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STAGE_FOLDER = "_staging"
_CHECKPOINT_EVERY = 20


@dataclass(frozen=True)
class Staged:
    """Rows that are written and not yet part of a table.

    Attributes:
        folder: A Delta table of its own, readable for checks.
        fields: Columns as in a Delta schema, every one nullable at every depth, in the order of the query.
        adds: The log's ``add`` actions.
        protocol: The protocol action that these rows need.
        rows: How many rows there are.
    """

    folder: Path
    fields: list[dict[str, Any]]
    adds: list[dict[str, Any]]
    protocol: dict[str, Any]
    rows: int

    def discard(self) -> None:
        """Delete what is left of the staging folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.folder.parent, self.folder.parent.parent):
            with contextlib.suppress(OSError):  # not empty, or gone
                folder.rmdir()


@dataclass(frozen=True)
class TableShape:
    """What a commit says of the table besides its rows.

    Attributes:
        fields: Columns as in a Delta schema.
        partition_columns: Names of partition columns.
        configuration: Table properties that belong into the Delta log.
        description: The table's comment.
    """

    fields: Sequence[Mapping[str, Any]]
    partition_columns: Sequence[str] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None


def stage(frame: DataFrame, location: Path, partition_columns: Sequence[str] = ()) -> Staged:
    """Lets the engine write a query's rows beside a table.

    Args:
        frame: The rows.
        location: The table's folder; it need not exist.
        partition_columns: As the table is partitioned.
    """
    folder = location / STAGE_FOLDER / uuid.uuid4().hex
    folder.parent.mkdir(parents=True, exist_ok=True)
    fields = [nullable(f) for f in json.loads(frame.schema.json())["fields"]]
    writer = frame.write.format("delta").mode("overwrite")
    if partition_columns:
        writer = writer.partitionBy(*partition_columns)
    writer.save(str(folder))
    actions = [
        json.loads(line)
        for line in (folder / "_delta_log" / f"{0:020}.json").read_text().splitlines()
        if line
    ]
    adds = [action["add"] for action in actions if "add" in action]
    protocol = next(action["protocol"] for action in actions if "protocol" in action)
    return Staged(folder, fields, adds, protocol, sum(row_count(add) for add in adds))


def row_count(add: Mapping[str, Any]) -> int:
    """Return the number of rows of a file, from the statistics of its ``add`` action."""
    return int(json.loads(add.get("stats") or "{}").get("numRecords", 0))


def nullable(element: Any) -> Any:
    """Return a Delta type or field without NOT NULL at any depth.

    The engine calls a literal NOT NULL; Databricks' CREATE TABLE AS makes every column nullable.
    """
    if isinstance(element, dict):
        return {
            key: True if key in ("nullable", "containsNull", "valueContainsNull") else nullable(value)
            for key, value in element.items()
        }
    return [nullable(item) for item in element] if isinstance(element, list) else element


def commit_replacement(
    location: Path, staged: Staged, shape: TableShape, *, operation: str, statement: str
) -> int:
    """Make the staged rows the whole content of the table, new or not, in one commit.

    Args:
        location: The table's folder.
        staged: The rows.
        shape: Columns, partitioning, properties and comment from now on.
        operation: Delta's name for it, such as ``CREATE OR REPLACE TABLE AS SELECT``.
        statement: The id by which the commit can be told from others in the history.

    Returns:
        The new version.

    Raises:
        SqlError: Somebody else committed in between (DELTA_CONCURRENT_WRITE); the table is as they left it.
    """
    table = open_table(location)
    actions: list[dict[str, Any]] = []
    protocol = _protocol(staged.protocol, table, shape)
    if protocol is not None:
        actions.append({"protocol": protocol})
    actions.append({"metaData": _metadata(table, shape)})
    if table is not None:
        now = int(time.time() * 1000)
        actions += [_remove(add, now) for add in current_files(table)]
    actions += [{"add": add} for add in staged.adds]
    version = -1 if table is None else table.version()
    return _commit(location, staged, version, actions, operation=operation, statement=statement)


def commit_append(location: Path, staged: Staged, *, statement: str) -> int:
    """Add the staged rows to a table that exists, in one commit.

    Args:
        location: The table's folder.
        staged: The rows, with the table's columns.
        statement: The id by which the commit can be told from others in the history.

    Returns:
        The new version; the present one when there are no rows.
    """
    table = DeltaTable(location)
    if not staged.adds:
        staged.discard()
        return table.version()
    actions = [{"add": add} for add in staged.adds]
    return _commit(
        location, staged, table.version(), actions, operation="WRITE", statement=statement, blind=True
    )


def commit_changes(
    location: Path,
    version: int,
    stages: Sequence[Staged],
    removed: Sequence[Mapping[str, Any]],
    *,
    operation: str,
    statement: str,
    shape: TableShape | None = None,
    parameters: Mapping[str, str] | None = None,
    metrics: Mapping[str, int] | None = None,
) -> int:
    """Put the staged rows in the place of some of a table's files, in one commit.

    Args:
        location: The table's folder.
        version: The version that the rows were computed from.
        stages: The new rows.
        removed: The ``add`` actions of the files that go.
        operation: Delta's name for it, such as ``MERGE``.
        statement: The id by which the commit can be told from others in the history.
        shape: The columns from now on, where they change.
        parameters: ``operationParameters`` of the history.
        metrics: ``operationMetrics`` of the history, besides those of the files.

    Returns:
        The new version.

    Raises:
        SqlError: Somebody else committed since ``version`` (DELTA_CONCURRENT_WRITE); the table is as they left it.
    """
    actions: list[dict[str, Any]] = []
    if shape is not None:
        table = DeltaTable(location, version=version)
        protocol = _protocol(stages[0].protocol, table, shape) if stages else None
        changed = [] if protocol is None else [{"protocol": protocol}]
        actions += (
            [*changed, {"metaData": _metadata(table, shape)}] if stages else metadata_actions(table, shape)
        )
    now = int(time.time() * 1000)
    actions += [_remove(add, now) for add in removed]
    actions += [{"add": add} for staged in stages for add in staged.adds]
    for staged in stages:
        _adopt(location, staged)
    try:
        return _write_commit(
            location,
            version,
            actions,
            operation=operation,
            statement=statement,
            metrics={key: str(value) for key, value in (metrics or {}).items()},
            parameters=parameters,
        )
    finally:
        for staged in stages:
            staged.discard()


def commit_metadata(location: Path, shape: TableShape, *, operation: str, statement: str) -> int:
    """Change columns, properties or the comment without touching a row, in one commit.

    Args:
        location: The table's folder.
        shape: All columns, properties and the comment from now on; the partitioning must be the present one.
        operation: Delta's name for it, such as ``ADD COLUMNS``.
        statement: The id by which the commit can be told from others in the history.

    Returns:
        The new version.

    Raises:
        SqlError: Somebody else committed in between (DELTA_CONCURRENT_WRITE).
    """
    table = DeltaTable(location)
    actions = metadata_actions(table, shape)
    return _write_commit(
        location, table.version(), actions, operation=operation, statement=statement, metrics={}
    )


def metadata_actions(table: DeltaTable, shape: TableShape) -> list[dict[str, Any]]:
    """Give the actions with which a table that exists gets another shape, the protocol that it needs included."""
    present = table.protocol()
    needed: dict[str, Any] = {
        "minReaderVersion": present.min_reader_version,
        "minWriterVersion": present.min_writer_version,
    }
    if present.writer_features:
        needed["writerFeatures"] = list(present.writer_features)
    if present.reader_features:
        needed["readerFeatures"] = list(present.reader_features)
    if '"timestamp_ntz"' in json.dumps(list(shape.fields)):
        needed["minReaderVersion"], needed["minWriterVersion"] = 3, 7
        for features in ("readerFeatures", "writerFeatures"):
            needed[features] = sorted({*needed.get(features, []), "timestampNtz"})
    protocol = _protocol(needed, table, shape)
    changed = [] if protocol is None else [{"protocol": protocol}]
    return [*changed, {"metaData": _metadata(table, shape)}]


def shape_of(table: DeltaTable) -> TableShape:
    """Return what the log says of a table now, as a start for a change."""
    metadata = table.metadata()
    return TableShape(
        json.loads(table.schema().to_json())["fields"],
        list(metadata.partition_columns),
        dict(metadata.configuration),
        metadata.description,
    )


def open_table(location: Path) -> DeltaTable | None:
    """Return the Delta table in a folder, without reading its list of files; None if there is none."""
    try:
        return DeltaTable(str(location))
    except TableNotFoundError:
        return None


def _commit(
    location: Path,
    staged: Staged,
    version: int,
    actions: list[dict[str, Any]],
    *,
    operation: str,
    statement: str,
    blind: bool = False,
) -> int:
    _adopt(location, staged)
    metrics = {
        "numFiles": str(len(staged.adds)),
        "numOutputRows": str(staged.rows),
        "numOutputBytes": str(sum(add["size"] for add in staged.adds)),
    }
    try:
        return _write_commit(
            location, version, actions, operation=operation, statement=statement, metrics=metrics, blind=blind
        )
    finally:
        staged.discard()


def _adopt(location: Path, staged: Staged) -> None:
    """Move the staged files beside the table's own; only the commit makes them part of it."""
    for add in staged.adds:
        relative = unquote(add["path"])
        target = location / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        (staged.folder / relative).rename(target)


def _write_commit(
    location: Path,
    version: int,
    actions: list[dict[str, Any]],
    *,
    operation: str,
    statement: str,
    metrics: dict[str, str],
    parameters: Mapping[str, str] | None = None,
    blind: bool = False,
) -> int:
    if parameters is None:
        parameters = {"mode": "Append" if blind else "Overwrite"} if metrics else {}
    info = {
        "timestamp": int(time.time() * 1000),
        "operation": operation,
        "operationParameters": dict(parameters),
        "operationMetrics": metrics,
        "isBlindAppend": blind,
        "engineInfo": "local-sql-warehouse",
        "userMetadata": json.dumps({"statement": statement}),
    }
    try:
        write_log_entry(location, version + 1, [{"commitInfo": info}, *actions])
    except VersionTaken:
        raise SqlError(
            "DELTA_CONCURRENT_WRITE",
            f"Another writer committed version {version + 1} of the table while this statement ran. "
            "Nothing of this statement was written; run it again.",
        ) from None
    if version > 0 and (version + 1) % _CHECKPOINT_EVERY == 0:
        DeltaTable(location).create_checkpoint()
    return version + 1


def _protocol(needed: dict[str, Any], table: DeltaTable | None, shape: TableShape) -> dict[str, Any] | None:
    protocol = dict(needed)
    has_check = any(key.startswith("delta.constraints.") for key in shape.configuration)
    if has_check and not protocol.get("writerFeatures"):
        protocol["minWriterVersion"] = max(3, protocol["minWriterVersion"])
    elif has_check:
        protocol["writerFeatures"] = sorted({*protocol["writerFeatures"], "checkConstraints"})
    if table is None:
        return protocol
    present = table.protocol()
    enough = (
        present.min_reader_version >= protocol["minReaderVersion"]
        and present.min_writer_version >= protocol["minWriterVersion"]
        and set(protocol.get("writerFeatures") or []) <= set(present.writer_features or [])
        and set(protocol.get("readerFeatures") or []) <= set(present.reader_features or [])
    )
    if enough:
        return None
    merged: dict[str, Any] = {
        "minReaderVersion": max(present.min_reader_version, protocol["minReaderVersion"]),
        "minWriterVersion": max(present.min_writer_version, protocol["minWriterVersion"]),
    }
    for level, key, former in (
        (3, "readerFeatures", present.reader_features),
        (7, "writerFeatures", present.writer_features),
    ):
        if merged["minReaderVersion" if key == "readerFeatures" else "minWriterVersion"] >= level:
            merged[key] = sorted({*(former or []), *(protocol.get(key) or [])})
    return merged


def _metadata(table: DeltaTable | None, shape: TableShape) -> dict[str, Any]:
    former = table.metadata() if table is not None else None
    return {
        "id": str(former.id) if former else str(uuid.uuid4()),
        "name": None,
        "description": shape.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": list(shape.fields)}),
        "partitionColumns": list(shape.partition_columns),
        "createdTime": former.created_time if former else int(time.time() * 1000),
        "configuration": dict(shape.configuration),
    }


def _remove(add: Mapping[str, Any], now: int) -> dict[str, Any]:
    return {
        "remove": {
            "path": add["path"],
            "deletionTimestamp": now,
            "dataChange": True,
            "extendedFileMetadata": True,
            "partitionValues": add["partitionValues"],
            "size": add["size"],
        }
    }
