"""Runs `import dlt` pipelines on this machine: the same files that Databricks runs.

`run_update` is the door. What pipeline code declares (`declare`) becomes a graph of query plans that read Delta folders
and staged files (`plan`, `auto_loader`). Each batch becomes one commit (`refresh`, `local_workspace.delta`), which is also
in the bookkeeping and the event log (`record`).
"""

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
