"""Guards the DLT datasets: what each pure function makes of rows, and what the files declare to DLT."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal

import pytest
from online_retail import SOLD, invoice_lines

from dlt_ingest.quality.check import CHECK_ROWS, GOOD_RECORD
from dlt_ingest.quality.inline_rows import inline_rows_sql
from dlt_ingest.quality.order_record import BRONZE_COLUMNS
from dlt_ingest.quality.rules import RULE_NAMES
from local_workspace.dlt_runtime.declare.table_schema import parse_table_schema


def bronze(spark, *rows):
    return spark.sql(inline_rows_sql([(str(n), row) for n, row in enumerate(rows)])).drop("row_name")


def columns_of(ddl):
    # Spark's own reader of DDL knows no keys.
    return [(f.name, f.dataType.simpleString()) for f in parse_table_schema(ddl, "a test").columns]


@pytest.fixture(scope="module")
def silver_orders(declared):
    return declared.modules["silver_orders"]


@pytest.fixture(scope="module")
def customers(declared):
    return declared.modules["silver_customers"]


def test_datasets_and_expectations_are_declared(declared):
    """Guards the contract with the pipeline: names of two levels, descriptions, all expectations."""
    assert set(declared.tables) == {
        "bronze.orders",
        "silver.orders",
        "silver.orders_quarantine",
        "silver.customers",
    }
    assert all(table["comment"] for table in declared.tables.values())
    assert tuple(declared.expectations["silver.orders"]) == RULE_NAMES


def test_declared_schemas_are_what_the_functions_give(spark, declared, silver_orders, customers):
    """Guards against a refused update on Databricks, where a declared schema must match the query's."""
    rows = bronze(spark, GOOD_RECORD)
    quarantine = declared.modules["silver_orders_quarantine"]
    events = silver_orders.order_events(rows)
    for frame, module in (
        (events, silver_orders),
        (quarantine.quarantined(rows, "u1"), quarantine),
        (customers.customers_with_history(events), customers),
    ):
        assert [(f.name, f.dataType.simpleString()) for f in frame.schema] == columns_of(module.SCHEMA)


def test_each_row_of_bronze_is_in_silver_or_in_quarantine(spark, declared, silver_orders):
    """Guards `bronze = silver + quarantine` on all built-in rows; no bad row may raise an error."""
    rows = bronze(spark, *(row.row for row in CHECK_ROWS))
    events = silver_orders.order_events(rows)
    for condition in declared.expectations["silver.orders"].values():
        events = events.where(condition)
    quarantined = declared.modules["silver_orders_quarantine"].quarantined(rows, None).collect()
    kept = events.collect()
    assert len(kept) == sum(not row.breaks for row in CHECK_ROWS)
    assert len(kept) + len(quarantined) == len(CHECK_ROWS)
    assert all(row.failed_rules == [] for row in kept)
    assert all(row.failed_rules for row in quarantined)
    assert {row.update_id for row in quarantined} == {None}
    assert len({row.quarantine_id for row in quarantined}) == len(quarantined)


def test_order_event_derives_value_and_date_parts(spark, silver_orders):
    """Guards the derived columns, money to the cent included; 2026-03-01 is a Sunday."""
    row = silver_orders.order_events(bronze(spark, {**GOOD_RECORD, "order_id": " O-1 "})).collect()[0]
    assert (row.order_id, row.price, row.order_value) == ("O-1", Decimal("249.90"), Decimal("499.80"))
    assert (row.order_year, row.order_month, row.order_day_of_week, row.order_hour) == (2026, 3, 1, 9)


def test_ids_are_trimmed_of_what_shows_nothing(spark, silver_orders):
    """Guards against two customers, orders, items or lines that look the same; a line without number is none."""
    row = silver_orders.order_events(
        bronze(
            spark,
            {
                **GOOD_RECORD,
                "order_id": "O-1\u00a0",
                "customer_id": "\tK1\u200b",
                "order_item": "\ufeffMug \u2615\u3000",
                "order_line": "\u2003",
            },
        )
    ).collect()[0]
    assert (row.order_id, row.customer_id, row.order_item, row.order_line) == (
        "O-1",
        "K1",
        "Mug \u2615",
        None,
    )


def test_an_order_is_its_lines_together(spark, silver_orders, customers):
    """Guards silver.customers: an order of three lines is one order, its value is theirs, and returns are parts of it.

    The mug was sold three times and one came back; the pen was cancelled and the ink came back altogether.
    """
    day = {"customer_id": "C-1", "price": "10.00", "date_ordered": "2026-03-01"}
    first, later = {"order_timestamp": "2026-03-01 09:00:00"}, {"order_timestamp": "2026-03-01 12:00:00"}
    events = [
        {**GOOD_RECORD, **day, **first, "order_item": "Mug", "items_ordered": "3", "status": "fulfilled"},
        {**GOOD_RECORD, **day, **later, "order_item": "Mug", "items_ordered": "1", "status": "returned"},
        {**GOOD_RECORD, **day, **first, "order_item": "Pen", "items_ordered": "1", "status": "cancelled"},
        {**GOOD_RECORD, **day, **first, "order_item": "Ink", "items_ordered": "2", "status": "fulfilled"},
        {**GOOD_RECORD, **day, **later, "order_item": "Ink", "items_ordered": "2", "status": "returned"},
        # The same item twice, equal word for word but for the number of the line.
        {**GOOD_RECORD, **day, **first, "order_id": "O-2", "order_line": "1", "items_ordered": "1"},
        {**GOOD_RECORD, **day, **first, "order_id": "O-2", "order_line": "2", "items_ordered": "1"},
    ]
    for arrival in (events, events[::-1], [*events, *events]):
        (row,) = customers.customers_with_history(
            silver_orders.order_events(bronze(spark, *arrival))
        ).collect()
        assert row.orders == 2
        assert [(o.order_id, o.status, o.order_value) for o in row.order_history] == [
            ("O-1", "fulfilled", Decimal("60.00")),
            ("O-2", "approved", Decimal("20.00")),
        ]


def test_real_invoices_keep_all_their_lines(spark, silver_orders, customers):
    """Guards the grain: invoices of up to dozens of lines, equal ones among them, come to the cent of the raw file."""
    lines = [line for line in invoice_lines() if not line.is_credit]
    rows = [
        {
            **GOOD_RECORD,
            "order_id": line.invoice,
            "order_item": line.item,
            "price": line.price,
            "items_ordered": line.quantity,
            "status": "fulfilled",
            "date_ordered": line.moment.date(),
            "customer_id": line.customer,
            "order_timestamp": line.moment,
            "order_line": str(line.number),
        }
        for line in lines
    ]
    events = silver_orders.order_events(bronze(spark, *rows))
    values = {
        order.order_id: order.order_value
        for row in customers.customers_with_history(events).collect()
        for order in row.order_history
    }
    totals = defaultdict(Decimal)
    for line in lines:
        totals[line.invoice] += line.value
    assert values == totals
    assert sum(values.values()) == SOLD


def test_event_id_is_of_the_record_and_not_of_its_delivery(spark, silver_orders):
    """Guards deduplication: a second delivery has the same id, any other value another."""
    again = {"source_file": "dbfs:/other.json", "batch_id": "other", "ingested_at": "2026-05-01 00:00:00"}
    differing = [
        {"order_id": "O-2"},
        {"order_item": "Kettle"},
        {"price": "249.91"},
        {"items_ordered": "3"},
        {"status": "pending"},
        {"date_ordered": "2026-02-28"},
        {"customer_id": "C-2"},
        {"order_timestamp": "2026-03-01 09:30:00.000001"},
        {"order_id": "O-1C", "customer_id": "-1"},
        {"order_line": "1"},
        {"order_line": "2"},
    ]
    changes = [{}, again, *differing]
    rows = silver_orders.order_events(
        bronze(spark, *({**GOOD_RECORD, **change} for change in changes))
    ).collect()
    ids = [row.order_event_id for row in rows]
    assert ids[0] == ids[1]
    assert len(set(ids[1:])) == len(ids) - 1


def test_current_state_never_depends_on_the_order_of_arrival(spark, silver_orders, customers):
    """Guards the current state: latest event wins, then the status further on, whatever came first."""
    late = {"order_timestamp": "2026-03-01 12:00:00"}
    events = [
        {**GOOD_RECORD, "status": "pending"},
        {**GOOD_RECORD, **late, "status": "approved"},
        {**GOOD_RECORD, **late, "status": "fulfilled"},
        {**GOOD_RECORD, **late, "status": "fulfilled"},
        {**GOOD_RECORD, "order_id": "O-2", "status": "cancelled", "date_ordered": "2026-02-01"},
    ]
    for arrival in (events, events[::-1]):
        row = customers.customers_with_history(silver_orders.order_events(bronze(spark, *arrival))).collect()[
            0
        ]
        assert (row.customer_id, row.orders) == ("C-1", 2)
        assert (row.first_order_date, row.last_order_date) == (date(2026, 2, 1), date(2026, 3, 1))
        assert [(o.order_id, o.status, o.order_value) for o in row.order_history] == [
            ("O-2", "cancelled", Decimal("499.80")),
            ("O-1", "fulfilled", Decimal("499.80")),
        ]


def test_quarantine_keeps_the_row_as_it_came(spark, declared):
    """Guards the evidence: every column of Bronze is there unchanged, a price below a cent included."""
    row = {**GOOD_RECORD, "price": "4.999", "order_id": " O-1 ", "replay_of": "a" * 64}
    found = (
        declared.modules["silver_orders_quarantine"].quarantined(bronze(spark, row), "update-1").collect()[0]
    )
    assert found.price == Decimal("4.999")
    assert (found.order_id, found.replay_of, found.update_id) == (" O-1 ", "a" * 64, "update-1")
    assert found.failed_rules == ["price_in_cents"]
    assert found.quarantined_at == found.ingested_at == datetime(2026, 3, 2)  # noqa: DTZ001  # Spark gives naive UTC
    assert {column.name for column in BRONZE_COLUMNS} <= set(found.asDict())
