"""Checks of the arguments that pipeline code passes to the decorators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_workspace.dlt_runtime.declare.registry import SourceLocation
from local_workspace.errors import PipelineCodeError


def name_argument(value: Any, argument: str, where: SourceLocation) -> str:
    """Return a non-empty string, stripped.

    Raises:
        PipelineCodeError: It is something else.
    """
    if not isinstance(value, str) or not value.strip():
        raise PipelineCodeError(
            f"{argument} must be a non-empty string",
            got=f"{value!r} at {where}",
            consequence="Nothing was declared",
        )
    return value.strip()


def strings_argument(value: Any, argument: str, where: SourceLocation) -> tuple[str, ...]:
    """Return a list of column names; None is an empty one.

    Raises:
        PipelineCodeError: It is something else.
    """
    if value is None:
        return ()
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or not all(isinstance(x, str) for x in value)
    ):
        raise PipelineCodeError(f"{argument} must be a list of column names", got=f"{value!r} at {where}")
    return tuple(value)


def properties_argument(value: Any, argument: str, where: SourceLocation) -> Mapping[str, str]:
    """Return properties with their values as strings; None is an empty dict.

    Raises:
        PipelineCodeError: It is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise PipelineCodeError(f"{argument} must be a dict with string keys", got=f"{value!r} at {where}")
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in value.items()}


def text_argument(value: Any, argument: str, where: SourceLocation) -> str | None:
    """Return a text or None.

    Raises:
        PipelineCodeError: It is something else.
    """
    if value is not None and not isinstance(value, str):
        raise PipelineCodeError(f"{argument} must be a string", got=f"{value!r} at {where}")
    return value


def flag_argument(value: Any, argument: str, where: SourceLocation) -> bool:
    """Return a flag; None is false.

    Raises:
        PipelineCodeError: It is something else.
    """
    if value is not None and not isinstance(value, bool):
        raise PipelineCodeError(f"{argument} must be True or False", got=f"{value!r} at {where}")
    return bool(value)
