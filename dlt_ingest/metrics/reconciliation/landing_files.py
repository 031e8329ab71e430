"""The figures of landing, out of the files themselves."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

# Price times items as the layers add it up: what Spark's DECIMAL(38,10) * BIGINT leaves of the digits behind the point
# (documentation: "DECIMAL type", rules of result precision).
VALUE_DIGITS = Decimal("0.000001")


@dataclass
class FileFigures:
    """One landing file, as Python reads it.

    Attributes:
        landed_at: When the file was last written, UTC.
        records: Number of lines that are not blank.
        value: Sum of price times items_ordered.
    """

    landed_at: datetime
    records: int = 0
    value: Decimal = Decimal(0)


_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def landing_figures(landing: Path) -> dict[str, FileFigures]:
    """Count the records of each landing file and add up their value.

    A record is a line that is not blank. Its value is price times items_ordered where both are JSON numbers of their
    declared kind; a line without that counts as a record of value zero, as Bronze keeps it with NULLs.

    Returns:
        Figures by file name. A file that cannot be read to its end (a broken archive) is left out: the update reports it.
    """
    figures = {}
    for path in sorted(landing.iterdir()) if landing.is_dir() else []:
        if path.name.startswith((".", "_")) or not path.is_file():
            continue
        try:
            figures[path.name] = _file_figures(path)
        except (OSError, EOFError):
            continue
    return figures


def _file_figures(path: Path) -> FileFigures:
    figures = FileFigures(datetime.fromtimestamp(path.stat().st_mtime, timezone.utc))
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
            if not text.strip():
                continue
            figures.records += 1
            figures.value += _record_value(text)
    return figures


def _record_value(line: bytes) -> Decimal:
    try:
        record = json.loads(line, parse_float=Decimal, parse_constant=lambda _: None)
        price, items = record["price"], record["items_ordered"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Decimal(0)
    if isinstance(price, bool) or isinstance(items, bool) or not isinstance(items, int):
        return Decimal(0)
    # A text that is wholly a number fits a decimal column, for Spark's JSON parser as for the local one; no other type does.
    if isinstance(price, str) and not _NUMBER.fullmatch(price):
        return Decimal(0)
    if not isinstance(price, (int, str, Decimal)):
        return Decimal(0)
    try:
        return (Decimal(price) * items).quantize(VALUE_DIGITS, ROUND_HALF_UP)
    except InvalidOperation:
        return Decimal(0)
