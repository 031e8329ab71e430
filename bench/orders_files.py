"""Files of order records for the benchmarks: many, alike, and quick to make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

RECORDS_IN_A_FILE = 100_000
_STATUSES = ("pending", "approved", "fulfilled", "cancelled", "returned")


def write_files(folder: Path, records: int, *, first: int = 0, name: str = "bench") -> None:
    """Write records number `first` to `first + records - 1` into files of at most 100,000 lines.

    One record in a hundred has a price of 0.00 and belongs in quarantine. Each customer has ten orders of one event each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(first, first + records, RECORDS_IN_A_FILE):
        end = min(start + RECORDS_IN_A_FILE, first + records)
        aside = folder / f".{name}-{start:010d}.json"
        aside.write_text("".join(_lines(start, end)), encoding="utf-8")
        aside.rename(folder / f"{name}-{start:010d}.json")


def _lines(start: int, end: int) -> Iterator[str]:
    for number in range(start, end):
        day = f"2025-{number // 28 % 12 + 1:02d}-{number % 28 + 1:02d}"
        price = "0.00" if number % 100 == 99 else f"{number % 9973 / 100 + 1:.2f}"
        yield (
            f'{{"order_id":"B-{number}","order_item":"item {number % 200}","price":{price},"items_ordered":{number % 5 + 1},'
            f'"status":"{_STATUSES[number % 5]}","date_ordered":"{day}","customer_id":"C-{number // 10}",'
            f'"order_timestamp":"{day}T{number % 24:02d}:{number % 60:02d}:00Z"}}\n'
        )
