"""Small files of a table become large ones, as predictive optimization does on Databricks.

Each batch of a streaming table leaves at least one file, so reading it would become slower with every update. One commit
replaces the small files by large ones. Its actions say that no row changes, so streams that read the table and refreshes
that look for new rows pass over it, and time travel to earlier versions works until VACUUM. A process killed on the way
leaves files that no version names; VACUUM deletes those.

The settings are Databricks' own: the table property `pipelines.autoOptimize.managed` (page "Pipeline properties reference")
and, in the pipeline's configuration, `spark.databricks.delta.autoCompact.minNumFiles` (page "Control data file size").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from local_workspace.crash_points import crash_point
from local_workspace.delta.log import open_table
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.plan.graph import Dataset
from local_workspace.errors import ConfigurationError, WorkspaceBusy

MANAGED = "pipelines.autooptimize.managed"
MIN_FILES_KEY = "spark.databricks.delta.autoCompact.minNumFiles"
MIN_FILES = 50
TARGET_BYTES = 128 * 1024 * 1024
# Two of these fit into one file of the target's size.
_SMALL_BYTES = TARGET_BYTES // 2


def compact(context: UpdateContext, dataset: Dataset) -> None:
    """Compact a dataset's table if it has many small files, and tell the event log.

    Nothing is done while another writer has the table; the next update comes by again. A table that cannot be compacted is
    a warning: its rows are all there.

    Raises:
        ConfigurationError: The configured number of files is none.
    """
    if dataset.name is None or dataset.kind == "VIEW":
        return
    properties = {key.lower(): value.lower() for key, value in dataset.output.table_properties.items()}
    if properties.get(MANAGED) == "false":
        return
    location = context.location(dataset)
    least = _least(context.spec.configuration)
    if _saved(location) < least - 1:
        return
    try:
        with context.writing(dataset, wait_seconds=0.0):
            crash_point("compaction_planned")
            changed = compact_files(location, least)
            crash_point("compaction_committed")
    except WorkspaceBusy:
        return
    except DeltaError as error:
        context.warnings.append(f"The small files of {dataset.shown} could not be compacted: {error}")
        return
    if changed is not None:
        before, after = changed
        context.catalog.touch(dataset.name)
        context.emit(
            context.events.make(
                "maintenance_progress",
                f"Compacted table {dataset.shown}: {before} small files became {after}.",
                {"status": "COMPLETED", "metrics": {"num_files_removed": before, "num_files_added": after}},
                dataset=dataset.shown,
            )
        )


def compact_files(location: Path, least: int = MIN_FILES) -> tuple[int, int] | None:
    """Compact a table of at least so many small files; the caller holds the table's lock.

    Returns:
        Files taken out and files put in; None if nothing was done.

    Raises:
        DeltaError: The table cannot be compacted; it is as it was.
    """
    if _saved(location) < least - 1:
        return None
    metrics = DeltaTable(str(location)).optimize.compact(target_size=TARGET_BYTES)
    removed, added = int(metrics["numFilesRemoved"]), int(metrics["numFilesAdded"])
    return (removed, added) if removed else None


def _saved(location: Path) -> int:
    """Count the files that compaction would save: within each partition, all small ones but one."""
    table = open_table(location)
    if table is None:
        return 0
    actions = pa.table(table.get_add_actions(flatten=False))
    partitions = actions["partition"].to_pylist() if "partition" in actions.column_names else None
    small = Counter(
        repr(partitions[at]) if partitions is not None else ""
        for at, size in enumerate(actions["size_bytes"].to_pylist())
        if size < _SMALL_BYTES
    )
    return sum(number - 1 for number in small.values())


def _least(configuration: Mapping[str, str]) -> int:
    text = configuration.get(MIN_FILES_KEY, str(MIN_FILES))
    if not text.isdigit() or int(text) < 2:
        raise ConfigurationError(
            f"The pipeline's configuration {MIN_FILES_KEY} is not a number of files",
            got=text,
            allowed="a whole number, 2 or more",
        )
    return int(text)
