"""Rows on their way into a table: Parquet files that lie beside its own, which no reader looks at before their commit."""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from local_workspace.crash_points import crash_point
from local_workspace.delta import log
from local_workspace.delta.log import row_count
from local_workspace.delta.shape import nullable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STAGE_FOLDER = "_staging"


@dataclass(frozen=True)
class StagedFile:
    """A Parquet file that is not part of a table yet.

    Attributes:
        path: Where it is.
        add: The log's ``add`` action for it; its path is the file's place in the table's folder.
    """

    path: Path
    add: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path, partition_values: Mapping[str, str | None]) -> StagedFile:
        """Describe a Parquet file by its footer.

        Args:
            path: The file.
            partition_values: As Delta writes them.
        """
        footer = pq.read_metadata(path)
        status = path.stat()
        stats = {"numRecords": footer.num_rows, "nullCount": _null_counts(footer)}
        return cls(
            path,
            {
                "path": path.name,
                "partitionValues": dict(partition_values),
                "size": status.st_size,
                "modificationTime": int(status.st_mtime * 1000),
                "dataChange": True,
                "stats": json.dumps(stats),
            },
        )

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return row_count(self.add)


def _null_counts(footer: pq.FileMetaData) -> dict[str, int]:
    """Return how many rows have no value, by column, for the plain columns of which every row group says so."""
    plain = {field.name for field in footer.schema.to_arrow_schema() if not pa.types.is_nested(field.type)}
    paths = [footer.schema.column(at).path for at in range(footer.num_columns)]
    counts: dict[str, int] = {}
    for at, name in enumerate(paths):
        if (
            name not in plain or paths.count(name) > 1
        ):  # a column named `a.b` beside the field b of a struct a
            continue
        groups = [footer.row_group(group).column(at).statistics for group in range(footer.num_row_groups)]
        if all(group is not None and group.has_null_count for group in groups):
            counts[name] = sum(group.null_count for group in groups)
    return counts


@dataclass(frozen=True)
class Staged:
    """Rows that the engine wrote as a Delta table of their own, to be read before they become part of another.

    Attributes:
        folder: The Delta table, in the staging folder.
        fields: Columns as in a Delta schema, every one nullable at every depth, in the order of the query.
        adds: The log's ``add`` actions.
        protocol: The protocol action that these rows need.
    """

    folder: Path
    fields: list[dict[str, Any]]
    adds: list[dict[str, Any]]
    protocol: dict[str, Any]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(row_count(add) for add in self.adds)

    @property
    def files(self) -> list[StagedFile]:
        """Its files; they keep their places relative to the table."""
        return [StagedFile(self.folder / unquote(add["path"]), add) for add in self.adds]

    def discard(self) -> None:
        """Delete what is left of the staging folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.folder.parent, self.folder.parent.parent):
            with contextlib.suppress(OSError):  # not empty, or gone
                folder.rmdir()


def stage(frame: DataFrame, location: Path, partition_columns: Sequence[str] = ()) -> Staged:
    """Let the engine write a query's rows beside a table.

    Args:
        frame: The rows.
        location: The table's folder; it need not exist.
        partition_columns: As the table is partitioned.
    """
    folder = location / STAGE_FOLDER / uuid.uuid4().hex
    folder.parent.mkdir(parents=True, exist_ok=True)
    writer = frame.write.format("delta").mode("overwrite")
    if partition_columns:
        writer = writer.partitionBy(*partition_columns)
        fields = json.loads(frame.schema.json())["fields"]
    writer.save(str(folder))
    if not partition_columns:
        # As the engine wrote them, so it need not be asked. Of a partitioned table, it writes them in another order.
        metadata = next(action["metaData"] for action in log.entry(folder, 0) if "metaData" in action)
        fields = [_unannotated(f) for f in json.loads(metadata["schemaString"])["fields"]]
    return staged_in(folder, [nullable(f) for f in fields])


def _unannotated(element: Any) -> Any:
    """Return a Delta type or field without what the columns of other tables say of themselves, such as their comments."""
    if isinstance(element, dict):
        return {key: {} if key == "metadata" else _unannotated(value) for key, value in element.items()}
    return [_unannotated(item) for item in element] if isinstance(element, list) else element


def staged_in(folder: Path, fields: list[dict[str, Any]]) -> Staged:
    """Describe what was written into a folder as a Delta table of one version."""
    actions = log.entry(folder, 0)
    adds = [action["add"] for action in actions if "add" in action]
    protocol = next(action["protocol"] for action in actions if "protocol" in action)
    return Staged(folder, fields, adds, protocol)


def adopt(location: Path, files: Sequence[StagedFile], *, prefix: str | None = None) -> list[dict[str, Any]]:
    """Move staged files beside the table's own; only a commit makes them part of it.

    Args:
        location: The table's folder.
        files: The files.
        prefix: They are numbered, and their names begin so; None if they keep their names.

    Returns:
        Their ``add`` actions.
    """
    adds = []
    for at, staged in enumerate(files):
        add = dict(staged.add)
        if prefix is not None:
            add["path"] = f"{prefix}{at:05d}.parquet"
        place = location / unquote(add["path"])
        place.parent.mkdir(parents=True, exist_ok=True)
        staged.path.replace(place)
        if at == 0:
            crash_point("files_half_adopted")
        adds.append(add)
    crash_point("files_adopted")
    return adds
