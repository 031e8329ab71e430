"""The deployed job, run task by task as the bundle says it for target prod, against the local workspace.

The one difference to a workspace is transport: the profile's prod output gets the stand-in's port and certificate added.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from dlt_ingest.generators.orders import OrderGenerator
from dlt_ingest.sql_client import SqlClient, WarehouseConnection
from local_workspace.dlt_runtime.refresh.update import run_update
from local_workspace.dlt_runtime.spec import EventLogTarget, PipelineSpec, UpdateResult
from local_workspace.layout import WorkspaceLayout
from local_workspace.workspace import Workspace, WorkspaceOptions
from orders.bundle_check import Bundle
from orders.bundle_check.rules import check_bundle
from orders.bundle_check.rules.deployed_code import hash_of
from orders.cli.main import main

PROJECT_ROOT = Path(__file__).resolve().parents[3]
CATALOG = "ecommerce_prod"
RUN_ID = "bundle-test-1"


@dataclass
class Deployment:
    """The bundle for prod and a workspace whose catalog is called as in prod."""

    bundle: Bundle
    workspace: Workspace
    spec: PipelineSpec
    profiles: Path
    scratch: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the job's cluster and Databricks give to a dbt task; no variable of the local target among it."""
        ours = self.workspace.environment()
        injected = {"DBT_HOST": "ORDERS_WAREHOUSE_HOST", "DBT_ACCESS_TOKEN": "ORDERS_WAREHOUSE_TOKEN"}
        postgres = {name: value for name, value in ours.items() if name.startswith("POSTGRES_")}
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "ORDERS_"))
        }
        return {
            **inherited,
            **postgres,
            **{name: ours[source] for name, source in injected.items()},
            "ORDERS_WAREHOUSE_HTTP_PATH": ours["ORDERS_WAREHOUSE_HTTP_PATH"],
            "ORDERS_EXPORT_POLICY": "fail",
            "DBT_LOG_LEVEL_FILE": "none",
            # The adapter asks the host for its configuration by another client than the one it sends SQL by.
            "REQUESTS_CA_BUNDLE": ours["REQUESTS_CA_BUNDLE"],
        }

    def dbt(self, command: str) -> str:
        """Runs one command of the bundle as it stands, with the profile and the places of this test."""
        words = shlex.split(command)
        assert words[0] == "dbt"
        done = subprocess.run(
            [
                Path(sys.executable).with_name("dbt"),
                *words[1:],
                "--profiles-dir",
                self.profiles,
                *self._places(),
            ],
            cwd=PROJECT_ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}"
        return done.stdout

    def _places(self) -> list[str]:
        return ["--target-path", str(self.scratch / "target"), "--log-path", str(self.scratch / "logs")]

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Asks the warehouse, in the catalog of prod."""
        with SqlClient(
            WarehouseConnection.from_environment(self.workspace.environment(), catalog=CATALOG)
        ) as client:
            return client.query(statement)

    def metrics(self) -> dict[str, list[tuple[Any, ...]]]:
        """The exported tables in Postgres, with the run that last changed each row."""
        endpoint = self.workspace.postgres
        assert endpoint is not None
        connection = psycopg2.connect(endpoint.uri())
        try:
            with connection.cursor() as cursor:
                found = {}
                for table in ("exp_business_metrics", "exp_pipeline_metrics"):
                    cursor.execute(f"select * from metrics.{table} order by 1, 2, 3, 4")
                    found[table] = cursor.fetchall()
                return found
        finally:
            connection.close()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    bundle = Bundle.load(PROJECT_ROOT, "prod")
    layout = WorkspaceLayout(folder / "home")
    [volume] = bundle.resources("volumes").values()
    options = WorkspaceOptions(
        catalogs=(CATALOG,),
        schemas=tuple(schema["name"] for schema in bundle.resources("schemas").values()),
        volumes=((volume["catalog_name"], volume["schema_name"], volume["name"]),),
    )
    with Workspace.attach(layout, options) as workspace:
        uri = workspace.environment()["ORDERS_WAREHOUSE_URI"]
        yield Deployment(bundle, workspace, _spec(bundle), _profiles(folder, workspace, uri), folder)


def _spec(bundle: Bundle) -> PipelineSpec:
    """The pipeline with nothing changed."""
    resource = bundle.pipeline()
    return PipelineSpec(
        name=resource["name"],
        catalog=resource["catalog"],
        schema=resource["schema"],
        libraries=resource["libraries"],
        base_path=PROJECT_ROOT,
        root_path=Path(resource["root_path"]),
        configuration=resource["configuration"],
        event_log=EventLogTarget(**resource["event_log"]),
    )


def _profiles(folder: Path, workspace: Workspace, uri: str) -> Path:
    """profiles.yml as deployed; `prod` alone is kept, and gets port and certificate."""
    content = yaml.safe_load((PROJECT_ROOT / "profiles" / "profiles.yml").read_text(encoding="utf-8"))
    prod = content["orders"]["outputs"]["prod"]
    assert "connection_parameters" not in prod
    prod["connection_parameters"] = {
        "_connection_uri": uri,
        "_tls_trusted_ca_file": workspace.environment()["ORDERS_WAREHOUSE_CA"],
        "use_cloud_fetch": False,
        "enable_telemetry": False,
    }
    content["orders"]["outputs"] = {"prod": prod}
    profiles = folder / "profiles"
    profiles.mkdir()
    (profiles / "profiles.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return profiles


@pytest.fixture(scope="module")
def update(deployment: Deployment) -> UpdateResult:
    """The job's first task, over one generated batch with planted faults."""
    landing = deployment.workspace.layout.local_path(deployment.spec.configuration["orders.landing_path"])
    list(OrderGenerator(landing, batch_size=60, seed=3, faults=0.1).run())
    return run_update(
        deployment.spec,
        layout=deployment.workspace.layout,
        catalog=deployment.workspace.catalog,
        engine_address=deployment.workspace.engine_address,
        run_id=RUN_ID,
    )


def test_pipeline_runs_as_the_bundle_says(deployment: Deployment, update: UpdateResult) -> None:
    """Guards that libraries, root path, configuration and event log of the bundle are enough to run, and are what runs."""
    assert update.error is None
    assert update.state == "COMPLETED"
    names = ("bronze.orders", "silver.orders", "silver.orders_quarantine", "silver.customers")
    assert set(update.datasets) == {f"{CATALOG}.{name}" for name in names}
    loaded = {file: hash_of(file) for file in deployment.spec.files()}
    findings = check_bundle(PROJECT_ROOT, ["prod"], local_files=loaded)
    assert [str(finding) for finding in findings if "libraries" in finding.key] == []
    [rows] = deployment.query(
        "select (select count(*) from bronze.orders) as bronze, (select count(*) from silver.orders) as silver,"
        " (select count(*) from silver.orders_quarantine) as quarantine"
    )
    assert rows["bronze"] == rows["silver"] + rows["quarantine"] == 60
    assert rows["quarantine"] > 0
    [log] = deployment.query("select count(*) as events from ops.event_log")
    assert log["events"] > 0


# Two whole builds; on a busy machine they take minutes.
@pytest.mark.timeout(900)
def test_dbt_commands_of_the_jobs_run_twice(deployment: Deployment, update: UpdateResult) -> None:
    """Guards the commands themselves: on a fresh catalog, then on the result, which they must not change."""
    assert update.ok
    values = {"job.run_id": RUN_ID}
    build = deployment.bundle.dbt_commands("orders", "dbt", values=values)
    watch = deployment.bundle.dbt_commands("orders_watch", "source_freshness", values=values)
    for command in [*build, *watch]:
        assert "--target prod" in command
        deployment.dbt(command)
    before = _state(deployment)
    assert before["fct_orders"] > 0
    for command in build:
        deployment.dbt(command)
    assert _state(deployment) == before


def _state(deployment: Deployment) -> dict[str, Any]:
    """Rows of the marts, revenue, and the business metrics in Postgres; all of it independent of the clock."""
    marts = (
        "dim_customers",
        "fct_daily_revenue",
        "fct_order_events",
        "fct_orders",
        "fct_pipeline_runs",
        "fct_quality_rules",
    )
    counts = {
        mart: deployment.query(f"select count(*) as rows_counted from gold.{mart}")[0]["rows_counted"]
        for mart in marts
    }
    [revenue] = deployment.query("select sum(net_revenue) as revenue from gold.fct_daily_revenue")
    return {**counts, **revenue, "metrics": deployment.metrics()}


def test_alerts_answer_in_one_row(deployment: Deployment, update: UpdateResult) -> None:
    """Guards the SQL of every alert: it runs on the built marts and gives the column that the alert compares."""
    assert update.ok
    for name, alert in deployment.bundle.resources("alerts").items():
        rows = deployment.query(alert["query_text"])
        assert len(rows) == 1, name
        assert alert["evaluation"]["source"]["name"] in rows[0], name
    [failed] = deployment.query(deployment.bundle.resources("alerts")["failed_update"]["query_text"])
    assert failed["failed_updates"] == 0
    [lag] = deployment.query(deployment.bundle.resources("alerts")["export_lag"]["query_text"])
    assert lag["lag_minutes"] == 0


def test_the_erasure_job_erases_one_customer(
    deployment: Deployment,
    update: UpdateResult,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Guards the job erase_customer, task by task: nothing of the customer is left, of the others every row is.

    Twice, since a repaired or repeated run must find nothing to do. The marts' task is not run: tests/integration/governance
    runs dbt with the same arguments.
    """
    assert update.ok
    [theirs] = deployment.query(
        "select customer_id, count(*) as n from silver.orders group by customer_id order by n desc, 1 limit 1"
    )
    customer, layout = theirs["customer_id"], deployment.workspace.layout
    tables = ("bronze.orders", "silver.orders", "silver.orders_quarantine", "gold.fct_order_events")
    count = f"select count(*) as n from {{}} where customer_id is distinct from '{customer}'"
    others = {table: deployment.query(count.format(table)) for table in tables}
    foreign = [name for name in os.environ if name.startswith(("DBT_", "ORDERS_", "POSTGRES_"))]
    for name in foreign:
        monkeypatch.delenv(name)
    for name, value in {**deployment.workspace.environment(), "ORDERS_ENV": "prod"}.items():
        monkeypatch.setenv(name, value)

    def run(parameters: list[str]) -> int:
        words = [word.replace("{{job.parameters.customer_id}}", customer) for word in parameters]
        with pytest.raises(SystemExit) as ended:
            main(words)
        return int(ended.value.code or 0)

    tasks = deployment.bundle.resources("jobs")["erase_customer"]["tasks"]
    wheel = [task["python_wheel_task"]["parameters"] for task in tasks if "python_wheel_task" in task]
    assert run(wheel[0]) == 1
    assert "cannot be reached" in capsys.readouterr().err, "a machine without the volume is refused"
    # Databricks mounts volumes under their own path.
    monkeypatch.setattr("orders.cli.deployed_erasure.mounted", layout.local_path)
    assert run([*wheel[-1][:3], "--step", "verify"]) == 1
    assert "is not erased" in capsys.readouterr().err

    started = len(_statements(layout))
    for task in [*tasks, *tasks]:
        if "python_wheel_task" in task:
            assert run(task["python_wheel_task"]["parameters"]) == 0, capsys.readouterr().err
        elif "pipeline_task" in task:
            done = run_update(
                deployment.spec,
                layout=layout,
                catalog=deployment.workspace.catalog,
                engine_address=deployment.workspace.engine_address,
                refresh=tuple(task["pipeline_task"]["refresh_selection"]),
                run_id=RUN_ID,
            )
            assert done.ok
    printed = capsys.readouterr()
    assert customer not in printed.out + printed.err
    asked = _statements(layout)[started:]
    assert not [line for line in asked if customer in line]
    reorganized = {line.split()[2] for line in asked if line.startswith("REORG TABLE")}
    assert {"bronze.orders", "silver.customers", "gold.fct_orders", "gold.customers_snapshot"} <= reorganized
    landing = layout.local_path(deployment.spec.configuration["orders.landing_path"])
    assert not [path for path in landing.iterdir() if f'"{customer}"' in path.read_text(encoding="utf-8")]
    assert {table: deployment.query(count.format(table)) for table in tables} == others


def _statements(layout: WorkspaceLayout) -> list[str]:
    lines = (layout.logs / "statements.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["statement"] for line in lines]
