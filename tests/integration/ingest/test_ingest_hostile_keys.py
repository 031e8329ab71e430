"""Guards Bronze against what a record may call its fields: whatever the name, the record arrives and the value is kept."""

from __future__ import annotations

import json

from dlt_ingest.generators.landing import land_bytes

GOOD = {
    "order_id": "O-1", "order_item": "Kettle", "price": 12.5, "items_ordered": 2, "status": "approved",
    "date_ordered": "2026-03-01", "customer_id": "C-1", "order_timestamp": "2026-03-01T09:30:00Z",
}  # fmt: skip

#: Names that Bronze, Auto Loader, Spark, Delta or the runtime use themselves, and names that are hard to write down.
HOSTILE_KEYS = (
    "source_file", "ingested_at", "batch_id", "shadowed_fields", "price_text", "Source_File", "BATCH_ID",
    "_metadata", "_METADATA", "_metadata of the file", "__dlt_metadata", "_rescued_data", "_Rescued_Data", "_corrupt_record",
    "_file_path", "_commit_version", "_change_type", "failed_rules", "update_id", "__dlt_dropped",
    "__dlt_mask_0", "__sequence", "__START_AT", "__v",
    "Order_ID", "PRICE", "", " ", "a.b", "price.x", "o'q", 'd"q', "b`t", "a b", "a,b", "a;b", "{a}", "(a)", "a=b", "n\nl",
    "tab\t", "\u0000", "nul\u0000in", "c\u0001", "\u007f",
    "\U0001f600", "é", "e\u0301", "ß", "ẞ", "İ", "\u017f", "\u212a", "k",
    "$", "*", "%s", "--", "/*", "?", "\\", "null", "select", "x" * 300, "ü" * 255, "\u202eabc", "\ufeff", "\u2028",
)  # fmt: skip


def line(**changes) -> bytes:
    return json.dumps({**GOOD, **changes}, ensure_ascii=False).encode()


def test_a_record_may_have_fields_of_our_names(pipeline, query):
    """Guards the origin columns: theirs is kept as theirs, ours is ours, and the record is a good one."""
    theirs = {"source_file": "theirs.csv", "batch_id": 7, "ingested_at": {"at": [1, 2]}, "_metadata": "x"}
    content = line(order_id="k1", **theirs) + b"\n" + line(order_id="k2") + b"\n"
    land_bytes(content, "a.json", pipeline.landing)
    pipeline.ingest()
    land_bytes(line(order_id="k3", shadowed_fields="mine") + b"\n", "b.json", pipeline.landing)
    pipeline.ingest()
    rows = query(
        "SELECT order_id, source_file, batch_id, shadowed_fields, _metadata AS m FROM bronze.orders ORDER BY 1"
    )
    folder = "dbfs:/Volumes/ecommerce_local/bronze/files/orders/landing"
    assert [(r["order_id"], r["source_file"], r["batch_id"], r["m"]) for r in rows] == [
        ("k1", f"{folder}/a.json", "a", "x"),
        ("k2", f"{folder}/a.json", "a", None),
        ("k3", f"{folder}/b.json", "b", None),
    ]
    assert [None if r["shadowed_fields"] is None else json.loads(r["shadowed_fields"]) for r in rows] == [
        {"source_file": "theirs.csv", "batch_id": "7", "ingested_at": '{"at": [1, 2]}'},
        None,
        {"shadowed_fields": "mine"},
    ]
    assert query("SELECT COUNT(*) AS n FROM silver.orders") == [{"n": 3}]


def test_no_name_of_a_field_stops_an_update_or_loses_a_value(pipeline, query):
    """Guards all rows of a batch against one record: each key alone, then all of them in one record."""
    records = [line(order_id=f"K-{at}", **{key: f"value {at}"}) for at, key in enumerate(HOSTILE_KEYS)]
    everything = {key: f"all {at}" for at, key in enumerate(HOSTILE_KEYS)}
    records += [line(order_id="ALL", **everything), line(order_id="PLAIN")]
    land_bytes(b"\n".join(records), "keys.json", pipeline.landing)
    result = pipeline.ingest()
    assert result.faults == []
    rows = {row["order_id"]: row for row in query("SELECT * FROM bronze.orders")}
    assert len(rows) == len(records)
    for at in range(len(HOSTILE_KEYS)):
        assert f"value {at}" in _texts(rows[f"K-{at}"]), repr(HOSTILE_KEYS[at])
        assert f"all {at}" in _texts(rows["ALL"]), repr(HOSTILE_KEYS[at])
    split = query(
        "SELECT (SELECT COUNT(*) FROM silver.orders) AS good, (SELECT COUNT(*) FROM silver.orders_quarantine) AS bad"
    )[0]
    assert split["good"] + split["bad"] == len(records)
    assert "PLAIN" in {row["order_id"] for row in query("SELECT order_id FROM silver.orders")}
    # The names stay with the table: the next update must live with them.
    land_bytes(line(order_id="NEXT", **everything), "next.json", pipeline.landing)
    pipeline.ingest()
    assert "all 7" in _texts(query("SELECT * FROM bronze.orders WHERE order_id = 'NEXT'")[0])


def _texts(row: dict) -> set[str]:
    """All texts of a row, those inside rescued data and shadowed fields included."""
    found = {value for value in row.values() if isinstance(value, str)}
    for name in ("_rescued_data", "shadowed_fields"):
        if row[name] is not None:
            # A name of the record may stand twice: Order_ID beside order_id, each with its value.
            json.loads(row[name], object_pairs_hook=lambda pairs: found.update(str(v) for _, v in pairs))
    return found


def test_a_record_of_very_many_fields_is_only_one_record(pipeline, query):
    """Guards the table's width: a sender that uses ids as keys must not make a column of each."""
    wide = {f"id-{n}": n for n in range(2000)}
    land_bytes(
        line(order_id="W-1", **wide) + b"\n" + line(order_id="W-2") + b"\n", "w.json", pipeline.landing
    )
    pipeline.ingest()
    assert query("SELECT COUNT(*) AS n FROM bronze.orders") == [{"n": 2}]
