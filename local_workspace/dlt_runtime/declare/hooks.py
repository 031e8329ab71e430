"""Declaring hooks: functions of the pipeline that see each event (documentation page "Event hooks")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from local_workspace.dlt_runtime.declare.registry import EventHook, active_registry
from local_workspace.errors import PipelineCodeError

F = TypeVar("F", bound=Callable[..., Any])


def on_event_hook(
    user_event_hook_fn: Callable[[dict[str, Any]], Any] | None = None,
    max_allowable_consecutive_failures: int | None = None,
) -> Any:
    """Call a function with each event of the update, as a dict in the shape of the event log.

    What the function raises stops nothing: the update tells it.

    Args:
        user_event_hook_fn: The function, where the decorator stands without parentheses.
        max_allowable_consecutive_failures: After more failures than these in a row the function is called no more in this
            update; None for no limit.

    Raises:
        PipelineCodeError: An argument has a value that is not allowed.
    """
    registry = active_registry("@dlt.on_event_hook")
    where = registry.caller()
    limit = max_allowable_consecutive_failures
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise PipelineCodeError(
            "max_allowable_consecutive_failures must be a number from 0 on", got=f"{limit!r} at {where}"
        )

    def register(fn: F) -> F:
        if not callable(fn):
            raise PipelineCodeError("@dlt.on_event_hook decorates a function", got=f"{fn!r} at {where}")
        registry.hooks.append(EventHook(fn, where, limit))
        return fn

    return register if user_event_hook_fn is None else register(user_event_hook_fn)
