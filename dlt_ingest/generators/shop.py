"""What the generated shop sells, and when people buy: the data behind the order generator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class Item:
    """One item of the price list.

    Attributes:
        name: Name of the item.
        price: List price in US dollars.
        popularity: Relative weight among all items.
        months: Months in which it sells three times as well; empty for all-year items.
    """

    name: str
    price: Decimal
    popularity: float
    months: frozenset[int] = frozenset()


_WINTER = frozenset({11, 12, 1, 2})
_SUMMER = frozenset({5, 6, 7, 8})
_GIFTS = frozenset({11, 12})

ITEMS: tuple[Item, ...] = (
    Item("Espresso beans 1 kg", Decimal("24.90"), 10),
    Item("Filter papers 100", Decimal("4.49"), 8),
    Item("Green tea 250 g", Decimal("12.95"), 6),
    Item("Oat drink 6 x 1 l", Decimal("13.74"), 6),
    Item("Dish soap 1 l", Decimal("3.99"), 6),
    Item("Hand towel", Decimal("9.90"), 5),
    Item("Notebook A5", Decimal("7.25"), 5),
    Item("Ballpoint pens 10", Decimal("5.60"), 4),
    Item("USB-C cable 2 m", Decimal("14.99"), 7),
    Item("Phone case", Decimal("19.99"), 6),
    Item("Power bank 20,000 mAh", Decimal("39.00"), 4),
    Item("Bluetooth speaker", Decimal("59.95"), 3, _GIFTS),
    Item("Headphones", Decimal("129.00"), 3, _GIFTS),
    Item("E-book reader", Decimal("149.99"), 2, _GIFTS),
    Item("Espresso machine", Decimal("449.00"), 0.8, _GIFTS),
    Item("Kettle", Decimal("34.90"), 2.5),
    Item("Chef's knife", Decimal("64.00"), 1.5, _GIFTS),
    Item("Cast-iron pan", Decimal("54.50"), 1.8),
    Item("Board game", Decimal("36.95"), 2.5, _WINTER),
    Item("Jigsaw puzzle 1000", Decimal("17.50"), 2, _WINTER),
    Item("Wool blanket", Decimal("79.00"), 1.5, _WINTER),
    Item("Candles 12", Decimal("11.80"), 3, _WINTER),
    Item("Fairy lights", Decimal("16.40"), 2.5, _GIFTS),
    Item("Beach towel", Decimal("22.50"), 2, _SUMMER),
    Item("Sunscreen 200 ml", Decimal("15.20"), 3, _SUMMER),
    Item("Cool box", Decimal("46.00"), 1.2, _SUMMER),
    Item("Garden hose 20 m", Decimal("38.75"), 1.2, _SUMMER),
    Item("Seed mix", Decimal("6.30"), 2, frozenset({3, 4, 5})),
    Item("Backpack", Decimal("69.90"), 2, frozenset({8, 9})),
    Item("Desk lamp", Decimal("42.00"), 1.8),
    Item("Running socks 3 pairs", Decimal("18.00"), 3),
    Item("Yoga mat", Decimal("29.95"), 2, frozenset({1, 2})),
    Item("Water bottle", Decimal("21.00"), 3),
    Item("Bicycle lock", Decimal("49.90"), 1.4, _SUMMER),
)

# Share of a day's orders by hour (UTC), by weekday from Monday, and by month; each has the mean 1.
_HOURS = (
    0.35, 0.20, 0.12, 0.08, 0.08, 0.15, 0.35, 0.65, 0.95, 1.20, 1.35, 1.40,
    1.50, 1.35, 1.25, 1.20, 1.20, 1.30, 1.50, 1.80, 2.05, 1.95, 1.30, 0.72,
)  # fmt: skip
_WEEKDAYS = (1.02, 0.95, 0.93, 0.95, 1.00, 1.00, 1.15)
_MONTHS = (0.85, 0.80, 0.88, 0.90, 0.95, 0.92, 0.88, 0.90, 0.97, 1.05, 1.40, 1.50)


def demand(moment: datetime) -> float:
    """Return how fast orders come in the hour of a moment, as a multiple of the mean rate of the year."""
    return _HOURS[moment.hour] * _WEEKDAYS[moment.weekday()] * _MONTHS[moment.month - 1]


def item_weights(month: int) -> list[float]:
    """Return the weight of each of `ITEMS` in a month."""
    return [item.popularity * (3 if month in item.months else 1) for item in ITEMS]
