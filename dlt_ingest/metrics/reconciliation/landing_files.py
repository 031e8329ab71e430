"""The figures of landing: records as Auto Loader reads them, valued here, apart from what the pipeline computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Protocol

from dlt_ingest.quality.reading import STANDARD, Reading

# Price times items as the layers add it up: what Spark's DECIMAL(38,10) * BIGINT leaves of the digits behind the point
# (documentation: "DECIMAL type", rules of result precision).
VALUE_DIGITS = Decimal("0.000001")
# From here on the product might not fit DECIMAL(38,6); it has no value, in SQL as here.
BEYOND_ANY_VALUE = 1e31

_PRICE_DIGITS = Decimal("0.0000000001")
_BEYOND_ANY_PRICE = Decimal(10) ** 28
_LONGEST_PRICE = 80
# Enough for the digits of such a text and those behind the point, and for any sum of values: nothing is rounded unseen.
_DIGITS = 120
# What a price looks like: a plain number, or one with an exponent as programs write it. No comma, no sign of currency.
_PRICE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)|[+-]?[0-9]{1,6}(\.[0-9]{0,9})?[eE][+-]?0*[0-9]")
_BIGINT = re.compile(r"-?(0|[1-9][0-9]{0,18})")


class LandedField(Protocol):
    """One member of a record: its name, its text (None for null), and whether it is a JSON number."""

    @property
    def name(self) -> str:
        """The key."""

    @property
    def text(self) -> str | None:
        """The string, or the JSON text of anything else."""

    @property
    def is_number(self) -> bool:
        """Whether it is a JSON number."""


class LandedFile(Protocol):
    """A file in landing as its reader gives it.

    Attributes:
        uri: Its name, as in the column `source_file`.
        changed_at: When it was last written, UTC.
        fault: Why it could not be read to its end, known once all records were taken; None if it could.
    """

    uri: str
    changed_at: datetime
    fault: str | None

    def records(self) -> Iterator[Iterable[LandedField]]:
        """Return the members of each record; an unreadable one has none."""


# Who can read the files hands this in: this package knows no reader of its own, otherwise there would be two opinions
# on what a record is.
Landing = Callable[[], Iterable[LandedFile]]


@dataclass
class FileFigures:
    """One landing file.

    Attributes:
        landed_at: When the file was last written, UTC.
        records: Number of records, unreadable ones included.
        value: Sum of price times items_ordered.
    """

    landed_at: datetime
    records: int = 0
    value: Decimal = Decimal(0)


def landing_figures(landing: Landing, reading: Reading = STANDARD) -> dict[str, FileFigures]:
    """Count the records of each landing file and add up their value.

    A record has a value where price and items_ordered are what their columns take; any other counts as a record of value
    zero, as Bronze keeps it with NULLs.

    Args:
        landing: Gives the files.
        reading: The shop's names of the fields.

    Returns:
        Figures by URI. A file that cannot be read to its end is omitted: the update has set it aside.
    """
    value_of = _Value(reading)
    figures = {}
    with localcontext() as context:
        context.prec = _DIGITS
        for file in landing():
            found = FileFigures(file.changed_at)
            for record in file.records():
                found.records += 1
                found.value += value_of(record)
            if file.fault is None:
                figures[file.uri] = found
    return figures


class _Value:
    """Values one record after the other."""

    def __init__(self, reading: Reading) -> None:
        self._ignores_case = reading.ignores_case
        self._price = _names("price", reading)
        self._items = _names("items_ordered", reading)
        self._wanted = {*self._price, *self._items}

    def __call__(self, record: Iterable[LandedField]) -> Decimal:
        # Of a key that comes twice the last value counts.
        fields = {}
        for field in record:
            name = field.name.lower() if self._ignores_case else field.name
            if name in self._wanted:
                fields[name] = field
        price_text = next((f.text for n in self._price if (f := fields.get(n)) and f.text is not None), None)
        price = None if price_text is None else _price(price_text)
        items = next((i for n in self._items if (f := fields.get(n)) and (i := _items(f)) is not None), None)
        if price is None or items is None or abs(float(price) * float(items)) >= BEYOND_ANY_VALUE:
            return Decimal(0)
        return (price * items).quantize(VALUE_DIGITS, ROUND_HALF_UP)


def _names(field: str, reading: Reading) -> list[str]:
    names = [field, *(theirs for theirs, ours in reading.other_names.items() if ours == field)]
    return [name.lower() for name in names] if reading.ignores_case else names


def _price(text: str) -> Decimal | None:
    if len(text) > _LONGEST_PRICE or not _PRICE.fullmatch(text):
        return None
    price = Decimal(text).quantize(_PRICE_DIGITS, ROUND_HALF_UP)
    return price if abs(price) < _BEYOND_ANY_PRICE else None


def _items(field: LandedField) -> int | None:
    if not field.is_number or field.text is None or not _BIGINT.fullmatch(field.text):
        return None
    items = int(field.text)
    return items if -(2**63) <= items < 2**63 else None
