"""Guards that reconciliation finds what is lost, doubled or changed in any layer, and names the first place.

The statements run for real, in DuckDB, on a warehouse of three files and four orders; a test then spoils one layer.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_ingest.metrics.reconciliation.landing_files import Landing, landing_figures
from dlt_ingest.metrics.reconciliation.layers import reconcile
from dlt_ingest.metrics.reconciliation.outcome import Reconciliation
from dlt_ingest.quality.reading import Reading
from dlt_ingest.sql_client import QueryFailedError
from local_workspace.dlt_runtime.landed_records import landed_files
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.layout import WorkspaceLayout

STATUSES = Path(__file__).resolve().parents[3] / "seeds" / "order_statuses.csv"
LAWS = {
    "files": "landing = bronze",
    "silver": "bronze = silver + quarantine",
    "events": "silver, each event once = fct_order_events",
    "orders": "silver, current states = fct_orders",
    "days": "fct_orders = fct_daily_revenue",
    "hours": "fct_orders = fct_hourly_orders",
    "customers": "fct_orders = dim_customers",
    "products": "fct_order_lines = fct_product_performance",
    "lines": "fct_orders = fct_order_lines",
    "postgres": "fct_daily_revenue = Postgres",
}
# File, order, customer, price, items, status, day, hour of the event. The last event of o1 was delivered twice.
EVENTS = [
    ("a.json", "o1", "c1", "10.00", 2, "pending", 1, 9),
    ("a.json", "o2", "c2", "5.50", 1, "fulfilled", 1, 10),
    ("b.json", "o1", "c1", "10.00", 2, "fulfilled", 1, 12),
    ("b.json", "o3", "c1", "7.25", 3, "returned", 2, 9),
    ("c.json.gz", "o1", "c1", "10.00", 2, "fulfilled", 1, 12),
    ("c.json.gz", "o4", "c3", "1.10", 1, "cancelled", 4, 9),
]
QUARANTINED = [("b.json", "0.00", 4), ("c.json.gz", "1.23456", 3)]
ORDERS = [
    ("o1", "c1", "CD", 1, "20.00"),
    ("o2", "c2", "CD", 1, "5.50"),
    ("o3", "c1", "CD", 2, "0.00"),
    ("o4", "c3", "CD", 4, "0.00"),
]
FOLDER = "/Volumes/x/landing"
LOOKED_AT = datetime(2025, 6, 1, tzinfo=timezone.utc)


def line(order: str, price: str, items: int) -> str:
    return json.dumps({"order_id": order, "price": 0, "items_ordered": items}).replace(
        '"price": 0', f'"price": {price}'
    )


def files_of(folder: Path) -> Landing:
    """The files of a folder, as Auto Loader reads them."""
    paths = Paths(WorkspaceLayout(folder / ".home"), {FOLDER: folder})
    return lambda: landed_files(paths, FOLDER)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Three files: one plain, one with a byte order mark, blank lines and an unreadable line, one compressed."""
    folder = tmp_path / "landing"
    folder.mkdir()
    for name in ("a.json", "b.json", "c.json.gz"):
        lines = [line(order, price, items) for file, order, _, price, items, *_ in EVENTS if file == name]
        lines += [line("q", price, items) for file, price, items in QUARANTINED if file == name]
        text = "\n".join(lines) + "\n"
        if name == "b.json":
            text = "\ufeff" + text + '\n  \n{"order_id": "half'
        data = text.encode()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (folder / "_SUCCESS").write_text("not a batch")
    (folder / ".c.json.gz.crc").write_text("not a batch either")
    return folder


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every layer as it should be."""
    db = duckdb.connect()
    for schema in ("bronze", "silver", "gold", "metrics"):
        db.execute(f"create schema {schema}")
    db.execute(
        "create table silver.orders (order_event_id text, order_id text, status text, date_ordered date, "
        "order_value decimal(18, 2), order_timestamp timestamp, source_file text, order_line text, "
        "order_item text)"
    )
    db.execute("create table bronze.orders (price decimal(38, 10), items_ordered bigint, source_file text)")
    db.execute("create table silver.orders_quarantine as from bronze.orders")
    for file, order, _, price, items, status, day, hour in EVENTS:
        path = f"dbfs:/Volumes/x/landing/{file}"
        db.execute("insert into bronze.orders values (?, ?, ?)", [Decimal(price), items, path])
        at = datetime(2025, 5, day, hour)  # noqa: DTZ001  # a DuckDB TIMESTAMP has no zone
        event = f"{order}-{status}-{hour}"
        value = Decimal(price) * items
        db.execute(
            "insert into silver.orders values (?, ?, ?, ?, ?, ?, ?, null, 'CD')",
            [event, order, status, at.date(), value, at, path],
        )
    for file, price, items in [*QUARANTINED, ("b.json", None, None)]:
        for table in ("bronze.orders", "silver.orders_quarantine"):
            amount = None if price is None else Decimal(price)
            db.execute(
                f"insert into {table} values (?, ?, ?)", [amount, items, f"dbfs:/Volumes/x/landing/{file}"]
            )
    db.execute(f"create table gold.order_statuses as from read_csv('{STATUSES}')")
    db.execute(
        "create table gold.fct_order_events as select distinct order_event_id, date_ordered, order_value from silver.orders"
    )
    db.execute(
        "create table gold.fct_orders (order_id text, customer_id text, order_item text, date_ordered date, "
        "order_month date, net_revenue decimal(18, 2))"
    )
    for order, customer, item, day, revenue in ORDERS:
        db.execute(
            "insert into gold.fct_orders values (?, ?, ?, ?, ?, ?)",
            [order, customer, item, f"2025-05-0{day}", "2025-05-01", Decimal(revenue)],
        )
    db.execute("create table gold.fct_order_lines as from gold.fct_orders")
    db.execute(
        "create table gold.fct_product_performance as select order_month, count(*) as order_lines, "
        "sum(net_revenue) as net_revenue from gold.fct_order_lines group by order_month"
    )
    for mart, key in (
        ("fct_daily_revenue", "date_ordered"),
        ("fct_hourly_orders", "date_ordered"),
        ("dim_customers", "customer_id"),
    ):
        db.execute(
            f"create table gold.{mart} as select {key}, count(*) as orders, sum(net_revenue) as net_revenue "
            f"from gold.fct_orders group by {key}"
        )
    # A day between without an order is a row of zeros here, and none in fct_orders.
    db.execute("insert into gold.fct_daily_revenue values ('2025-05-03', 0, 0)")
    db.execute(
        "create table metrics.exp_business_metrics as "
        "select date_ordered as metric_date, 'orders' as metric_name, orders::decimal(18, 2) as metric_value "
        "from gold.fct_daily_revenue "
        "union all select date_ordered, 'net_revenue', net_revenue from gold.fct_daily_revenue"
    )
    db.execute(
        "create table gold.fct_dataset_runs as "
        "select 'bronze.orders' as dataset, 'COMPLETED' as flow_status, ?::timestamptz as started_at",
        [LOOKED_AT],
    )
    yield db
    db.close()


def asked(db: duckdb.DuckDBPyConnection) -> Callable[[str], list[dict[str, Any]]]:
    def query(statement: str) -> list[dict[str, Any]]:
        try:
            found = db.execute(statement)
        except duckdb.CatalogException as error:
            raise QueryFailedError("The warehouse refused the statement", got=str(error)) from None
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return query


def broken(outcome: Reconciliation) -> dict[str, str]:
    """The first difference of each law that does not hold."""
    return {
        name: comparison.first_difference
        for name, law in LAWS.items()
        for comparison in outcome.comparisons
        if comparison.law.startswith(law) and not comparison.holds
    }


def test_layers_that_agree(warehouse, landing):
    """Guards against a false alarm: duplicates, unreadable lines, quiet days and sub-cent prices are no difference."""
    outcome = reconcile(asked(warehouse), asked(warehouse), files_of(landing))
    assert broken(outcome) == {}
    assert [c.law.split(",")[0].split(" = ")[0] for c in outcome.comparisons] == [
        law.split(",")[0].split(" = ")[0] for law in LAWS.values()
    ]
    figures = {layer.name: (layer.rows, str(layer.value)) for layer in outcome.layers}
    assert figures["landing"] == figures["bronze.orders"] == (9, "92.05368")
    assert figures["silver.orders"] == (6, "88.35")
    assert figures["gold.fct_orders"] == figures["Postgres metrics.exp_business_metrics"] == (4, "25.50")
    assert outcome.equal
    assert outcome.notes == ()


def test_lines_and_partial_returns_are_computed_apart_from_the_marts(warehouse, landing):
    """Guards the second opinion: an order of four lines, with a return before and one after a restatement."""
    for event, status, item, value, hour in (
        ("m1", "fulfilled", "Mug", 20, 8),
        ("m2", "returned", "Mug", 10, 9),
        ("m3", "fulfilled", "Mug", 30, 10),
        ("m4", "returned", "Mug", 10, 11),
        ("p1", "fulfilled", "Pen", 2, 8),
        ("i1", "cancelled", "Ink", 7, 8),
        ("g1", "returned", "Gum", 5, 8),
    ):
        warehouse.execute(
            "insert into silver.orders values (?, 'o5', ?, '2025-05-06', ?, ?, 'dbfs:/a.json', null, ?)",
            [event, status, value, f"2025-05-07 {hour:02}:00:00", item],
        )
    spoiled = broken(reconcile(asked(warehouse), asked(warehouse), files_of(landing)))
    assert spoiled["orders"] == "2025-05-06: 1, 22.00 against nothing"
    warehouse.execute(
        "insert into gold.fct_orders values ('o5', 'c3', 'CD', '2025-05-06', '2025-05-01', 22.00)"
    )
    assert "orders" not in broken(reconcile(asked(warehouse), asked(warehouse), files_of(landing)))


# What is done to the warehouse, the laws that then break, and the first difference of the first of them.
SPOILED = {
    "a record lost in bronze": (
        "delete from bronze.orders where price = 5.5",
        {"files", "silver"},
        "a.json: 2, 25.50 against 1, 20.00",
    ),
    "a file taken twice": (
        "insert into bronze.orders from bronze.orders where source_file like '%a.json'",
        {"files", "silver"},
        "a.json: 2, 25.50 against 4, 51.00",
    ),
    "a cent changed in bronze": (
        "update bronze.orders set price = 10.005 where source_file like '%b.json' and price = 10",
        {"files", "silver"},
        "b.json: 4, 41.75 against 4, 41.76",
    ),
    "a record in silver and in quarantine": (
        "insert into silver.orders_quarantine select 5.5, 1, 'dbfs:/Volumes/x/landing/a.json'",
        {"silver"},
        "a.json: 2, 25.50 against 3, 31.00",
    ),
    "a value changed in silver": (
        "update silver.orders set order_value = 5.51 where order_id = 'o2'",
        {"silver", "events", "orders"},
        "a.json: 2, 25.50 against 2, 25.51",
    ),
    "an event missing in the mart": (
        "delete from gold.fct_order_events where order_event_id like 'o3%'",
        {"events"},
        "2025-05-02: 1, 21.75 against nothing",
    ),
    "an order in an older state": (
        "update gold.fct_orders set net_revenue = 0 where order_id = 'o1'",
        {"orders", "days", "hours", "lines", "customers"},
        "2025-05-01: 2, 25.50 against 2, 5.50",
    ),
    "a day forgotten by the daily mart": (
        "delete from gold.fct_daily_revenue where date_ordered = '2025-05-04'",
        {"days", "postgres"},
        "2025-05-04: 1, 0.00 against nothing",
    ),
    "an hour counted twice": (
        "insert into gold.fct_hourly_orders values ('2025-05-02', 1, 0)",
        {"hours"},
        "2025-05-02: 1, 0.00 against 2, 0.00",
    ),
    "a month too high": (
        "update gold.fct_product_performance set net_revenue = net_revenue + 0.01",
        {"products"},
        "2025-05-01: 4, 25.50 against 4, 25.51",
    ),
    "revenue with the wrong customers": (
        "update gold.dim_customers set net_revenue = case customer_id when 'c1' then 5.50 when 'c2' then 20 else 0 end",
        {"customers"},
        "c1: 2, 20.00 against 2, 5.50 (and 1 more)",
    ),
    "a metric that Postgres has not": (
        "delete from metrics.exp_business_metrics where metric_name = 'net_revenue' and metric_date = '2025-05-01'",
        {"postgres"},
        "2025-05-01: 2, 25.50 against 2, 0.00",
    ),
    "a day that left the marts and stayed in Postgres": (
        "insert into metrics.exp_business_metrics values ('2024-12-31', 'orders', 1)",
        {"postgres"},
        "2024-12-31: nothing against 1, 0.00",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_the_first_difference_is_named(warehouse, landing, case):
    """Guards each law: a planted difference breaks the laws around its layer, no other, and is named."""
    statement, laws, first = SPOILED[case]
    warehouse.execute(statement)
    outcome = reconcile(asked(warehouse), asked(warehouse), files_of(landing))
    found = broken(outcome)
    assert set(found) == laws
    assert next(iter(found.values())) == first
    assert not outcome.equal


def test_a_changed_file_is_named(warehouse, landing):
    """Guards the independent witness: a file that no longer is what Bronze took."""
    (landing / "a.json").write_text(line("o1", "10.00", 2) + "\n")
    outcome = reconcile(asked(warehouse), None, files_of(landing))
    assert broken(outcome) == {"files": "a.json: 1, 20.00 against 2, 25.50"}


def test_waiting_files_are_noted_and_forgotten_ones_found(warehouse, landing):
    """Guards the difference between a file that came since the update and one that the update has passed over."""
    (landing / "d.json").write_text(line("o9", "1.00", 1))
    (landing / "empty.json").write_text("\n")
    after, before = LOOKED_AT + timedelta(minutes=1), LOOKED_AT - timedelta(minutes=1)
    for name, at in (("d.json", after), ("empty.json", before)):
        os.utime(landing / name, (at.timestamp(), at.timestamp()))
    waiting = reconcile(asked(warehouse), None, files_of(landing))
    assert waiting.equal
    assert waiting.notes[0] == "1 files wait for the next update, the first is d.json"
    os.utime(landing / "d.json", (before.timestamp(), before.timestamp()))
    assert broken(reconcile(asked(warehouse), None, files_of(landing))) == {
        "files": "d.json: 1, 1.00 against nothing"
    }


def test_archived_files_are_no_difference(warehouse, landing):
    """Guards a landing folder that is cleaned up: what is gone cannot be read, and is said so."""
    (landing / "a.json").unlink()
    outcome = reconcile(asked(warehouse), None, files_of(landing))
    assert outcome.equal
    assert outcome.notes[0] == "1 ingested files are no longer in landing, the first is a.json"


def test_without_files_and_postgres(warehouse):
    """Guards the same command on Databricks: what cannot be compared there is said, the rest is compared."""
    outcome = reconcile(asked(warehouse), None, None)
    assert outcome.equal
    assert len(outcome.notes) == 2
    assert {layer.name for layer in outcome.layers}.isdisjoint(
        {"landing", "Postgres metrics.exp_business_metrics"}
    )


def test_sums_are_exact_beyond_28_digits(warehouse, landing):
    """Guards against Python's default precision, which would round a sum that DECIMAL(38) holds."""
    price = Decimal("12345678901234567890123456.111111")
    warehouse.execute("insert into bronze.orders values (?, 1, 'dbfs:/Volumes/x/landing/big.json')", [price])
    warehouse.execute(
        "insert into silver.orders_quarantine values (?, 1, 'dbfs:/Volumes/x/landing/big.json')", [price]
    )
    (landing / "big.json").write_text(line("o9", str(price), 1))
    outcome = reconcile(asked(warehouse), None, files_of(landing))
    assert broken(outcome) == {}
    assert (
        str({layer.name: layer.value for layer in outcome.layers}["landing"])
        == "12345678901234567890123548.164791"
    )


def test_odd_records_count_and_are_worth_nothing(tmp_path):
    """Guards the reading of landing: any line is a record, a price that is not a number has no value, torn archives wait."""
    lines = [
        "[1]",
        "null",
        "{",
        '{"price": "three", "items_ordered": 1}',
        '{"price": true, "items_ordered": 1}',
    ]
    # A text that is wholly a number fits a decimal column, so Bronze has its value too.
    lines += ['{"price": "2.50", "items_ordered": 2}', '{"price": "2.50 USD", "items_ordered": 2}']
    lines += [
        '{"price": 3, "items_ordered": 1.0}',
        '{"price": NaN, "items_ordered": 2}',
        '{"price": 1e999999, "items_ordered": 9}',
    ]
    lines += ['{"price": 2, "items_ordered": -3}', "[" * 100_000]
    (tmp_path / "odd.json").write_text("\n".join(lines))
    (tmp_path / "torn.json.gz").write_bytes(gzip.compress(b"{}\n" * 1000)[:-20])
    figures = landing_figures(files_of(tmp_path))
    (found,) = figures.values()
    assert list(figures) == [f"dbfs:{FOLDER}/odd.json"]
    assert (found.records, found.value) == (len(lines), Decimal(-1))


#: Content of a file, the records that Auto Loader makes of it, and their value.
READ_ALIKE = {
    "an array on one line": (f"[{line('a', '1.50', 2)},{line('b', '1', 1)}]\n[]\n".encode(), 2, "4"),
    "lines that end in CR": (
        line("a", "1.50", 2).encode() + b"\r" + line("b", "1", 1).encode() + b"\r",
        2,
        "4",
    ),
    "UTF-16": (("\ufeff" + line("a", "1.50", 2) + "\n").encode("utf-16-le"), 2, "0"),
    "a quantity beyond BIGINT": (line("a", "1.25", 10**24).encode(), 1, "0"),
    "noise of a float": (b'{"price": 19.990000000000002, "items_ordered": 2}', 1, "39.98"),
    "single quotes": (b"{'price': '19.99', 'items_ordered': 2}", 1, "39.98"),
    "a price with a comma": (b'{"price": "12,50", "items_ordered": 2}', 1, "0"),
    "digits of another script": ('{"price": "\u0661\u0662", "items_ordered": 2}'.encode(), 1, "0"),
    "items as text": (b'{"price": 1, "items_ordered": "2"}', 1, "0"),
    "a key that comes twice": (b'{"price": 9, "price": 1, "items_ordered": 2}', 1, "2"),
    "an exponent": (b'{"price": 1.5e1, "items_ordered": 2}', 1, "30"),
    "more than DECIMAL(38,6) holds": (
        b'{"price": 9999999999999999999999999999, "items_ordered": 9999999}',
        1,
        "0",
    ),
    "half of a surrogate pair": (b'{"order_id": "\\ud800", "price": 1, "items_ordered": 2}', 1, "2"),
    "a comma behind a record": (b'{"price": 1, "items_ordered": 2},', 1, "2"),
}


@pytest.mark.parametrize("case", READ_ALIKE)
def test_landing_is_counted_by_the_reading_of_auto_loader(tmp_path, case):
    """Guards against a false alarm: what is a record, and what a value, is one rule with Bronze's."""
    content, records, value = READ_ALIKE[case]
    (tmp_path / "a.json").write_bytes(content)
    (found,) = landing_figures(files_of(tmp_path)).values()
    assert (found.records, found.value) == (records, Decimal(value))


def test_files_of_one_name_in_two_folders_are_two(warehouse, landing):
    """Guards the key of the comparison: the whole place below landing, not the last part of the name."""
    (landing / "sub").mkdir()
    (landing / "sub" / "a.json").write_text(line("o9", "1.00", 1))
    for table in ("bronze.orders", "silver.orders_quarantine"):
        warehouse.execute(f"insert into {table} values (1, 1, 'dbfs:/Volumes/x/landing/sub/a.json')")
    assert broken(reconcile(asked(warehouse), None, files_of(landing))) == {}
    warehouse.execute("delete from bronze.orders where source_file like '%sub%'")
    os.utime(landing / "sub" / "a.json", (0, 0))
    first = broken(reconcile(asked(warehouse), None, files_of(landing)))["files"]
    assert first == "sub/a.json: 1, 1.00 against nothing"


def test_the_shops_names_of_fields_count(tmp_path):
    """Guards landing against other names than ours, ours first, and letter case where it makes no difference."""
    (tmp_path / "a.json").write_text(
        '{"unit_price": 2, "qty": 3}\n{"price": 5, "unit_price": 2, "items_ordered": "x", "qty": 1}'
    )
    reading = Reading(field_names={"unit_price": "price", "qty": "items_ordered"})
    (found,) = landing_figures(files_of(tmp_path), reading).values()
    assert (found.records, found.value) == (2, Decimal(11))
    (tmp_path / "a.json").write_text('{"PRICE": 2, "Items_Ordered": 3}')
    (found,) = landing_figures(files_of(tmp_path), Reading(field_names={"Price": "price"})).values()
    assert found.value == Decimal(6)
