"""Staged files into a Delta table: one commit, which says which batch of which flow it is.

The files are moved into the table's folder first and become part of the table only with the commit. The
commit carries Delta's application transaction (flow, batch number), which is how a later update knows whether
the batch is done (Delta protocol, section "Transaction Identifiers"), and custom metadata for people who read
the history.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, CommitProperties, Transaction

from local_workspace.crash_points import crash_point
from local_workspace.delta.delta_commit import metadata_actions, open_table, shape_of
from local_workspace.delta.log_entry import VersionTaken, write_log_entry
from local_workspace.errors import DataFault, NotSupported, PipelineCodeError


@dataclass(frozen=True)
class StagedFile:
    """A parquet file in the stage, with its partition values as Delta writes them."""

    path: Path
    partition_values: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """The table that a batch goes to.

    Args:
        name: Shown in messages.
        location: Its folder.
        schema: Its columns with their comments; all nullable but those that the dataset declares NOT NULL.
    """

    name: str
    location: Path
    schema: Schema
    comment: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()


def is_untouched(location: Path) -> bool:
    """Return whether a table was made and nothing was ever committed to it: an update ended in between."""
    table = open_table(location)
    return table is not None and table.version() == 0 and not table.file_uris()


def committed_batch(location: Path, flow: str) -> int | None:
    """Return the number of the last batch of a flow that is in the table; None if none is."""
    table = open_table(location)
    return None if table is None else table.transaction_version(flow)


def ensure_table(target: Target) -> list[str]:
    """Create the table, or check that it can take the batch; return the columns that the commit will add to it.

    Nothing changes in a table that exists: the columns come with the rows that need them, in one commit.

    Raises:
        PipelineCodeError: A column of the query has another type than the table's.
        NotSupported: A table property that this engine cannot honour.
    """
    table = open_table(target.location)
    if table is None:
        target.location.mkdir(parents=True, exist_ok=True)
        try:
            DeltaTable.create(
                str(target.location),
                schema=target.schema,
                description=target.comment,
                partition_by=list(target.partition_by) or None,
                configuration=dict(target.properties) or None,
                raise_if_key_not_exists=False,
            )
        except DeltaError as error:
            if target.properties:
                raise NotSupported(
                    f"One of the table properties of {target.name}",
                    "Omit it",
                    got=f"{dict(target.properties)}: {error}",
                ) from error
            raise
        crash_point("table_created")
        return []
    return [field.name for field in _new_fields(table, target)]


def _new_fields(table: DeltaTable, target: Target) -> list[Field]:
    present = {f.name.lower(): f for f in table.schema().fields}
    new: list[Field] = []
    for wanted in target.schema.fields:
        known = present.get(wanted.name.lower())
        if known is None:
            new.append(wanted)
        elif _type(known) != _type(wanted):
            raise PipelineCodeError(
                f"[DELTA_MERGE_INCOMPATIBLE_DATATYPE] Column {wanted.name} of {target.name} changed its type",
                got=_type(wanted),
                allowed=_type(known),
                consequence="The flow failed; the table is unchanged",
                next_step="Cast the column, or do a full refresh of the table",
            )
    return new


def _type(column: Field) -> str:
    return json.dumps(_without_nullability(json.loads(column.to_json())["type"]), sort_keys=True)


def _without_nullability(kind: Any) -> Any:
    if isinstance(kind, dict):
        return {
            k: _without_nullability(v)
            for k, v in kind.items()
            if k not in {"nullable", "containsNull", "valueContainsNull", "metadata"}
        }
    if isinstance(kind, list):
        return [_without_nullability(v) for v in kind]
    return kind


def adopt(target: Target, files: Sequence[StagedFile], flow: str, batch: int) -> list[AddAction]:
    """Move staged files into the table's folder and describe them to Delta.

    They are not part of the table yet.
    """
    actions: list[AddAction] = []
    for at, staged in enumerate(files):
        name = f"{file_prefix(flow, batch)}{at:05d}.parquet"
        path = target.location / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = pq.read_metadata(staged.path).num_rows
        staged.path.replace(path)
        if at == 0:
            crash_point("files_half_adopted")
        status = path.stat()
        actions.append(
            AddAction(
                name,
                status.st_size,
                dict(staged.partition_values),
                int(status.st_mtime * 1000),
                True,
                json.dumps({"numRecords": rows}),
            )
        )
    crash_point("files_adopted")
    return actions


def file_prefix(flow: str, batch: int) -> str:
    """Return the beginning of the names of a batch's files, by which those of an abandoned batch are found."""
    return f"part-{hashlib.sha256(flow.encode()).hexdigest()[:12]}-{batch:08d}-"


def commit(
    target: Target,
    actions: Sequence[AddAction],
    *,
    overwrite: bool,
    flow: str,
    batch: int,
    metadata: Mapping[str, Any],
) -> int:
    """Make files part of the table; return the new version.

    Args:
        target: The table; `ensure_table` has been called, unless `overwrite`.
        actions: What `adopt` returned.
        overwrite: Replace all rows, and the schema with them.
        flow: Application id of the transaction.
        batch: Its version.
        metadata: Written into the commit for readers of the history.

    Raises:
        DataFault: Somebody else wrote to the table at the same time.
    """
    table = DeltaTable(str(target.location))
    told = json.dumps(dict(metadata), sort_keys=True)
    new = [] if overwrite else _new_fields(table, target)
    try:
        if new:
            entry = _entry_with_columns(table, new, actions, Transaction(flow, batch, _now()), told)
            write_log_entry(target.location, table.version() + 1, entry)
        else:
            table.create_write_transaction(
                list(actions),
                mode="overwrite" if overwrite else "append",
                schema=target.schema if overwrite else table.schema(),
                partition_by=list(target.partition_by) or None,
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(flow, batch, _now())], custom_metadata={"dlt": told}
                ),
            )
    except (DeltaError, VersionTaken) as error:
        raise DataFault(
            f"The commit to {target.name} failed",
            got=str(error) or "another writer committed in between",
            consequence="Nothing of this batch is in the table",
            next_step="Make sure that only the pipeline writes to the table, then run the update again",
        ) from error
    crash_point("data_committed")
    return DeltaTable(str(target.location)).version()


def _entry_with_columns(
    table: DeltaTable, new: Sequence[Field], actions: Sequence[AddAction], batch: Transaction, told: str
) -> list[dict[str, Any]]:
    """Describe rows and the columns that they bring as one commit; delta-rs has none for files that are there."""
    now = shape_of(table)
    shape = replace(now, fields=[*now.fields, *(json.loads(field.to_json()) for field in new)])
    info = {
        "timestamp": _now(),
        "operation": "WRITE",
        "operationParameters": {"mode": "Append", "partitionBy": json.dumps(list(now.partition_columns))},
        "dlt": told,
    }
    entry: list[dict[str, Any]] = [{"commitInfo": info}, *metadata_actions(table, shape)]
    entry += [
        {
            "add": {
                "path": add.path,
                "partitionValues": dict(add.partition_values),
                "size": add.size,
                "modificationTime": add.modification_time,
                "dataChange": add.data_change,
                "stats": add.stats,
            }
        }
        for add in actions
    ]
    entry.append(
        {"txn": {"appId": batch.app_id, "version": batch.version, "lastUpdated": batch.last_updated}}
    )
    return entry


def _now() -> int:
    return int(time.time() * 1000)


def remove_leftovers(location: Path, flow: str, batch: int) -> None:
    """Delete the files of a batch that was abandoned after they had been moved."""
    for path in location.glob(f"{file_prefix(flow, batch)}*.parquet"):
        path.unlink(missing_ok=True)
