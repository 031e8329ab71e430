# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""Whole updates: what arrives, what an update without news leaves alone, what the event log says."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest

PIPELINE = """
    @dlt.table(name="bronze.orders", comment="As landed", table_properties={"quality": "bronze"})
    def orders():
        return (
            spark.readStream.format("cloudFiles")
            .option("cloudFiles.format", "json")
            .option("cloudFiles.inferColumnTypes", "true")
            .option("cloudFiles.schemaHints", "id STRING, price DECIMAL(18,2), items BIGINT, _corrupt_record STRING")
            .load(spark.conf.get("bench.landing"))
            .select("*", F.col("_metadata.file_name").alias("source_file"))
        )

    RULES = {"readable": "_corrupt_record IS NULL", "typed": "_rescued_data IS NULL", "positive": "price > 0"}

    def flagged():
        bad = F.concat(*[F.expr(f"CASE WHEN ({c}) THEN CAST(array() AS ARRAY<STRING>) ELSE array('{n}') END") for n, c in RULES.items()])
        return spark.readStream.table("bronze.orders").withColumn("failed", F.filter(bad, lambda x: x.isNotNull()))

    @dlt.table(name="silver.orders")
    @dlt.expect_all_or_drop({n: f"NOT array_contains(failed, '{n}')" for n in RULES})
    def silver():
        return flagged()

    @dlt.table(name="silver.quarantine")
    def quarantine():
        return flagged().where("size(failed) > 0")

    @dlt.table(name="silver.totals")
    @dlt.expect("some", "n > 1")
    def totals():
        return dlt.read("silver.orders").groupBy("id").agg(F.sum("price").alias("total"), F.count("*").alias("n"))
"""


def test_orders_flow_from_files_to_a_view_and_nothing_moves_without_news(bench: Any) -> None:
    """Guards the main path, its counts, and that an update without new data adds no commit anywhere."""
    bench.write(PIPELINE)
    bench.land(
        "a.json",
        {"id": "1", "price": 1.25, "items": 2},
        {"id": "1", "price": 2, "items": 1},
        {"id": "2", "price": 0},
    )
    bench.land("b.json", "not json", {"id": "3", "price": "x", "items": 3.7})
    first = bench.good(run_id="run-1")
    assert len(bench.rows("bronze.orders")) == 5
    assert bench.column("silver.orders", "id") == ["1", "1"]
    assert len(bench.rows("silver.quarantine")) == 3
    assert bench.rows("silver.totals") == [{"id": "1", "total": Decimal("3.25"), "n": 2}]
    result = first.datasets["main.silver.orders"]
    assert (result.rows_in, result.rows_out, result.rows_dropped, result.kind) == (5, 2, 3, "STREAMING_TABLE")
    assert {e.name: (e.passed, e.failed) for e in result.expectations} == {
        "readable": (4, 1), "typed": (4, 1), "positive": (2, 3),
    }  # fmt: skip
    assert {(f.path.rsplit("/", 1)[-1], f.rows) for f in first.files} == {("a.json", 3), ("b.json", 2)}
    before = bench.versions()
    second = bench.good(verify=True)
    assert bench.versions() == before
    assert {d.refresh for d in second.datasets.values()} == {"NONE", "NO_OP"}

    bench.land("c.json", {"id": "2", "price": 5.5, "items": 1})
    third = bench.good()
    assert len(bench.rows("bronze.orders")) == 6
    assert third.datasets["main.silver.orders"].rows_in == 1, "only the new row goes through silver"
    assert len(bench.rows("silver.totals")) == 2
    assert bench.versions()["main.silver.quarantine"] == before["main.silver.quarantine"], (
        "no bad row, no commit"
    )

    kinds = {str(t.name): (t.kind, t.comment) for t in bench.catalog.tables("main")}
    assert kinds["main.bronze.orders"] == ("STREAMING_TABLE", "As landed")
    assert kinds["main.silver.totals"][0] == "MATERIALIZED_VIEW"


def test_the_event_log_has_databricks_shape(bench: Any) -> None:
    """Guards what dbt staging and dashboards read: event types, counts per rule, lineage, one row an event."""
    bench.write(PIPELINE)
    bench.land("a.json", {"id": "1", "price": 1.25}, {"id": "2", "price": 0})
    bench.good(run_id="run-7")
    events = bench.events()
    assert len({e["id"] for e in events}) == len(events)
    assert [e["details"]["update_progress"]["state"] for e in events if e["event_type"] == "update_progress"] == [
        "INITIALIZING", "RUNNING", "COMPLETED",
    ]  # fmt: skip
    assert events[0]["details"]["create_update"] | {"cause": ""} == {
        "cause": "", "run_id": "run-7", "full_refresh": False, "full_refresh_selection": [], "validate_only": False,
    }  # fmt: skip
    definitions = {
        e["origin"]["flow_name"]: e["details"]["flow_definition"] for e in bench.events("flow_definition")
    }
    assert definitions["silver.orders"]["input_datasets"] == ["main.bronze.orders"]
    assert definitions["silver.totals"]["output_dataset"] == "main.silver.totals"
    quality = [
        e["details"]["flow_progress"]
        for e in bench.events("flow_progress")
        if e["origin"]["dataset_name"] == "main.silver.orders" and "metrics" in e["details"]["flow_progress"]
    ]
    assert quality == [
        {
            "status": "RUNNING",
            "metrics": {"num_output_rows": 1, "num_upserted_rows": 0, "num_deleted_rows": 0},
            "data_quality": {
                "dropped_records": 1,
                "expectations": [
                    {"name": n, "dataset": "main.silver.orders", "passed_records": p, "failed_records": f}
                    for n, p, f in (("readable", 2, 0), ("typed", 2, 0), ("positive", 1, 1))
                ],
            },
        }
    ]
    files = bench.events("source_files")[0]["details"]["source_files"]["files"]
    assert [(f["path"], f["rows"]) for f in files] == [("dbfs:/Volumes/main/bronze/files/landing/a.json", 2)]
    assert bench.catalog.get is not None
    planning = bench.events("planning_information")[0]["details"]["planning_information"][
        "technique_information"
    ][0]
    assert planning["maintenance_type"] == "MAINTENANCE_TYPE_COMPLETE_RECOMPUTE"


HOSTILE: list[tuple[str, bytes, int]] = [
    ("bom.json", b'\xef\xbb\xbf{"id":"bom"}\n', 1),
    ("crlf.json", b'{"id":"crlf1"}\r\n\r\n{"id":"crlf2"}\r\n', 2),
    ("cut.json", b'{"id":"whole"}\n{"id":"cu', 2),
    ("empty.json", b"", 0),
    ("blank.json", b"\n  \n\n", 0),
    ("utf8.json", b'{"id":"\xff\xfe broken"}\n{"id":"fine"}\n', 2),
    ("nul.json", b'{"id":"a\x00b"}\n', 1),
    ("array.json", b'[{"id":"in array 1"},{"id":"in array 2"}]\n', 2),
    ("scalars.json", b'5\n"text"\n[1]\n', 3),
    ("deep.json", b'{"id":' + b"[" * 5000 + b"]" * 5000 + b"}\n", 1),
    ("good.json.gz", gzip.compress(b'{"id":"zipped"}\n' * 3), 3),
    ("long.json", b'{"id":"' + b"x" * 20_000_000 + b'"}\n', 1),
]


def test_no_line_of_a_hostile_file_is_lost(bench: Any) -> None:
    """Guards bronze: each line is a row or, if it cannot be read, in _corrupt_record; unreadable files are named."""
    bench.write(PIPELINE)
    for name, content, _rows in HOSTILE:
        bench.land(name, content)
    bench.land("cut.json.gz", gzip.compress(b'{"id":"lost?"}\n' * 5000)[:-20])
    bench.land("_hidden.json", {"id": "hidden"})
    bench.land(".part.json", {"id": "hidden"})
    result = bench.good()
    rows = bench.rows("bronze.orders")
    found = {name: 0 for name, _c, _r in HOSTILE}
    for row in rows:
        found[row["source_file"]] += 1
    assert found == {name: count for name, _content, count in HOSTILE}
    corrupt = {r["_corrupt_record"] for r in rows if r["_corrupt_record"]}
    assert {'{"id":"cu', "5", '"text"', "[1]", '{"id":"\ufffd\ufffd broken"}'} <= corrupt
    assert [f.path.rsplit("/", 1)[-1] for f in result.faults] == ["cut.json.gz"]
    assert "EOFError" in (result.faults[0].fault or "")
    bench.land("cut.json.gz", gzip.compress(b'{"id":"found"}\n' * 7))
    again = bench.good()
    assert again.datasets["main.bronze.orders"].rows_out == 7, "a repaired file is read"
    assert again.faults == []


def test_types_that_do_not_fit_are_rescued_with_their_file(bench: Any) -> None:
    """Guards _rescued_data: wrong types and case, as JSON of the values that were in the file."""
    bench.write(PIPELINE)
    bench.land("a.json", '{"id": 1.50, "price": "12.34 EUR", "items": 3.7, "ID": "x"}')
    bench.good()
    row = bench.rows("bronze.orders")[0]
    assert (row["id"], row["price"], row["items"]) == ("1.50", None, None)
    assert json.loads(row["_rescued_data"]) == {
        "price": "12.34 EUR", "items": 3.7, "ID": "x", "_file_path": "dbfs:/Volumes/main/bronze/files/landing/a.json",
    }  # fmt: skip


def test_new_columns_arrive_in_the_table(bench: Any) -> None:
    """Guards addNewColumns: the column is added at once, old rows have NULL, the log says so."""
    bench.write(PIPELINE)
    bench.land("a.json", {"id": "1", "price": 1})
    bench.good()
    bench.land("b.json", {"id": "2", "price": 1, "coupon": 5, "address": {"zip": "1"}})
    bench.good()
    rows = bench.rows("bronze.orders", "id", "coupon", "address", "_rescued_data")
    assert rows == [
        {"id": "1", "coupon": None, "address": None, "_rescued_data": None},
        {"id": "2", "coupon": 5, "address": {"zip": "1"}, "_rescued_data": None},
    ]
    assert any("coupon" in e["message"] for e in bench.events("flow_progress"))
    assert bench.column("silver.orders", "id") == ["1", "2"]


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [("rescue", {"extra": 1}), ("none", {"extra": 1}), ("failOnNewColumns", None)],
)
def test_other_modes_of_evolution(bench: Any, mode: str, outcome: dict[str, Any] | None) -> None:
    """Guards schemaEvolutionMode: a later new column is rescued, or the flow fails and takes nothing."""
    bench.write(f"""
        @dlt.table
        def t():
            return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
                    .option("cloudFiles.schemaEvolutionMode", "{mode}").load("{"/Volumes/main/bronze/files/landing"}"))
    """)
    bench.land("a.json", {"id": 1})
    bench.good()
    bench.land("b.json", {"id": 2, "extra": 1})
    result = bench.update()
    if outcome is None:
        assert not result.ok
        assert "UNKNOWN_FIELD_EXCEPTION" in (result.error or "")
        assert bench.column("bronze.t", "id") == ["1"]
    else:
        assert result.ok, result.error
        rescued = [json.loads(r["_rescued_data"]) for r in bench.rows("bronze.t") if r["_rescued_data"]]
        assert [{k: v for k, v in r.items() if k != "_file_path"} for r in rescued] == [outcome]
        assert bench.column("bronze.t", "id") == ["1", "2"]


def test_files_come_in_micro_batches_and_only_once(bench: Any) -> None:
    """Guards maxFilesPerTrigger, pathGlobFilter and the ledger: all files, a few a commit, none twice, rewritten ones not again."""
    bench.write("""
        @dlt.table
        def t():
            return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
                    .option("cloudFiles.maxFilesPerTrigger", 2).option("pathGlobFilter", "*.json")
                    .load("/Volumes/main/bronze/files/landing"))
    """)
    for n in range(5):
        bench.land(f"{n}.json", {"n": n})
    bench.land("x.txt", "{}")
    result = bench.good()
    assert result.datasets["main.bronze.t"].batches == 3
    assert bench.column("bronze.t", "n") == ["0", "1", "2", "3", "4"]
    bench.land("0.json", {"n": 100}, {"n": 101})
    again = bench.good()
    assert bench.column("bronze.t", "n") == ["0", "1", "2", "3", "4"]
    assert any("0.json has changed" in w for w in again.warnings)
