"""AUTO CDC (`apply_changes`): a change feed applied to a streaming table by key."""

from __future__ import annotations

from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.graph import Dataset, PlannedFlow
from local_workspace.errors import NotSupported


def refresh_cdc(context: UpdateContext, dataset: Dataset, planned: PlannedFlow) -> None:
    """Apply the new changes.

    Raises:
        NotSupported: Always, for now.
    """
    raise NotSupported(
        "dlt.apply_changes",
        "Use a materialized view",
        got=f"{context.spec.name} {dataset.shown} {planned.flow.name}",
    )
