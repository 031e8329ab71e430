"""What can be wrong with how records are read: FIELD_NAMES, STATUS_NAMES and TIME_ZONE of one environment's file."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from zoneinfo import available_timezones

from dlt_ingest.quality.order_record import BRONZE_COLUMNS, ORDER_FIELD_NAMES
from dlt_ingest.quality.order_statuses import STATUS_RANKS
from dlt_ingest.quality.text_values import UTC
from foundation.findings import Finding


def reading_findings(document: Mapping[str, Any], file: str) -> list[Finding]:
    """Find what would make records be read wrongly. The types of the values were checked before."""
    return [
        *_field_names(document.get("FIELD_NAMES", {}), file),
        *_status_names(document.get("STATUS_NAMES", {}), file),
        *_time_zone(document.get("TIME_ZONE", UTC), file),
    ]


def _field_names(names: Mapping[str, str], file: str) -> Iterator[Finding]:
    columns = {column.name.lower() for column in BRONZE_COLUMNS}
    theirs_seen: dict[str, str] = {}
    ours_seen: dict[str, str] = {}
    for theirs, ours in names.items():
        key = f"FIELD_NAMES.{theirs}"
        if ours not in ORDER_FIELD_NAMES:
            yield _unknown(key, ours, ORDER_FIELD_NAMES, "the order record has no field with this name", file)
            continue
        if theirs.lower() in columns and theirs.lower() != ours:
            yield Finding(
                file,
                key,
                f"{theirs.lower()} is already a column of bronze.orders, so it cannot mean {ours}",
                "Rename that field in the files, or remove the line",
            )
        for seen, name, problem in (
            (
                theirs_seen,
                theirs.lower(),
                "differs from {} only in case, and column names are case-insensitive",
            ),
            (
                ours_seen,
                ours,
                "has the same meaning as {}; it is undefined which one counts in a record with both",
            ),
        ):
            if name in seen:
                yield Finding(file, key, problem.format(seen[name]), "Keep one of the two")
            seen.setdefault(name, theirs)


def _status_names(names: Mapping[str, str], file: str) -> Iterator[Finding]:
    for theirs, ours in names.items():
        key = f"STATUS_NAMES.{theirs}"
        if ours not in STATUS_RANKS:
            yield _unknown(key, ours, STATUS_RANKS, "orders have no status with this name", file)
        elif theirs in STATUS_RANKS and theirs != ours:
            yield Finding(
                file, key, f"{theirs} is already a status and would be read as {ours}", "Remove the line"
            )


def _time_zone(name: str, file: str) -> Iterator[Finding]:
    # Abbreviations and offsets are omitted: engines differ on them, and they know no summer time.
    regions = {zone for zone in available_timezones() if "/" in zone and not zone.startswith("SystemV/")}
    if name != UTC and name not in regions:
        yield _unknown(
            "TIME_ZONE", name, regions, "the time zone database has no region with this name", file
        )


def _unknown(key: str, got: str, allowed: Collection[str], problem: str, file: str) -> Finding:
    near = difflib.get_close_matches(got, allowed, n=1)
    listed = ", ".join(allowed) if len(allowed) < 20 else "UTC, or a region such as Europe/Berlin"
    return Finding(
        file,
        key,
        problem,
        f"Write {near[0]}, if that is what was meant" if near else "Use an existing one",
        got=got,
        allowed=listed,
    )
