# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""Expectations: Databricks' counting for every action, and no row lost between a table and its quarantine."""

from __future__ import annotations

import random
from typing import Any

import duckdb
import pytest

BRONZE = """
    @dlt.table
    def rows():
        return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
                .schema("a BIGINT, b BIGINT, s STRING").load("/Volumes/main/bronze/files/landing"))
"""

PREDICATES = (
    "a > 1", "a = b", "NOT (a > b)", "b IS NOT NULL", "s IN ('x', 'y')", "s LIKE 'x%'", "a / nullif(b, 0) > 1", "NULL", "true", "1 = 0",
    "coalesce(a, b) >= 0", "s <> 'x' OR a IS NULL", "CASE WHEN a > 2 THEN NULL ELSE true END", "length(s) BETWEEN 1 AND 2",
    "a IS NULL OR -- a comment\n b > 0",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_bronze_is_silver_plus_quarantine_for_any_rules(bench: Any, seed: int) -> None:
    """Guards the project's promise, for random rules (NULL results included) and rows, and the counts of each rule."""
    rng = random.Random(seed)  # noqa: S311
    rules = {f"rule {n}'s": rng.choice(PREDICATES) for n in range(rng.choice([1, 3, 7, 70]))}
    bench.write(
        BRONZE
        + f"""
    RULES = {rules!r}
    failed = " + ".join(f"CASE WHEN ({{c}}\\n) THEN 0 ELSE 1 END" for c in RULES.values())

    @dlt.table(name="silver.good")
    @dlt.expect_all_or_drop(RULES)
    def good():
        return dlt.read_stream("rows")

    @dlt.table(name="silver.bad")
    def bad():
        return dlt.read_stream("rows").where(failed + " > 0")
    """
    )
    rows = []
    for batch in range(2):
        part = [
            {
                "a": rng.choice([None, 0, 1, 2, 5]),
                "b": rng.choice([None, 0, 1, 3]),
                "s": rng.choice([None, "", "x", "xyz"]),
                "id": n,
            }
            for n in range(30)
        ]
        rows += part
        bench.land(f"{batch}.json", *part)
        result = bench.good()
    total, good, bad = (bench.rows(n, "a", "b", "s") for n in ("bronze.rows", "silver.good", "silver.bad"))
    assert len(total) == len(rows) == 60
    assert sorted(good + bad, key=repr) == total
    truth = duckdb.connect()
    truth.execute("create table t (a bigint, b bigint, s varchar)")
    truth.executemany("insert into t values (?, ?, ?)", [(r["a"], r["b"], r["s"]) for r in rows[30:]])
    for rule in result.datasets["main.silver.good"].expectations:
        count = truth.execute(
            f"select count(*) from t where ({rules[rule.name]}\n) is distinct from true"
        ).fetchone()
        assert count is not None
        assert (rule.failed, rule.passed) == (count[0], 30 - count[0]), rules[rule.name]


def test_warn_keeps_drop_drops_and_fail_commits_nothing(bench: Any) -> None:
    """Guards the three actions: counts, what is written, what goes on beside a failed flow and what is skipped below it."""
    bench.write(
        BRONZE
        + """
    @dlt.table
    @dlt.expect("a_known", "a IS NOT NULL")
    @dlt.expect_or_drop("b_small", "b < 10")
    def kept():
        return dlt.read_stream("rows")

    @dlt.table
    @dlt.expect_or_fail("s_known", "s IS NOT NULL")
    def strict():
        return dlt.read_stream("rows")

    @dlt.table
    def below_strict():
        return dlt.read("strict")

    @dlt.table
    @dlt.expect_all_or_fail({"few": "n < 3"})
    def counted():
        return dlt.read("rows").groupBy().agg(F.count("*").alias("n"))
    """
    )
    bench.land("a.json", {"a": 1, "b": 1, "s": "x"}, {"b": 2, "s": "x"})
    bench.good()
    bench.land("b.json", {"a": 1, "b": 10, "s": "x"}, {"b": None, "s": None, "a": None})
    result = bench.update()
    datasets = {name.rsplit(".", 1)[1]: d for name, d in result.datasets.items()}
    assert result.state == "FAILED"
    assert {n: d.status for n, d in datasets.items()} == {
        "rows": "COMPLETED", "kept": "COMPLETED", "strict": "FAILED", "below_strict": "SKIPPED", "counted": "FAILED",
    }  # fmt: skip
    assert (datasets["kept"].rows_in, datasets["kept"].rows_out, datasets["kept"].rows_dropped) == (2, 0, 2)
    assert {e.name: e.failed for e in datasets["kept"].expectations} == {"a_known": 1, "b_small": 2}
    error = datasets["strict"].error or ""
    assert (
        "[EXPECTATION_VIOLATION.VERBOSITY_ALL] Flow 'strict' failed to meet the expectation. Violated expectations: 's_known'."
        in error
    )
    assert '"s":null' in error
    assert "s_known: 1 of 2 rows" in error
    assert len(bench.rows("bronze.strict")) == 2
    assert bench.rows("bronze.counted") == [{"n": 2}]
    quality = [
        e for e in bench.events("flow_progress") if e["origin"]["dataset_name"] == "main.bronze.strict"
    ]
    assert sum("data_quality" in e["details"]["flow_progress"] for e in quality) == 1, (
        "a failed flow records no counts"
    )
    bench.write(
        (bench.code / "pipeline.py")
        .read_text()
        .split("import functions as F\n", 1)[1]
        .replace('"s IS NOT NULL"', '"true"')
        .replace("n < 3", "n < 9")
    )
    bench.good()
    assert len(bench.rows("bronze.strict")) == 4, "the rows of the failed batch come with the next"


def test_a_view_with_expectations_filters_for_its_readers(bench: Any) -> None:
    """Guards expectations on views: dropped rows reach no reader, counts are told under the view's name."""
    bench.write(
        BRONZE
        + """
    @dlt.view
    @dlt.expect_or_drop("small", "a < 5")
    @dlt.expect("known", "s IS NOT NULL")
    def checked():
        return dlt.read_stream("rows")

    @dlt.table
    def t():
        return dlt.read_stream("checked").select("a")

    @dlt.table
    def u():
        return spark.sql("SELECT a + 1 AS a FROM STREAM(checked)")
    """
    )
    bench.land("a.json", {"a": 1, "s": "x"}, {"a": 7}, {"a": 2})
    bench.good()
    assert bench.column("bronze.t", "a") == [1, 2]
    assert bench.column("bronze.u", "a") == [2, 3]
    told = [
        e
        for e in bench.events("flow_progress")
        if e["origin"]["dataset_name"] == "checked" and "data_quality" in e["details"]["flow_progress"]
    ]
    assert len(told) == 1, "counted once, though two flows read the view"
    assert told[0]["details"]["flow_progress"]["data_quality"]["dropped_records"] == 1
    bench.land("b.json", {"a": 9})
    bench.good()
    assert bench.column("bronze.t", "a") == [1, 2]


def test_several_flows_feed_one_table(bench: Any) -> None:
    """Guards append_flow: two streams and a backfill that runs once, with the table's expectations on each."""
    bench.write(
        BRONZE
        + """
    dlt.create_streaming_table("all_rows", expect_all_or_drop={"known": "a IS NOT NULL"}, comment="three flows")

    @dlt.append_flow(target="all_rows")
    def first():
        return dlt.read_stream("rows").select("a")

    @dlt.append_flow(target="all_rows", name="second")
    def other():
        return dlt.read_stream("rows").selectExpr("a + 100 AS a")

    @dlt.append_flow(target="all_rows", once=True)
    def backfill():
        return spark.range(2).select((F.col("id") - 2).alias("a"))
    """
    )
    bench.land("a.json", {"a": 1}, {"a": None})
    bench.good()
    assert sorted(bench.column("bronze.all_rows", "a"), key=int) == [-2, -1, 1, 101]
    bench.land("b.json", {"a": 2})
    result = bench.good()
    assert sorted(bench.column("bronze.all_rows", "a"), key=int) == [-2, -1, 1, 2, 101, 102]
    assert result.datasets["main.bronze.all_rows"].rows_out == 2
    bench.good(full_refresh=["all_rows"])
    assert sorted(bench.column("bronze.all_rows", "a"), key=int) == [-2, -1, 1, 2, 101, 102], (
        "a full refresh runs the backfill again"
    )
