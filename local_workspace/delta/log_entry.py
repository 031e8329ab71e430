"""One entry of a Delta table's log: it appears whole, and only if nobody else wrote that version.

Format: "Delta Transaction Log Protocol", sections *Delta Log Entries* and *Actions*.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class VersionTaken(Exception):  # noqa: N818  (says what happened)
    """Somebody else committed this version in between; nothing was written."""


def write_log_entry(location: Path, version: int, actions: Sequence[Mapping[str, Any]]) -> None:
    """Write the entry that makes a version of a table.

    Args:
        location: The table's folder.
        version: The new version, one more than that the actions were made for.
        actions: The entry's lines.

    Raises:
        VersionTaken: The version exists.
    """
    log = location / "_delta_log"
    log.mkdir(exist_ok=True)
    aside = log / f".{uuid.uuid4().hex}.tmp"
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(action) + "\n" for action in actions)
            file.flush()
            os.fsync(file.fileno())
        # A link fails if the version exists: that makes the commit atomic and exclusive.
        os.link(aside, log / f"{version:020}.json")
    except FileExistsError:
        raise VersionTaken from None
    finally:
        aside.unlink(missing_ok=True)
