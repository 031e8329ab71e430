"""Guards `orders check` and `orders reconcile` on a real workspace: figures, formats, exit codes, and Postgres gone."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from decimal import Decimal

import pytest

from dlt_ingest.configurations.loading import load_settings
from dlt_ingest.errors import InputError
from dlt_ingest.metrics.health.model import HealthLimits
from dlt_ingest.metrics.health.report import check_health
from dlt_ingest.metrics.postgres.errors import ExportSettingsError, ServerUnavailableError
from dlt_ingest.metrics.postgres.settings import PostgresSettings
from dlt_ingest.metrics.reconciliation.layers import reconcile
from dlt_ingest.metrics.reconciliation.metrics_database import metrics_answers
from local_workspace.dlt_runtime.landed_records import landed_files
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.layout import WorkspaceLayout

# Revenue of the CDNOW history, known from outside of this project.
CDNOW_REVENUE = Decimal("244091.94")
# A workspace with one update has no usual duration.
NOTHING_TO_JUDGE = {"update_duration"}


def test_check_finds_a_fresh_workspace_healthy(built_workspace):
    """Guards the morning's command: exit code 0, every question answered, Postgres included."""
    report = json.loads(built_workspace.run("check", "--format", "json").stdout)
    verdicts: dict[str, set[str]] = {}
    for check in report["checks"]:
        verdicts.setdefault(check["name"], set()).add(check["verdict"])
    assert report["healthy"]
    assert {name for name, found in verdicts.items() if found == {"not_applicable"}} <= NOTHING_TO_JUDGE | {
        "revenue_anomaly"
    }
    assert set(verdicts) == {
        "update_succeeded",
        "quality_rate",
        "rules_hold",
        "update_duration",
        "freshness",
        "dbt_build",
        "revenue_anomaly",
        "landing_backlog",
        "files_readable",
        "export_lag",
        "dead_letters",
    }
    rate = next(check for check in report["checks"] if check["name"] == "quality_rate")
    counted = built_workspace.sql(
        "select (select count(*) from silver.orders) as good, (select count(*) from bronze.orders) as all"
    )[0]
    assert rate["value"] == pytest.approx(counted["good"] / counted["all"], abs=1e-6)


def test_postgres_that_does_not_answer(gold, shell):
    """Guards the report when Postgres is down: one failed line with the way out, the marts are judged all the same."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = replace(PostgresSettings.from_environment(shell), port=closed.getsockname()[1])
        settings = load_settings("local")
        limits = HealthLimits(
            minimum_quality_rate=settings.QUALITY_RATE_MINIMUM,
            slow_update_factor=settings.SLOW_UPDATE_FACTOR,
            export_lag_minutes=settings.EXPORT_LAG_MINUTES,
            landing_backlog_files=settings.LANDING_BACKLOG_FILES,
        )
        report = check_health(gold.query, down, limits, environment="local", waiting_files=0)
    failed = [check for check in report.checks if check.verdict == "fail"]
    assert [check.name for check in failed] == ["postgres"]
    assert "does not answer" in failed[0].finding
    assert shell["POSTGRES_PASSWORD"] not in failed[0].finding
    assert {"quality_rate", "freshness", "dbt_build"} <= {
        check.name for check in report.checks if check.verdict == "ok"
    }


def test_reconcile_agrees_to_the_cent(built_workspace):
    """Guards the whole chain on real and generated orders: nothing lost, doubled or rounded from landing to Postgres."""
    outcome = json.loads(built_workspace.run("reconcile", "--format", "json").stdout)
    assert [c["law"] for c in outcome["comparisons"] if not c["holds"]] == []
    assert len(outcome["comparisons"]) == 10
    layers = {layer["name"]: layer for layer in outcome["layers"]}
    assert layers["landing"]["rows"] == 6919 + 2 * 100
    cdnow = built_workspace.sql(
        "select sum(net_revenue) as revenue from gold.fct_daily_revenue where date_ordered < '2000-01-01'"
    )
    assert Decimal(str(cdnow[0]["revenue"])) == CDNOW_REVENUE
    assert Decimal(layers["Postgres metrics.exp_business_metrics"]["value"]) > CDNOW_REVENUE


def test_reconcile_says_what_is_wrong_with_postgres(shell):
    """Guards three mistakes of a first day against a stack trace or a leaked password.

    Export not run, server not up, password wrong.
    """
    here = PostgresSettings.from_environment(shell)
    statement = "select 1 from metrics.exp_business_metrics"
    with pytest.raises(InputError, match="Nothing has been exported"):
        metrics_answers(replace(here, database="postgres"))(statement)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(ServerUnavailableError, match="could not be reached") as away:
            metrics_answers(replace(here, port=closed.getsockname()[1]))(statement)
    with pytest.raises(ExportSettingsError, match="refused the connection") as refused:
        metrics_answers(replace(here, password="hunter2wrong"))(statement)
    for told in (str(away.value), str(refused.value)):
        assert "The last layer was not compared" in told
        assert shell["POSTGRES_PASSWORD"] not in told
        assert "hunter2wrong" not in told


def test_reconcile_names_a_changed_row(built_workspace, gold):
    """Guards the statements on the warehouse's own engine: one cent more in one row of Silver is found and named."""
    order = gold.query(
        "select order_event_id, batch_id, date_ordered from ecommerce_local.silver.orders order by order_event_id limit 1"
    )[0]

    def spoiled(statement: str):
        changed = f"case when order_event_id = '{order['order_event_id']}' then order_value + 0.01 else order_value end"
        if "from silver.orders group by" in statement:
            statement = statement.replace("sum(order_value)", f"sum({changed})")
        return gold.query(statement)

    paths = Paths(WorkspaceLayout(built_workspace.home))
    folder = "/Volumes/ecommerce_local/bronze/files/orders/landing"
    outcome = reconcile(spoiled, None, lambda: landed_files(paths, folder))
    broken = [c for c in outcome.comparisons if not c.holds]
    assert [c.law for c in broken] == ["bronze = silver + quarantine, records and value of each file"]
    assert broken[0].first_difference.startswith(f"{order['batch_id']}.json")
    assert "more)" not in broken[0].first_difference
    assert built_workspace.run("reconcile").stdout.rstrip().endswith("Everything agrees.")
