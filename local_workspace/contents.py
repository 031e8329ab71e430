"""What a workspace holds, in a form that can be compared: was anything written between two moments, and where.

Nothing is read but names, log positions and file attributes, so it takes milliseconds whatever the tables hold.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from local_workspace.catalog import Catalog
from local_workspace.layout import WorkspaceLayout

_COMMIT = re.compile(r"\d{20}\.json")


def table_positions(catalog: Catalog) -> dict[str, str]:
    """Return where each table stands: three-level name -> a text that differs after every commit.

    A view is listed with an empty text: :meth:`Catalog.revision` tells of its definition.
    """
    return {
        ".".join(table.name.key): "" if table.location is None else _log_position(table.location)
        for known in catalog.catalogs()
        for table in catalog.tables(known.catalog)
    }


def pipeline_states(layout: WorkspaceLayout) -> dict[str, str]:
    """Return how far each pipeline is: folder -> number of updates, with the state of the last, and what is unfinished."""
    from local_workspace.dlt_runtime.record.state import PipelineState  # noqa: PLC0415  (slow to import)

    found = {}
    for file in sorted(layout.pipelines.glob("*/state.sqlite")):
        state = PipelineState(file)
        try:
            updates = state.updates()
            unfinished = len(state.open_batches()) + len(state.unflushed_events())
        finally:
            state.close()
        last = updates[-1] if updates else ""
        found[file.parent.name] = f"{len(updates)} updates, {last}, {unfinished} unfinished"
    return found


def volume_files(layout: WorkspaceLayout, *, but: Collection[Path] = ()) -> Iterator[tuple[str, str]]:
    """Yield every file, folder and link below the volumes, in order of their names: path, and what a change of it changes.

    Args:
        layout: The workspace.
        but: Folders that are left out, with everything below them.
    """
    pending = [layout.volumes]
    while pending:
        folder = pending.pop()
        if folder in but:
            continue
        try:
            inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield str(folder), f"{type(error).__name__} {error.errno}"
            continue
        for entry in inside:
            path = Path(entry.path)
            if path in but:
                continue
            try:
                own = entry.stat(follow_symlinks=False)
                target = entry.stat() if stat.S_ISLNK(own.st_mode) else own
            except OSError as error:
                yield entry.path, f"{type(error).__name__} {error.errno}"
                continue
            if stat.S_ISDIR(own.st_mode):
                # Its own times change with every file in it; who may enter it matters.
                yield entry.path, f"folder {own.st_mode:o} {own.st_uid} {own.st_gid}"
                pending.append(path)
            else:
                yield entry.path, f"{_attributes(own)} {_attributes(target) if target is not own else ''}"


def _attributes(status: os.stat_result) -> str:
    # The time of the last change of the inode cannot be set, unlike that of the content.
    return f"{status.st_mode:o} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _log_position(location: Path) -> str:
    try:
        newest = max(
            (entry for entry in os.scandir(location / "_delta_log") if _COMMIT.fullmatch(entry.name)),
            key=lambda entry: entry.name,
            default=None,
        )
        if newest is None:
            return "no log"
        status = newest.stat()
    except OSError as error:
        return f"{type(error).__name__} {error.errno}"
    return f"{int(newest.name[:20])} {status.st_size} {status.st_mtime_ns}"
