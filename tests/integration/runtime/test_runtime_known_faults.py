"""What the engine alone gets wrong and an update gets right; the warehouse has the same tests for SQL."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from local_workspace.catalog import TableName

PIPELINE = """
    def source():
        return dlt.read("silver.src")

    @dlt.table(name="bronze.frame")
    def frame():
        one = source().agg(F.count("*").alias("n"), F.max("id").alias("m")).withColumn("kind", F.lit("a"))
        return one.unionAll(source().select(F.sum("id").alias("n"), F.min("id").alias("m"), F.lit("b").alias("kind")))\\
            .filter("kind = 'b'")

    @dlt.table(name="bronze.nothing")
    def nothing():
        return source().rollup("id").agg(F.count("*").alias("n")).withColumn("kind", F.lit("a")).where("kind = 'z'")

    @dlt.table(name="bronze.text")
    def text():
        return spark.sql("SELECT * FROM (SELECT 'a' AS kind, count(*) AS n FROM silver.src) WHERE kind = 'z'")
"""


def test_filters_are_not_moved_below_aggregations(bench: Any) -> None:
    """Guards rows that Sail 0.7.2 invents when a filter on a literal column stands over an aggregation without GROUP BY."""
    place = bench.layout.table_path("main", "silver", "src")
    write_deltalake(str(place), pa.table({"id": [1, 2, 3]}))
    bench.catalog.put_table(TableName("main", "silver", "src"), kind="TABLE", location=place)
    bench.write(PIPELINE)
    bench.good()
    assert bench.rows("bronze.frame") == [{"n": 6, "m": 1, "kind": "b"}]
    assert bench.rows("bronze.nothing") == bench.rows("bronze.text") == []
    bench.write(
        '@dlt.table(name="bronze.bad")\n'
        "def bad():\n"
        '    return dlt.read("silver.src").select(F.percentile_approx("id", 0.5))\n'
    )
    result = bench.update()
    assert not result.ok
    assert "percentile_approx()" in (result.error or "")


SPARK_ANSWERS = """
    @dlt.table(name="bronze.said")
    def said():
        rows = dlt.read("silver.src")
        return rows.select(
            F.expr("initcap('jean-luc')"),
            F.expr("get(array('a', 'b'), cast(id - 5 as int)) AS g"),
            F.expr("array_contains(array(1, NULL), id + 7) AS c"),
            F.expr("(id, 1) IN ((1, 1), (3, 1)) AS r"),
        ).withColumn("w", F.expr("weekday(date'2024-05-05')"))

    @dlt.table(name="bronze.asked")
    def asked():
        return spark.sql("SELECT id, 1 / 3.0 AS ratio, decode(id, 1, 'one', 'more') AS d FROM silver.src")
"""


def test_the_text_of_expressions_is_answered_as_spark_does(bench: Any) -> None:
    """Guards that pipelines and the warehouse have one reader of SQL: in F.expr as in spark.sql, with the columns' names."""
    place = bench.layout.table_path("main", "silver", "src")
    write_deltalake(str(place), pa.table({"id": [1, 2]}))
    bench.catalog.put_table(TableName("main", "silver", "src"), kind="TABLE", location=place)
    bench.write(SPARK_ANSWERS)
    bench.good()
    rows = sorted(bench.rows("bronze.said"), key=lambda row: not row["r"])
    assert rows == [
        {"initcap(jean-luc)": "Jean-luc", "g": None, "c": None, "r": True, "w": 6},
        {"initcap(jean-luc)": "Jean-luc", "g": None, "c": None, "r": False, "w": 6},
    ]
    asked = sorted(bench.rows("bronze.asked"), key=lambda row: row["id"])
    assert [(str(row["ratio"]), row["d"]) for row in asked] == [("0.333333", "one"), ("0.333333", "more")]
