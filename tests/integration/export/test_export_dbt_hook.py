"""The post-hook under plain `dbt build`: the real dbt-databricks adapter, the SQL warehouse, a real Postgres."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dbt_process import dbt_process
from export_fixtures import Database

from dlt_ingest.sql_client import SqlClient, WarehouseConnection
from local_workspace.layout import WorkspaceLayout
from local_workspace.workspace import Workspace, WorkspaceOptions

PROJECT = Path(__file__).resolve().parents[3]
FILES = {
    "dbt_project.yml": """
        name: orders
        profile: orders
        vars: {run_id: ""}
        flags: {send_anonymous_usage_stats: false, use_materialization_v2: true}
        models: {orders: {exports: {+materialized: table, +post-hook: "{{ export_to_postgres(this) }}"}}}
        on-run-start: ["{{ create_run_results_table() }}", "{{ create_export_deliveries_table() }}"]
        on-run-end: ["{{ record_run_results(results) }}", "{{ export_at_run_end(results) }}"]
    """,
    "models/mart.sql": """
        select
            date_add(date'2024-01-01', cast(id as int)) as metric_date,
            'net_revenue' as metric_name,
            'USD' as unit,
            cast({{ env_var('VALUE') }} * (id + 1) as decimal(18, 2)) as metric_value
        from range({{ env_var('DAYS') }})
    """,
    "models/exports/exp_business_metrics.sql": "select * from {{ ref('mart') }}",
    "models/exports/exp_nodes.sql": """
        {{ config(materialized='view') }}
        select invocation_id, node_name, status, run_id, recorded_at from {{ source('ops', 'dbt_run_results') }}
    """,
    "models/after.sql": "select count(*) as days from {{ ref('exp_business_metrics') }}",
    "models/models.yml": """
        models:
          - name: mart
            columns: [{name: metric_value, data_tests: [not_null]}]
          - name: exp_business_metrics
            config: {meta: {export: {key: [metric_date, metric_name], deletes: mirror}}}
          - name: exp_nodes
            config: {meta: {export: {key: [invocation_id, node_name], when: run_end, since: recorded_at}}}
        sources: [{name: ops, schema: ops, tables: [{name: dbt_run_results}, {name: export_deliveries}]}]
    """,
}


@dataclass
class Dbt:
    """A project of four models against one warehouse and one database.

    dbt writes neither artifacts nor a log file, which nobody reads here.
    """

    folder: Path
    database: Database
    environment: dict[str, str]
    messages: list[str] = field(default_factory=list)

    def __call__(
        self, command: str, *, run_id: str = "", value: object = 1, days: int = 3, **variables: object
    ) -> dict[str, str]:
        """Run one dbt command and give the status of each node by name.

        What differs between runs goes by the environment: another variable makes dbt parse everything again, for which it
        gets a target folder of its own, so that the next run without variables finds its parsed state.
        """
        options = ["--vars", json.dumps(variables), "--target-path", "target-variables"] if variables else []
        now = {"ORDERS_RUN_ID": run_id, "VALUE": str(value), "DAYS": str(days)}
        done = dbt_process().run(
            [*command.split(), *options, "--quiet"],
            folder=self.folder,
            environment={**self.environment, **now},
        )
        assert done.exception is None, done.exception
        self.messages = [f"{level} {text}" for level, text in done.messages]
        names = {unique_id.split(".")[2]: status for unique_id, status in done.statuses.items()}
        # The view of the invocation's own nodes is in all of them.
        return {name: status for name, status in names.items() if name != "exp_nodes"}

    def heard(self, words: str) -> list[str]:
        """What dbt said that has these words in it."""
        return [message for message in self.messages if words in message]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    layout = WorkspaceLayout(tmp_path_factory.mktemp("home"))
    options = WorkspaceOptions(catalogs=("ecommerce_local",), schemas=("gold", "ops"), start_postgres=False)
    with Workspace.attach(layout, options) as workspace:
        yield workspace.environment()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files, with dbt's parsed state beside them from one test to the next."""
    root = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    for macros in ("export", "operations", "run", "tests"):
        shutil.copytree(PROJECT / "macros" / macros, root / "macros" / macros)
    return root


@pytest.fixture
def dbt(warehouse: dict[str, str], database: Database, folder: Path) -> Dbt:
    settings = database.settings
    foreign = ("DBT_", "ORDERS_", "POSTGRES_")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        **warehouse,
        "DBT_PROFILES_DIR": str(PROJECT / "profiles"),
        "DBT_PROJECT_DIR": str(folder),
        "DBT_WRITE_JSON": "false",
        "DBT_LOG_LEVEL_FILE": "none",
        "POSTGRES_HOST": settings.host,
        "POSTGRES_PORT": str(settings.port),
        "POSTGRES_DATABASE": settings.database,
        "POSTGRES_USER": settings.user,
        "POSTGRES_PASSWORD": str(settings.password),
        "ORDERS_EXPORT_ATTEMPTS": "2",
    }
    return Dbt(folder, database, environment)


def state(database: Database) -> list[tuple[Any, ...]]:
    if database.sql("select to_regclass('metrics._export_state')::text") == [(None,)]:
        return []
    return database.sql(
        "select run_id, rows_read, rows_inserted, rows_updated, exported_at from metrics._export_state"
        " where target = 'exp_business_metrics'"
    )


@pytest.fixture(scope="module")
def sql(warehouse: dict[str, str]) -> Iterator[SqlClient]:
    with SqlClient(WarehouseConnection.from_environment(warehouse, catalog="ecommerce_local")) as client:
        yield client


def deliveries(sql: SqlClient, *runs: str) -> list[tuple[Any, ...]]:
    """What the lakehouse says of the exports of some runs: run, model, outcome, rows, dead letters, error."""
    rows = sql.query(
        "select run_id, model_name, outcome, rows_read, open_dead_letters, error_class from ops.export_deliveries"
        f" where run_id in ({', '.join(repr(run) for run in runs)}) order by 1, 2"
    )
    return [tuple(row.values()) for row in rows]


def exported_nodes(database: Database, run_id: str) -> dict[str, str]:
    return dict(
        database.sql("select node_name, status from metrics.exp_nodes where run_id = %s", run_id)  # type: ignore[arg-type]
    )


def values(database: Database) -> list[str]:
    return [str(value) for *_, value in database.table()]


def test_a_build_exports_and_the_next_one_changes_nothing(dbt: Dbt) -> None:
    """Guards the main path: each metric once, joined to its run, only what differs is written again."""
    assert dbt("build", run_id="one") == {
        "mart": "success", "not_null_mart_metric_value": "pass", "exp_business_metrics": "success", "after": "success",
    }  # fmt: skip
    assert values(dbt.database) == ["1.00", "2.00", "3.00"]
    rows = dbt.database.sql("select _run_id, xmin::text from metrics.exp_business_metrics")
    assert {run for run, _ in rows} == {"one"}
    dbt("build", run_id="two")
    assert dbt.heard("3 rows read, 0 changed")
    assert dbt.database.sql("select _run_id, xmin::text from metrics.exp_business_metrics") == rows
    assert state(dbt.database)[0][:4] == ("two", 3, 0, 0)
    dbt("build", run_id="three", value=2, days=2)
    assert values(dbt.database) == ["2.00", "4.00"]


def test_only_commands_that_build_the_whole_model_export(dbt: Dbt) -> None:
    """Guards the metrics against a look at the project: --empty would mirror all of them away."""
    dbt("run -s mart exp_business_metrics", run_id="one")
    before = state(dbt.database)
    for command in (
        "parse",
        "compile -s +exp_business_metrics",
        "run --empty -s exp_business_metrics",
        "docs generate",
    ):
        dbt(command, run_id="two", value=7)
        assert (state(dbt.database), len(values(dbt.database))) == (before, 3), command
    assert before[0][:2] == ("one", 3)


def test_a_target_that_is_not_allowed_exports_nothing(dbt: Dbt) -> None:
    """Guards production metrics against a CI target with production's variables around it."""
    assert (
        dbt("run -s mart exp_business_metrics", export_targets=["prod"])["exp_business_metrics"] == "success"
    )
    assert dbt.heard("target local is not in variable export_targets (prod)")
    assert state(dbt.database) == []


def test_a_mart_whose_tests_fail_is_not_exported(dbt: Dbt) -> None:
    """Guards Postgres against numbers that dbt already knows to be wrong."""
    assert dbt("build", value="cast(null as int)") == {
        "mart": "success",
        "not_null_mart_metric_value": "fail",
        "exp_business_metrics": "skipped",
        "after": "skipped",
    }
    assert state(dbt.database) == []


def test_a_build_leaves_its_own_results_in_postgres(dbt: Dbt, sql: SqlClient) -> None:
    """Guards what is exported at the end: a build that failed is told of at once, and no result is sent twice or lost."""
    dbt("build", run_id="good")
    assert exported_nodes(dbt.database, "good") == {
        "mart": "success", "not_null_mart_metric_value": "pass", "exp_business_metrics": "success",
        "exp_nodes": "success", "after": "success",
    }  # fmt: skip
    dbt("build", run_id="bad", value="cast(null as int)")
    assert exported_nodes(dbt.database, "bad")["not_null_mart_metric_value"] == "fail"
    assert exported_nodes(dbt.database, "bad")["exp_business_metrics"] == "skipped"
    assert [row[1:3] for row in deliveries(sql, "good", "bad")] == [
        ("exp_business_metrics", "not_built"),
        ("exp_nodes", "delivered"),
        ("exp_business_metrics", "delivered"),
        ("exp_nodes", "delivered"),
    ]
    # What is older than the margin has been delivered, and is not read again.
    dbt.database.sql("update metrics.exp_nodes set recorded_at = recorded_at + interval '2 days'")
    sent = dbt.database.sql("select count(*) from metrics.exp_nodes")[0][0]
    dbt("run -s after", run_id="later")
    assert dbt.heard("metrics.exp_nodes: 0 rows read")
    dbt.database.sql("update metrics.exp_nodes set recorded_at = recorded_at - interval '2 days'")
    dbt("run -s after", run_id="last")
    assert (
        exported_nodes(dbt.database, "later") == exported_nodes(dbt.database, "last") == {"after": "success"}
    )
    assert dbt.database.sql("select count(*) from metrics.exp_nodes")[0][0] == sent + 2


def test_a_stopped_server_stops_the_build_or_warns_as_configured(dbt: Dbt, sql: SqlClient) -> None:
    """Guards both policies: `fail` skips what depends on the export, `warn` goes on and the next run delivers.

    The lakehouse knows either way, for the alerts.
    """
    dbt("run -s mart exp_business_metrics", run_id="one")
    server = dbt.database.server
    server.stop()
    try:
        failed = dbt("run", run_id="two", value=2)
        assert (failed["exp_business_metrics"], failed["after"]) == ("error", "skipped")
        assert dbt.heard("was built but not exported")
        assert dbt.heard("Start Postgres")
        # The model of the end asked once: the server had its time.
        assert len(dbt.heard("attempt 1 of")) == 1
        assert not dbt.heard("Traceback")
        assert deliveries(sql, "two") == [
            ("two", "exp_business_metrics", "undelivered", None, None, "ServerUnavailableError"),
            ("two", "exp_nodes", "undelivered", None, None, "ServerUnavailableError"),
        ]

        dbt.environment["ORDERS_EXPORT_POLICY"] = "warn"
        tolerated = dbt("run", run_id="three", value=3)
        assert (tolerated["exp_business_metrics"], tolerated["after"]) == ("success", "success")
        warnings = dbt.heard("was built but not exported (export policy is warn)")
        assert [warning.split()[0] for warning in warnings] == ["warn", "warn"]
        assert [row[1:3] for row in deliveries(sql, "three")] == [
            ("exp_business_metrics", "undelivered"),
            ("exp_nodes", "undelivered"),
        ]
        assert dbt("run -s exp_business_metrics", export_policy="fail") == {"exp_business_metrics": "error"}
    finally:
        server.start()
    assert (state(dbt.database)[0][0], values(dbt.database)) == ("one", ["1.00", "2.00", "3.00"])
    dbt("run -s exp_business_metrics", run_id="four")
    assert (state(dbt.database)[0][0], values(dbt.database)) == ("four", ["3.00", "6.00", "9.00"])
    assert deliveries(sql, "four")[0] == ("four", "exp_business_metrics", "delivered", 3, 0, None)
    assert exported_nodes(dbt.database, "two")["exp_business_metrics"] == "error"


def test_no_secret_is_in_any_file_or_message(dbt: Dbt) -> None:
    """Guards the password, the right one and a wrong one, in artifacts, in the debug log and in what is printed."""
    secrets = [str(dbt.database.settings.password), "hunter2wrong"]
    written = "--debug --log-level-file debug --write-json"
    dbt(f"{written} run -s mart exp_business_metrics")
    said = "\n".join(dbt.messages)
    dbt.environment["POSTGRES_PASSWORD"] = secrets[1]
    assert dbt(f"{written} run -s exp_business_metrics") == {"exp_business_metrics": "error"}
    assert dbt.heard("password authentication failed")
    assert not dbt.heard("attempt 1 of 2")
    said += "\n".join(dbt.messages)
    files = [path for path in dbt.folder.rglob("*") if path.is_file()]
    assert {"dbt.log", "manifest.json", "run_results.json", "partial_parse.msgpack"} <= {
        path.name for path in files
    }
    for path in files:
        said += path.read_bytes().decode("utf-8", "replace")
    assert [secret for secret in secrets if secret in said] == []


def test_a_model_that_declares_nothing_is_an_error_under_every_policy(dbt: Dbt) -> None:
    """Guards the author of a model: no server that comes back would fix a missing key."""
    models = dbt.folder / "models" / "exports"
    (models / "exp_new.sql").write_text("select 1 as id, 'x' as name")
    dbt.environment["ORDERS_EXPORT_POLICY"] = "warn"
    assert dbt("run -s exp_new") == {"exp_new": "error"}
    del dbt.environment["ORDERS_EXPORT_POLICY"]
    assert dbt.heard("declares no key")
    (models / "exp_new.yml").write_text("models: [{name: exp_new, config: {meta: {export: {key: [id]}}}}]")
    assert dbt("run -s exp_new") == {"exp_new": "success"}
    assert dbt.database.sql("select id, name from metrics.exp_new") == [(1, "x")]
    (models / "exp_new.sql").write_text("select 1 as id, date'2024-01-01' as name")
    assert dbt("run -s exp_new") == {"exp_new": "error"}
    assert dbt.heard("name is text in Postgres and date in the model")
