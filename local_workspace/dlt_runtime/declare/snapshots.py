"""Declaring a table that follows snapshots of a source.

`apply_changes_from_snapshot`, newer name `create_auto_cdc_from_snapshot_flow` (documentation page "AUTO CDC FROM SNAPSHOT").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from local_workspace.dlt_runtime.declare.arguments import name_argument
from local_workspace.dlt_runtime.declare.change_feeds import column_names, scd_type_argument, some_columns
from local_workspace.dlt_runtime.declare.registry import Flow, SnapshotSettings, active_registry
from local_workspace.errors import PipelineCodeError

#: Gets the version of the last snapshot that was taken (None at first); gives the next one with its version, or None.
NextSnapshot = Callable[[Any], "tuple[Any, Any] | None"]


def apply_changes_from_snapshot(  # noqa: PLR0917  (Databricks' signature)
    target: str,
    source: str | NextSnapshot | None = None,
    keys: Sequence[Any] = (),
    stored_as_scd_type: int | str = 1,
    snapshot_and_version: NextSnapshot | None = None,
    track_history_column_list: Sequence[Any] | None = None,
    track_history_except_column_list: Sequence[Any] | None = None,
) -> None:
    """Keep a streaming table in step with snapshots: each says all rows that the source has at one time.

    Args:
        target: The streaming table, declared by `create_streaming_table`.
        source: A table or view, whose rows at each update are a snapshot with the time of the update as its version; or a
            function that gets the version of the last snapshot taken (None at first) and gives the next one as
            `(DataFrame, version)`, or None if there is none.
        keys: Columns that say which row of the target a row of the snapshot is.
        stored_as_scd_type: 1 keeps the rows of the last snapshot, 2 their history.
        snapshot_and_version: An older name of `source` where it is a function.
        track_history_column_list: The columns whose change begins a new row of the history.
        track_history_except_column_list: The columns whose change does not.

    Raises:
        PipelineCodeError: An argument has a value that is not allowed, or contradicts another.
    """
    registry = active_registry("dlt.apply_changes_from_snapshot")
    location = registry.caller()
    given = source if source is not None else snapshot_and_version
    if not callable(given):
        given = name_argument(given, "source", location)
    columns = column_names(keys or ())
    if not columns:
        raise PipelineCodeError("keys must name at least one column", got=f"{keys!r} at {location}")
    settings = SnapshotSettings(
        given,
        columns,
        scd_type_argument(stored_as_scd_type, location),
        some_columns(track_history_column_list),
        some_columns(track_history_except_column_list),
    )
    tracked = settings.track_history_column_list, settings.track_history_except_column_list
    if settings.scd_type == 1 and any(tracked):
        raise PipelineCodeError("track_history_* belongs to stored_as_scd_type=2", got=f"at {location}")
    if all(tracked):
        raise PipelineCodeError(
            "track_history_column_list and track_history_except_column_list exclude each other",
            got=f"at {location}",
        )
    target = name_argument(target, "target", location)
    registry.add_flow(Flow(target, target, None, location, snapshot=settings))
