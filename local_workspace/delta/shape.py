"""What a table is besides its rows: columns, partitioning, properties, comment, and the protocol that they need."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deltalake import DeltaTable

CHECK_PREFIX = "delta.constraints."


@dataclass(frozen=True)
class TableShape:
    """What a commit says of the table besides its rows.

    Attributes:
        fields: Columns as in a Delta schema.
        partition_columns: Names of partition columns.
        configuration: Table properties that belong into the Delta log.
        description: The table's comment.
    """

    fields: Sequence[Mapping[str, Any]]
    partition_columns: Sequence[str] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None

    @property
    def checks(self) -> dict[str, str]:
        """The CHECK expressions by the names of their constraints."""
        return {
            key.removeprefix(CHECK_PREFIX): value
            for key, value in self.configuration.items()
            if key.startswith(CHECK_PREFIX)
        }


def shape_of(table: DeltaTable) -> TableShape:
    """Return what the log says of a table now, as a start for a change."""
    metadata = table.metadata()
    return TableShape(
        json.loads(table.schema().to_json())["fields"],
        list(metadata.partition_columns),
        dict(metadata.configuration),
        metadata.description,
    )


def nullable(element: Any) -> Any:
    """Return a Delta type or field without NOT NULL at any depth.

    The engine calls a literal NOT NULL; Databricks' CREATE TABLE AS makes every column nullable.
    """
    if isinstance(element, dict):
        return {
            key: True if key in ("nullable", "containsNull", "valueContainsNull") else nullable(value)
            for key, value in element.items()
        }
    return [nullable(item) for item in element] if isinstance(element, list) else element


def shape_actions(
    table: DeltaTable | None, shape: TableShape, needed: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Give the actions with which a table gets its shape, the protocol that it needs included.

    Args:
        table: The table, if there is one.
        shape: What it is from now on.
        needed: A protocol action that its new rows need, as far as it is known.
    """
    protocol = _protocol(_needed(table, shape, needed), table, shape)
    changed = [] if protocol is None else [{"protocol": protocol}]
    return [*changed, {"metaData": _metadata(table, shape)}]


def _needed(table: DeltaTable | None, shape: TableShape, needed: Mapping[str, Any] | None) -> dict[str, Any]:
    if needed is not None:
        return dict(needed)
    wanted: dict[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 2}
    if table is not None:
        present = table.protocol()
        wanted = {
            "minReaderVersion": present.min_reader_version,
            "minWriterVersion": present.min_writer_version,
        }
        if present.writer_features:
            wanted["writerFeatures"] = list(present.writer_features)
        if present.reader_features:
            wanted["readerFeatures"] = list(present.reader_features)
    if '"timestamp_ntz"' in json.dumps(list(shape.fields)):
        wanted["minReaderVersion"], wanted["minWriterVersion"] = 3, 7
        for features in ("readerFeatures", "writerFeatures"):
            wanted[features] = sorted({*wanted.get(features, []), "timestampNtz"})
    return wanted


def _protocol(needed: dict[str, Any], table: DeltaTable | None, shape: TableShape) -> dict[str, Any] | None:
    protocol = dict(needed)
    has_check = bool(shape.checks)
    if has_check and not protocol.get("writerFeatures"):
        protocol["minWriterVersion"] = max(3, protocol["minWriterVersion"])
    elif has_check:
        protocol["writerFeatures"] = sorted({*protocol["writerFeatures"], "checkConstraints"})
    if table is None:
        return protocol
    present = table.protocol()
    enough = (
        present.min_reader_version >= protocol["minReaderVersion"]
        and present.min_writer_version >= protocol["minWriterVersion"]
        and set(protocol.get("writerFeatures") or []) <= set(present.writer_features or [])
        and set(protocol.get("readerFeatures") or []) <= set(present.reader_features or [])
    )
    if enough:
        return None
    merged: dict[str, Any] = {
        "minReaderVersion": max(present.min_reader_version, protocol["minReaderVersion"]),
        "minWriterVersion": max(present.min_writer_version, protocol["minWriterVersion"]),
    }
    for level, key, former in (
        (3, "readerFeatures", present.reader_features),
        (7, "writerFeatures", present.writer_features),
    ):
        if merged["minReaderVersion" if key == "readerFeatures" else "minWriterVersion"] >= level:
            merged[key] = sorted({*(former or []), *(protocol.get(key) or [])})
    return merged


def _metadata(table: DeltaTable | None, shape: TableShape) -> dict[str, Any]:
    former = table.metadata() if table is not None else None
    return {
        "id": str(former.id) if former else str(uuid.uuid4()),
        "name": None,
        "description": shape.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": list(shape.fields)}),
        "partitionColumns": list(shape.partition_columns),
        "createdTime": former.created_time if former else int(time.time() * 1000),
        "configuration": dict(shape.configuration),
    }
