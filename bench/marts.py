"""The cost of a dbt run after a few new orders, on a small and on a large history.

The history is appended to silver.orders as earlier updates would have left it, in files of a million rows: what is measured
is dbt and the warehouse, and landing ten million records as JSON would take longer than everything else here.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from bench.case import Case
from bench.ingest import workspace
from bench.orders_files import write_files
from local_workspace.workspace import Workspace
from orders.cli.dbt import dbt_executable
from orders.cli.ingest import update
from orders.cli.project import Project

_ROWS_IN_A_COMMIT = 1_000_000
_FIRST_DAY, _DAYS, _ITEMS = "2023-01-01", 1000, 500

# One event for each number. Nine in ten begin an order; the tenth moves a recent one on, thirty days later at most.
_EVENTS = """
with numbers as (
    select range as n, cast(hash(range) // 2 as bigint) as h from range({first}, {end})
), orders as (
    select
        n,
        case when n % 10 = 9 then n - 1 - h % least(n, 1000) // 10 * 10 else n end as order_number,
        n % 10 = 9 as is_later
    from numbers
), dated as (
    select
        n,
        is_later,
        'B-' || order_number as order_id,
        cast(hash(order_number) // 2 as bigint) as h,
        date '{first_day}' + cast(
            case when order_number < {history} then order_number * {days} // {history} else {days} + order_number % 3 end
        as int) as date_ordered
    from orders
)
select
    sha256('event ' || n) as order_event_id,
    order_id,
    'C-' || h % {customers} as customer_id,
    cast(null as varchar) as order_line,
    'item ' || h // 7 % {items} as order_item,
    case
        when is_later then 'returned'
        else ['pending', 'approved', 'fulfilled', 'fulfilled', 'cancelled'][1 + h // 11 % 5]
    end as status,
    cast(1 + h // 13 % 5 as bigint) as items_ordered,
    cast(1 + h // 17 % 9900 / 100 as decimal(18, 2)) as price,
    cast((1 + h // 13 % 5) * cast(1 + h // 17 % 9900 / 100 as decimal(18, 2)) as decimal(18, 2)) as order_value,
    date_ordered,
    date_ordered + cast(h // 19 % 86400 as int) * interval 1 second
        + case when is_later then interval 5 day else interval 0 day end as order_timestamp,
    cast(year(date_ordered) as int) as order_year,
    cast(month(date_ordered) as int) as order_month,
    cast(dayofweek(date_ordered) + 1 as int) as order_day_of_week,
    cast(h // 19 % 86400 // 3600 as int) as order_hour,
    cast(null as varchar) as replay_of,
    cast([] as varchar[]) as failed_rules,
    'bench-' || n // 100000 as batch_id,
    'dbfs:/Volumes/bench/orders-' || n // 100000 || '{suffix}.json' as source_file,
    timestamptz '{ingested_at}' as ingested_at
from dated
"""


def append_events(
    project: Project, first: int, count: int, *, history: int, customers: int, ingested_at: datetime
) -> None:
    """Append events number `first` to `first + count - 1` to silver.orders.

    Args:
        project: Whose workspace.
        first: Number of the first event.
        count: How many.
        history: Events of the whole history, which fill the days; later ones are on the three days after it.
        customers: How many customers there are.
        ingested_at: When they were ingested.
    """
    location = project.layout.table_path(project.settings.catalog, "silver", "orders")
    schema = pa.schema(DeltaTable(location).schema().to_arrow())
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for start in range(first, first + count, _ROWS_IN_A_COMMIT):
            rows = connection.sql(
                _EVENTS.format(
                    first=start,
                    end=min(start + _ROWS_IN_A_COMMIT, first + count),
                    first_day=_FIRST_DAY,
                    days=_DAYS,
                    history=history,
                    customers=customers,
                    items=_ITEMS,
                    suffix=f"-{first}",
                    ingested_at=ingested_at.isoformat(),
                )
            ).to_arrow_table()
            write_deltalake(location, rows.select(schema.names).cast(schema), mode="append")


def run_dbt(project: Project, running: Workspace, *arguments: str) -> float:
    """Run dbt without data tests, which read whole tables by their nature, and give its wall time."""
    environment = {**os.environ, **project.environment_of(running)}
    began = time.perf_counter()
    subprocess.run([dbt_executable(), "--quiet", *arguments], env=environment, cwd=project.root, check=True)
    return time.perf_counter() - began


def rounds(history: int, new: int, *, customers: int, count: int = 3) -> Iterator[float]:
    """Seconds of each dbt run over `new` events, after a history that one run has built."""
    with workspace() as (project, running):
        write_files(project.landing, 100)
        if not update(project, running).ok:
            raise AssertionError("the first update failed")
        ingested_at = datetime(2026, 1, 1, tzinfo=timezone.utc)
        append_events(project, 0, history, history=history, customers=customers, ingested_at=ingested_at)
        run_dbt(project, running, "seed")
        run_dbt(project, running, "run")
        for number in range(count):
            append_events(
                project,
                history + number * new,
                new,
                history=history,
                customers=customers,
                ingested_at=ingested_at + timedelta(hours=number + 1),
            )
            yield run_dbt(project, running, "run")


def main(new: int = 10_000) -> list[Case]:
    """Give the cases of `make bench`; a large history takes some minutes and a few gigabytes of memory.

    The rows of all customers are written in every run, because anyone's quintiles and age may have moved: that cost follows
    the customers, so the large history is there with two numbers of them.
    """
    cases: list[Case] = []
    for history, customers in ((100_000, 10_000), (10_000_000, 100_000), (10_000_000, 1_000_000)):
        seconds = sorted(rounds(history, new, customers=customers))[1]
        name = f"dbt run: {new:,} on {history:,}, {customers:,} customers"
        cases.append(Case(name, seconds, seconds / (cases[0].seconds if cases else seconds), "median of 3"))
    return cases
