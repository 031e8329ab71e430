"""Declaring a change feed.

`dlt.apply_changes`, newer name `create_auto_cdc_flow` (documentation page "AUTO CDC APIs").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from local_workspace.dlt_runtime.declare.arguments import name_argument
from local_workspace.dlt_runtime.declare.registry import (
    CdcSettings,
    Flow,
    SourceLocation,
    active_registry,
)
from local_workspace.errors import NotSupported, PipelineCodeError


def apply_changes(  # noqa: PLR0917  (Databricks' signature)
    target: str,
    source: str,
    keys: Sequence[Any],
    sequence_by: Any,
    where: str | None = None,
    ignore_null_updates: bool = False,
    apply_as_deletes: Any = None,
    apply_as_truncates: Any = None,
    column_list: Sequence[Any] | None = None,
    except_column_list: Sequence[Any] | None = None,
    stored_as_scd_type: Any = 1,
    track_history_column_list: Sequence[Any] | None = None,
    track_history_except_column_list: Sequence[Any] | None = None,
    flow_name: str | None = None,
    name: str | None = None,
    once: bool = False,
    ignore_null_updates_column_list: Sequence[str] | None = None,
    ignore_null_updates_except_column_list: Sequence[str] | None = None,
    columns_to_update: Any = None,
) -> None:
    """Keep a streaming table in step with a change feed (AUTO CDC).

    Args:
        target: The streaming table, declared by `create_streaming_table`.
        source: The dataset whose new rows are the changes.
        keys: Columns that say which row of the target a change is about.
        sequence_by: Orders the changes of a key; a later one wins, whenever it comes.
        where: Refused.
        ignore_null_updates: A NULL in a change keeps the value that the row has.
        apply_as_deletes: The changes that delete.
        apply_as_truncates: Refused.
        column_list: The columns of the target.
        except_column_list: The columns that the target does not get.
        stored_as_scd_type: 1 keeps the latest row of each key, 2 keeps its history.
        track_history_column_list: The columns whose change begins a new row of the history.
        track_history_except_column_list: The columns whose change does not.
        flow_name: The flow's name, else that of the target.
        name: The same.
        once: Refused.
        ignore_null_updates_column_list: The columns for which a NULL keeps the value.
        ignore_null_updates_except_column_list: The columns for which it does not.
        columns_to_update: Refused.

    Raises:
        NotSupported: `apply_as_truncates`, `where`, `once`, `columns_to_update`.
        PipelineCodeError: An argument has a value that is not allowed, or contradicts another.
    """
    registry = active_registry("dlt.apply_changes")
    location = registry.caller()
    refuse_arguments(
        "dlt.apply_changes({}=...)",
        location,
        where=where,
        apply_as_truncates=apply_as_truncates,
        once=once or None,
        columns_to_update=columns_to_update,
    )
    settings = checked(
        CdcSettings(
            source=name_argument(source, "source", location),
            keys=column_names(keys or ()),
            sequence_by=sequence_by,
            apply_as_deletes=apply_as_deletes,
            column_list=some_columns(column_list),
            except_column_list=some_columns(except_column_list),
            scd_type=stored_as_scd_type,
            track_history_column_list=some_columns(track_history_column_list),
            track_history_except_column_list=some_columns(track_history_except_column_list),
            ignore_null_updates=bool(ignore_null_updates),
            ignore_null_updates_column_list=some_columns(ignore_null_updates_column_list),
            ignore_null_updates_except_column_list=some_columns(ignore_null_updates_except_column_list),
        ),
        location,
    )
    target = name_argument(target, "target", location)
    registry.add_flow(Flow(flow_name or name or target, target, None, location, cdc=settings))


#: What a change feed does not take, in Python and in SQL, and the way out.
_REFUSED = {
    "where": "Filter in the view that is its source",
    "apply_as_truncates": (
        "Delete row by row with apply_as_deletes (APPLY AS DELETE WHEN), or empty the table by a full refresh"
    ),
    "once": (
        "Union the backfill and the changes, both read as streams, in the view that is its source: a change counts by its "
        "sequence, whenever it comes"
    ),
    "columns_to_update": "Give the changes NULL for the columns that stay, and ignore_null_updates=True",
}


def refuse_arguments(shown: str, location: SourceLocation, **given: Any) -> None:
    """Refuse what a change feed does not take.

    Args:
        shown: How the code writes it, with {} for the argument.
        location: Where.
        given: The arguments, None for those that are not there.

    Raises:
        NotSupported: One is there.
    """
    for argument, value in given.items():
        if value is not None:
            raise NotSupported(shown.format(argument), _REFUSED[argument], got=f"at {location}")


def checked(settings: CdcSettings, location: SourceLocation) -> CdcSettings:
    """Check the settings of a change feed, whether Python or SQL gave them.

    Raises:
        PipelineCodeError: One has a value that is not allowed, or contradicts another.
    """
    settings = replace(settings, scd_type=scd_type_argument(settings.scd_type, location))
    if settings.scd_type == 1 and (
        settings.track_history_column_list or settings.track_history_except_column_list
    ):
        raise PipelineCodeError("track_history_* belongs to stored_as_scd_type=2", got=f"at {location}")
    for only in ("column_list", "track_history_column_list", "ignore_null_updates_column_list"):
        all_but = only.replace("column_list", "except_column_list")
        if getattr(settings, only) and getattr(settings, all_but):
            raise PipelineCodeError(f"{only} and {all_but} exclude each other", got=f"at {location}")
    if not settings.keys:
        raise PipelineCodeError("keys must name at least one column", got=f"{settings.keys!r} at {location}")
    return settings


create_auto_cdc_flow = apply_changes


def scd_type_argument(value: Any, location: SourceLocation) -> int:
    """Return the type of a slowly changing dimension.

    Raises:
        PipelineCodeError: It is neither 1 nor 2.
    """
    if str(value) not in {"1", "2"}:
        raise PipelineCodeError(
            "stored_as_scd_type (STORED AS SCD TYPE) must be 1 or 2", got=f"{value!r} at {location}"
        )
    return int(value)


def some_columns(values: Sequence[Any] | None) -> tuple[str, ...] | None:
    """Return the names of a list of columns, None if there is none."""
    return column_names(values) if values else None


def column_names(values: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of a list of columns, given as texts or as `col(...)`."""
    return tuple(value if isinstance(value, str) else _column_name(value) for value in values)


def _column_name(column: Any) -> str:
    expression = getattr(column, "_expr", None)
    name = getattr(expression, "_unparsed_identifier", None)
    if not isinstance(name, str):
        raise PipelineCodeError("A list of columns takes names or plain col(...) references", got=str(column))
    return name
