"""Guards what an operator finds in Postgres after a run: all that is measured, joined by one run, as the marts have it."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_ingest.metrics.health.report import metrics_query
from dlt_ingest.metrics.postgres.settings import PostgresSettings

# The history lands as one file a month.
MONTHS = 18


@pytest.fixture(scope="module")
def postgres(shell):
    """Asks the metrics database."""
    settings = PostgresSettings.from_environment(shell)
    return lambda statement: metrics_query(settings, statement)


def one(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = rows
    return row


def test_one_run_reads_from_the_update_down_to_the_export(postgres, gold):
    """Guards the id that joins job, update, dbt invocation and export, on both sides."""
    joined = one(
        postgres(
            "select u.run_id, u.update_id, d.invocation_id, d.run_status, d.nodes, d.tests_passed, d.tests_failed"
            " from metrics.pipeline_updates u join metrics.dbt_runs d using (run_id)"
        )
    )
    nodes = one(
        gold.query(
            "select max(run_id) as run_id, count(*) as nodes, "
            "count_if(resource_type = 'test' and node_status = 'succeeded') as tests_passed "
            f"from fct_dbt_nodes where invocation_id = '{joined['invocation_id']}'"
        )
    )
    assert (joined["run_status"], joined["tests_failed"]) == ("succeeded", 0)
    assert {name: joined[name] for name in nodes} == nodes
    exports = gold.query("select model_name, run_id, outcome, open_dead_letters from fct_export_deliveries")
    assert {(row["run_id"], row["outcome"], row["open_dead_letters"]) for row in exports} == {
        (joined["run_id"], "delivered", 0)
    }
    assert {row["model_name"] for row in exports} == {
        row["target"]
        for row in postgres(f"select target from metrics.export_health where run_id = '{joined['run_id']}'")
    }


def test_each_dataset_of_an_update_is_measured(postgres):
    """Guards the figures per update and table: files, bytes, rows, quality, durations, backlog, kind of refresh."""
    rows = {row["dataset"]: row for row in postgres("select * from metrics.dataset_updates")}
    bronze, silver = rows["bronze.orders"], rows["silver.orders"]
    assert (bronze["files_read"], bronze["backlog_files"], bronze["refresh_kind"]) == (
        MONTHS + 2,
        0,
        "incremental",
    )
    assert bronze["bytes_read"] > 0
    assert bronze["rows_written"] == silver["rows_in"] == 6919 + 2 * 100
    assert silver["rows_in"] == silver["rows_written"] + silver["rows_dropped"]
    assert 0 < silver["quality_rate"] < 1
    assert rows["silver.customers"]["refresh_kind"] == "complete_recompute"
    for row in rows.values():
        assert row["succeeded"], row["dataset"]
        assert row["duration_seconds"] > 0, row["dataset"]
        assert row["rows_per_second"] > 0, row["dataset"]
    failed = postgres(
        "select rule_name, checked_records, failed_records, pass_rate from metrics.rule_updates"
    )
    assert {row["checked_records"] for row in failed} == {silver["rows_in"]}
    assert sum(row["failed_records"] for row in failed) >= silver["rows_dropped"]


def test_models_and_tests_are_measured(postgres, gold):
    """Guards status, duration and rows by model and test: none is missing, and built tables have their rows."""
    exported = {
        row["node_id"]: row
        for row in postgres(
            "select node_id, node_status, row_count, failures, execution_seconds from metrics.exp_dbt_metrics"
        )
    }
    recorded = gold.query(
        "select node_id, node_status, row_count, failures, execution_seconds from fct_dbt_nodes"
    )
    assert exported == {row["node_id"]: row for row in recorded}
    orders = one(gold.query("select count(*) as orders from fct_orders"))["orders"]
    assert exported["model.orders.fct_orders"]["row_count"] == orders
    assert {row["failures"] for name, row in exported.items() if name.startswith("test.")} == {0}


def test_freshness_is_that_of_the_mart(postgres, gold):
    """Guards the ages that operators of Postgres see: the same datasets, promises and moments as in the lakehouse."""
    columns = "dataset, produced_by, measured_by, freshness_status, last_loaded_at, last_refreshed_at"
    exported = postgres(
        f"select {columns}, sla_seconds / 60 as sla_minutes from metrics.freshness order by 1"
    )
    marts = gold.query(f"select {columns}, sla_minutes from fct_freshness order by 1")
    assert len(marts) > 15
    assert [{**row, **_naive(row)} for row in exported] == [{**row, **_naive(row)} for row in marts]


def _naive(row: dict[str, Any]) -> dict[str, Any]:
    """The moments without a zone: Postgres says UTC, the warehouse means it."""
    return {
        name: row[name] and row[name].replace(tzinfo=None) for name in ("last_loaded_at", "last_refreshed_at")
    }
