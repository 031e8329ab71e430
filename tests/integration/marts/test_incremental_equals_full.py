"""The marts are the same rows, however the history arrived: in random batches over many builds, or all at once."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from gold_workspace import GoldWorkspace, OrderEvent, in_order

MARTS = (
    "fct_order_events",
    "fct_orders",
    "fct_daily_revenue",
    "fct_hourly_orders",
    "fct_product_performance",
    "fct_revenue_anomalies",
    "fct_kpis_daily",
    "fct_kpis_monthly",
    "dim_customers",
    "fct_customer_cohorts",
)
STATUSES = ("pending", "approved", "fulfilled", "cancelled", "returned")
FIRST_DAY = date(2026, 1, 20)
FILES = 8
SEED = 20261123


def history(rng: random.Random) -> list[list[OrderEvent]]:
    """Events per order: statuses that go on and back, orders restated to another day, customer, item or value."""
    orders = []
    for number in range(70):
        day = FIRST_DAY + timedelta(days=rng.choice((0, 1, 2, 9, 30, 45, rng.randrange(70))))
        event = OrderEvent(
            order_id=f"o{number}",
            customer_id=f"c{rng.randrange(25)}",
            status=rng.choice(STATUSES[:3]),
            date_ordered=day,
            order_timestamp=datetime(day.year, day.month, day.day, rng.randrange(24), tzinfo=timezone.utc),
            price=Decimal(rng.randrange(1, 9000)) / 100,
            items_ordered=rng.randrange(1, 4),
            order_item=rng.choice(("mug", "pen", "ink")),
        )
        events = [event]
        for _ in range(rng.choice((0, 0, 1, 2, 4))):
            # No time between two events is a tie, which the lifecycle decides.
            event = replace(
                event,
                status=rng.choice(STATUSES),
                order_timestamp=event.order_timestamp + timedelta(hours=rng.choice((0, 3, 30, 900))),
            )
            match rng.randrange(5):
                case 0:
                    event = replace(
                        event, date_ordered=event.date_ordered + timedelta(days=rng.choice((-25, -1, 1, 40)))
                    )
                case 1:
                    event = replace(event, customer_id=f"c{rng.randrange(30)}")
                case 2:
                    event = replace(event, order_item="ink", price=Decimal("12.34"))
            events.append(event)
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


def test_marts_built_in_random_batches_equal_those_built_at_once(tmp_path: Path) -> None:
    """Guards every incremental model: how the history arrived must leave no trace.

    There are late, repeated and restated events, statuses that change back, orders that move to another day or
    customer, files that commit late or grow, and builds that leave models out. That a build with nothing new changes no
    row is guarded where the main job runs.
    """
    rng = random.Random(SEED)  # noqa: S311  # chooses test data
    files = batches(rng, history(rng))
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
        for file in files[5:]:
            workspace.land(*file)
        workspace.dbt(*everything)
        incremental = rows()
        workspace.dbt(*everything, "--full-refresh")
        full = rows()
    for mart in MARTS:
        assert full[mart], f"{mart} is empty, so that the comparison would prove nothing"
        assert incremental[mart] == full[mart], f"{mart}: built file by file and at once"
