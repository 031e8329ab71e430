"""Remove one customer's rows from the originals of converted files, for `orders erase`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.governance.landing_erasure import replace_file
from dlt_ingest.quality.visible_text import trimmed
from orders.landing.conversion import MAP_SUFFIX
from orders.landing.field_map import FieldSource
from orders.landing.json_splitting import elements


def originals_rows(folder: Path, customer: CustomerId) -> int:
    """Count the customer's rows in all originals."""
    return sum(removed for _path, _content, removed in _rewritten(folder, customer))


def erase_from_originals(folder: Path, customer: CustomerId) -> int:
    """Remove the customer's rows from all originals; return their number. All other rows stay, in order."""
    total = 0
    for path, content, removed in _rewritten(folder, customer):
        replace_file(path, content)
        total += removed
    return total


def _rewritten(folder: Path, customer: CustomerId) -> Iterator[tuple[Path, bytes, int]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or path.name.endswith(MAP_SUFFIX):
            continue
        how = path.with_name(path.name + MAP_SUFFIX)
        content, removed = (
            _without_rows(path, json.loads(how.read_bytes()), customer)
            if how.exists()
            else _without_elements(path, customer)
        )
        if removed:
            yield path, content, removed


def _without_rows(path: Path, how: dict[str, Any], customer: CustomerId) -> tuple[bytes, int]:
    source = FieldSource.model_validate(how["fields"]["customer_id"])
    with path.open(encoding=how["encoding"], newline="") as text:
        rows = list(csv.reader(text, delimiter=how["delimiter"]))
    header = [name.strip() for name in rows[0]]
    place = header.index(source.column) if source.column is not None else None

    def is_theirs(row: list[str]) -> bool:
        named = trimmed(source.value_of(row[place])) if place is not None and place < len(row) else ""
        return named == customer.value if named else customer.stands_in(how["delimiter"].join(row))

    kept = [row for row in rows[1:] if not is_theirs(row)]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=how["delimiter"], lineterminator="\n").writerows([rows[0], *kept])
    return out.getvalue().encode(how["encoding"]), len(rows) - 1 - len(kept)


def _without_elements(path: Path, customer: CustomerId) -> tuple[bytes, int]:
    lines = list(elements(path))
    kept = [line.rstrip(b"\n") for line in lines if not customer.owns_line(line)]
    return b"[" + b",\n".join(kept) + b"]\n", len(lines) - len(kept)
