"""Slices of Delta tables: throw-away tables whose files are hard links to those of another, or to staged ones.

Delta's own reader then does what it always does about partition columns and columns that older files lack.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable

from local_workspace.delta.log import Position
from local_workspace.delta.staging import StagedFile
from local_workspace.errors import DataFault, NotSupported

_UNREADABLE_FEATURES = frozenset({"deletionVectors", "columnMapping", "v2Checkpoint"})


def make_slice(
    path: Path,
    until: Position,
    adds: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    fields: Sequence[Mapping[str, Any]] | None = None,
    numbered: str | None = None,
) -> None:
    """Write a Delta table into `folder` that has exactly the files of `adds`.

    Args:
        path: The table's folder.
        until: Where the table stands.
        adds: `add` actions of its log.
        folder: Where the slice goes; it must not exist.
        fields: The slice's columns if they are others than the table's; files that lack one are read as having NULL.
        numbered: Name of one more column, which says from which of `adds` a row is, counted from 0. It is a partition
            column, whose values stand in the log: so it costs nothing, and a filter on it reads those files alone.

    Raises:
        NotSupported: The source uses a Delta feature with which files cannot be taken out of their table.
    """
    table = DeltaTable(str(path), version=until.version)
    protocol = table.protocol()
    features = set(protocol.reader_features or ())
    if (
        features & _UNREADABLE_FEATURES
        or protocol.min_reader_version == 2
        or any(a.get("deletionVector") for a in adds)
    ):
        found = ", ".join(sorted(features & _UNREADABLE_FEATURES)) or "column mapping"
        raise NotSupported(
            f"Reading single files of a Delta table with {found}",
            "Read the table with spark.read, or write it anew without the feature",
            got=str(path),
        )
    metadata = table.metadata()
    columns = list(json.loads(table.schema().to_json())["fields"] if fields is None else fields)
    partitions = list(metadata.partition_columns)
    if numbered is not None:
        columns.append({"name": numbered, "type": "integer", "nullable": False, "metadata": {}})
        partitions.append(numbered)
    given = []
    for at, add in enumerate(adds):
        values = add.get("partitionValues") or {}
        if numbered is not None:
            values = {**values, numbered: str(at)}
        given.append(StagedFile(path / unquote(add["path"]), {**add, "partitionValues": values}))
    _write(folder, str(metadata.id), columns, partitions, files=given, features=sorted(features))


def slice_of_files(
    folder: Path, fields: Sequence[Mapping[str, Any]], partitions: Sequence[str], files: Iterable[StagedFile]
) -> None:
    """Write a Delta table into `folder` that has exactly these staged files.

    Args:
        folder: Where the slice goes; it must not exist.
        fields: Its columns; files that lack one are read as having NULL.
        partitions: Its partition columns.
        files: The files.
    """
    features = ["timestampNtz"] if '"timestamp_ntz"' in json.dumps(list(fields)) else []
    _write(folder, folder.name, fields, partitions, files=files, features=features)


def _write(
    folder: Path,
    table_id: str,
    fields: Sequence[Mapping[str, Any]],
    partitions: Sequence[str],
    *,
    files: Iterable[StagedFile],
    features: Sequence[str],
) -> None:
    protocol: dict[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 2}
    if features:
        protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
        protocol |= {"readerFeatures": list(features), "writerFeatures": list(features)}
    metadata = {
        "id": table_id,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": list(fields)}),
        "partitionColumns": list(partitions),
        "configuration": {},
        "createdTime": 0,
    }
    actions: list[dict[str, Any]] = [{"protocol": protocol}, {"metaData": metadata}]
    entries = folder / "_delta_log"
    entries.mkdir(parents=True)
    for at, file in enumerate(files):
        name = f"{at:06d}.parquet"
        _link(file.path, folder / name)
        kept = {
            k: file.add[k] for k in ("partitionValues", "size", "modificationTime", "stats") if k in file.add
        }
        actions.append({"add": {"path": name, "dataChange": True, **kept}})
    text = "\n".join(json.dumps(action) for action in actions) + "\n"
    (entries / f"{0:020d}.json").write_text(text, encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise DataFault(
            f"The file {source.name} of {source.parent} is gone: VACUUM has deleted it before it was streamed",
            consequence="The rows that came since the last update cannot be read",
            next_step="Do a full refresh of the tables that read it as a stream",
        ) from None
    except OSError:
        shutil.copyfile(source, target)  # another file system, or one without hard links
