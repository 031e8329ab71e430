"""A Delta table as a streaming source: the files that its commits added since a version, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_workspace.delta import log
from local_workspace.delta.log import Position
from local_workspace.errors import DataFault, NotSupported, PipelineCodeError

_NO_EFFECT = frozenset(
    {"maxfilespertrigger", "maxbytespertrigger", "witheventtimeorder", "skipchangecommits"}
)


def check_options(options: Mapping[str, str], source: str) -> bool:
    """Check the options of `spark.readStream.table`; say whether commits that change rows are to be skipped.

    Raises:
        NotSupported: An option that would change which rows are read.
        PipelineCodeError: An unknown option.
    """
    known = {
        "startingversion",
        "startingtimestamp",
        "readchangefeed",
        "readchangedata",
        "ignorechanges",
        "ignoredeletes",
        "schematrackinglocation",
        "failondataloss",
        "excluderegex",
    }
    lowered = {key.lower(): value for key, value in options.items()}
    for key, value in lowered.items():
        if key in known:
            raise NotSupported(
                f"Option {key} of a streaming read",
                "Leave it out, or use skipChangeCommits",
                got=f"{value!r}, {source}",
            )
        if key not in _NO_EFFECT:
            raise PipelineCodeError(
                f"Unknown option {key} of the streaming read of {source}", got=repr(value)
            )
    return lowered.get("skipchangecommits", "false").lower() == "true"


def added_files(
    path: Path, source: str, since: Position, until: Position, *, skip_changes: bool
) -> list[dict[str, Any]]:
    """List the `add` actions of the commits after `since` up to `until`.

    Raises:
        DataFault: A commit changed or removed rows, the table was replaced, or its log no longer reaches back
            that far. The texts are those of Delta's streaming source.
    """
    if since.table_id != until.table_id:
        raise DataFault(
            f"[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] {source} is another table than the one that was read before",
            got=f"id {until.table_id}",
            allowed=f"id {since.table_id}",
            consequence="Its old rows cannot be told from its new ones",
            next_step="Do a full refresh of the tables that read it as a stream",
        )
    adds: list[dict[str, Any]] = []
    for version in range(since.version + 1, until.version + 1):
        try:
            actions = log.entry(path, version)
        except FileNotFoundError:
            raise DataFault(
                f"The log of {source} no longer has version {version}",
                consequence="The rows that came since the last update cannot be found",
                next_step="Do a full refresh of the tables that read it as a stream",
            ) from None
        removed = [a["remove"] for a in actions if "remove" in a and a["remove"].get("dataChange", True)]
        if removed and _is_reset(actions):
            raise DataFault(
                f"[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] {source} was refreshed in full at version {version}",
                consequence="Its rows come a second time, and skipChangeCommits would take them again",
                next_step="Do a full refresh of the tables that read it as a stream, together with it",
            )
        if removed:
            if skip_changes:
                continue
            raise DataFault(
                f"[DELTA_SOURCE_TABLE_IGNORE_CHANGES] Detected a data update (for example {_operation(actions)})"
                f" in the source table {source} at version {version}. This is currently not supported. If this is"
                " going to happen regularly and you are okay to skip changes, set the option 'skipChangeCommits' to"
                " 'true'. If you would like the data update to be reflected, please restart this query with a fresh"
                " checkpoint directory or do a full refresh",
                got=removed[0]["path"],
            )
        adds.extend(a["add"] for a in actions if "add" in a and a["add"].get("dataChange", True))
    return adds


def _operation(actions: list[dict[str, Any]]) -> str:
    info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    return str(info.get("operation", "UNKNOWN"))


def _is_reset(actions: list[dict[str, Any]]) -> bool:
    """Whether a commit is that of a full refresh; see `reset.py`."""
    info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    return bool(json.loads(info.get("dlt") or "{}").get("operation") == "full refresh")
