"""What lines, orders and days of a history are, in plain Python from its events alone: the marts' other opinion.

Written from the descriptions of the marts and not from their SQL: event by event, with a running state per line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from gold_workspace import OrderEvent

RANK = {"pending": 1, "approved": 2, "fulfilled": 3, "cancelled": 4, "returned": 5}
PRECEDENCE = ("approved", "fulfilled", "pending", "returned", "cancelled")
CHARGED = {"approved", "fulfilled"}
NOTHING = Decimal("0.00")


@dataclass
class Line:
    """One line of an order, after the events so far."""

    stated: OrderEvent | None = None
    named: list[OrderEvent] = field(default_factory=list)
    refunds: dict[date, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def take(self, event: OrderEvent) -> None:
        """Apply the next event of the line, in the order of its life."""
        if event.status != "returned":
            self.stated, self.named, self.refunds = event, [], defaultdict(Decimal)
            return
        value = event.price * event.items_ordered
        left = value if self.stated is None else max(self.value - self.refunded, NOTHING)
        self.named.append(event)
        self.refunds[event.order_timestamp.date()] += min(value, left)

    @property
    def value(self) -> Decimal:
        if self.stated is None:
            return sum((event.price * event.items_ordered for event in self.named), NOTHING)
        return self.stated.price * self.stated.items_ordered

    @property
    def refunded(self) -> Decimal:
        return sum(self.refunds.values(), NOTHING)

    @property
    def gross(self) -> Decimal:
        charged = self.stated is not None and self.stated.status in CHARGED
        return self.value if charged else self.refunded

    @property
    def items_returned(self) -> int:
        named = sum(event.items_ordered for event in self.named)
        return named if self.stated is None else min(named, self.stated.items_ordered)

    @property
    def items_sold(self) -> int:
        if self.stated is None or self.stated.status not in CHARGED:
            return 0
        return self.stated.items_ordered - self.items_returned

    @property
    def status(self) -> str:
        if self.stated is None:
            return "returned"
        all_back = self.named and self.items_returned == self.stated.items_ordered
        return "returned" if all_back else self.stated.status

    @property
    def item(self) -> str:
        return (self.stated or self.named[-1]).order_item


@dataclass
class Order:
    """One order: its lines by key, and who and when by its latest statement."""

    lines: dict[str, Line] = field(default_factory=lambda: defaultdict(Line))
    stated: OrderEvent | None = None
    last_return: OrderEvent | None = None

    @property
    def voice(self) -> OrderEvent:
        found = self.stated or self.last_return
        assert found is not None
        return found

    @property
    def status(self) -> str:
        return min((line.status for line in self.lines.values()), key=PRECEDENCE.index)

    @property
    def gross(self) -> Decimal:
        return sum((line.gross for line in self.lines.values()), NOTHING)

    @property
    def refunded(self) -> Decimal:
        return sum((line.refunded for line in self.lines.values()), NOTHING)


def line_key(event: OrderEvent) -> str:
    """The line that an event is about."""
    return f"item:{event.order_item}" if event.order_line is None else f"line:{event.order_line}"


def plain_orders(events: Iterable[OrderEvent]) -> dict[str, Order]:
    """Compute all orders from their events, in whatever order and however often these were delivered."""
    distinct = {event.order_event_id: event for event in events}.values()
    orders: dict[str, Order] = defaultdict(Order)
    for event in sorted(distinct, key=lambda e: (e.order_timestamp, RANK[e.status], e.order_event_id)):
        order = orders[event.order_id]
        order.lines[line_key(event)].take(event)
        if event.status == "returned":
            order.last_return = event
        else:
            order.stated = event
    return dict(orders)
