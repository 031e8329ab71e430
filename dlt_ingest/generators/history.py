"""The generated history of orders: who buys what and when, and how each order moves on.

Customers buy at rates of their own (a gamma distribution: few buy often, many seldom) and leave for good
after a purchase with a fixed chance, which is the BG/NBD model of repeat buying (Fader, Hardie and Lee,
2005). Orders arrive as a Poisson process whose rate follows the season, the weekday and the hour. An order is
pending first, then approved and fulfilled, and some are cancelled or returned; the later events come days
later, in later batches. An order may have several lines, each with its own events; then a return names some lines,
and some of their pieces.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Any

from dlt_ingest.generators.shop import ITEMS, demand, item_weights

Record = dict[str, Any]

# New orders a day on an average day, for batches of 100 records or fewer; larger batches mean a larger shop.
ORDERS_PER_DAY = 20

_NEW_CUSTOMER = 0.25
_FIRST_CUSTOMERS = 60
_LEAVES_AFTER_PURCHASE = 0.2
_RATE_SHAPE = 0.7
_RATE_CAP = 5.0
_CANCELLED = 0.08
_RETURNED = 0.06
_ANOTHER_LINE = 0.55
_LINE_RETURNED = 0.5
_DISCOUNTED = 0.12
_HOUR = timedelta(hours=1)
_SHORTEST_STEP = timedelta(seconds=60)


# A customer is looked at again and again, and seeding a generator is the most expensive step here.
@lru_cache(maxsize=2**20)
def _rate(seed: int, customer: int) -> float:
    own = random.Random(seed * 1_000_003 + customer)  # noqa: S311  # made-up data, no secret
    return min(max(own.gammavariate(_RATE_SHAPE, 1 / _RATE_SHAPE), 0.05), _RATE_CAP)


@lru_cache(maxsize=12)
def _cumulative_weights(month: int) -> list[float]:
    return list(accumulate(item_weights(month)))


@lru_cache(maxsize=len(ITEMS))
def _discounted(price: Decimal) -> Decimal:
    return (price * Decimal("0.90")).quantize(Decimal("0.01"))


@dataclass(slots=True)
class DueEvent:
    """An event of a known order that has not happened yet.

    Attributes:
        moment: When it happens.
        number: Number of the order; with `step` and the line, it puts events of one moment in a fixed order.
        step: Place of the event in the order's life.
        record: The record without its moment.
    """

    moment: datetime
    number: int
    step: int
    record: Record

    def __lt__(self, other: DueEvent) -> bool:
        """Say which of two events comes first, for the heap."""
        if self.moment != other.moment:
            return self.moment < other.moment
        return (self.number, self.step, self.line) < (other.number, other.step, other.line)

    @property
    def line(self) -> int:
        """Number of the line; 0 where orders have one line without a number."""
        return int(self.record.get("order_line", 0))


def _with_lines(rng: random.Random, events: list[DueEvent], most: int) -> list[DueEvent]:
    """Give an order up to so many lines, each with the order's events but the returns of what was kept."""
    first = events[0].record
    goods = [(first["order_item"], first["price"], first["items_ordered"])]
    while len(goods) < most and rng.random() < _ANOTHER_LINE:
        item = rng.choices(ITEMS, cum_weights=_cumulative_weights(first["date_ordered"].month))[0]
        goods.append((item.name, item.price, min(1 + int(rng.expovariate(1.6)), 9)))
    found = []
    for event in events:
        returned = event.record["status"] == "returned"
        # One line comes back for certain, or the order would not be a returned one.
        certain = rng.randrange(len(goods))
        for number, (item_name, price, pieces) in enumerate(goods):
            if returned and number != certain and rng.random() >= _LINE_RETURNED:
                continue
            record = {
                **event.record,
                "order_item": item_name,
                "price": price,
                "items_ordered": rng.randint(1, pieces) if returned else pieces,
                "order_line": str(number + 1),
            }
            found.append(DueEvent(event.moment, event.number, event.step, record))
    return found


@dataclass
class History:
    """The state of the history: everything that the next event depends on, but for the random numbers.

    Attributes:
        seed: Names the history. Customers are the same in every history of one seed.
        clock: Moment of the last event.
        orders: Number of orders so far.
        customers: Number of customers so far.
        active: Numbers of the customers who may buy again.
        due: Heap of the events of known orders that are still to happen.
    """

    seed: int
    clock: datetime
    orders: int = 0
    customers: int = 0
    active: list[int] = field(default_factory=list)
    due: list[DueEvent] = field(default_factory=list)

    def events(
        self, rng: random.Random, *, count: int, density: float, horizon: datetime, lines: int = 1
    ) -> Iterator[Record]:
        """Let time go on until so many events have happened.

        Args:
            rng: Source of all chance in these events.
            count: Number of events.
            density: Size of the shop; 1 is `ORDERS_PER_DAY`.
            horizon: Moment that no event reaches. Close to it, orders come as fast as they must.
            lines: Most lines of a new order. 1: orders have one line, and no field `order_line`.

        Yields:
            Records in the order of their moments.
        """
        for left in range(count, 0, -1):
            arrival = self._next_arrival(rng, density, horizon, left)
            if self.due and self.due[0].moment <= min(arrival, horizon - timedelta(seconds=1)):
                event = heapq.heappop(self.due)
            else:
                event = self._order(rng, arrival, lines)
            self.clock = max(self.clock, event.moment)
            yield {**event.record, "order_timestamp": event.moment.replace(microsecond=0)}

    def _next_arrival(self, rng: random.Random, density: float, horizon: datetime, left: int) -> datetime:
        moment = self.clock
        while True:
            per_hour = ORDERS_PER_DAY / 24 * density * demand(moment)
            # Twice as fast as is needed to have the rest of the batch before the horizon.
            room = (horizon - moment) / _HOUR
            per_hour = max(per_hour, 2 * left / room)
            wait = timedelta(hours=min(rng.expovariate(per_hour), room / 4))
            next_hour = moment.replace(minute=0, second=0, microsecond=0) + _HOUR
            if moment + wait < next_hour:
                return moment + wait
            # The rate changes with the hour, and a Poisson process has no memory: draw again from there.
            if next_hour >= horizon:
                return moment + wait
            moment = next_hour

    def _order(self, rng: random.Random, moment: datetime, lines: int) -> DueEvent:
        self.orders += 1
        item = rng.choices(ITEMS, cum_weights=_cumulative_weights(moment.month))[0]
        price = item.price
        if rng.random() < _DISCOUNTED:
            price = _discounted(price)
        record = {
            "order_id": f"O-{self.orders:08d}",
            "order_item": item.name,
            "price": price,
            "items_ordered": min(1 + int(rng.expovariate(1.6)), 9),
            "date_ordered": moment.date(),
            "customer_id": f"C-{self._customer(rng):07d}",
        }
        life = self._life(rng, moment)
        events = [
            DueEvent(when, self.orders, step, {**record, "status": status})
            for step, (status, when) in enumerate(life)
        ]
        if lines > 1:
            # Chance of its own, so that a history without lines is the same as before.
            own = random.Random(f"{self.seed}/{self.orders}/lines")  # noqa: S311  # made-up data, no secret
            events = _with_lines(own, events, lines)
        for event in events[1:]:
            heapq.heappush(self.due, event)
        return events[0]

    def _customer(self, rng: random.Random) -> int:
        if not self.active or rng.random() < max(_NEW_CUSTOMER, 1 - len(self.active) / _FIRST_CUSTOMERS):
            self.customers += 1
            self.active.append(self.customers)
            place = len(self.active) - 1
        else:
            # Rejection: each customer in proportion to their own rate, without a table of all rates.
            while True:
                place = rng.randrange(len(self.active))
                if rng.random() * _RATE_CAP <= _rate(self.seed, self.active[place]):
                    break
        number = self.active[place]
        if rng.random() < _LEAVES_AFTER_PURCHASE:
            self.active[place] = self.active[-1]
            self.active.pop()
        return number

    @staticmethod
    def _life(rng: random.Random, moment: datetime) -> list[tuple[str, datetime]]:
        def after(start: datetime, hours: float) -> datetime:
            return start + max(timedelta(hours=hours), _SHORTEST_STEP)

        life = [("pending", moment)]
        if rng.random() < _CANCELLED:
            if rng.random() < 0.5:
                life.append(("approved", after(moment, rng.expovariate(1.5))))
            life.append(("cancelled", after(life[-1][1], rng.uniform(0.1, 30))))
            return life
        life.append(("approved", after(moment, rng.expovariate(1.5))))
        life.append(("fulfilled", after(life[-1][1], rng.lognormvariate(3.2, 0.5))))
        if rng.random() < _RETURNED:
            life.append(("returned", after(life[-1][1], rng.uniform(5 * 24, 30 * 24))))
        return life
