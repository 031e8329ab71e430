"""Columns of a Delta table, read from its log, with their types in Spark's DDL notation."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from local_workspace.catalog.char_types import DECLARED_TYPE
from local_workspace.catalog.records import Column
from local_workspace.errors import DataFault

# The Delta protocol ("Schema Serialization Format") names the primitive types; these three differ from
# Spark's DDL.
_DDL_NAMES = {"byte": "tinyint", "short": "smallint", "long": "bigint", "integer": "int"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")

# A commit within this time of the one before may leave the folder's time as it was: clocks of file systems have steps.
_CLOCK_STEP_NS = 50_000_000
_cache: dict[Path, tuple[tuple[int, int], tuple[Column, ...]]] = {}
_cache_guard = threading.Lock()


def render_type(data_type: str | dict[str, Any]) -> str:
    """Render a type of the Delta protocol's JSON schema in Spark's DDL, such as `map<string,array<int>>`."""
    if isinstance(data_type, str):
        return _DDL_NAMES.get(data_type, data_type)
    kind = data_type["type"]
    if kind == "struct":
        fields = ",".join(f"{_field_name(f['name'])}:{render_type(f['type'])}" for f in data_type["fields"])
        return f"struct<{fields}>"
    if kind == "array":
        return f"array<{render_type(data_type['elementType'])}>"
    if kind == "map":
        return f"map<{render_type(data_type['keyType'])},{render_type(data_type['valueType'])}>"
    return str(kind)


def _field_name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def read_columns(location: Path) -> tuple[Column, ...]:
    """Read the columns of the Delta table in `location`, with the comments that its schema carries.

    The answer is kept until the table's log folder changes.

    Raises:
        DataFault: The folder is gone or has no readable Delta log.
    """
    log = location / "_delta_log"
    try:
        stat = log.stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        is_settled = time.time_ns() - stat.st_mtime_ns > _CLOCK_STEP_NS
        with _cache_guard:
            known = _cache.get(location)
        if known is not None and known[0] == stamp:
            return known[1]
        table = DeltaTable(location)
        fields = json.loads(table.schema().to_json())["fields"]
        partitions = list(table.metadata().partition_columns)
    except (OSError, DeltaError) as error:
        raise DataFault(
            "The folder of the table has no readable Delta log",
            got=f"{location}: {error}",
            consequence="The table cannot be read",
            next_step="Refresh it in full, or drop it",
        ) from error
    columns = tuple(
        Column(
            name=field["name"],
            data_type=(field.get("metadata") or {}).get(DECLARED_TYPE) or render_type(field["type"]),
            nullable=field["nullable"],
            comment=(field.get("metadata") or {}).get("comment"),
            position=position,
            partition_index=partitions.index(field["name"]) if field["name"] in partitions else None,
        )
        for position, field in enumerate(fields)
    )
    if is_settled:
        with _cache_guard:
            _cache[location] = (stamp, columns)
    return columns
