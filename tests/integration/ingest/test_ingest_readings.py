"""Guards the reading of real files: what a text means is decided by the pipeline, and by the shop's configuration."""

from __future__ import annotations

import json

import pytest

from dlt_ingest.configurations import pipeline as pipeline_settings
from dlt_ingest.generators.landing import land_bytes
from dlt_ingest.quarantine.replay import replay_selection
from dlt_ingest.quarantine.rows import Selection

GOOD = {
    "order_id": "O-1", "order_item": "Mug", "price": 12.5, "items_ordered": 2, "status": "approved",
    "date_ordered": "2026-03-01", "customer_id": "C-1", "order_timestamp": "2026-03-01T09:30:00Z",
}  # fmt: skip


def lines(*records) -> bytes:
    texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return "\n".join(texts).encode()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Writes the settings by which the pipeline reads."""

    def configure(**settings):
        document = json.loads((pipeline_settings.CONFIGURATION_FOLDER / "local.json").read_text())
        (tmp_path / "local.json").write_text(json.dumps({**document, **settings}))
        monkeypatch.setattr(pipeline_settings, "CONFIGURATION_FOLDER", tmp_path)

    return configure


def test_each_text_is_a_value_or_breaks_its_rule(pipeline, query):
    """Guards money and days: 12,50 never becomes 1250.00, a number is not a day, and what Spark takes plainly is taken."""
    good = {
        "noise": {"price": 19.990000000000002},
        "text": {"price": "12.50"},
        "exponent": {"price": "1.25e1"},
        "signed": {"price": "+5"},
        "date-time": {"date_ordered": "2026-03-01T00:00:00Z"},
        "month": {"date_ordered": "2026-03"},
        "blank": {"date_ordered": " 2026-3-1 "},
        "region": {"order_timestamp": "2026-03-01 09:30:00 America/New_York"},
        "offset": {"order_timestamp": "2026-03-01T18:30:00+0900"},
    }
    bad = {
        "comma": ({"price": "12,50"}, "fields_have_declared_types"),
        "thousands": ({"price": "1,234.50"}, "fields_have_declared_types"),
        "euro": ({"price": "19.99 \u20ac"}, "fields_have_declared_types"),
        "padded": ({"price": " 12.5 "}, "fields_have_declared_types"),
        "wide": ({"price": "\uff10\uff11"}, "fields_have_declared_types"),
        "sub-cent": ({"price": "4.999"}, "price_in_cents"),
        "no-date": ({"date_ordered": "01.03.2026"}, "fields_have_declared_types"),
        "yyyymmdd": ({"date_ordered": 20260301}, "date_ordered_not_epoch"),
        "days": ({"date_ordered": "20513"}, "date_ordered_not_epoch"),
        "seconds": ({"order_timestamp": 1772353800}, "order_timestamp_not_epoch"),
        "millis": ({"order_timestamp": "1772353800000"}, "order_timestamp_not_epoch"),
        "time": ({"order_timestamp": "09:30"}, "fields_have_declared_types"),
        "nowhere": ({"order_timestamp": "2026-03-01 09:30:00 Nowhere/City"}, "fields_have_declared_types"),
    }
    records = [{**GOOD, "order_id": name, **changes} for name, changes in good.items()]
    records += [{**GOOD, "order_id": name, **changes} for name, (changes, _) in bad.items()]
    single = json.dumps({**GOOD, "order_id": "single"}).replace('"', "'")
    land_bytes(lines(*records, single), "a.json", pipeline.landing)
    assert pipeline.ingest().faults == []
    silver = {
        row.pop("order_id"): tuple(row.values())
        for row in query(
            "SELECT order_id, CAST(order_value AS STRING) AS value, CAST(date_ordered AS STRING) AS day, "
            "CAST(order_timestamp AS STRING) AS moment FROM silver.orders"
        )
    }
    usual = ("25.00", "2026-03-01", "2026-03-01 09:30:00")
    assert silver == dict.fromkeys([*good, "single"], usual) | {
        "noise": ("39.98", *usual[1:]),
        "signed": ("10.00", *usual[1:]),
        "region": (*usual[:2], "2026-03-01 14:30:00"),
    }
    broken = query(
        "SELECT order_id, CONCAT_WS(',', failed_rules) AS rules, price_text FROM silver.orders_quarantine"
    )
    assert {row["order_id"]: row["rules"] for row in broken} == {
        name: rule for name, (_, rule) in bad.items()
    }
    assert {row["price_text"] for row in broken if row["order_id"] == "comma"} == {"12,50"}


def test_fields_statuses_and_days_are_those_of_the_shop(pipeline, query, shop):
    """Guards FIELD_NAMES, STATUS_NAMES and TIME_ZONE: a shop in Tokyo lands its own words, and its mornings count."""
    shop(
        FIELD_NAMES={"Order No.": "order_id", "Price": "price", "qty": "items_ordered"},
        STATUS_NAMES={"COMPLETED": "fulfilled", "it's open": "pending"},
        TIME_ZONE="Asia/Tokyo",
    )
    theirs = {
        "Order No.": "T-1", "order_item": "Mug", "Price": "12.50", "qty": 2, "status": "COMPLETED",
        "date_ordered": "2026-03-02", "customer_id": "C-1", "order_timestamp": "2026-03-01T23:30:00Z",
    }  # fmt: skip
    land_bytes(
        lines(
            theirs,
            {**theirs, "Order No.": "T-2", "order_timestamp": "2026-03-02 08:30:00", "status": "it's open"},
            {**theirs, "Order No.": "T-3", "qty": "two"},
            {**theirs, "Order No.": "T-4", "order_id": "T-5"},
            {**theirs, "Order No.": "T-6", "status": "LOST", "coupon": "X"},
            {**GOOD, "order_id": "ours"},
        ),
        "tokyo.json",
        pipeline.landing,
    )
    assert pipeline.ingest().faults == []
    rows = query(
        "SELECT order_id, status, CAST(order_value AS STRING) AS value, CAST(order_timestamp AS STRING) AS moment "
        "FROM silver.orders ORDER BY order_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("T-1", "fulfilled", "25.00", "2026-03-01 23:30:00"),
        ("T-2", "pending", "25.00", "2026-03-01 23:30:00"),
        ("ours", "approved", "25.00", "2026-03-01 09:30:00"),
    ]
    broken = query(
        "SELECT order_id, status, CONCAT_WS(',', failed_rules) AS rules, _rescued_data AS rescued "
        "FROM silver.orders_quarantine ORDER BY order_id"
    )
    assert [(row["order_id"], row["status"], row["rules"]) for row in broken] == [
        ("T-3", "COMPLETED", "fields_have_declared_types"),
        ("T-5", "COMPLETED", "fields_have_declared_types"),
        ("T-6", "LOST", "status_known"),
    ]
    assert json.loads(broken[1]["rescued"]) == {"Order No.": "T-4"}
    # A correction is judged by the same reading: COMPLETED is a status here, and the morning a morning.
    reading = pipeline_settings.reading_of("local")
    sent = replay_selection(
        query, pipeline.landing, Selection(rule="fields_have_declared_types"), {"items_ordered": "2"}, reading
    )
    assert len(sent.sent) == 2
    pipeline.ingest()
    assert {row["order_id"] for row in query("SELECT order_id FROM silver.orders")} >= {"T-3", "T-5"}
    columns = set(query("SELECT * FROM bronze.orders LIMIT 1")[0])
    assert "coupon" in columns
    assert not columns & {"Order No.", "qty", "Price"}
