"""The commit of a batch to its table, with what readers of the table's history want to know of it."""

from __future__ import annotations

from typing import Any

from local_workspace.delta import batches
from local_workspace.delta.batches import Target
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.record.state import Batch
from local_workspace.dlt_runtime.refresh.staging import StagedRows


def commit_batch(
    context: UpdateContext,
    target: Target,
    staged: StagedRows,
    batch: Batch,
    *,
    overwrite: bool,
    flow: str,
    **facts: Any,
) -> None:
    """Move staged files into a table and make them part of it in one commit, which carries the number of the batch.

    Args:
        context: The update.
        target: The table; it exists.
        staged: The files.
        batch: The batch, prepared.
        overwrite: Whether the files replace all rows.
        flow: The flow as its author named it.
        facts: What the commit shall say besides: sources, a fingerprint.
    """
    batches.commit_batch(
        target,
        staged.kept,
        overwrite=overwrite,
        flow=batch.flow,
        batch=batch.batch,
        metadata={
            "update_id": batch.update_id,
            "run_id": context.run_id,
            "flow": flow,
            "batch": batch.batch,
            **facts,
        },
    )
