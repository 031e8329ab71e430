"""The functions that `import dlt` and `from pyspark import pipelines as dp` give to pipeline code.

Written from Databricks' public documentation (page "Lakeflow Spark Declarative Pipelines Python language
reference" and the pages it links to) and from Apache Spark's `pyspark.pipelines`. A function only checks and
registers; what it registers is run by `update.py`. `SERVED` and `REFUSED` list every name: a documented name
that is not served raises `NotSupported`, never passes in silence.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from local_workspace.dlt_runtime.declare.change_feeds import apply_changes
from local_workspace.dlt_runtime.declare.datasets import (
    create_streaming_table,
    materialized_view,
    suggestion,
    table,
    view,
)
from local_workspace.dlt_runtime.declare.flows import append_flow, read, read_stream
from local_workspace.dlt_runtime.declare.hooks import on_event_hook
from local_workspace.dlt_runtime.declare.registry import active_registry, loading_registry
from local_workspace.dlt_runtime.declare.rules import (
    expect,
    expect_all,
    expect_all_or_drop,
    expect_all_or_fail,
    expect_or_drop,
    expect_or_fail,
)
from local_workspace.dlt_runtime.declare.sinks import create_sink
from local_workspace.dlt_runtime.declare.snapshots import apply_changes_from_snapshot
from local_workspace.errors import NotSupported, PipelineCodeError

#: Name -> what the runtime does for it. The table in the documentation is generated from this.
SERVED: dict[str, str] = {
    "table": "streaming table (streaming query) or materialized view (batch query)",
    "view": "view inside the pipeline",
    "temporary_view": "the same, by its name in pyspark.pipelines",
    "materialized_view": "materialized view",
    "create_streaming_table": "streaming table without a query of its own",
    "create_table": "an older name of table",
    "create_view": "an older name of view",
    "create_target_table": "an older name of create_streaming_table",
    "create_streaming_live_table": "an older name of create_streaming_table",
    "append_flow": "one of several flows into a streaming table or a sink; once=True runs a single time",
    "create_sink": "a Delta table or folder outside of the pipeline, which append_flow feeds",
    "apply_changes": "AUTO CDC, SCD type 1 and 2, with deletes and late changes",
    "create_auto_cdc_flow": "the same, by its newer name",
    "apply_changes_from_snapshot": "AUTO CDC from snapshots of a table or of a function, SCD type 1 and 2",
    "create_auto_cdc_from_snapshot_flow": "the same, by its newer name",
    "on_event_hook": "a function that sees each event of the update",
    "expect": "count and keep",
    "expect_or_drop": "count and drop",
    "expect_or_fail": "fail the flow before anything of it is committed",
    "expect_all": "several rules: count and keep",
    "expect_all_or_drop": "several rules: count and drop",
    "expect_all_or_fail": "several rules: fail the flow",
    "read": "all rows of a dataset, of the pipeline or of the workspace",
    "read_stream": "the new rows of a dataset",
    "readStream": "an older name of read_stream",
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "table": table,
    "view": view,
    "temporary_view": view,
    "materialized_view": materialized_view,
    "create_streaming_table": create_streaming_table,
    "create_table": table,
    "create_view": view,
    "create_target_table": create_streaming_table,
    "create_streaming_live_table": create_streaming_table,
    "append_flow": append_flow,
    "create_sink": create_sink,
    "apply_changes": apply_changes,
    "create_auto_cdc_flow": apply_changes,
    "apply_changes_from_snapshot": apply_changes_from_snapshot,
    "create_auto_cdc_from_snapshot_flow": apply_changes_from_snapshot,
    "on_event_hook": on_event_hook,
    "expect": expect,
    "expect_or_drop": expect_or_drop,
    "expect_or_fail": expect_or_fail,
    "expect_all": expect_all,
    "expect_all_or_drop": expect_all_or_drop,
    "expect_all_or_fail": expect_all_or_fail,
    "read": read,
    "read_stream": read_stream,
    "readStream": read_stream,
}

#: Documented name -> the way out. Calling one of them raises NotSupported.
REFUSED: dict[str, str] = {
    "foreach_batch_sink": "Write to other systems from a task after the pipeline",
    "incremental_table": "Use @dlt.table with a streaming query",
    "replace_where_flow": "Use a materialized view",
    "enable_local_execution": "Leave it out: the pipeline runs here as it is",
}


def namespace() -> dict[str, Callable[..., Any]]:
    """Give every name that the `dlt` module has, served or refused."""
    served = {name: _checked(name, _FUNCTIONS[name]) for name in SERVED}
    return served | {name: _refuse(name, way_out) for name, way_out in REFUSED.items()}


def _checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a call that does not fit the signature be told as any other mistake of the author."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            allowed = [n for n, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD]
            wrong = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            registry = loading_registry()
            what = (
                f"dlt.{name} has no argument {wrong[1]!r}"
                if wrong
                else f"The call of dlt.{name} does not fit: {error}"
            )
            raise PipelineCodeError(
                what,
                got=f"call at {registry.caller()}" if registry is not None else None,
                allowed=", ".join(allowed),
                consequence="Nothing was declared",
                next_step=suggestion(wrong[1], allowed) if wrong else None,
            ) from None
        return function(*args, **kwargs)

    return call


def _refuse(name: str, way_out: str) -> Callable[..., Any]:
    def refused(*_args: Any, **_kwargs: Any) -> Any:
        where = active_registry("dlt." + name).caller()
        raise NotSupported(f"dlt.{name}", way_out, got=f"call at {where}")

    refused.__name__ = name
    return refused
