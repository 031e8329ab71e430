"""Rows and revenue, layer by layer, from the landing files to Postgres, to the cent.

Each step compares two neighbouring layers on what must not change between them, and names the first place where they differ:
a file, an order or a day. The figures of landing come from the files themselves, read here with Python's JSON parser and
`Decimal`, not from anything that the pipeline wrote.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

Query = Callable[[str], list[dict[str, Any]]]
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Layer:
    """What one layer holds.

    Attributes:
        name: Layer and table, for example `silver.orders`.
        rows: Number of records, events, orders or days, as `unit` says.
        unit: What a row is.
        value: Sum that can be compared with the neighbour, in dollars; None where there is none.
        measure: What the sum is of: record value (price times items, whatever the status) or revenue.
    """

    name: str
    rows: int
    unit: str
    value: Decimal | None
    measure: str


@dataclass(frozen=True)
class Comparison:
    """Two neighbouring layers held against each other.

    Attributes:
        law: What must hold, in words.
        left: Figure of the earlier layer.
        right: Figure of the later layer.
        first_difference: The first file, order or day at which they differ; empty if they do not.
    """

    law: str
    left: str
    right: str
    first_difference: str = ""

    @property
    def holds(self) -> bool:
        """Whether both sides are equal."""
        return self.left == self.right and not self.first_difference


@dataclass(frozen=True)
class Reconciliation:
    """The outcome: every layer, every law."""

    layers: tuple[Layer, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def equal(self) -> bool:
        """Whether all laws hold."""
        return all(c.holds for c in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """The outcome for JSON; money as text with two decimals."""
        return {
            "equal": self.equal,
            "layers": [
                {**asdict(layer), "value": None if layer.value is None else str(layer.value)}
                for layer in self.layers
            ],
            "comparisons": [{**asdict(c), "holds": c.holds} for c in self.comparisons],
            "notes": list(self.notes),
        }


@dataclass
class FileFigures:
    """Lines and value of one landing file, as Python reads it."""

    records: int = 0
    value: Decimal = Decimal(0)


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
        except (OSError, EOFError, gzip.BadGzipFile):
            continue
    return figures


def _file_figures(path: Path) -> FileFigures:
    figures = FileFigures()
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
    if not isinstance(price, (int, Decimal)):
        return Decimal(0)
    try:
        return Decimal(price) * items
    except InvalidOperation:
        return Decimal(0)


def reconcile(query: Query, metrics: Query | None, landing: Path | None) -> Reconciliation:
    """Hold every layer against its neighbour.

    Args:
        query: Runs one SQL statement on the warehouse.
        metrics: Runs one on the metrics database; None leaves Postgres out.
        landing: The landing folder on this machine; None leaves the files out, as on Databricks, where Auto Loader's own
            record of files is the witness.

    Raises:
        QueryFailedError: If a table is not there yet.
    """
    layers: list[Layer] = []
    comparisons: list[Comparison] = []
    notes: list[str] = []
    bronze = _by_file(query, "bronze.orders", "sum(price * items_ordered)")
    if landing is None:
        notes.append("landing is not on this machine; its files were not read")
    else:
        landed = {name: (f.records, f.value.normalize()) for name, f in landing_figures(landing).items()}
        layers.append(_layer("landing", landed, "records", "record value"))
        taken = {name: landed.get(name) or figures for name, figures in bronze.items()}
        waiting = sorted(set(landed) - set(bronze))
        gone = sorted(set(bronze) - set(landed))
        # A file that no update has taken yet is no difference, and one that was archived can no longer be read.
        if waiting:
            notes.append(f"{len(waiting):,} files wait for the next update, the first is {waiting[0]}")
        if gone:
            notes.append(f"{len(gone):,} ingested files are no longer in landing, the first is {gone[0]}")
        comparisons.append(
            compare_by_key(
                "landing = bronze, records and value of each file", taken, bronze, total=_add_pairs
            )
        )
    layers.append(_layer("bronze.orders", bronze, "records", "record value"))

    silver = _by_file(query, "silver.orders", "sum(order_value)")
    quarantine = _by_file(query, "silver.orders_quarantine", "sum(price * items_ordered)")
    layers.append(_layer("silver.orders", silver, "events", "record value"))
    layers.append(_layer("silver.orders_quarantine", quarantine, "records", "record value"))
    both = {
        name: _add_pairs(pair for pair in (silver.get(name), quarantine.get(name)) if pair)
        for name in silver.keys() | quarantine.keys()
    }
    comparisons.append(
        compare_by_key(
            "bronze = silver + quarantine, records and value of each file", bronze, both, total=_add_pairs
        )
    )

    delivered = _by_day(query, _DISTINCT_EVENTS)
    events = _by_day(query, _MART_EVENTS)
    layers.append(_layer("gold.fct_order_events", events, "events", "record value"))
    comparisons.append(
        compare_by_key(
            "silver, each event once = fct_order_events, of each day", delivered, events, total=_add_pairs
        )
    )
    current = _by_day(query, _CURRENT_STATES)
    orders = _by_day(query, _MART_ORDERS)
    layers.append(_layer("gold.fct_orders", orders, "orders", "net revenue"))
    comparisons.append(
        compare_by_key(
            "silver, current states = fct_orders, orders and net revenue of each day",
            current,
            orders,
            total=_add_pairs,
        )
    )
    daily = {day: pair for day, pair in _by_day(query, _MART_DAYS).items() if pair != (0, Decimal(0))}
    layers.append(_layer("gold.fct_daily_revenue", daily, "orders", "net revenue"))
    comparisons.append(
        compare_by_key(
            "fct_orders = fct_daily_revenue, orders and net revenue of each day",
            orders,
            daily,
            total=_add_pairs,
        )
    )
    if metrics is None:
        notes.append("no metrics database is configured; Postgres was not compared")
    else:
        exported = {
            day: pair for day, pair in _by_day(metrics, _POSTGRES_DAYS).items() if pair != (0, Decimal(0))
        }
        layers.append(_layer("Postgres metrics.exp_business_metrics", exported, "orders", "net revenue"))
        comparisons.append(
            compare_by_key(
                "fct_daily_revenue = Postgres, orders and net revenue of each day",
                daily,
                exported,
                total=_add_pairs,
            )
        )
    return Reconciliation(tuple(layers), tuple(comparisons), tuple(notes))


_DISTINCT_EVENTS = """
select day, count(*) as records, sum(amount) as amount
from (
    select order_event_id, min(date_ordered) as day, min(order_value) as amount
    from silver.orders
    group by order_event_id
) as events
group by day
"""
_MART_EVENTS = """
select date_ordered as day, count(*) as records, sum(order_value) as amount
from gold.fct_order_events
group by date_ordered
"""
# Said again here, not read from the marts: an incremental mart that had drifted would agree with itself.
_CURRENT_STATES = """
select day, count(*) as records, sum(amount) as amount
from (
    select
        events.date_ordered as day,
        case when statuses.counts_as_gross and not statuses.counts_as_refund then events.order_value else 0 end as amount,
        row_number() over (
            partition by events.order_id
            order by events.order_timestamp desc, statuses.lifecycle_rank desc, events.order_event_id desc
        ) as recency
    from silver.orders as events
    inner join gold.order_statuses as statuses
        on events.status = statuses.status
) as states
where recency = 1
group by day
"""
_MART_ORDERS = """
select date_ordered as day, count(*) as records, sum(net_revenue) as amount
from gold.fct_orders
group by date_ordered
"""
_MART_DAYS = (
    "select date_ordered as day, orders as records, net_revenue as amount from gold.fct_daily_revenue"
)
_POSTGRES_DAYS = """
select
    metric_date as day,
    max(metric_value) filter (where metric_name = 'orders') as records,
    max(metric_value) filter (where metric_name = 'net_revenue') as amount
from metrics.exp_business_metrics
group by metric_date
"""

Pair = tuple[int, Decimal]


def _by_file(query: Query, table: str, amount: str) -> dict[str, Pair]:
    rows = query(
        f"select regexp_extract(source_file, '([^/]+)$', 1) as file_name, count(*) as records, {amount} as amount "
        f"from {table} group by regexp_extract(source_file, '([^/]+)$', 1)"
    )
    return {row["file_name"]: _pair(row) for row in rows}


def _by_day(query: Query, statement: str) -> dict[str, Pair]:
    return {str(row["day"]): _pair(row) for row in query(statement)}


def _pair(row: Mapping[str, Any]) -> Pair:
    return int(row["records"] or 0), Decimal(row["amount"] or 0).normalize()


def _add_pairs(pairs: Iterable[Pair]) -> Pair:
    records, amount = 0, Decimal(0)
    for pair in pairs:
        records, amount = records + pair[0], amount + pair[1]
    return records, amount.normalize()


def _layer(name: str, figures: Mapping[str, Pair], unit: str, measure: str) -> Layer:
    records, amount = _add_pairs(figures.values())
    return Layer(
        name, records, unit, amount.quantize(CENT) if amount == amount.quantize(CENT) else amount, measure
    )


def compare_by_key(
    law: str,
    left: Mapping[str, object],
    right: Mapping[str, object],
    *,
    total: Callable[[Iterable[Any]], object],
) -> Comparison:
    """Hold two layers against each other key by key and name the first key, in sorted order, that differs."""
    different = sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
    difference = ""
    if different:
        key = different[0]
        difference = f"{key}: {_figure(left.get(key))} against {_figure(right.get(key))}"
        if len(different) > 1:
            difference += f" (and {len(different) - 1:,} more)"
    return Comparison(law, _figure(total(left.values())), _figure(total(right.values())), difference)


def _figure(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        return ", ".join(_figure(v) for v in value)
    if isinstance(value, Decimal):
        return f"{value.quantize(CENT) if value == value.quantize(CENT) else value.normalize():,f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
