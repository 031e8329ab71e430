"""Runs `import dlt` pipelines on this machine: the same files that Databricks runs.

`run_update` is the door. What pipeline code declares (`declare`) becomes a graph of query plans that read Delta folders
and staged files (`plan`, `auto_loader`). Each batch becomes one commit (`refresh`, `local_workspace.delta`), which is also
in the bookkeeping and the event log (`record`).

A name is imported when it is asked for: whoever looks at landing or at the bookkeeping must not wait for Spark.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_workspace.dlt_runtime.declare.api import REFUSED, SERVED
    from local_workspace.dlt_runtime.refresh.update import run_update
    from local_workspace.dlt_runtime.spec import (
        DatasetResult,
        EventLogTarget,
        ExpectationCount,
        PipelineSpec,
        SourceFile,
        UpdateResult,
    )

__all__ = [
    "REFUSED",
    "SERVED",
    "DatasetResult",
    "EventLogTarget",
    "ExpectationCount",
    "PipelineSpec",
    "SourceFile",
    "UpdateResult",
    "run_update",
]

_ELSEWHERE = {"REFUSED": "declare.api", "SERVED": "declare.api", "run_update": "refresh.update"}


def __getattr__(name: str) -> Any:
    """Import a name of `__all__`.

    Raises:
        AttributeError: The package has no such name.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'spec')}"), name)
