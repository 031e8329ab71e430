"""The engine in its child process: settings, isolation, and what a user sees when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from local_workspace.engine import EngineHandle, EngineSettings, SailEngine, connect
from local_workspace.errors import EngineError, InputError
from local_workspace.layout import WorkspaceLayout
from local_workspace.ports import free_port


def test_a_session_is_utc_ansi_and_knows_the_catalogs(engine: EngineHandle, tmp_path: Path) -> None:
    """Guards the settings that models rely on, three-level names in each catalog, and functions of the Connect API."""
    from pyspark.sql import functions

    spark = connect(engine.address, {"spark.sql.shuffle.partitions": "3"})
    row = spark.sql(
        "SELECT current_catalog() c, current_timezone() z, CAST('2024-01-01' AS TIMESTAMP) t"
    ).collect()[0]
    assert (row["c"], row["z"]) == ("shop", "UTC")
    assert spark.conf.get("spark.sql.shuffle.partitions") == "3"
    spark.sql(f"CREATE SCHEMA shop_prod.s LOCATION '{tmp_path / 's'}'")
    spark.range(3).select(functions.col("id") * 2).write.format("delta").saveAsTable("shop_prod.s.t")
    assert spark.table("shop_prod.s.t").count() == 3
    with pytest.raises(Exception, match="Cannot cast"):
        spark.sql("SELECT CAST('x' AS INT)").collect()
    other = connect(engine.address)
    assert [row[0] for row in other.sql("SHOW DATABASES IN shop_prod").collect()] == ["default"]
    # A deep plan: with the default stack the whole process dies of it.
    deep = " UNION ALL ".join(f"SELECT {number} AS n" for number in range(300))
    assert spark.sql(f"SELECT count(*) FROM ({deep})").collect()[0][0] == 300
    other.stop()
    spark.stop()


def test_a_proxy_is_not_asked(engine: EngineHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards laptops in companies: a proxy in the environment is not used for the server on this machine."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    spark = connect(engine.address)
    assert spark.range(2).count() == 2
    spark.stop()


def test_no_server_is_an_error_at_once(engine: EngineHandle) -> None:
    """Guards that a wrong or dead address is told in one sentence instead of minutes of silent retries."""
    began = time.monotonic()
    with pytest.raises(EngineError, match="gone") as caught:
        connect(f"sc://127.0.0.1:{free_port()}", log_file=engine.log_file)
    assert str(engine.log_file) in str(caught.value)
    assert time.monotonic() - began < 60, "the client went on retrying"
    for bad in ("127.0.0.1:1", "sc://host", "sc://host:port"):
        with pytest.raises(InputError, match="Spark Connect address"):
            connect(bad)


def test_death_in_mid_statement_is_an_engine_error(layout: WorkspaceLayout) -> None:
    """Guards that a statement whose engine is killed ends with the engine's error, and so does every later one."""
    with SailEngine.start(layout) as handle:
        spark = connect(handle.address, log_file=handle.log_file)
        spark.range(1).count()
        threading.Timer(0.5, os.kill, (handle.pid, signal.SIGKILL)).start()
        with pytest.raises(EngineError, match=r"sail\.log"):
            spark.sql(
                "SELECT count(*) FROM range(300000) a JOIN range(300000) b ON a.id % 7 = b.id % 7"
            ).collect()
        with pytest.raises(EngineError, match="gone"):
            spark.range(1).count()
        assert (handle.alive(), handle.how_it_ended()) == (False, "killed by SIGKILL")


def test_a_new_session_takes_over_from_a_dead_engine(layout: WorkspaceLayout) -> None:
    """Guards a process that goes on after its engine died: no call of the new session goes to the dead one."""
    from pyspark.sql import SparkSession

    with SailEngine.start(layout) as first:
        dead = connect(first.address)
        connect(first.address)
        assert dead.range(2).count() == 2
    with SailEngine.start(layout) as second:
        spark = connect(second.address)
        spark.sql(f"CREATE SCHEMA s LOCATION '{layout.warehouse / 's'}'")
        spark.range(3).write.format("delta").saveAsTable("s.t")
        assert spark.table("s.t").count() == 3
        # Not `is spark`: another test of this process may hold a session on an engine of its own that lives.
        assert SparkSession.getActiveSession() is not dead
        with pytest.raises(EngineError, match="gone"):
            dead.range(2).count()


def test_a_start_that_fails_says_where_to_look(layout: WorkspaceLayout) -> None:
    """Guards the error of an engine that cannot start: exit, log file, next step, and no process left."""
    with pytest.raises(EngineError, match="did not start") as caught:
        SailEngine.start(layout, EngineSettings(extra={"SAIL_CATALOG__LIST": "no list"}))
    assert "sail.log" in str(caught.value)
    with pytest.raises(InputError):
        EngineSettings(("system",))
    with pytest.raises(InputError, match="default catalog"):
        EngineSettings(("a",), "b")


@pytest.mark.parametrize("in_thread", [False, True])
def test_the_engine_dies_with_its_parent(layout: WorkspaceLayout, in_thread: bool) -> None:
    """Guards against orphans: `kill -9` of the starter ends the engine, by the kernel's signal and by the closed pipe."""
    code = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from local_workspace.engine import SailEngine\n"
        "from local_workspace.layout import WorkspaceLayout\n"
        "def start():\n"
        "    global handle\n"
        "    handle = SailEngine.start(WorkspaceLayout(Path(sys.argv[1])))\n"
        "    print(handle.pid, flush=True)\n"
        "if sys.argv[2] == 'True':\n"
        "    thread = threading.Thread(target=start); thread.start(); thread.join()\n"
        "else:\n"
        "    start()\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(layout.home), str(in_thread)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs([child], timeout=60)
    assert not alive
