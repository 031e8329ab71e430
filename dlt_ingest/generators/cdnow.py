"""A real order history as order batches: CDNOW, an online music shop, 1997-01 to 1998-06.

The file is the public one-tenth sample of the customers who first bought in the first quarter of 1997, with
all their purchases until 1998-06-30, published by Fader and Hardie for research on customer lifetime value.
It is taken as it is:

* One line is one purchase is one order. Lines that are equal exactly are separate purchases, so the
  order id is the line's number and not a hash of its text.
* The value of a purchase is the order's price and `items_ordered` is 1: what a single CD cost is not known.
  The number of CDs names the item.
* Its 8 purchases of 0.00 are dirt of the source and are not corrected here; the rule `price_positive` finds
  them.
* It has days and no times. Purchases of a day are spread from 08:00 to 20:00 in the order of their lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

from dlt_ingest.generators.landing import land_bytes
from dlt_ingest.generators.records import encode_lines, encode_record

_OPENS = time(8)
_OPEN_FOR = timedelta(hours=12)


@dataclass(frozen=True)
class Purchase:
    """One line of the sample.

    Attributes:
        line: Number of the line, from 1.
        customer: Number of the customer in the sample, as four digits.
        day: Day of the purchase.
        cds: Number of CDs.
        value: Value in US dollars.
    """

    line: int
    customer: str
    day: date
    cds: int
    value: Decimal


@dataclass(frozen=True)
class SampleBatch:
    """One month of the sample in landing.

    Attributes:
        file_name: Name of its file.
        records: Number of purchases in it.
    """

    file_name: str
    records: int


def read_purchases() -> list[Purchase]:
    """Read the sample, in the order of its lines."""
    text = files("dlt_ingest.generators").joinpath("cdnow_sample.txt").read_text(encoding="ascii")
    purchases = []
    for number, line in enumerate(text.splitlines(), start=1):
        _, customer, day, cds, value = line.split()
        day_of = date(int(day[:4]), int(day[4:6]), int(day[6:]))
        purchases.append(Purchase(number, customer, day_of, int(cds), Decimal(value)))
    return purchases


def monthly_batches() -> Iterator[tuple[str, list[str]]]:
    """Yield each month of the sample: the name of its file and its records as lines of JSON."""
    by_day: dict[date, list[Purchase]] = defaultdict(list)
    for purchase in read_purchases():
        by_day[purchase.day].append(purchase)
    months: dict[str, list[str]] = defaultdict(list)
    for day, purchases in sorted(by_day.items()):
        step = _OPEN_FOR / len(purchases)
        for place, purchase in enumerate(purchases):
            moment = (datetime.combine(day, _OPENS) + place * step).replace(microsecond=0)
            months[f"cdnow-{day:%Y-%m}.json"].append(_record(purchase, moment))
    yield from months.items()


def write_batches(landing: Path) -> list[SampleBatch]:
    """Write the months of the sample into landing that are not there yet.

    Returns:
        The batches written now; none if the whole sample is in landing already.
    """
    written = []
    for file_name, lines in monthly_batches():
        if land_bytes(encode_lines(lines), file_name, landing).written:
            written.append(SampleBatch(file_name, len(lines)))
    return written


def _record(purchase: Purchase, moment: datetime) -> str:
    return encode_record(
        {
            "order_id": f"CDNOW-{purchase.line:04d}",
            "order_item": "1 CD" if purchase.cds == 1 else f"{purchase.cds} CDs",
            "price": purchase.value,
            "items_ordered": 1,
            "status": "fulfilled",
            "date_ordered": purchase.day,
            "customer_id": f"CDNOW-C{purchase.customer}",
            "order_timestamp": moment,
        }
    )
