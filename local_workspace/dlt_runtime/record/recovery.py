"""Bringing the bookkeeping into step with Delta.

What a killed update had committed is finished, the rest never happened.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from local_workspace.delta import batches, log
from local_workspace.dlt_runtime.record.events import Event, EventFactory
from local_workspace.dlt_runtime.record.state import Batch, PipelineState


def settle(state: PipelineState, batch: Batch) -> bool:
    """Finish a batch if Delta has it, else forget it and delete the files it left; say whether Delta has it.

    Delta's log decides alone: the commit is atomic, and it is the last step before the batch is recorded as
    done.
    """
    location = Path(batch.location)
    done = log.committed_batch(location, batch.flow)
    if done is not None and done >= batch.batch:
        finish(state, batch)
        return True
    batches.remove_leftovers(location, batch.flow, batch.batch)
    state.abandon(batch)
    return False


def finish(state: PipelineState, batch: Batch) -> None:
    """Record a batch that is in Delta as done."""
    state.finish(batch, once=bool(batch.facts.get("once")), resets=batch.facts.get("resets", ()))


def recover(state: PipelineState, folder: Path, pipeline_name: str) -> list[str]:
    """Repair what the last update left, if its process was killed; return what was done, for people.

    Call it while holding the pipeline's lock, before anything else.
    """
    notes: list[str] = []
    for batch in state.open_batches():
        found = settle(state, batch)
        notes.append(
            f"batch {batch.batch} of {batch.target} was "
            + ("committed; its bookkeeping was completed" if found else "not committed; it will be repeated")
        )
    shutil.rmtree(folder / "stage", ignore_errors=True)
    for update_id, _run_id in state.unfinished_updates():
        make = EventFactory(state.pipeline_id, pipeline_name, update_id)
        cause = "The process ended before the update; the next update repairs what it left."
        events: list[Event] = [make.update_progress("FAILED", cause=cause)]
        state.finish_update(update_id, "FAILED", events)
        notes.append(f"update {update_id} had not ended")
    return notes
