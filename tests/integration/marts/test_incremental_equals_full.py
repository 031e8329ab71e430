"""The marts are the same rows, however the history arrived: in random batches over many builds, or all at once."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gold_workspace import GoldWorkspace, OrderEvent, in_order
from online_retail import SOLD, invoice_lines
from plain_orders import plain_orders

MARTS = (
    "fct_order_events",
    "fct_order_lines",
    "fct_returns",
    "fct_orders",
    "fct_order_sequence",
    "fct_fulfilment",
    "fct_open_orders",
    "fct_daily_revenue",
    "fct_weekly_revenue",
    "fct_revenue_trends",
    "fct_hourly_orders",
    "fct_product_performance",
    "fct_revenue_anomalies",
    "fct_kpis_daily",
    "fct_kpis_monthly",
    "dim_products",
    "dim_customers",
    "fct_repeat_purchases",
    "fct_customer_cohorts",
)
STATUSES = ("pending", "approved", "fulfilled", "cancelled", "returned")
FIRST_DAY = date(2026, 1, 20)
FILES = 8
SEED = 20261123


def history(rng: random.Random) -> list[list[OrderEvent]]:
    """Events per order: lines with and without numbers, statuses that go on and back, returns of parts, restatements.

    An order is restated to another day, customer, item or value, by an event about any of its lines.
    """
    orders = []
    for number in range(70):
        day = FIRST_DAY + timedelta(days=rng.choice((0, 1, 2, 9, 30, 45, rng.randrange(70))))
        first = OrderEvent(
            order_id=f"o{number}",
            customer_id=f"c{rng.randrange(25)}",
            status=rng.choice(STATUSES[:3]),
            date_ordered=day,
            order_timestamp=datetime(day.year, day.month, day.day, rng.randrange(24), tzinfo=timezone.utc),
        )
        # Half of the orders have one line; equal lines are told apart by their numbers alone.
        numbered = rng.random() < 0.5
        lines = [
            replace(
                first,
                price=Decimal(rng.randrange(1, 9000)) / 100,
                items_ordered=rng.randrange(1, 5),
                order_item=rng.choice(("mug", "pen", "ink")),
                order_line=str(line) if numbered else None,
            )
            for line in range(rng.choice((1, 1, 2, 4)))
        ]
        events = list(lines)
        for _ in range(rng.choice((0, 0, 1, 2, 4, 7))):
            event = rng.choice(lines)
            # No time between two events is a tie, which the lifecycle decides.
            event = replace(
                event,
                status=rng.choice((*STATUSES, "returned", "returned")),
                order_timestamp=max(e.order_timestamp for e in events)
                + timedelta(hours=rng.choice((-20, 0, 3, 30, 900))),
            )
            if event.status == "returned":
                event = replace(event, items_ordered=rng.randrange(1, event.items_ordered + 2))
            match rng.randrange(6):
                case 0:
                    event = replace(
                        event, date_ordered=event.date_ordered + timedelta(days=rng.choice((-25, -1, 1, 40)))
                    )
                case 1:
                    event = replace(event, customer_id=f"c{rng.randrange(30)}")
                case 2:
                    event = replace(event, order_item="ink", price=Decimal("12.34"))
            events.append(event)
            if event.status != "returned":
                lines[rng.randrange(len(lines))] = event
        orders.append(events)
    return orders


def batches(
    rng: random.Random, orders: list[list[OrderEvent]]
) -> list[tuple[list[OrderEvent], str, datetime]]:
    """All events in random files, some of them twice, some files ingested at a time before that of earlier ones."""
    deliveries = [event for events in orders for event in events]
    deliveries += rng.sample(deliveries, len(deliveries) // 8)
    rng.shuffle(deliveries)
    size = -(-len(deliveries) // FILES)
    files = []
    for number, start in enumerate(range(0, len(deliveries), size)):
        ingested_at = datetime(2026, 6, 1, tzinfo=timezone.utc) + timedelta(minutes=rng.randrange(600))
        files.append((deliveries[start : start + size], f"dbfs:/landing/{number}.json", ingested_at))
    return files


def invoices() -> list[OrderEvent]:
    """Real invoices of many lines, and credit notes whose sale is not known."""
    return [
        OrderEvent(
            order_id=line.invoice,
            customer_id=line.customer,
            status="returned" if line.is_credit else "fulfilled",
            date_ordered=line.moment.date(),
            order_timestamp=line.moment.replace(tzinfo=timezone.utc),
            price=line.price,
            items_ordered=line.quantity,
            order_item=line.item,
            order_line=str(line.number),
        )
        for line in invoice_lines()
    ]


@pytest.mark.timeout(900)
def test_marts_built_in_random_batches_equal_those_built_at_once(tmp_path: Path) -> None:
    """Guards every incremental model: how the history arrived must leave no trace.

    There are late, repeated and restated events, lines, returns of parts, statuses that change back, orders that move to
    another day or customer, files that commit late or grow, and builds that leave models out, or build them
    of no rows. That a build with nothing new changes no row is guarded where the main job runs. The lines are those
    that plain Python computes from the same events.
    """
    rng = random.Random(SEED)  # noqa: S311  # chooses test data
    files = batches(rng, history(rng))
    files[2][0].extend(invoices())
    everything = ("run", "--quiet", "--select", *(f"+{mart}" for mart in MARTS))
    with GoldWorkspace(tmp_path / "workspace") as workspace:

        def rows() -> dict[str, list[tuple[tuple[str, Any], ...]]]:
            return {mart: in_order(workspace.rows(mart)) for mart in MARTS}

        workspace.dbt("seed", "--quiet", "--select", "path:seeds")
        for file in files[:3]:
            workspace.land(*file)
        workspace.dbt(*everything)
        # A file whose second half commits only after dbt has seen the first one, while somebody builds half of the marts.
        events, source_file, ingested_at = files[3]
        half = len(events) // 2
        workspace.land(*files[4])
        workspace.land(events[:half], source_file, ingested_at)
        workspace.dbt("run", "--quiet", "--select", "+fct_daily_revenue")
        workspace.land(events[half:], source_file, ingested_at)
        # Somebody leaves out what comes between: a mart must not take a load for done that its inputs do not have.
        skipping = (
            "int_orders__loaded",
            "fct_order_events",
            "fct_daily_revenue",
            "int_customers__orders_aggregated",
        )
        workspace.dbt("run", "--quiet", "--select", *skipping)
        # Somebody tries out models, as dbt offers it: they are then empty, and unknown is what is built from them.
        workspace.dbt("run", "--quiet", "--empty", "--select", "fct_order_lines", "fct_hourly_orders")
        workspace.dbt(
            "run", "--quiet", "--select", "fct_product_performance", "int_customers__months_aggregated"
        )
        for file in files[5:]:
            workspace.land(*file)
        workspace.dbt(*everything)
        incremental = rows()
        workspace.dbt(*everything, "--full-refresh")
        full = rows()
    check_against_plain_python([event for file in files for event in file[0]], full)
    for mart in MARTS:
        assert full[mart], f"{mart} is empty, so that the comparison would prove nothing"
        assert incremental[mart] == full[mart], f"{mart}: built file by file and at once"


def check_against_plain_python(
    events: list[OrderEvent], marts: dict[str, list[tuple[tuple[str, Any], ...]]]
) -> None:
    """Hold lines, orders, days of return and days of order against what the events alone come to."""
    orders = plain_orders(events)
    lines = {(row["order_id"], row["line_key"]): row for row in map(dict, marts["fct_order_lines"])}
    measures = ("status", "order_item", "customer_id", "date_ordered", "items_returned", "items_sold")
    assert {
        key: (*(row[name] for name in measures), row["gross_revenue"], row["refunded_revenue"])
        for key, row in lines.items()
    } == {
        (order_id, key): (
            line.status,
            line.item,
            order.voice.customer_id,
            order.voice.date_ordered,
            line.items_returned,
            line.items_sold,
            line.gross,
            line.refunded,
        )
        for order_id, order in orders.items()
        for key, line in order.lines.items()
    }
    assert {
        row["order_id"]: (row["status"], row["order_lines"], row["net_revenue"])
        for row in map(dict, marts["fct_orders"])
    } == {
        order_id: (order.status, len(order.lines), order.gross - order.refunded)
        for order_id, order in orders.items()
    }
    issued: dict[date, Decimal] = defaultdict(Decimal)
    ordered: dict[date, Decimal] = defaultdict(Decimal)
    for order in orders.values():
        ordered[order.voice.date_ordered] += order.gross - order.refunded
        for line in order.lines.values():
            for day, amount in line.refunds.items():
                issued[day] += amount
    for row in map(dict, marts["fct_daily_revenue"]):
        assert row["refunds_issued"] == issued.pop(row["date_ordered"], 0), row
        assert row["net_revenue"] == ordered.pop(row["date_ordered"], 0), row
    assert not any(issued.values())
    assert not any(ordered.values())
    check_invoices(marts)


def check_invoices(marts: dict[str, list[tuple[tuple[str, Any], ...]]]) -> None:
    """Hold the real invoices against the sums of their lines in the raw file: no rule of ours comes in between."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for line in invoice_lines():
        totals[line.invoice] += line.value
    sold = {invoice: total for invoice, total in totals.items() if not invoice.startswith("C")}
    found = {row["order_id"]: row for row in map(dict, marts["fct_orders"])}
    assert {invoice: found[invoice]["net_revenue"] for invoice in sold} == sold
    assert sum(sold.values()) == SOLD
    # A credit note names no invoice: what it gives back was charged somewhere else, and nets to nothing here.
    assert {found[note]["net_revenue"] for note in totals.keys() - sold.keys()} == {Decimal("0.00")}
