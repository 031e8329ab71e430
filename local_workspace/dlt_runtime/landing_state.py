"""What is in landing: files that no update has taken yet, and files that none could read."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from local_workspace.dlt_runtime.auto_loader.listing import list_files
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.dlt_runtime.record.state import FileRecord
from local_workspace.dlt_runtime.spec import PipelineSpec
from local_workspace.layout import WorkspaceLayout


@dataclass(frozen=True)
class LandingState:
    """Files of an Auto Loader source that are not in its table.

    Attributes:
        waiting: URIs of the files that the next update will take.
        set_aside: URI -> why the file could not be read.
    """

    waiting: tuple[str, ...]
    set_aside: Mapping[str, str]


def landing_state(layout: WorkspaceLayout, spec: PipelineSpec, path: str) -> LandingState:
    """Compare a folder with the record of the pipeline's files. No update is disturbed.

    Args:
        layout: The workspace.
        spec: The pipeline.
        path: The folder, as the pipeline's code names it.

    Raises:
        PipelineCodeError: The path is not one that a pipeline can read.
    """
    ledger = _ledger(layout.pipelines / spec.folder_name / "state.sqlite", f"files:{path.rstrip('/')}")
    paths = Paths(layout, spec.mounts)
    listing = list_files(path, None, paths.local, paths.uri, ledger)
    faults = {uri: record.fault for uri, record in ledger.items() if record.fault is not None}
    for uri in listing.gone:
        del faults[uri]
    set_aside = {
        **faults,
        **{u: why for u, why in listing.unreadable.items() if u in faults or u not in ledger},
    }
    waiting = tuple(file.uri for file in listing.new if file.uri not in set_aside)
    return LandingState(waiting, set_aside)


def _ledger(file: Path, source: str) -> dict[str, FileRecord]:
    if not file.exists():
        return {}
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as state:
        rows = state.execute(
            "SELECT path, size, mtime_ns, batch, rows, fault FROM files WHERE source = ?", (source,)
        )
        return {row[0]: FileRecord(*row) for row in rows}
