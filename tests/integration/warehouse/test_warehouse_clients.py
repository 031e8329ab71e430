"""Guards the server: who gets in, results larger than a reply, cancel, sessions beside each other, REST."""

from __future__ import annotations

import contextlib
import json
import stat
import threading
import time
from decimal import Decimal
from typing import Any

import psutil
import pytest
import requests
from databricks import sql
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import Disposition, StatementParameterListItem, StatementState


def _get(warehouse: Any, path: str, token: str | None) -> requests.Response:
    host = warehouse.environment["ORDERS_WAREHOUSE_HOST"]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(
        f"https://{host}{path}",
        headers=headers,
        verify=warehouse.environment["ORDERS_WAREHOUSE_CA"],
        timeout=10,
    )


def test_only_the_token_opens_the_door(warehouse: Any, client: Any) -> None:
    """Guards TLS, the token, file modes, loopback, and that neither token nor bound values are in the log."""
    token = warehouse.environment["ORDERS_WAREHOUSE_TOKEN"]
    with pytest.raises(sql.Error, match=r"SET spark.sql.shuffle.partitions"):
        warehouse.connect(session_configuration={"spark.sql.shuffle.partitions": "4"})
    with pytest.raises(sql.Error, match="NO_SUCH_CATALOG"):
        warehouse.connect(catalog="nowhere")
    with pytest.raises(sql.Error, match="Invalid access token"):
        warehouse.connect(token="dapi-wrong")
    for path in ("/api/2.0/sql/warehouses", "/anything"):
        assert _get(warehouse, path, None).status_code == 403
        assert _get(warehouse, path, token[:-1]).status_code == 403
    assert _get(warehouse, "/api/2.0/sql/warehouses", token).json()["warehouses"][0]["state"] == "RUNNING"
    assert _get(warehouse, "/api/2.1/jobs/list", token).status_code == 404
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://{warehouse.environment['ORDERS_WAREHOUSE_HOST']}/", timeout=10, verify=True)
    run = warehouse.home / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    for name in ("warehouse-key.pem", "warehouse-token", "warehouse-cert.pem", "warehouse-authority.pem"):
        assert stat.S_IMODE((run / name).stat().st_mode) == 0o600, name
    listening = [
        c.laddr.ip for c in psutil.Process(warehouse.process.pid).net_connections() if c.status == "LISTEN"
    ]
    assert set(listening) == {"127.0.0.1"}
    client.rows("SELECT :secret AS a", {"secret": "hunter-2"})
    for file in (warehouse.home / "logs").iterdir():
        text = file.read_text(errors="replace")
        assert token not in text, file
        assert "hunter-2" not in text, file


def test_long_results_stream_in_limited_memory(warehouse: Any, client: Any) -> None:
    """Guards a million wide rows over many replies: all of them, once, in order, without keeping them in the server."""
    server = psutil.Process(warehouse.process.pid)
    client.rows("SELECT 1 AS warm")
    before = server.memory_info().rss
    with client.connection.cursor(arraysize=50_000) as cursor:
        cursor.execute(
            "SELECT id, repeat('x', 150) AS filler, cast(id AS decimal(18,2)) AS d FROM range(1000000) ORDER BY id"
        )
        seen, peak = 0, before
        while (table := cursor.fetchmany_arrow(100_000)).num_rows:
            assert table.column("id")[0].as_py() == seen
            seen += table.num_rows
            peak = max(peak, server.memory_info().rss)
            if seen == 200_000:  # another session works while this result is half read
                with warehouse.connect() as other, other.cursor() as quick:
                    quick.execute("SELECT 1 AS a")
                    assert quick.fetchall()[0][0] == 1
    assert seen == 1_000_000
    assert (peak - before) / 2**20 < 110, "the server kept the result (about 180 MB) instead of passing it on"


def test_cancel_stops_a_statement(client: Any) -> None:
    """Guards that a canceled statement ends early with the right error, and leaves the session usable."""
    outcome: list[str] = []
    cursor = client.connection.cursor()

    def run() -> None:
        try:
            cursor.execute(
                "SELECT count(*) AS n FROM range(20000000000) WHERE sha2(cast(id AS string), 256) LIKE 'aaaa%'"
            )
            outcome.append("finished")
        except sql.Error as error:
            outcome.append(str(error))

    thread = threading.Thread(target=run)
    started = time.monotonic()
    thread.start()
    while cursor.active_command_id is None and time.monotonic() - started < 30:
        time.sleep(0.1)
    cursor.cancel()
    thread.join(60)
    assert not thread.is_alive()
    assert outcome
    assert outcome != ["finished"]
    assert client.rows("SELECT 1 AS a") == [(1,)]


def test_a_new_session_finds_nothing_of_the_one_before(warehouse: Any, client: Any) -> None:
    """Guards the reuse of engine sessions: no temporary view, schema or outdated columns reach the next client."""
    schema = client.rows("SELECT current_schema()")[0][0]
    for a, b in (("INT", 1), ("STRING", "x")):
        with warehouse.connect(schema=schema) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            assert cursor.fetchall()[0][0] == schema
            with pytest.raises(sql.Error, match="TABLE_OR_VIEW_NOT_FOUND"):
                cursor.execute("SELECT * FROM seen")
            cursor.execute(f"CREATE TABLE t (a {a})")
            cursor.execute(f"INSERT INTO t VALUES ({b!r})")
            cursor.execute("CREATE TEMPORARY VIEW seen AS SELECT a FROM t")
            cursor.execute("SELECT * FROM seen")
            assert [tuple(row) for row in cursor.fetchall()] == [(b,)]
        client.run("DROP TABLE t")


def test_a_session_that_ends_in_the_middle_of_a_statement_holds_nobody_up(
    warehouse: Any, client: Any
) -> None:
    """Guards that closing a busy session ends its statement, and that what comes next gets an engine session of its own."""
    connection = warehouse.connect()
    cursor = connection.cursor()

    def run() -> None:
        with contextlib.suppress(Exception):
            cursor.execute(
                "SELECT count(*) AS n FROM range(20000000000) WHERE sha2(cast(id AS string), 256) LIKE 'aaaa%'"
            )

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while cursor.active_command_id is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert cursor.active_command_id is not None
    warehouse.connect().close()
    connection.session.close()
    with warehouse.connect() as other, other.cursor() as cursor_of_other:
        cursor_of_other.execute("SELECT 1 AS a")
        assert [tuple(row) for row in cursor_of_other.fetchall()] == [(1,)]
    thread.join(60)
    assert not thread.is_alive()


def test_concurrent_writers_lose_nothing(warehouse: Any, client: Any) -> None:
    """Guards writers of one table: each waits for the other, every row is there once, every merge counts."""
    client.run("CREATE TABLE t (k INT, n INT)", "INSERT INTO t VALUES (0, 0)")
    schema = client.rows("SELECT current_schema()")[0][0]
    errors: list[str] = []

    def work(number: int) -> None:
        try:
            with warehouse.connect(schema=schema) as connection, connection.cursor() as cursor:
                for i in range(3):
                    cursor.execute(f"INSERT INTO t VALUES ({number * 10 + i + 1}, 1)")
                    cursor.execute(
                        "MERGE INTO t USING (SELECT 0 AS k) s ON t.k = s.k WHEN MATCHED THEN UPDATE SET n = t.n + 1"
                    )
        except sql.Error as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert client.rows("SELECT count(*) AS c, count(DISTINCT k) AS k, max(n) AS n FROM t") == [(13, 13, 12)]


def test_statement_execution_api(warehouse: Any, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the REST API through databricks-sdk: parameters, chunks, types as text, failures, limits."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", warehouse.environment["REQUESTS_CA_BUNDLE"])
    schema = client.rows("SELECT current_schema()")[0][0]
    client.run("CREATE TABLE t AS SELECT id, cast(id AS decimal(18,2)) AS price FROM range(12000)")
    workspace = WorkspaceClient(
        host=f"https://{warehouse.environment['ORDERS_WAREHOUSE_HOST']}",
        token=warehouse.environment["ORDERS_WAREHOUSE_TOKEN"],
        auth_type="pat",
    )
    api = workspace.statement_execution
    answer = api.execute_statement(
        "SELECT id, price, array(1, NULL) AS a, cast('2024-01-01' AS timestamp) AS t FROM t WHERE id < :n ORDER BY id",
        "local",
        catalog="ecommerce_local",
        schema=schema,
        parameters=[StatementParameterListItem(name="n", value="11000", type="INT")],
        disposition=Disposition.INLINE,
    )
    assert answer.status.state is StatementState.SUCCEEDED
    assert [c.type_text for c in answer.manifest.schema.columns] == [
        "BIGINT",
        "DECIMAL(18,2)",
        "ARRAY<INT>",
        "TIMESTAMP",
    ]
    assert answer.result.data_array[1] == ["1", "1.00", "[1,null]", "2024-01-01T00:00:00.000Z"]
    rows = list(answer.result.data_array)
    chunk = answer.result
    while chunk.next_chunk_index is not None:
        chunk = api.get_statement_result_chunk_n(answer.statement_id, chunk.next_chunk_index)
        rows += chunk.data_array
    assert [int(row[0]) for row in rows] == list(range(11000))
    failed = api.execute_statement("SELECT * FROM nothing", "local")
    assert failed.status.state is StatementState.FAILED
    assert "TABLE_OR_VIEW_NOT_FOUND" in failed.status.error.message
    limited = api.execute_statement("SELECT * FROM range(100)", "local", row_limit=7)
    assert (len(limited.result.data_array), limited.manifest.truncated) == (7, True)
    slow = api.execute_statement(
        "SELECT count(*) FROM range(20000000000) WHERE sha2(cast(id AS string), 256) LIKE 'aaaa%'",
        "local",
        wait_timeout="0s",
    )
    api.cancel_execution(slow.statement_id)
    for _ in range(600):
        state = api.get_statement(slow.statement_id).status.state
        if state not in (StatementState.PENDING, StatementState.RUNNING):
            break
        time.sleep(0.1)
    assert state is StatementState.CANCELED


def test_a_session_can_ask_for_its_result_later(client: Any) -> None:
    """Guards the asynchronous calls of the connector: handle first, result when it is wanted."""
    with client.connection.cursor() as cursor:
        cursor.execute_async("SELECT sum(id) AS s FROM range(1000)")
        cursor.get_async_execution_result()
        assert cursor.fetchall()[0][0] == 499500


def test_every_statement_is_in_the_log(warehouse: Any, client: Any) -> None:
    """Guards logs/statements.jsonl: outcome, duration, error and what was only recorded."""
    client.run("CREATE TABLE logged (a INT)", "ALTER TABLE logged SET TAGS ('x' = 'y')")
    client.error("SELECT * FROM not_logged_anywhere")
    entries = [
        json.loads(line) for line in (warehouse.home / "logs" / "statements.jsonl").read_text().splitlines()
    ]
    by_text = {entry["statement"]: entry for entry in entries}
    assert by_text["CREATE TABLE logged (a INT)"]["outcome"] == "ok"
    assert by_text["ALTER TABLE logged SET TAGS ('x' = 'y')"]["outcome"] == "recorded"
    failed = by_text["SELECT * FROM not_logged_anywhere"]
    assert (failed["outcome"], "42P01" in failed["error"], failed["seconds"] >= 0) == ("failed", True, True)


def test_what_sqlalchemy_and_jdbc_ask_is_answered(client: Any) -> None:
    """Guards the forms of databricks-sqlalchemy and JDBC: names of values in backticks, every column of GetColumns."""
    schema = client.rows("SELECT current_schema()")[0][0]
    client.run(
        "CREATE TABLE parents (id INT NOT NULL, s STRUCT<Name: STRING, `a b`: INT>, p DECIMAL(18,2),"
        " CONSTRAINT pk PRIMARY KEY (id), CONSTRAINT positive CHECK (id > 0))",
        "CREATE TABLE children (parent INT, CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parents (id))",
        "INSERT INTO parents VALUES (1, NULL, 1.5)",
        "CREATE TABLE light SHALLOW CLONE parents",
    )
    with client.connection.cursor() as cursor:
        cursor.execute("INSERT INTO children VALUES (1), (NULL)")
        assert [column[0] for column in cursor.description] == ["num_affected_rows", "num_inserted_rows"]
        assert tuple(cursor.fetchall()[0]) == (2, 2)
    assert "COLUMN_ALREADY_EXISTS" in client.error("INSERT INTO parents (id, ID) VALUES (2, 3)")
    for statement in (
        "UPDATE parents SET idd = 1",
        "UPDATE parents SET id = idd",
        "UPDATE parents SET id = 1 WHERE idd = 1",
        "DELETE FROM parents WHERE idd = 1",
        "INSERT INTO parents (idd) VALUES (1)",
        "COMMENT ON COLUMN parents.idd IS 'x'",
    ):
        said = client.error(statement)
        assert "[UNRESOLVED_COLUMN.WITH_SUGGESTION]" in said, statement
        assert "`idd` cannot be resolved. Did you mean one of the following? [`id`" in said, statement
    assert client.rows("SELECT p FROM parents WHERE id = :`id_1`", {"id_1": 1}) == [(Decimal("1.50"),)]
    with client.connection.cursor() as cursor:
        cursor.columns(catalog_name="ecommerce_local", schema_name=schema, table_name="parents")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert (len(names), names[0], names[-1]) == (23, "TABLE_CAT", "IS_AUTO_INCREMENT")
    assert (rows[2]["TYPE_NAME"], rows[2]["COLUMN_SIZE"], rows[2]["DECIMAL_DIGITS"]) == (
        "DECIMAL(18,2)",
        18,
        2,
    )
    assert "STRUCT<Name:STRING,`a b`:INT>" in client.rows("SHOW CREATE TABLE parents")[0][0]
    assert client.rows("SHOW TBLPROPERTIES parents") == [("delta.constraints.positive", "id > 0")]
    of_schema = f"table_schema = '{schema}'"
    kinds = f"SELECT table_type FROM information_schema.tables WHERE {of_schema} AND table_name = 'light'"
    assert client.rows(kinds) == [("MANAGED_SHALLOW_CLONE",)]
    assert client.rows("SELECT operation FROM (DESCRIBE HISTORY light)") == [("CLONE",)]
    assert "fk" in client.error("ALTER TABLE parents DROP PRIMARY KEY")
    client.run("ALTER TABLE parents DROP PRIMARY KEY CASCADE")
    keys = f"SELECT count(*) FROM information_schema.table_constraints WHERE {of_schema}"
    assert client.rows(f"{keys} AND constraint_type <> 'CHECK'") == [(0,)]
