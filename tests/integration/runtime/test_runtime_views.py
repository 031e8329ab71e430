"""Materialized views: nothing to do, new rows only, or all anew; never a different result."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from local_workspace.catalog import TableName

QUERIES = {
    "rows": (
        "dlt.read('silver.src').select('id', F.upper('name').alias('name')).where('id % 2 = 0')",
        "APPEND_ONLY",
    ),
    "union": (
        "dlt.read('silver.src').unionAll(dlt.read('silver.src').withColumn('id', F.expr('id + 1000')))",
        "APPEND_ONLY",
    ),
    "through_view": ("dlt.read('big')", "APPEND_ONLY"),
    "aggregate": ("dlt.read('silver.src').groupBy('name').agg(F.sum('id').alias('s'))", "MORE_GROUPS"),
    "hidden_aggregate": ("dlt.read('silver.src').select(F.sum('id').alias('s'))", "sum()"),
    "text_aggregate": ("dlt.read('silver.src').selectExpr('max(id) AS m')", "max()"),
    "window": (
        "dlt.read('silver.src').withColumn('n', F.expr('row_number() over (order by id)'))",
        "Window in",
    ),
    "except_all": ("dlt.read('silver.src').exceptAll(dlt.read('silver.src').limit(1))", "set operation"),
    "distinct": ("dlt.read('silver.src').distinct()", "deduplicate"),
    "subquery": ("dlt.read('silver.src').where('id = (SELECT max(id) FROM silver.src)')", "in id = "),
    "sql": ("spark.sql('SELECT id FROM silver.src')", "sql"),
    "unlisted_function": ("dlt.read('silver.src').select(F.explode(F.array('name')).alias('x'))", "explode"),
}
VOLATILE = {
    "now": "dlt.read('silver.src').withColumn('at', F.current_timestamp())",
    "text_now": "dlt.read('silver.src').selectExpr('id', 'now() AS at')",
    "chance": "dlt.read('silver.src').select(F.rand().alias('r'))",
}


@pytest.fixture
def source(bench: Any) -> Any:
    place = bench.layout.table_path("main", "silver", "src")
    write_deltalake(str(place), pa.table({"id": [1, 2, 3], "name": ["a", "b", "a"]}))
    bench.catalog.put_table(TableName("main", "silver", "src"), kind="TABLE", location=place)
    functions = [
        f"@dlt.table(name='bronze.{name}')\ndef {name}():\n    return {query}\n"
        for name, query in [*((n, q) for n, (q, _t) in QUERIES.items()), *VOLATILE.items()]
    ]
    view = "@dlt.view\ndef big():\n    return dlt.read('silver.src').where(F.col('id') > 1)\n"
    (bench.code / "pipeline.py").write_text(
        "import dlt\nfrom pyspark.sql import functions as F\n" + view + "\n".join(functions), encoding="utf-8"
    )
    return place


def test_each_query_is_refreshed_the_cheapest_way_that_is_surely_right(bench: Any, source: Any) -> None:
    """Guards the allow-list: row-wise queries append, everything else is computed anew, verify finds no difference."""
    bench.good()
    still = bench.good()
    unchanged = {name for name in QUERIES if still.datasets[f"main.bronze.{name}"].refresh == "NO_OP"}
    assert unchanged == set(QUERIES)
    for name in VOLATILE:
        # rand() brings a new seed each time it is written, so the query itself differs.
        reasons = {"NON_DETERMINISTIC_EXPRESSION", "QUERY_CHANGED" if name == "chance" else ""}
        assert still.datasets[f"main.bronze.{name}"].reason in reasons, name
    # Whoever leaves an update out because nothing is new asks for this first.
    assert {text.split()[0] for text in still.may_change_alone} == {f"main.bronze.{n}" for n in VOLATILE}
    write_deltalake(str(source), pa.table({"id": [4, 5], "name": ["b", "c"]}), mode="append")
    appended = bench.good(verify=False)
    for name, (_query, expected) in QUERIES.items():
        result = appended.datasets[f"main.bronze.{name}"]
        if expected == "APPEND_ONLY":
            assert result.refresh == "APPEND_ONLY", (name, result.reason)
        else:
            assert result.refresh == "COMPLETE_RECOMPUTE"
            assert expected in (result.reason or ""), (name, result.reason)
    assert bench.column("bronze.union", "id") == sorted(
        [1, 2, 3, 4, 5, 1001, 1002, 1003, 1004, 1005], key=repr
    )
    write_deltalake(
        str(source), pa.table({"id": [6], "name": ["d"], "more": [1]}), mode="append", schema_mode="merge"
    )
    widened = bench.good()
    assert widened.datasets["main.bronze.through_view"].reason == "SOURCE_SCHEMA_CHANGED"
    assert sorted(bench.rows("bronze.through_view")[0]) == ["id", "more", "name"]
    DeltaTable(str(source)).delete("id = 1")
    changed = bench.good()
    assert "CHANGE_SET_NOT_APPEND_ONLY" in (changed.datasets["main.bronze.rows"].reason or "")
    assert 1 not in bench.column("bronze.union", "id")


def test_verify_compares_row_by_row(bench: Any, source: Any) -> None:
    """Guards --verify itself: a view that differs from its query is found, by the number of rows."""
    volatile = set(VOLATILE)
    code = (bench.code / "pipeline.py").read_text(encoding="utf-8")
    for name in volatile:
        code = code.replace(f"@dlt.table(name='bronze.{name}')", "")
    (bench.code / "pipeline.py").write_text(code, encoding="utf-8")
    bench.good()
    bench.good(verify=True)
    # Nobody but the pipeline may write there; here somebody does, and forges the bookkeeping too.
    table = bench.delta("bronze.rows")
    write_deltalake(table, pa.table({"id": [2], "name": ["B"]}), mode="append")
    import json
    import sqlite3

    with sqlite3.connect(bench.layout.pipelines / "bench" / "state.sqlite") as db:
        flow = "bench/main.bronze.rows/bronze.rows"
        facts = json.loads(db.execute("SELECT facts FROM flows WHERE flow = ?", (flow,)).fetchone()[0])
        facts["target"]["version"] += 1
        db.execute("UPDATE flows SET facts = ? WHERE flow = ?", (json.dumps(facts), flow))
    db.close()
    result = bench.update(verify=True)
    assert not result.ok
    assert "0 rows missing, 1 rows too many" in (result.error or "")


def test_changed_code_recomputes_and_same_code_does_not(bench: Any) -> None:
    """Guards the fingerprint: comments and line numbers do not matter, a changed filter, rule or schema does."""
    base = """
    @dlt.table
    @dlt.expect_or_drop("some", "id > {low}")
    def t():
        return spark.range({rows}).withColumn("x", F.transform(F.array("id"), lambda v: v + 1))
    """
    bench.write(base.format(low=0, rows=5))
    assert bench.good().datasets["main.bronze.t"].reason == "FIRST_REFRESH"
    bench.write("\n\n    # moved\n" + base.format(low=0, rows=5))
    assert bench.good().datasets["main.bronze.t"].refresh == "NO_OP"
    bench.write(base.format(low=1, rows=5))
    assert bench.good().datasets["main.bronze.t"].reason == "QUERY_CHANGED"
    assert bench.column("bronze.t", "id") == [2, 3, 4]
    bench.write(base.format(low=1, rows=4).replace('withColumn("x"', 'withColumn("y"'))
    bench.good()
    assert sorted(bench.rows("bronze.t")[0]) == ["id", "y"], "an overwritten view takes the new schema"


def test_random_appends_and_changes_end_as_if_computed_once(bench: Any, source: Any) -> None:
    """Guards incremental refresh over many updates: after each, every view equals its query on the source."""
    rng = random.Random(9)  # noqa: S311
    code = (bench.code / "pipeline.py").read_text(encoding="utf-8")
    keep = ("rows", "union", "through_view", "aggregate")
    parts = code.split("@dlt.table(name='bronze.")
    (bench.code / "pipeline.py").write_text(
        "@dlt.table(name='bronze.".join(
            [parts[0], *(p for p in parts[1:] if p.startswith(tuple(f"{k}'" for k in keep)))]
        ),
        encoding="utf-8",
    )
    for step in range(6):
        if step and rng.random() < 0.7:
            rows = [rng.randint(1, 50) for _ in range(rng.randint(1, 4))]
            write_deltalake(
                str(source), pa.table({"id": rows, "name": [rng.choice("abc") for _ in rows]}), mode="append"
            )
        elif step:
            DeltaTable(str(source)).update(updates={"name": "'z'"}, predicate=f"id = {rng.randint(1, 5)}")
        bench.good(verify=True)
        truth = DeltaTable(str(source)).to_pyarrow_table().to_pylist()
        assert bench.rows("bronze.rows") == sorted(
            ({"id": r["id"], "name": r["name"].upper()} for r in truth if r["id"] % 2 == 0), key=repr
        )
        assert bench.column("bronze.through_view", "id") == sorted(
            (r["id"] for r in truth if r["id"] > 1), key=repr
        )
