"""Columns of change feeds and snapshots: the keys, those that settings name, and those that only one side has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pyspark.sql.connect import functions as f

from local_workspace.dlt_runtime.declare.registry import Flow
from local_workspace.errors import PipelineCodeError


def require_keys(keys: Sequence[str], columns: Sequence[str], flow: Flow, source: str) -> None:
    """Check that the rows of a source have the key columns of a flow.

    Args:
        keys: The names of the keys.
        columns: The columns that there are.
        flow: The flow, for the error's text.
        source: What the rows come from, for the error's text.

    Raises:
        PipelineCodeError: A key is not among the columns.
    """
    there = {column.lower() for column in columns}
    missing = [key for key in keys if key.lower() not in there]
    if missing:
        raise PipelineCodeError(
            f"keys of flow {flow.name} names {', '.join(missing)}, which {source} does not have",
            got=f"at {flow.location}",
            allowed=", ".join(columns),
        )


def chosen(columns: Sequence[str], only: Sequence[str] | None, but: Sequence[str] | None) -> list[str]:
    """Return the columns that a pair of settings chooses, such as `column_list` and `except_column_list`.

    Args:
        columns: The columns to choose from, whose order and spelling the result has.
        only: The columns to take; None if that setting is not given.
        but: The columns to leave out, if `only` is not given.
    """
    if only is not None:
        wanted = {name.lower() for name in only}
        return [column for column in columns if column.lower() in wanted]
    unwanted = {name.lower() for name in but or ()}
    return [column for column in columns if column.lower() not in unwanted]


def with_missing_columns(frame: Any, other: Any, *, but: Collection[str] = ()) -> Any:
    """Return a frame with the columns that only another one has, without values.

    Args:
        frame: The frame.
        other: The other one.
        but: Columns of the other one to leave out.
    """
    own = {name.lower() for name in frame.columns}
    for column in other.schema.fields:
        if column.name.lower() not in own and column.name not in but:
            frame = frame.withColumn(column.name, f.lit(None).cast(column.dataType))
    return frame
