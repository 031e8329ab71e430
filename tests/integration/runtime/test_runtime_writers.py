"""Guards that updates and SQL statements of different processes write a table one after the other."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3]
PIPELINE = """
    @dlt.table(name="bronze.orders")
    def orders():
        return (
            spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
            .option("cloudFiles.inferColumnTypes", "true").option("cloudFiles.maxFilesPerTrigger", "1")
            .load(spark.conf.get("bench.landing"))
        )
"""
_HOLD = """
import sys
from pathlib import Path
from local_workspace.catalog import TableName
from local_workspace.layout import WorkspaceLayout
from local_workspace.delta.table_lock import table_lock
with table_lock(WorkspaceLayout(Path(sys.argv[1])), TableName("main", "bronze", "orders")):
    print("held", flush=True)
    sys.stdin.readline()
"""
_INSERT = """
import sys
from pathlib import Path
from local_workspace.catalog import Catalog
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.warehouse import Warehouse
layout = WorkspaceLayout(Path(sys.argv[1]))
session = Warehouse(layout, Catalog.open(layout), sys.argv[2]).open_session("main", "bronze")
session.execute("SELECT 1").table()
print("ready", flush=True)
sys.stdin.readline()
for number in range(4):
    session.execute(f"INSERT INTO orders (id) VALUES ({1000 + number})")
    session.execute("DELETE FROM orders WHERE id = 1000 AND id IS NULL")
    session.execute("OPTIMIZE orders")
session.close()
"""


def process(text: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def first_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def test_an_update_waits_for_another_process_that_writes_its_table(bench: Any) -> None:
    """Guards the lock from the runtime's side: no commit while another process holds the table, the update goes on after."""
    bench.write(PIPELINE)
    bench.land("a.json", {"id": 1})
    bench.good()
    bench.land("b.json", {"id": 2})
    with process(_HOLD, str(bench.layout.home)) as holder:
        assert first_line(holder) == "held"
        results: list[Any] = []
        update = threading.Thread(target=lambda: results.append(bench.update()))
        update.start()
        staged = bench.layout.pipelines / "bench" / "stage" / "batch-2" / "out"
        for _ in range(400):
            if staged.exists() or not update.is_alive():
                break
            time.sleep(0.05)
        time.sleep(0.3)
        assert update.is_alive()
        assert bench.column("bronze.orders", "id") == [1]
        holder.communicate("\n", timeout=30)
        update.join(60)
    assert results[0].ok, results[0].error
    assert bench.column("bronze.orders", "id") == [1, 2]


@pytest.mark.timeout(120)
def test_statements_and_updates_at_the_same_time_lose_and_double_nothing(bench: Any) -> None:
    """Guards INSERT, DELETE and OPTIMIZE of one process beside the batches of another on the same table."""
    bench.write(PIPELINE)
    bench.land("a.json", {"id": 0})
    bench.good()
    with process(_INSERT, str(bench.layout.home), bench.engine_address) as writer:
        assert first_line(writer) == "ready"
        for number in range(1, 9):
            bench.land(f"b{number:02d}.json", {"id": number})
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
        bench.good()
        _out, errors = writer.communicate(timeout=90)
        assert writer.returncode == 0, errors[-2000:]
    wanted = [*range(9), *range(1000, 1004)]
    assert sorted(bench.column("bronze.orders", "id")) == wanted
