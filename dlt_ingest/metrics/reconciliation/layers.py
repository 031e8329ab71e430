"""Asking each layer for its figures and comparing it with its neighbour."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal, localcontext
from typing import Any

from dlt_ingest.metrics.reconciliation.landing_files import BEYOND_ANY_VALUE, Landing, landing_figures
from dlt_ingest.metrics.reconciliation.outcome import (
    Comparison,
    Layer,
    Pair,
    Reconciliation,
    add_pairs,
    compare,
    layer_of,
)
from dlt_ingest.quality.reading import STANDARD, Reading
from dlt_ingest.sql_client import QueryFailedError

Query = Callable[[str], list[dict[str, Any]]]
# Python's own 28 digits are fewer than a DECIMAL(38) has; a sum of such must not be rounded.
DIGITS = 76

# Value of a record whatever its status; NULL where price or items could not be read, which counts as nothing.
_RECORD_VALUE = (
    f"sum(case when abs(cast(price as double) * cast(items_ordered as double)) < {BEYOND_ANY_VALUE:.0e} "
    "then cast(price * items_ordered as decimal(38, 6)) end)"
)
_DISTINCT_EVENTS = """
select day, count(*) as records, sum(amount) as amount
from (
    select order_event_id, min(date_ordered) as day, min(order_value) as amount
    from silver.orders
    group by order_event_id
) as events
group by day
"""
# Said again here, not read from the marts, and in another way: an incremental mart that had drifted would agree with itself.
# Per line the latest statement, less what the returns after it name; an order's day is that of its latest statement.
_CURRENT_STATES = """
with events as (
    select
        events.order_event_id,
        events.order_id,
        min(case when events.order_line is null then concat('item:', events.order_item)
            else concat('line:', events.order_line) end) as line,
        min(events.order_value) as amount,
        min(events.date_ordered) as day,
        min(events.order_timestamp) as moment,
        min(statuses.lifecycle_rank) as lifecycle_rank,
        max(case when statuses.counts_as_gross then 1 else 0 end) as is_gross,
        max(case when statuses.counts_as_refund then 1 else 0 end) as is_return
    from silver.orders as events
    inner join gold.order_statuses as statuses
        on events.status = statuses.status
    group by events.order_event_id, events.order_id
), numbered as (
    select
        order_id,
        line,
        amount,
        day,
        is_gross,
        is_return,
        row_number() over (
            partition by order_id, line order by moment desc, lifecycle_rank desc, order_event_id desc
        ) as recency,
        row_number() over (
            partition by order_id order by is_return, moment desc, lifecycle_rank desc, order_event_id desc
        ) as voice
    from events
), statements as (
    select order_id, line, min(case when is_return = 0 then recency end) as recency
    from numbered
    group by order_id, line
), lines as (
    select
        numbered.order_id,
        numbered.line,
        sum(case when numbered.recency = statements.recency then numbered.amount * numbered.is_gross else 0 end) as charged,
        sum(case when numbered.recency < statements.recency then numbered.amount else 0 end) as returned,
        max(case when numbered.voice = 1 then numbered.day end) as day
    from numbered
    inner join statements
        on numbered.order_id = statements.order_id and numbered.line = statements.line
    group by numbered.order_id, numbered.line
), orders as (
    select order_id, max(day) as day, sum(charged - least(charged, returned)) as amount
    from lines
    group by order_id
)
select day, count(*) as records, sum(amount) as amount
from orders
group by day
"""
_POSTGRES_DAYS = """
select
    metric_date as key,
    max(metric_value) filter (where metric_name = 'orders') as records,
    max(metric_value) filter (where metric_name = 'net_revenue') as amount
from metrics.exp_business_metrics
group by metric_date
"""


def reconcile(
    query: Query, metrics: Query | None, landing: Landing | None, reading: Reading = STANDARD
) -> Reconciliation:
    """Compare every layer with its neighbour.

    Args:
        query: Runs one SQL statement on the warehouse.
        metrics: Runs one on the metrics database; None leaves Postgres out.
        landing: Gives the files of landing as Auto Loader reads them; None leaves them out, as on Databricks, where Auto
            Loader's own record of files is the witness.
        reading: The shop's names of the fields.

    Raises:
        QueryFailedError: If a table is not there yet.
    """
    with localcontext() as context:
        context.prec = DIGITS
        steps = _Steps(query)
        steps.files(landing, reading)
        steps.silver()
        steps.marts()
        steps.postgres(metrics)
        return Reconciliation(tuple(steps.layers), tuple(steps.comparisons), tuple(steps.notes))


class _Steps:
    """The layers in the order of the flow; what one step reads the next one compares with."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self.layers: list[Layer] = []
        self.comparisons: list[Comparison] = []
        self.notes: list[str] = []
        self._folder = ""
        self._bronze: dict[str, Pair] = {}
        self._daily: dict[str, Pair] = {}

    def files(self, landing: Landing | None, reading: Reading) -> None:
        bronze = self._by_key("bronze.orders", "source_file", "count(*)", _RECORD_VALUE)
        files = {} if landing is None else landing_figures(landing, reading)
        self._folder = _common_folder([*bronze, *files])
        files = {name.removeprefix(self._folder): figures for name, figures in files.items()}
        self._bronze = {name.removeprefix(self._folder): pair for name, pair in bronze.items()}
        if landing is None:
            self.notes.append("landing is not on this machine; its files were not read")
        else:
            landed = {name: (f.records, f.value.normalize()) for name, f in files.items()}
            self._add("landing", landed, "records", "record value")
            # A file that has come since is not a difference, one that an update has passed over is; one that was archived
            # can no longer be read.
            waiting = [name for name in sorted(landed.keys() - self._bronze.keys()) if landed[name][0]]
            looked_at = self._landing_looked_at() if waiting else None
            passed_over = [n for n in waiting if looked_at is not None and files[n].landed_at < looked_at]
            fresh = [name for name in waiting if name not in passed_over]
            gone = sorted(self._bronze.keys() - landed.keys())
            if fresh:
                self.notes.append(f"{len(fresh):,} files wait for the next update, the first is {fresh[0]}")
            if gone:
                self.notes.append(
                    f"{len(gone):,} ingested files are no longer in landing, the first is {gone[0]}"
                )
            expected = {name: landed.get(name, figures) for name, figures in self._bronze.items()}
            expected |= {name: landed[name] for name in passed_over}
            self._compare("landing = bronze, records and value of each file", expected, self._bronze)
        self._add("bronze.orders", self._bronze, "records", "record value")

    def silver(self) -> None:
        silver = self._by_file("silver.orders", "sum(order_value)")
        quarantine = self._by_file("silver.orders_quarantine", _RECORD_VALUE)
        self._add("silver.orders", silver, "events", "record value")
        self._add("silver.orders_quarantine", quarantine, "records", "record value")
        both = {
            name: add_pairs(pair for pair in (silver.get(name), quarantine.get(name)) if pair)
            for name in silver.keys() | quarantine.keys()
        }
        self._compare("bronze = silver + quarantine, records and value of each file", self._bronze, both)

    def marts(self) -> None:
        events = self._by_key("gold.fct_order_events", "date_ordered", "count(*)", "sum(order_value)")
        self._add("gold.fct_order_events", events, "events", "record value")
        self._compare(
            "silver, each event once = fct_order_events, of each day",
            _pairs(self._query(_DISTINCT_EVENTS), "day"),
            events,
        )
        orders = self._by_key("gold.fct_orders", "date_ordered", "count(*)", "sum(net_revenue)")
        self._add("gold.fct_orders", orders, "orders", "net revenue")
        self._compare(
            "silver, current states = fct_orders, orders and net revenue of each day",
            _pairs(self._query(_CURRENT_STATES), "day"),
            orders,
        )
        self._daily = self._mart_of_orders("gold.fct_daily_revenue", "date_ordered", "day", orders)
        self._mart_of_orders("gold.fct_hourly_orders", "date_ordered", "day", orders)
        by_customer = self._by_key("gold.fct_orders", "customer_id", "count(*)", "sum(net_revenue)")
        self._mart_of_orders("gold.dim_customers", "customer_id", "customer", by_customer)
        # An order of two items is one of each: lines add up over items, orders do not.
        lines = self._by_key("gold.fct_order_lines", "order_month", "count(*)", "sum(net_revenue)")
        products = self._by_key(
            "gold.fct_product_performance", "order_month", "sum(order_lines)", "sum(net_revenue)"
        )
        self._add("gold.fct_product_performance", products, "lines", "net revenue")
        self._compare(
            "fct_order_lines = fct_product_performance, lines and net revenue of each month", lines, products
        )
        orders_of_lines = self._by_key(
            "gold.fct_order_lines", "date_ordered", "count(distinct order_id)", "sum(net_revenue)"
        )
        self._compare(
            "fct_orders = fct_order_lines, orders and net revenue of each day", orders, orders_of_lines
        )

    def postgres(self, metrics: Query | None) -> None:
        if metrics is None:
            self.notes.append("no metrics database is configured; Postgres was not compared")
            return
        exported = _without_quiet(_pairs(metrics(_POSTGRES_DAYS), "key"))
        self._add("Postgres metrics.exp_business_metrics", exported, "orders", "net revenue")
        self._compare(
            "fct_daily_revenue = Postgres, orders and net revenue of each day", self._daily, exported
        )

    def _mart_of_orders(self, mart: str, key: str, what: str, orders: Mapping[str, Pair]) -> dict[str, Pair]:
        figures = _without_quiet(self._by_key(mart, key, "sum(orders)", "sum(net_revenue)"))
        name = mart.removeprefix("gold.")
        self._add(mart, figures, "orders", "net revenue")
        self._compare(f"fct_orders = {name}, orders and net revenue of each {what}", orders, figures)
        return figures

    def _landing_looked_at(self) -> datetime | None:
        """When the latest good refresh of Bronze began; None before the first, or where no mart knows of it yet."""
        try:
            rows = self._query(
                "select max(started_at) as started_at from gold.fct_dataset_runs "
                "where dataset = 'bronze.orders' and flow_status = 'COMPLETED'"
            )
        except QueryFailedError:
            return None
        started_at: datetime | None = rows[0]["started_at"] if rows else None
        if started_at is not None and started_at.tzinfo is None:
            return started_at.replace(tzinfo=timezone.utc)
        return started_at

    def _by_file(self, table: str, amount: str) -> dict[str, Pair]:
        found = self._by_key(table, "source_file", "count(*)", amount)
        return {name.removeprefix(self._folder): pair for name, pair in found.items()}

    def _by_key(self, table: str, key: str, records: str, amount: str) -> dict[str, Pair]:
        rows = self._query(
            f"select {key} as key, {records} as records, {amount} as amount from {table} group by {key}"
        )
        return _pairs(rows, "key")

    def _add(self, name: str, figures: Mapping[str, Pair], unit: str, measure: str) -> None:
        self.layers.append(layer_of(name, figures, unit, measure))

    def _compare(self, law: str, left: Mapping[str, Pair], right: Mapping[str, Pair]) -> None:
        self.comparisons.append(compare(law, left, right))


def _common_folder(names: Sequence[str]) -> str:
    """Return the folder that all files lie in; it says nothing, and is omitted of what is shown."""
    folders = {name.rpartition("/")[0] for name in names}
    return posixpath.commonpath(folders) + "/" if folders and "" not in folders else ""


def _pairs(rows: list[dict[str, Any]], key: str) -> dict[str, Pair]:
    return {
        str(row[key]): (int(row["records"] or 0), Decimal(row["amount"] or 0).normalize()) for row in rows
    }


def _without_quiet(figures: Mapping[str, Pair]) -> dict[str, Pair]:
    """Days without an order are rows of zeros in one mart and no row in another."""
    return {key: pair for key, pair in figures.items() if pair != (0, Decimal(0))}
