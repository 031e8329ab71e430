"""`kill -9` at every numbered point of an update, and an engine that dies: the next update ends at the same tables."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from local_workspace.crash_points import CRASH_POINTS
from local_workspace.dlt_runtime.lock import pipeline_lock
from local_workspace.engine import SailEngine
from local_workspace.errors import EngineError, WorkspaceBusy
from local_workspace.layout import WorkspaceLayout

PIPELINE = """
    @dlt.table(name="bronze.orders")
    def orders():
        return (
            spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
            .option("cloudFiles.inferColumnTypes", "true").option("cloudFiles.maxFilesPerTrigger", "2")
            .load(spark.conf.get("bench.landing")).withColumn("source_file", F.col("_metadata.file_name"))
        )

    @dlt.table(name="silver.orders", partition_cols=["day"])
    @dlt.expect_or_drop("positive", "price > 0")
    def silver():
        return spark.readStream.table("bronze.orders")

    @dlt.table(name="silver.sevens")
    def sevens():
        return spark.readStream.table("bronze.orders").select((F.col("id") % 7).alias("k")).dropDuplicates(["k"])

    @dlt.table(name="silver.totals")
    def totals():
        return spark.read.table("silver.orders").groupBy("day").agg(F.sum("price").alias("total"), F.count("*").alias("n"))
"""


def first_landing(bench: Any) -> None:
    bench.write(PIPELINE)
    for file in range(3):
        bench.land(
            f"a{file}.json", *({"id": file * 10 + n, "price": n, "day": f"d{n % 2}"} for n in range(5))
        )


def second_landing(bench: Any) -> None:
    # A new column, so that the tables have to be widened too.
    for file in range(3):
        bench.land(
            f"b{file}.json",
            *({"id": 100 + file * 10 + n, "price": n, "day": f"d{n % 3}", "coupon": n} for n in range(4)),
        )


def content(bench: Any) -> dict[str, list[dict[str, Any]]]:
    return {
        name: bench.rows(name)
        for name in ("bronze.orders", "silver.orders", "silver.sevens", "silver.totals")
    }


def assert_log_tells_each_row_once(bench: Any) -> None:
    events = bench.events()
    assert [i for i, n in Counter(e["id"] for e in events).items() if n > 1] == []
    for dataset in ("main.bronze.orders", "main.silver.orders"):
        told = sum(
            e["details"]["flow_progress"]["metrics"]["num_output_rows"]
            for e in events
            if e["event_type"] == "flow_progress" and e["origin"]["dataset_name"] == dataset
            and "metrics" in e["details"]["flow_progress"]
        )  # fmt: skip
        assert told == len(bench.rows(dataset)), f"the event log tells of {told} rows of {dataset}"
    states = {}
    for event in bench.events("update_progress"):
        states[event["origin"]["update_id"]] = event["details"]["update_progress"]["state"]
    assert set(states.values()) <= {"COMPLETED", "FAILED"}, "every update has an end"


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory, fault_engine: Any) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold when nothing goes wrong."""
    import runtime_bench

    bench = runtime_bench.make_bench(tmp_path_factory.mktemp("expected"), fault_engine.address)
    first_landing(bench)
    bench.good()
    second_landing(bench)
    bench.good()
    return content(bench)


FIRST_UPDATE_ONLY = {"table_created"}
FULL_REFRESH = {"reset_planned", "reset_committed", "reset_recorded"}
#: The n-th time a point is reached: in the first batch of the first table, and in a later one.
PLACES = [
    f"{point}:{n}"
    for point in CRASH_POINTS
    for n in ((1, 3) if point in {"batch_prepared", "data_committed", "batch_recorded"} else (1,))
]


@pytest.mark.parametrize("place", PLACES)
def test_an_update_killed_anywhere_is_repaired_by_the_next(
    place: str, bench: Any, update_processes: Any, expected: dict[str, list[dict[str, Any]]]
) -> None:
    """Guards against lost and doubled rows, and lost and doubled events, at every point of an update."""
    point = place.split(":", maxsplit=1)[0]
    first_landing(bench)
    if point in FIRST_UPDATE_ONLY:
        assert update_processes.run(bench, crash_at=place) == -signal.SIGKILL, f"{place} was not reached"
        second_landing(bench)
    else:
        assert update_processes.run(bench) == 0
        second_landing(bench)
        bench.write(PIPELINE.replace('name="silver.totals"', 'name="silver.totals", comment="changed"'))
        options = {"full_refresh": True} if point in FULL_REFRESH else {}
        assert update_processes.run(bench, crash_at=place, **options) == -signal.SIGKILL, (
            f"{place} was not reached"
        )
    if point in FULL_REFRESH:
        assert update_processes.run(bench, full_refresh=True) == 0
    assert update_processes.run(bench) == 0
    assert content(bench) == expected
    if point not in FULL_REFRESH:
        assert_log_tells_each_row_once(bench)
    before = bench.versions()
    assert update_processes.run(bench) == 0
    assert bench.versions() == before, "once repaired, nothing is left to do"
    stage = bench.layout.pipelines / "bench" / "stage"
    assert not stage.exists()


def test_an_update_killed_at_any_moment_is_repaired_too(
    bench: Any, update_processes: Any, expected: dict[str, list[dict[str, Any]]]
) -> None:
    """Guards what lies between the numbered points: ten updates in a row are killed at moments nobody chose."""
    rng = random.Random(11)  # noqa: S311
    first_landing(bench)
    for kill in range(10):
        update_processes.run(bench, kill_after=rng.uniform(0.02, 1.2))
        if kill == 4:
            second_landing(bench)
    assert update_processes.run(bench) == 0
    assert content(bench) == expected
    assert_log_tells_each_row_once(bench)


def test_a_dead_engine_fails_the_update_and_the_next_one_goes_on(tmp_path: Path, bench: Any) -> None:
    """Guards the error of a user whose engine dies: FAILED, by name, nothing half done, and a rerun repairs it."""
    first_landing(bench)
    with SailEngine.start(WorkspaceLayout(tmp_path / "engine")) as doomed:
        address, bench.engine_address = bench.engine_address, doomed.address

        def kill_before_silver(event: dict[str, Any]) -> None:
            if "silver.orders" in event["message"] and "STARTING" in event["message"]:
                os.kill(doomed.pid, signal.SIGKILL)
                doomed.stop()

        result = bench.update(on_event=kill_before_silver)
    assert result.state == "FAILED"
    assert isinstance(result.exception, EngineError), repr(result.exception)
    bench.engine_address = address
    assert [e["details"]["update_progress"]["state"] for e in bench.events("update_progress")][-1] == "FAILED"
    bench.good()
    assert len(bench.rows("bronze.orders")) == 15
    assert len(bench.rows("silver.orders")) == 12
    assert_log_tells_each_row_once(bench)


def test_a_second_update_waits_or_refuses(bench: Any) -> None:
    """Guards against two updates of one pipeline at a time."""
    first_landing(bench)
    lock = bench.layout.pipelines / "bench" / "lock"
    with pipeline_lock(lock, "bench", 0), pytest.raises(WorkspaceBusy, match=str(os.getpid())):
        bench.update()
    release = threading.Event()

    def hold() -> None:
        with pipeline_lock(lock, "bench", 5):
            holding.set()
            release.wait(60)

    holding = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(60)
    threading.Timer(0.3, release.set).start()
    assert bench.update(wait_seconds=10).ok
    thread.join(60)


def test_a_lost_bookkeeping_is_noticed(bench: Any) -> None:
    """Guards against doubled rows after the pipeline's folder was deleted: the update refuses and names the way out."""
    first_landing(bench)
    bench.good()
    for path in (bench.layout.pipelines / "bench").glob("state.sqlite*"):
        path.unlink()
    result = bench.update()
    assert not result.ok
    assert "bookkeeping" in (result.error or "")
    assert len(bench.rows("bronze.orders")) == 15
    bench.good(full_refresh=True)
    assert len(bench.rows("bronze.orders")) == 15
