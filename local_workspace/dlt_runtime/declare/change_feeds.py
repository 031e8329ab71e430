"""Declaring a change feed.

`dlt.apply_changes`, newer name `create_auto_cdc_flow` (documentation page "AUTO CDC APIs").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from local_workspace.dlt_runtime.declare.arguments import name_argument
from local_workspace.dlt_runtime.declare.registry import CdcSettings, Flow, active_registry
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
) -> None:
    """Keep a streaming table in step with a change feed (AUTO CDC).

    Raises:
        NotSupported: `apply_as_truncates`, `where`, `once`, and the arguments about null updates.
    """
    registry = active_registry("dlt.apply_changes")
    location = registry.caller()
    refused = {
        "where": where,
        "apply_as_truncates": apply_as_truncates,
        "once": once or None,
        "ignore_null_updates": ignore_null_updates or None,
        "ignore_null_updates_column_list": ignore_null_updates_column_list,
        "ignore_null_updates_except_column_list": ignore_null_updates_except_column_list,
    }
    for argument, value in refused.items():
        if value is not None:
            raise NotSupported(
                f"dlt.apply_changes({argument}=...)", "Do it in the query of the source", got=f"at {location}"
            )
    if str(stored_as_scd_type) not in {"1", "2"}:
        raise PipelineCodeError(
            "stored_as_scd_type must be 1 or 2", got=f"{stored_as_scd_type!r} at {location}"
        )
    if str(stored_as_scd_type) == "1" and (track_history_column_list or track_history_except_column_list):
        raise PipelineCodeError("track_history_* belongs to stored_as_scd_type=2", got=f"at {location}")
    if column_list and except_column_list:
        raise PipelineCodeError("column_list and except_column_list exclude each other", got=f"at {location}")
    if not keys:
        raise PipelineCodeError("keys must name at least one column", got=f"{keys!r} at {location}")
    settings = CdcSettings(
        source=name_argument(source, "source", location),
        keys=_columns(keys),
        sequence_by=sequence_by,
        apply_as_deletes=apply_as_deletes,
        column_list=_columns(column_list) if column_list else None,
        except_column_list=_columns(except_column_list) if except_column_list else None,
        scd_type=int(stored_as_scd_type),
        track_history_column_list=_columns(track_history_column_list) if track_history_column_list else None,
        track_history_except_column_list=(
            _columns(track_history_except_column_list) if track_history_except_column_list else None
        ),
    )
    target = name_argument(target, "target", location)
    registry.add_flow(Flow(flow_name or name or target, target, None, location, cdc=settings))


create_auto_cdc_flow = apply_changes


def _columns(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(value if isinstance(value, str) else _column_name(value) for value in values)


def _column_name(column: Any) -> str:
    expression = getattr(column, "_expr", None)
    name = getattr(expression, "_unparsed_identifier", None)
    if not isinstance(name, str):
        raise PipelineCodeError("A list of columns takes names or plain col(...) references", got=str(column))
    return name
