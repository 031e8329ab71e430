"""Named places at which a test can kill the process, to prove that the next update repairs what it left.

`LOCAL_WORKSPACE_CRASH_AT=<point>` or `<point>:<n>` (the n-th time the point is reached) ends the process
there as `kill -9` would: no handler runs, no buffer is flushed. Without the variable a point costs one
dictionary look-up.
"""

from __future__ import annotations

import os
import signal

#: In the order in which an update reaches them.
CRASH_POINTS: tuple[str, ...] = (
    "update_recorded",
    "batch_planned",
    "input_staged",
    "output_staged",
    "state_placed",
    "batch_prepared",
    "files_half_adopted",
    "files_adopted",
    "table_created",
    "data_committed",
    "batch_recorded",
    "catalog_written",
    "compaction_planned",
    "compaction_committed",
    "update_finished",
    "events_staged",
    "events_committed",
    "reset_planned",
    "reset_committed",
    "reset_recorded",
)

_reached: dict[str, int] = {}


def crash_point(name: str) -> None:
    """Kill this process here if the environment asks for it."""
    wanted = os.environ.get("LOCAL_WORKSPACE_CRASH_AT")
    if not wanted:
        return
    point, _, count = wanted.partition(":")
    if point != name:
        return
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
