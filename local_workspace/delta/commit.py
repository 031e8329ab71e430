"""Changes of a Delta table in exactly one commit: rows that are staged and checked become part of it, or nothing does.

Staged files are moved beside the table's own first; then one entry appears in the table's log, which names them and, for a
replacement, drops the old ones, with schema, partitioning, properties and the number of the batch. A process that is killed
before leaves files that no reader looks at; after, the change is whole.

This is the one committer of pipelines and of the SQL warehouse. It is written here and not taken from a library, since none
offers a replacement that changes rows, schema, partitioning and properties at once: Sail keeps old properties and makes
literal columns NOT NULL, delta-rs keeps the old partitioning and has no commit that adds columns with files that are there.
Format: "Delta Transaction Log Protocol", sections *Delta Log Entries* and *Actions*.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from local_workspace.crash_points import crash_point
from local_workspace.delta import log
from local_workspace.delta.log_entry import VersionTaken, write_log_entry
from local_workspace.delta.shape import TableShape, shape_actions, shape_of
from local_workspace.delta.staging import Staged, StagedFile, adopt
from local_workspace.errors import NotSupported, WorkspaceBusy

_CHECKPOINT_EVERY = 20
# Other writers that an append lets through before it gives up.
_APPEND_TRIES = 20


class ConcurrentWrite(WorkspaceBusy):
    """Another writer committed to the table in between; nothing of this commit was written."""


class AppendOnly(NotSupported):
    """The table's property delta.appendOnly forbids to remove rows; nothing was written."""

    def __init__(self, location: Path) -> None:
        super().__init__(
            "Removing or changing rows of a table with delta.appendOnly = true",
            "Set the property to false first",
            got=location.name,
        )


@dataclass(frozen=True)
class Note:
    """What a commit says of itself in the table's history.

    Attributes:
        operation: Delta's name for it, such as ``MERGE``.
        parameters: ``operationParameters``.
        metrics: ``operationMetrics``; None leaves it to the committer, which counts files, rows and bytes.
        told: Further keys of ``commitInfo``.
    """

    operation: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, int] | None = None
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What a commit does to a table.

    Attributes:
        files: Files that become part of it.
        removed: The ``add`` actions of the files that go.
        shape: Columns, partitioning, properties and comment from now on; None leaves them.
        protocol: A protocol action that the new rows need, as far as it is known; it counts only with a shape.
        batch: Application id and number of the batch that this is (Delta protocol, "Transaction Identifiers").
        prefix: The new files are numbered, and their names begin so; None if they keep their names.
        exact: The rows were computed from the table's own, so that no other commit may come in between.
    """

    files: Sequence[StagedFile] = ()
    removed: Sequence[Mapping[str, Any]] = ()
    shape: TableShape | None = None
    protocol: Mapping[str, Any] | None = None
    batch: tuple[str, int] | None = None
    prefix: str | None = None
    exact: bool = False

    @property
    def blind(self) -> bool:
        """Whether it only adds rows, so that it holds whatever others did to the rows in between."""
        return not self.removed and self.shape is None and not self.exact


def commit(location: Path, change: Change, note: Note, *, table: DeltaTable | None) -> int:
    """Make a change part of a table; return the new version.

    Args:
        location: The table's folder.
        change: What is done.
        note: What the history says of it.
        table: The table as the change was made for; None if there is none yet.

    Raises:
        ConcurrentWrite: Somebody else committed in between; the table is as they left it.
        AppendOnly: The change removes rows of a table that only takes more.
    """
    if change.removed and table is not None and _is_append_only(change.shape or shape_of(table)):
        raise AppendOnly(location)
    now = int(time.time() * 1000)
    actions: list[dict[str, Any]] = []
    if change.shape is not None:
        actions += shape_actions(table, change.shape, change.protocol)
    actions += [_remove(add, now) for add in change.removed]
    if change.files:
        adds = adopt(location, change.files, prefix=change.prefix)
        actions += [{"add": add} for add in adds]
    if change.batch is not None:
        application, number = change.batch
        actions.append({"txn": {"appId": application, "version": number, "lastUpdated": now}})
    info = {"commitInfo": _info(change, note, now)}
    version = -1 if table is None else table.version()
    for _ in range(_APPEND_TRIES):
        version += 1
        try:
            write_log_entry(location, version, [info, *actions])
        except VersionTaken:
            if not change.blind or not _lets_through(location, version, change):
                break
        else:
            crash_point("data_committed")
            if version and version % _CHECKPOINT_EVERY == 0:
                _checkpoint(location)
            return version
    raise ConcurrentWrite(
        f"Another writer committed version {version} of the table in between",
        consequence="Nothing was written",
        next_step="Run it again",
    )


def _is_append_only(shape: TableShape) -> bool:
    return shape.configuration.get("delta.appendOnly", "false").lower() == "true"


def _lets_through(location: Path, version: int, change: Change) -> bool:
    """Whether an append holds beside somebody else's commit: it changed neither the columns nor this flow's batches."""
    others = log.entry(location, version)
    if any(kind in action for action in others for kind in ("metaData", "protocol")):
        return False
    flows = {action["txn"]["appId"] for action in others if "txn" in action}
    return change.batch is None or change.batch[0] not in flows


def _checkpoint(location: Path) -> None:
    # The commit is there; without a checkpoint its readers only take longer.
    with contextlib.suppress(DeltaError, OSError):
        table = DeltaTable(location)
        table.create_checkpoint()
        table.cleanup_metadata()


def _info(change: Change, note: Note, now: int) -> dict[str, Any]:
    metrics = note.metrics
    if metrics is None:
        metrics = {
            "numFiles": len(change.files),
            "numOutputRows": sum(file.rows for file in change.files),
            "numOutputBytes": sum(file.add["size"] for file in change.files),
        }
    return {
        "timestamp": now,
        "operation": note.operation,
        "operationParameters": dict(note.parameters),
        "operationMetrics": {name: str(value) for name, value in metrics.items()},
        "isBlindAppend": change.blind and bool(change.files),
        "engineInfo": "local-workspace",
        **note.told,
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
        ConcurrentWrite: Somebody else committed in between; the table is as they left it.
        AppendOnly: The table's rows cannot be replaced.
    """
    table = log.open_table(location)
    removed = [] if table is None else log.current_files(table)
    change = Change(staged.files, removed, shape, staged.protocol)
    note = Note(operation, {"mode": "Overwrite"}, told=_statement(statement))
    try:
        return commit(location, change, note, table=table)
    finally:
        staged.discard()


def commit_append(location: Path, staged: Staged, *, statement: str) -> int:
    """Add the staged rows to a table that exists, in one commit.

    Args:
        location: The table's folder.
        staged: The rows, with the table's columns.
        statement: The id by which the commit can be told from others in the history.

    Returns:
        The new version; the present one when there are no rows.

    Raises:
        ConcurrentWrite: Somebody else changed the table's columns in between.
    """
    table = DeltaTable(location)
    try:
        if not staged.adds:
            return table.version()
        note = Note("WRITE", {"mode": "Append"}, told=_statement(statement))
        return commit(location, Change(staged.files), note, table=table)
    finally:
        staged.discard()


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
        ConcurrentWrite: Somebody else committed since ``version``; the table is as they left it.
        AppendOnly: Rows go, of a table that only takes more.
    """
    table = DeltaTable(location, version=version)
    files = [file for staged in stages for file in staged.files]
    change = Change(files, removed, shape, stages[0].protocol if stages else None, exact=True)
    note = Note(operation, dict(parameters or {}), metrics or {}, _statement(statement))
    try:
        return commit(location, change, note, table=table)
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
        ConcurrentWrite: Somebody else committed in between.
    """
    note = Note(operation, {}, {}, _statement(statement))
    return commit(location, Change(shape=shape), note, table=DeltaTable(location))


def _statement(statement: str) -> dict[str, str]:
    return {"userMetadata": json.dumps({"statement": statement})}
