"""Guards Bronze against what senders really send: every line is accounted for, and a bad file stops nothing."""

from __future__ import annotations

import gzip
import json
from collections import Counter

from dlt_ingest.generators.landing import land_bytes

GOOD = {
    "order_id": "O-1", "order_item": "Kettle", "price": 12.5, "items_ordered": 2, "status": "approved",
    "date_ordered": "2026-03-01", "customer_id": "C-1", "order_timestamp": "2026-03-01T09:30:00Z",
}  # fmt: skip


def line(**changes) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_every_line_of_every_odd_file_is_in_silver_or_quarantine(pipeline, query):
    """Guards the accounting: readable lines of an odd file are good rows, the others are kept as they came."""
    files = {
        "bad-line.json": b"\n".join(
            [line(order_id="A-1"), b"{not json", b"[1, 2]", b'"text"', b"", b"   ", line(order_id="A-2")]
        ),
        "empty.json": b"",
        "bom.json": b"\xef\xbb\xbf" + line(order_id="B-1") + b"\n",
        "crlf.json": line(order_id="B-2") + b"\r\n" + line(order_id="B-3") + b"\r\n",
        "truncated.json": line(order_id="C-1") + b"\n" + line(order_id="C-2")[:60],
        "packed.json.gz": gzip.compress(line(order_id="D-1") + b"\n"),
        "wrong-type.json": line(order_id="E-1", price="12,50")
        + b"\n"
        + line(order_id="E-2", items_ordered=1.5),
        "other-case.json": line(order_id="F-1", Price=9) + b"\n",
        "number-as-id.json": line(order_id=17) + b"\n",
        "cents.json": line(order_id="G-1", price=4.999) + b"\n" + line(order_id="G-2", price=4.9900) + b"\n",
        "huge.json": line(order_id="G-3", price=1e30)
        + b"\n"
        + line(order_id="G-4", items_ordered=2**70)
        + b"\n",
    }
    for name, content in files.items():
        land_bytes(content, name, pipeline.landing)
    result = pipeline.ingest()
    assert result.faults == []
    silver = {row["order_id"] for row in query("SELECT order_id FROM silver.orders")}
    assert silver == {"A-1", "A-2", "B-1", "B-2", "B-3", "C-1", "D-1", "17", "G-2"}
    bad = query(
        "SELECT batch_id, order_id, _corrupt_record AS line, CONCAT_WS(',', failed_rules) AS rules "
        "FROM silver.orders_quarantine"
    )
    assert Counter((row["batch_id"], row["rules"]) for row in bad) == {
        ("bad-line", "record_is_readable"): 3,
        ("truncated", "record_is_readable"): 1,
        ("wrong-type", "fields_have_declared_types"): 2,
        ("other-case", "fields_have_declared_types"): 1,
        ("cents", "price_in_cents"): 1,
        ("huge", "fields_have_declared_types"): 2,
    }
    assert {row["line"] for row in bad if row["batch_id"] == "bad-line"} == {"{not json", "[1, 2]", '"text"'}
    assert query("SELECT COUNT(*) AS n FROM bronze.orders") == [{"n": len(silver) + len(bad)}]


def test_one_file_is_one_batch(pipeline, query):
    """Guards batch_id against files that are told apart by what stands around their common name."""
    names = (
        "x.json",
        "x.jsonl",
        "x.ndjson",
        "x.json.gz",
        "x",
        "x.JSON",
        "x.jsonl.json",
        "a/x.json",
        "b/x.json",
        "a/x",
    )
    for name in names:
        content = line(order_id=name) + b"\n"
        path = pipeline.landing / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    pipeline.ingest()
    found = {
        row["order_id"]: row["batch_id"] for row in query("SELECT order_id, batch_id FROM bronze.orders")
    }
    assert set(found) == set(names)
    assert len(set(found.values())) == len(names)
    assert (found["x.json"], found["x.jsonl"], found["a/x.json"]) == ("x", "x.jsonl", "a/x")


def test_what_json_has_no_number_for_breaks_one_rule(pipeline, query):
    """Guards "one fault, one rule" for NaN and the infinities, alone and inside other values, and the rescued JSON."""
    values = ("NaN", "Infinity", "-Infinity", '[NaN, "NaN"]', '{"a": -Infinity}')
    rows = [line(order_id="price").replace(b"12.5", value.encode()) for value in values]
    rows += [
        line(order_id="items").replace(b'"items_ordered": 2', f'"items_ordered": {value}'.encode())
        for value in values
    ]
    land_bytes(b"\n".join(rows), "nan.json", pipeline.landing)
    pipeline.ingest()
    bad = query(
        "SELECT order_id, CONCAT_WS(',', failed_rules) AS rules, _rescued_data AS rescued FROM silver.orders_quarantine"
    )
    assert {row["rules"] for row in bad} == {"fields_have_declared_types"}
    assert len(bad) == len(rows)

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} in rescued data")

    kept = [
        json.loads(row["rescued"], parse_constant=no_constant)["items_ordered"]
        for row in bad
        if row["order_id"] == "items"
    ]
    assert {json.dumps(value) for value in kept} == {
        '"NaN"', '"Infinity"', '"-Infinity"', '["NaN", "NaN"]', '{"a": "-Infinity"}',
    }  # fmt: skip


def test_broken_encoding_is_kept_or_reported_by_name(pipeline, query):
    """Guards against silence: a line that is not UTF-8 is in quarantine, and the good lines beside it arrive."""
    content = line(order_id="A-1") + b"\n" + line(order_id="A-2").replace(b"Kettle", b"K\xffttle") + b"\n"
    land_bytes(content, "latin.json", pipeline.landing)
    land_bytes(line(order_id="B-1") + b"\n", "good.json", pipeline.landing)
    result = pipeline.ingest()
    arrived = query("SELECT COUNT(*) AS n FROM bronze.orders")[0]["n"]
    named = [fault for fault in result.faults if "latin.json" in str(fault.path)]
    assert arrived == 3 or named
    assert {"B-1"} <= {row["order_id"] for row in query("SELECT order_id FROM silver.orders")}


def test_new_field_becomes_a_column_of_bronze_and_changes_nothing_else(pipeline, query):
    """Guards schema evolution: rows with a field that nobody declared are good rows, before and after it appears."""
    land_bytes(line(order_id="A-1") + b"\n", "before.json", pipeline.landing)
    pipeline.ingest()
    land_bytes(
        line(order_id="A-2", coupon="SPRING") + b"\n" + line(order_id="A-3") + b"\n",
        "after.json",
        pipeline.landing,
    )
    pipeline.ingest()
    assert query("SELECT order_id, coupon FROM bronze.orders ORDER BY order_id") == [
        {"order_id": "A-1", "coupon": None},
        {"order_id": "A-2", "coupon": "SPRING"},
        {"order_id": "A-3", "coupon": None},
    ]
    assert query("SELECT COUNT(*) AS n FROM silver.orders") == [{"n": 3}]


def test_full_refresh_gives_the_same_silver_and_quarantine(pipeline, query):
    """Guards the rebuild: from the files in landing, the same events and the same quarantine ids come out again."""
    rows = [line(order_id=f"O-{n}", **({"price": 0} if n % 3 == 0 else {})) for n in range(9)]
    land_bytes(b"\n".join(rows), "a.json", pipeline.landing)
    pipeline.ingest()

    def both():
        events = query(
            "SELECT order_event_id, order_id, order_value, batch_id FROM silver.orders ORDER BY order_id"
        )
        bad = query(
            "SELECT quarantine_id, order_id, batch_id FROM silver.orders_quarantine ORDER BY order_id"
        )
        return events, bad

    before = both()
    pipeline.ingest(full_refresh=True)
    assert both() == before
    assert len(before[1]) == 3
