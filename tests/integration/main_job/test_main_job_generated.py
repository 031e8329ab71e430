"""The main job as its user sees it: an empty folder, `orders generate`, `orders run`, and every layer agrees.

The first run is that of the built workspace; the others follow it on a copy, in the order of the file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from local_workspace.catalog import Catalog
from local_workspace.contents import table_positions
from local_workspace.layout import WorkspaceLayout

TABLES = (
    "bronze.orders",
    "silver.orders",
    "silver.orders_quarantine",
    "silver.customers",
    "gold.fct_order_events",
    "gold.fct_orders",
    "gold.fct_daily_revenue",
    "gold.dim_customers",
)
# They tell of each run.
OF_RUNS = re.compile(
    r"(int_operations__|fct_(dataset_runs|pipeline_runs|lineage|quality_rules|run_costs)|exp_pipeline).*"
    # Load numbers and moments of the build itself.
    r"|int_marts__progressed"
)
EXPORTED = (
    "exp_business_metrics",
    "exp_kpi_metrics",
    "exp_pipeline_metrics",
    "exp_dbt_metrics",
    "exp_freshness_metrics",
)


def row_counts(orders: Any) -> dict[str, int]:
    statement = " union all ".join(f"select '{t}' as name, count(*) as n from {t}" for t in TABLES)
    return {row["name"]: row["n"] for row in orders.sql(statement)}


def marts(orders: Any) -> dict[str, pa.Table]:
    """The rows of each stored mart that tells of orders, from its files."""
    gold = Path(orders.home) / "warehouse/ecommerce_local/gold"
    return {
        path.name: DeltaTable(path).to_pyarrow_table()
        for path in sorted(gold.iterdir())
        if (path / "_delta_log").is_dir() and not OF_RUNS.fullmatch(path.name)
    }


def differing_rows(before: pa.Table, after: pa.Table) -> int:  # the query names them
    """How many rows are in one table and not, or less often, in the other."""
    return len(
        duckdb.sql(
            "(from before except all from after) union all (from after except all from before)"
        ).fetchall()
    )


def manifests(orders: Any) -> list[dict[str, Any]]:
    return [
        json.loads(p.read_text())
        for p in sorted(Path(orders.home).glob("Volumes/*/*/*/orders/generator/**/*.json"))
        if "failed_rules" in p.read_text()
    ]


def business_metrics(orders: Any) -> list[tuple[Any, ...]]:
    uri = orders.run("postgres", "uri").stdout.strip()
    with psycopg2.connect(uri) as link, link.cursor() as cursor:
        cursor.execute(
            "select metric_date, metric_name, metric_value, _exported_at "
            "from metrics.exp_business_metrics order by 1, 2"
        )
        return cursor.fetchall()


def exported_rows(orders: Any) -> dict[str, set[tuple[str, str]]]:
    """Each exported row as a text with the moment of its last change, and the run that changed it, by table."""
    uri = orders.run("postgres", "uri").stdout.strip()
    found = {}
    with psycopg2.connect(uri) as link, link.cursor() as cursor:
        for table in EXPORTED:
            cursor.execute(f"select t::text, t._run_id from metrics.{table} as t")
            found[table] = set(cursor.fetchall())
    return found


@pytest.fixture(scope="module")
def main_job(
    copy_built_workspace: Callable[[Path], None],
    built_workspace: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A copy of the workspace that the first run has built; the runs of this module follow it."""
    home = tmp_path_factory.mktemp("main_job") / "workspace"
    copy_built_workspace(home)
    orders = replace(built_workspace, home=home)
    orders.run("up")
    yield orders
    orders.run("down", check=False)


def test_first_run_builds_every_layer(built_workspace: Any, printed_by_the_build: str) -> None:
    """Guards the promise of the README: from nothing to checked marts and metrics by two commands."""
    counts = row_counts(built_workspace)
    assert counts["bronze.orders"] == 6919 + 2 * 100
    assert counts["bronze.orders"] == counts["silver.orders"] + counts["silver.orders_quarantine"]
    assert counts["gold.fct_orders"] > 0
    assert business_metrics(built_workspace)
    assert "records keep every rule" in printed_by_the_build
    assert "In Postgres" in printed_by_the_build


def test_quarantine_per_rule_is_what_was_planted(built_workspace: Any) -> None:
    """Guards the rules against catching too much or too little: the manifest knows each planted fault."""
    orders = built_workspace
    planted = Counter()
    for manifest in manifests(orders):
        planted.update(manifest["failed_rules"])
    assert planted
    # Dirt of the CDNOW history itself.
    planted["price_positive"] += 8
    found = orders.sql(
        "select rule_name, count(*) as n "
        "from (select explode(failed_rules) as rule_name from silver.orders_quarantine) as r group by rule_name"
    )
    assert {row["rule_name"]: row["n"] for row in found} == dict(planted)


def test_sql_answers_whether_the_workspace_is_up_or_not(main_job: Any) -> None:
    """Guards `orders sql` from another shell, and from the first one after the workspace was stopped."""
    statement = (
        "select count(*) as n, cast(sum(net_revenue) as decimal(18, 2)) as revenue from gold.fct_orders"
    )
    [expected] = main_job.sql(statement)
    assert expected["n"] > 0
    assert json.loads(main_job.run("sql", statement, "--format", "json").stdout) == [expected]
    main_job.run("down")
    assert json.loads(main_job.run("sql", statement, "--format", "json").stdout) == [expected]
    main_job.run("up")


def test_a_second_batch_is_added_once_everywhere(main_job: Any) -> None:
    """Guards against rows lost or doubled by a second run."""
    orders = main_job
    before = row_counts(orders)
    orders.run("generate", "--batch-size", "50", "--faults", "0")
    orders.run("run")
    after = row_counts(orders)
    assert after["bronze.orders"] == before["bronze.orders"] + 50
    assert after["silver.orders"] == before["silver.orders"] + 50
    assert after["silver.orders_quarantine"] == before["silver.orders_quarantine"]
    outcome = json.loads(orders.run("reconcile", "--format", "json").stdout)
    assert outcome["equal"]


def positions(orders: Any) -> dict[str, str]:
    """Where each table of the workspace stands."""
    catalog = Catalog.open(WorkspaceLayout(orders.home))
    try:
        return table_positions(catalog)
    finally:
        catalog.close()


def test_a_run_with_nothing_new_builds_nothing(main_job: Any) -> None:
    """Guards the seconds of a run with nothing new, and that it still tells its figures and writes nothing."""
    tables, metrics = positions(main_job), exported_rows(main_job)
    printed = main_job.run("run").stdout
    assert "Nothing is new since" in printed
    assert "dbt build" not in printed
    assert "In Postgres" in printed
    assert positions(main_job) == tables
    assert exported_rows(main_job) == metrics


def test_a_run_without_new_files_changes_nothing(main_job: Any) -> None:
    """Guards idempotence: the same rows everywhere, and in Postgres no other metric but those of the run itself.

    It is what a run with nothing new may leave out. This run builds, since somebody has been in Postgres.
    """
    orders = main_job
    uri = orders.run("postgres", "uri").stdout.strip()
    with closing(psycopg2.connect(uri)) as link, link, link.cursor() as cursor:
        cursor.execute("create table metrics.notes ()")
    counts, rows, before = row_counts(orders), marts(orders), exported_rows(orders)
    assert "dbt build" in orders.run("run").stdout
    assert row_counts(orders) == counts
    assert {
        mart: differing_rows(rows[mart], found) for mart, found in marts(orders).items()
    } == dict.fromkeys(rows, 0)
    assert {
        "customers_snapshot",
        "dim_customers",
        "fct_daily_revenue",
        "fct_orders",
        "fct_revenue_anomalies",
    } <= {mart for mart, found in rows.items() if found.num_rows}
    after = exported_rows(orders)
    assert after["exp_business_metrics"] == before["exp_business_metrics"]
    assert [table for table in EXPORTED if not before[table] <= after[table]] == []
    assert len({run for table in EXPORTED for _, run in after[table] - before[table]}) == 1
    # What the run tells of itself at its end is there, and the command that sends the same rows adds nothing.
    assert all(after[table] > before[table] for table in ("exp_dbt_metrics", "exp_freshness_metrics"))
    orders.run("export")
    assert exported_rows(orders) == after


def test_check_is_healthy_and_says_so_in_json(main_job: Any) -> None:
    """Guards the exit code and the JSON that schedulers rely on."""
    report = json.loads(main_job.run("check", "--format", "json").stdout)
    assert report["healthy"], [c for c in report["checks"] if c["verdict"] == "fail"]


def test_export_outside_dbt_changes_nothing_after_a_build(main_job: Any) -> None:
    """Guards that the command and the post-hook send the same rows."""
    before = business_metrics(main_job)
    printed = main_job.run("export").stdout
    assert "exp_business_metrics" in printed
    assert business_metrics(main_job) == before


def test_every_unit_test_of_dbt_holds(main_job: Any) -> None:
    """Guards the formulas of the marts (RFM, lifetime value, refunds, cohorts): the job leaves unit tests to CI."""
    dbt = Path(sys.executable).with_name("dbt")
    done = subprocess.run(
        [dbt, "test", "--resource-type", "unit_test"],
        cwd=Path(__file__).resolve().parents[3],
        env=main_job.shell_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    written = json.loads((main_job.dbt_target / "manifest.json").read_text())["unit_tests"]
    results = json.loads((main_job.dbt_target / "run_results.json").read_text())["results"]
    assert written
    found = {result["unique_id"]: result["status"] for result in results}
    assert {test: found.get(test) for test in written} == dict.fromkeys(written, "pass")


def test_rebuilding_everything_gives_the_same_orders(main_job: Any) -> None:
    """Guards a full refresh of DLT: the same rows come out of landing again."""
    orders = main_job
    query = (
        "select order_event_id, order_id, status, order_value, batch_id from silver.orders "
        "order by order_event_id, batch_id"
    )
    before = orders.sql(query)
    orders.run("ingest", "--full-refresh")
    assert orders.sql(query) == before
