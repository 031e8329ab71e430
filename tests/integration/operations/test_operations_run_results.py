"""Guards the record of dbt's own runs: one row per invocation and node, also when something failed, and no secret in it."""

from __future__ import annotations

import os
from typing import Any


def _recorded(operations: Any, invocation: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = operations.sql.query(
        f"select * from ops.dbt_run_results where invocation_id = '{invocation}'"
    )
    return rows


def _latest(operations: Any) -> str:
    found = operations.sql.query(
        "select max_by(invocation_id, invocation_started_at) as id from ops.dbt_run_results"
    )
    return str(found[0]["id"])


def test_one_row_per_node_of_the_first_build(first_build: Any) -> None:
    """Guards that the very first build is recorded whole: the table is made before it, by on-run-start."""
    rows = first_build.sql.query(
        "select node_id, node_status, row_count, run_id from gold.stg_dbt__run_results where run_id = 'first'"
    )
    assert sorted(row["node_id"] for row in rows) == sorted(first_build.statuses)
    assert {row["node_status"] for row in rows} == {"succeeded"}
    counted = {row["node_id"]: row["row_count"] for row in rows}
    assert counted["model.orders.fct_pipeline_runs"] == 3
    assert counted["model.orders.fct_freshness"] is None


def test_a_failed_test_is_recorded_and_doubles_nothing(second_build: Any) -> None:
    """Guards the record under failure, and that a statement which the client sends again leaves the same rows."""
    # An event of no update: it breaks the key of the source, and touches no mart.
    nobody = "struct<pipeline_id: string, pipeline_name: string, update_id: string, flow_name: string, dataset_name: string>"
    second_build.sql.execute(
        f"""
        insert into ops.event_log
        select
            'twice', sequence, cast(null as {nobody}), timestamp, message, level, maturity_level, error, details,
            'maintenance'
        from (select *, explode(array(1, 2)) as n from ops.event_log where id = 'u1-0')
        """
    )
    statuses = second_build.build(select="source:ops.event_log", command="test")
    assert "fail" in statuses.values()
    invocation = _latest(second_build)
    rows = _recorded(second_build, invocation)
    assert sorted(row["node_id"] for row in rows) == sorted(statuses)
    failed = next(row for row in rows if row["status"] == "fail")
    assert failed["failures"] == 1
    inserted = [statement for statement in second_build.statements if "insert into" in statement]
    assert inserted
    for statement in inserted:
        second_build.sql.execute(statement)
    assert len(_recorded(second_build, invocation)) == len(rows)
    runs = second_build.rows(
        "fct_dbt_runs", "command", "run_status", "tests_failed", where=f"invocation_id = '{invocation}'"
    )
    assert runs == [("test", "failed", 1)]


def test_messages_carry_no_secret(operations: Any) -> None:
    """Guards the message column: an error text that quotes a token, a password or a URI with one is scrubbed."""
    token = os.environ["DBT_ACCESS_TOKEN"]
    message = (
        f"refused {token}: postgresql://metrics:pa55word@db.example.com/metrics password=hunter2 "
        "Authorization: Bearer abc.def dapi0123456789abcdef token: t0k3n it's a \\ backslash"
    )
    quoted = message.replace("\\", "\\\\").replace("'", "\\'")
    result = operations.dbt("compile", "--inline", "{{ _scrubbed('" + quoted + "') }}")
    scrubbed = result.result.results[0].node.compiled_code
    for secret in (token, "pa55word", "hunter2", "abc.def", "dapi0123456789abcdef", "t0k3n"):
        assert secret not in scrubbed
    assert "db.example.com/metrics" in scrubbed
    assert "it's a \\ backslash" in scrubbed


def test_an_empty_build_is_not_recorded(first_build: Any) -> None:
    """Guards history and freshness against `--empty`, which builds tables without rows to prove the code."""
    before = first_build.sql.query("select count(*) as n from ops.dbt_run_results")
    assert not first_build.failures(first_build.build("--empty", select="fct_run_costs", command="run"))
    assert first_build.sql.query("select count(*) as n from ops.dbt_run_results") == before
