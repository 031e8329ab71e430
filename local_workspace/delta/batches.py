"""Batches of a pipeline's flows: staged files into a table in one commit, which says which batch of which flow it is.

The commit carries Delta's application transaction (flow, batch number), which is how a later update knows whether the batch
is done (Delta protocol, section "Transaction Identifiers"), and custom metadata for people who read the history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError

from local_workspace.crash_points import crash_point
from local_workspace.delta import log
from local_workspace.delta.commit import Change, ConcurrentWrite, Note, commit
from local_workspace.delta.shape import TableShape, shape_of
from local_workspace.delta.staging import StagedFile
from local_workspace.errors import DataFault, NotSupported, PipelineCodeError


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


def ensure_table(target: Target) -> list[str]:
    """Create the table, or check that it can take the batch; return the columns that the commit will add to it.

    Nothing changes in a table that exists: the columns come with the rows that need them, in one commit.

    Raises:
        PipelineCodeError: A column of the query has another type than the table's.
        NotSupported: A table property that this engine cannot honour.
    """
    table = log.open_table(target.location)
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
    return [field["name"] for field in _new_fields(shape_of(table), target)]


def _new_fields(now: TableShape, target: Target) -> list[dict[str, Any]]:
    present = {str(f["name"]).lower(): f for f in now.fields}
    new: list[dict[str, Any]] = []
    for column in target.schema.fields:
        wanted = json.loads(column.to_json())
        known = present.get(column.name.lower())
        if known is None:
            new.append(wanted)
        elif (have := _type(known)) != (given := _type(wanted)):
            raise PipelineCodeError(
                f"[DELTA_MERGE_INCOMPATIBLE_DATATYPE] Column {column.name} of {target.name} changed its type",
                got=given,
                allowed=have,
                consequence="The flow failed; the table is unchanged",
                next_step="Cast the column, or do a full refresh of the table",
            )
    return new


def _type(column: Mapping[str, Any]) -> str:
    return json.dumps(_without_nullability(column["type"]), sort_keys=True)


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


def commit_batch(
    target: Target,
    files: Sequence[StagedFile],
    *,
    overwrite: bool,
    flow: str,
    batch: int,
    metadata: Mapping[str, Any],
) -> int:
    """Make staged files part of a table, with the columns that they bring; return the new version.

    Args:
        target: The table; it exists.
        files: The rows.
        overwrite: Replace all rows, and columns and partitioning with them.
        flow: Application id of the transaction.
        batch: Its version.
        metadata: Written into the commit for readers of the history.

    Raises:
        DataFault: Somebody else wrote to the table at the same time.
        NotSupported: The table only takes more rows, and is to be overwritten.
    """
    table = DeltaTable(str(target.location))
    now = shape_of(table)
    wanted = [json.loads(field.to_json()) for field in target.schema.fields]
    if overwrite:
        shape = replace(now, fields=wanted, partition_columns=list(target.partition_by))
    else:
        shape = replace(now, fields=[*now.fields, *_new_fields(now, target)])
    change = Change(
        files,
        log.current_files(table) if overwrite else (),
        None if shape == now else shape,
        batch=(flow, batch),
        prefix=file_prefix(flow, batch),
    )
    parameters = {
        "mode": "Overwrite" if overwrite else "Append",
        "partitionBy": json.dumps(list(shape.partition_columns)),
    }
    note = Note("WRITE", parameters, told={"dlt": json.dumps(dict(metadata), sort_keys=True)})
    try:
        return commit(target.location, change, note, table=table)
    except ConcurrentWrite as error:
        raise DataFault(
            f"The commit to {target.name} failed",
            got=error.what,
            consequence="Nothing of this batch is in the table",
            next_step="Make sure that only the pipeline writes to the table, then run the update again",
        ) from error


def file_prefix(flow: str, batch: int) -> str:
    """Return the beginning of the names of a batch's files, by which those of an abandoned batch are found."""
    return f"part-{hashlib.sha256(flow.encode()).hexdigest()[:12]}-{batch:08d}-"


def remove_leftovers(location: Path, flow: str, batch: int) -> None:
    """Delete the files of a batch that was abandoned after they had been moved."""
    for path in location.glob(f"{file_prefix(flow, batch)}*.parquet"):
        path.unlink(missing_ok=True)
