"""Guards what outlives the process: everything in the catalog and the tables, nothing half done by a killed statement."""

from __future__ import annotations

import os
import queue
import random
import signal
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from databricks import sql
from deltalake import DeltaTable, write_deltalake
from urllib3.exceptions import HTTPError

from local_workspace.catalog import Catalog, TableName
from local_workspace.engine import SailEngine
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.warehouse import Warehouse

from .conftest import RunningWarehouse, client_of


def test_restart_and_other_processes(tmp_path: Path) -> None:
    """Guards a second process: same token, views, tables, keys, tags; and tables landed by others, at once."""
    running = RunningWarehouse(tmp_path).start()
    token = running.environment["ORDERS_WAREHOUSE_TOKEN"]
    with client_of(running, schema="gold") as client:
        client.run(
            "CREATE TABLE t (id INT NOT NULL COMMENT 'key', CONSTRAINT pk PRIMARY KEY (id)) COMMENT 'kept'",
            "INSERT INTO t VALUES (1)",
            "CREATE VIEW v AS SELECT id + 1 AS next FROM t",
            "ALTER TABLE t SET TAGS ('a' = 'b')",
        )
        assert "TABLE_OR_VIEW_NOT_FOUND" in client.error("SELECT * FROM silver.landed")
        layout = WorkspaceLayout(tmp_path)
        location = layout.table_path("ecommerce_local", "silver", "landed")
        write_deltalake(location, pa.table({"x": [1, 2]}))
        catalog = Catalog.open(layout)
        catalog.put_table(
            TableName("ecommerce_local", "silver", "landed"), kind="STREAMING_TABLE", location=location
        )
        assert client.rows("SELECT sum(x) AS s FROM silver.landed") == [(3,)]
        write_deltalake(location, pa.table({"x": [4], "y": ["new"]}), mode="append", schema_mode="merge")
        assert client.rows("SELECT count(y) AS n, sum(x) AS s FROM silver.landed") == [(1, 7)]
        assert "STREAMING_TABLE" in client.error("CREATE OR REPLACE TABLE silver.landed AS SELECT 1 AS a")
        catalog.close()
    assert running.stop() == 0
    running = RunningWarehouse(tmp_path).start()
    try:
        assert running.environment["ORDERS_WAREHOUSE_TOKEN"] == token
        with client_of(running) as client:
            assert client.rows("SELECT next FROM v") == [(2,)]
            assert client.rows("DESCRIBE TABLE t") == [("id", "int", "key")]
            assert client.rows("SELECT tag_value FROM information_schema.table_tags") == [("b",)]
            assert client.rows("SELECT constraint_name FROM information_schema.table_constraints") == [
                ("pk",)
            ]
    finally:
        assert running.stop() == 0


def test_a_session_outlives_its_engine(tmp_path: Path) -> None:
    """Guards a killed engine: a clear error at once, and with another engine the same session goes on, views and all."""
    layout = WorkspaceLayout(tmp_path).create()
    catalog = Catalog.open(layout)
    catalog.create_catalog("c")
    catalog.create_schema("c", "s")
    with SailEngine.start(layout) as engine:
        warehouse = Warehouse(layout, catalog, engine.address)
        session = warehouse.open_session("c", "s")
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
        session.execute("CREATE TEMPORARY VIEW v AS SELECT a + 1 AS b FROM t")
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(SqlError, match="engine"):
            session.execute("INSERT INTO t SELECT 2")
    with SailEngine.start(layout) as engine:
        warehouse.engine_address = engine.address
        session.execute("INSERT INTO t SELECT 3")
        assert sorted(r["b"] for r in session.execute("SELECT b FROM v").table().to_pylist()) == [2, 4]
        session.close()
    catalog.close()


def test_kill_leaves_whole_tables(tmp_path: Path) -> None:
    """Guards kill -9 at random moments of CREATE OR REPLACE, INSERT OVERWRITE and MERGE.

    The table has at every moment the rows of exactly one statement: a replacement writes rows that all carry one number.
    """
    chance = random.Random(7)  # noqa: S311  (moments, not secrets)
    layout = WorkspaceLayout(tmp_path)
    location = layout.table_path("ecommerce_local", "gold", "t")
    running = RunningWarehouse(tmp_path).start()
    with client_of(running) as client:
        client.run("CREATE TABLE t AS SELECT id, 0 AS n FROM range(20000)")
    number = 0
    for _ in range(2):
        stopped = threading.Event()
        rounds: queue.SimpleQueue[float] = queue.SimpleQueue()

        def work(
            server: RunningWarehouse = running,
            stop: threading.Event = stopped,
            done: queue.SimpleQueue[float] = rounds,
        ) -> None:
            nonlocal number
            try:
                with client_of(server) as client:
                    while not stop.is_set():
                        number += 1
                        began = time.monotonic()
                        client.run(
                            f"CREATE OR REPLACE TABLE t AS SELECT id, {number} AS n FROM range(20000)",
                            f"INSERT OVERWRITE t SELECT id, {number} FROM range(20000)",
                            "MERGE INTO t USING (SELECT id AS k FROM range(20000)) s ON t.id = s.k "
                            f"WHEN MATCHED THEN UPDATE SET n = {number}",
                        )
                        done.put(time.monotonic() - began)
            except (sql.Error, OSError, HTTPError):
                return  # the server was killed under the statement, or before the session was closed

        thread = threading.Thread(target=work)
        thread.start()
        # A moment of the next round, however long a round takes on this machine.
        time.sleep(rounds.get(timeout=120) * chance.random())
        running.kill()
        stopped.set()
        thread.join(60)
        whole = DeltaTable(location).to_pyarrow_table()
        assert whole.num_rows == 20000, "rows were lost or doubled"
        assert len(set(whole.column("n").to_pylist())) == 1, "rows of two statements"
        running = RunningWarehouse(tmp_path).start()
        with client_of(running) as client:
            assert client.rows("SELECT count(*) AS c, count(DISTINCT n) AS n FROM t") == [(20000, 1)]
            client.run("INSERT INTO t SELECT -1, max(n) FROM t", "DELETE FROM t WHERE id = -1")
    assert running.stop() == 0
    assert not (location / "_staging").exists()
