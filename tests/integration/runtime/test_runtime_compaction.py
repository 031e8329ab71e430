"""Small files become large ones by themselves, and nothing downstream sees a row twice or misses one."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa

from local_workspace.dlt_runtime.refresh.compaction import MIN_FILES_KEY
from local_workspace.sql_warehouse.warehouse import Warehouse

PIPELINE = """
    @dlt.table(name="bronze.orders")
    def orders():
        return (
            spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
            .option("cloudFiles.inferColumnTypes", "true").load(spark.conf.get("bench.landing"))
        )

    @dlt.table(name="silver.orders", partition_cols=["day"])
    @dlt.expect_or_drop("positive", "price > 0")
    def silver():
        return spark.readStream.table("bronze.orders")

    @dlt.table(name="silver.cheap")
    def cheap():
        return spark.read.table("bronze.orders").where("price < 3")

    @dlt.table(name="silver.totals")
    def totals():
        return spark.read.table("silver.orders").groupBy("day").agg(F.sum("price").alias("total"), F.count("*").alias("n"))

    @dlt.table(name="silver.unmanaged", table_properties={"pipelines.autoOptimize.managed": "false"})
    def unmanaged():
        return spark.readStream.table("bronze.orders")
"""


class Landing:
    """Lands one file after another and knows what the tables must hold."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.records, self._random = bench, [], random.Random(3)  # noqa: S311
        bench.write(PIPELINE)

    def land(self) -> None:
        first = len(self.records)
        new = [
            {"id": first + n, "price": self._random.randrange(5), "day": f"d{n % 2}"}
            for n in range(self._random.randrange(2, 6))
        ]
        self.records += new
        self.bench.land(f"f{first:04d}.json", *new)

    def check(self) -> None:
        ids = [r["id"] for r in self.records]
        good = [r for r in self.records if r["price"] > 0]
        assert self.bench.column("bronze.orders", "id") == sorted(ids, key=repr)
        assert self.bench.column("silver.unmanaged", "id") == sorted(ids, key=repr)
        assert self.bench.column("silver.orders", "id") == sorted((r["id"] for r in good), key=repr)
        cheap = [r["id"] for r in self.records if r["price"] < 3]
        assert self.bench.column("silver.cheap", "id") == sorted(cheap, key=repr)
        days = {r["day"] for r in good}
        wanted = [
            {
                "day": d,
                "total": sum(r["price"] for r in good if r["day"] == d),
                "n": sum(r["day"] == d for r in good),
            }
            for d in days
        ]
        assert self.bench.rows("silver.totals") == sorted(wanted, key=repr)

    def files(self, name: str) -> int:
        return pa.table(self.bench.delta(name).get_add_actions()).num_rows


def test_many_small_files_are_compacted_and_downstream_sees_each_row_once(bench: Any) -> None:
    """Guards exactly-once behind a compacted table, for streams, appended and aggregated views; and how often it happens."""
    bench.configuration[MIN_FILES_KEY] = "4"
    landing = Landing(bench)
    seen: list[int] = []
    for _ in range(7):
        landing.land()
        bench.good()
        landing.check()
        seen.append(landing.files("bronze.orders"))
    assert seen == [1, 2, 3, 1, 2, 3, 1], "compacted at the fourth file, and then not before the next fourth"
    assert landing.files("silver.orders") < 7
    assert landing.files("silver.unmanaged") == 7, "pipelines.autoOptimize.managed = false is respected"
    told = [e["message"] for e in bench.events("maintenance_progress")]
    assert "Compacted table main.bronze.orders: 4 small files became 1." in told
    before = bench.versions()
    result = bench.good(verify=True)
    assert {d.refresh for d in result.datasets.values()} <= {"NONE", "NO_OP"}
    assert bench.versions() == before, "files without new rows are no reason to refresh"
    landing.land()
    assert bench.good().datasets["main.silver.cheap"].refresh == "APPEND_ONLY"
    landing.check()
    bench.configuration[MIN_FILES_KEY] = "many"
    result = bench.update()
    assert not result.ok
    assert MIN_FILES_KEY in (result.error or "")


def test_optimize_and_vacuum_by_sql_leave_the_pipeline_as_it_is(bench: Any) -> None:
    """Guards OPTIMIZE and VACUUM of a pipeline's tables through the SQL warehouse, and the updates after them."""
    landing = Landing(bench)
    for _ in range(3):
        landing.land()
        bench.good()
    session = Warehouse(bench.layout, bench.catalog, bench.engine_address).open_session("main", "silver")
    for table in ("bronze.orders", "silver.orders", "silver.cheap", "ops.event_log"):
        session.execute(f"OPTIMIZE main.{table}")
        session.execute(f"VACUUM main.{table}")
        assert session.execute(f"SELECT count(*) AS n FROM main.{table}").table().num_rows == 1
    session.close()
    assert landing.files("bronze.orders") == landing.files("silver.cheap") == 1
    before = bench.versions()
    result = bench.good()
    assert {d.refresh for d in result.datasets.values()} <= {"NONE", "NO_OP"}
    assert bench.versions() == before
    landing.land()
    bench.good()
    landing.check()


def test_a_stream_whose_files_are_gone_says_so(bench: Any) -> None:
    """Guards the message for a stream that comes too late: VACUUM has deleted files that it had not read."""
    landing = Landing(bench)
    landing.land()
    bench.good()
    landing.land()
    bench.good(refresh=["bronze.orders"])
    delta = bench.delta("bronze.orders")
    delta.optimize.compact()
    delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    result = bench.update()
    assert not result.ok
    assert "VACUUM" in (result.error or "")
    bench.good(full_refresh=["silver.orders", "silver.unmanaged"])
    landing.check()
