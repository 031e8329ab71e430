"""Runs `import dlt` pipelines on this machine: the same files that Databricks runs.

`run_update` is the door. Declarations (`api`, `registry`) become a graph (`loader`, `graph`, `plans`), plans
are rewritten onto Delta folders and staged files (`rewrite`, `sources`, `auto_loader`), and each batch
becomes one commit (`streaming`, `materialized`, `cdc`, `staging`, `expectations`, `commit`) that is also in
the bookkeeping (`state`, `recovery`) and the event log (`events`, `event_log`).
"""

from local_workspace.dlt_runtime.api import REFUSED, SERVED
from local_workspace.dlt_runtime.spec import (
    DatasetResult,
    EventLogTarget,
    ExpectationCount,
    PipelineSpec,
    SourceFile,
    UpdateResult,
)
from local_workspace.dlt_runtime.update import run_update

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
