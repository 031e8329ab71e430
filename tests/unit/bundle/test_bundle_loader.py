"""The loader reads the bundle as the Databricks CLI does, so that local runs take what is deployed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from dlt_ingest.configurations.loading import load_settings
from orders.bundle_check import Bundle, BundleError
from orders.bundle_check.rules import check_bundle
from orders.bundle_check.rules.schedules import quartz_problem

PROJECT_ROOT = Path(__file__).resolve().parents[3]
LOCAL = {"catalog": "ecommerce_local", "environment": "local"}

SMALL = """
bundle: {name: small}
variables:
  catalog: {description: c, default: base}
  who: {description: w, type: complex, default: [{user_email: "${var.catalog}@x.y"}]}
  number: {description: n, default: 3}
resources:
  schemas:
    bronze: {catalog_name: "${var.catalog}", name: bronze}
  jobs:
    nightly:
      name: nightly ${bundle.target}
      max_concurrent_runs: ${var.number}
      tags: {schema: "${resources.schemas.bronze.name}", of: "${workspace.current_user.userName}"}
      email_notifications: {on_failure: ["${var.who[0].user_email}"]}
      tasks:
        - task_key: one
          max_retries: 1
          dbt_task: {commands: ["dbt build --vars '{\\"id\\": \\"{{job.run_id}}\\"}'"]}
        - task_key: two
          notebook_task: {notebook_path: x}
targets:
  dev: {default: true}
  prod:
    variables: {catalog: production}
    resources:
      jobs:
        nightly:
          tasks:
            - task_key: one
              max_retries: 5
            - task_key: three
              notebook_task: {notebook_path: y}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "databricks.yml").write_text(SMALL, encoding="utf-8")
    return tmp_path


def test_references_keep_type_and_reach_through_variables(small: Path) -> None:
    """Guards that a lone reference keeps its type, and that references inside values of variables are followed."""
    job = Bundle.load(small, "prod").resources("jobs")["nightly"]
    assert job["max_concurrent_runs"] == 3
    assert job["name"] == "nightly prod"
    assert job["tags"]["schema"] == "bronze"
    assert job["email_notifications"]["on_failure"] == ["production@x.y"]


def test_what_only_a_workspace_knows_stays(small: Path) -> None:
    """Guards against inventing a value: a user's name is not known offline."""
    assert (
        Bundle.load(small).resources("jobs")["nightly"]["tags"]["of"] == "${workspace.current_user.userName}"
    )


def test_target_is_merged_by_task_key(small: Path) -> None:
    """Guards the CLI's merging: a task with the same key is changed, another one is added, the rest stays."""
    tasks = Bundle.load(small, "prod").resources("jobs")["nightly"]["tasks"]
    assert [(task["task_key"], task.get("max_retries")) for task in tasks] == [
        ("one", 5),
        ("two", None),
        ("three", None),
    ]
    assert len(Bundle.load(small, "dev").resources("jobs")["nightly"]["tasks"]) == 2


def test_variables_by_precedence(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the order: given, then environment, then target, then default."""
    assert Bundle.load(small, "dev").variable("catalog") == "base"
    assert Bundle.load(small, "prod").variable("catalog") == "production"
    monkeypatch.setenv("BUNDLE_VAR_catalog", "from_environment")
    assert Bundle.load(small, "prod").variable("catalog") == "from_environment"
    assert Bundle.load(small, "prod", variables={"catalog": "given"}).variable("catalog") == "given"


def test_dbt_commands_with_the_values_of_a_run(small: Path) -> None:
    """Guards that a run's id reaches dbt, and that an unknown dynamic value is refused instead of passed on."""
    bundle = Bundle.load(small)
    assert bundle.dbt_commands("nightly", "one", values={"job.run_id": "7"}) == [
        """dbt build --vars '{"id": "7"}'"""
    ]
    assert "{{job.run_id}}" in bundle.dbt_commands("nightly", "one")[0]
    with pytest.raises(BundleError, match=r"job\.run_id"):
        bundle.dbt_commands("nightly", "one", values={})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda root: Bundle.load(root, "qa"), r"there is no target 'qa'.*allowed: dev, prod"),
        (lambda root: Bundle.load(root, variables={"catalogue": "x"}), r"no variable 'catalogue'.*catalog"),
        (lambda root: Bundle.load(root).pipeline(), r"no resource pipelines\.orders"),
        (lambda root: Bundle.load(root).dbt_commands("nightly", "four"), r"no task 'four'.*one, two"),
        (lambda root: Bundle.load(root).dbt_commands("nightly", "two"), r"'two' is not a dbt task"),
    ],
)
def test_errors_say_what_is_there(small: Path, call, message: str) -> None:
    """Guards that a wrong name is answered with the right ones."""
    with pytest.raises(BundleError, match=message):
        call(small)


def test_circle_of_variables_ends(tmp_path: Path) -> None:
    """Guards against hanging on variables that mean each other."""
    (tmp_path / "databricks.yml").write_text(
        "bundle: {name: x}\nvariables:\n"
        "  a: {description: a, default: '${var.b}'}\n  b: {description: b, default: '${var.a}'}\n"
        "targets: {dev: {default: true}}\nworkspace: {root_path: '${var.a}'}\n",
        encoding="utf-8",
    )
    with pytest.raises(BundleError, match="refers to itself"):
        Bundle.load(tmp_path)


@pytest.mark.parametrize("target", ["dev", "staging", "prod"])
def test_pipeline_agrees_with_the_configuration(project_root: Path, target: str) -> None:
    """Guards the single source: the pipeline gets exactly what the environment's settings say, in every target."""
    pipeline = Bundle.load(project_root, target).pipeline("orders")
    settings = load_settings(target)
    assert pipeline["configuration"] == settings.pipeline_configuration()
    assert pipeline["catalog"] == settings.catalog
    assert pipeline["event_log"] == {"catalog": settings.catalog, "schema": "ops", "name": "event_log"}
    assert pipeline["serverless"] is True
    assert pipeline["continuous"] is False


def test_local_run_changes_catalog_and_environment_only(project_root: Path) -> None:
    """Guards that a local run executes what is deployed: the same pipeline and commands, elsewhere."""
    deployed = Bundle.load(project_root, "prod")
    local = Bundle.load(project_root, "prod", variables=LOCAL)
    one, other = deployed.pipeline(), local.pipeline()
    assert other["configuration"] == load_settings("local").pipeline_configuration()
    different = {key for key in one if one[key] != other[key]}
    assert different == {"catalog", "configuration", "event_log", "tags"}
    assert [command.replace("--target prod", "--target local") for command in deployed.dbt_commands()] == (
        local.dbt_commands()
    )
    assert Path(other["root_path"]) == project_root
    assert other["libraries"] == [{"glob": {"include": str(project_root / "dlt_ingest/transformations/**")}}]


@pytest.mark.parametrize("target", ["dev", "staging", "prod"])
def test_limits_and_addresses_agree_with_the_configuration(project_root: Path, target: str) -> None:
    """Guards that a limit is never changed in one place only: alerts and job say what the settings say."""
    bundle, settings = Bundle.load(project_root, target), load_settings(target)
    for name in ("export_lag_minutes", "quality_rate_minimum", "slow_update_factor"):
        assert Decimal(str(bundle.variable(name))) == Decimal(str(getattr(settings, name.upper())))
    assert bundle.variable("warehouse_name") == settings.WAREHOUSE_NAME
    assert bundle.variable("secret_scope") == settings.SECRET_SCOPE
    assert (bundle.variable("run_as_service_principal") or None) == settings.RUN_AS_SERVICE_PRINCIPAL
    [cluster] = bundle.resources("jobs")["orders"]["job_clusters"]
    environment = cluster["new_cluster"]["spark_env_vars"]
    for name, value in settings.postgres_environment().items():
        assert environment.get(name, value) == value
    assert environment["ORDERS_EXPORT_POLICY"] == settings.EXPORT_POLICY
    thresholds = {
        key: alert["evaluation"]["threshold"]["value"]["double_value"]
        for key, alert in bundle.resources("alerts").items()
    }
    if target == "prod":
        assert thresholds["export_lag"] == settings.EXPORT_LAG_MINUTES
    assert Decimal(str(thresholds["quality_rate"])) == Decimal(str(settings.QUALITY_RATE_MINIMUM))


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("0 30 6 * * ?", None),
        ("0 0/15 * * * ?", None),
        ("0 0 12 ? * MON-FRI", None),
        ("0 0 12 L * ?", None),
        ("0 15 10 ? * 6#3 2027-2030", None),
        ("30 6 * * *", "6 or 7"),
        ("0 30 6 * * *", "must be ?"),
        ("0 30 6 ? * ?", "must be ?"),
        ("0 60 6 * * ?", "'60' is not a value of minutes"),
        ("0 0 0 ? * 8", "'8' is not a value of day of week"),
        ("? 0 0 * * ?", "not allowed for seconds"),
        ("0 0/0 * * * ?", "step '0'"),
        ("0 0 0 1,, * ?", "empty part"),
    ],
)
def test_quartz_expressions(expression: str, problem: str | None) -> None:
    """Guards the cron check: Quartz' own forms pass, Unix cron and impossible values do not."""
    found = quartz_problem(expression)
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_documented_classic_clusters_pass_the_check(bundle_copy: Path) -> None:
    """Guards the page on classic compute: its YAML, laid over the pipeline, is a sound bundle."""
    page = (PROJECT_ROOT / "docs" / "operations" / "compute.md").read_text(encoding="utf-8")
    [fragment] = re.findall(r"```yaml bundle\n(.*?)```", page, re.DOTALL)
    file = bundle_copy / "resources" / "orders_ingest.pipeline.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    changes = yaml.safe_load(fragment)["resources"]["pipelines"]["orders_ingest"]
    content["resources"]["pipelines"]["orders_ingest"].update(changes)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert [str(finding) for finding in check_bundle(bundle_copy)] == []
    changes["clusters"][0]["autoscale"]["min_workers"] = 9
    content["resources"]["pipelines"]["orders_ingest"].update(changes)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert any("more than max_workers" in finding.what for finding in check_bundle(bundle_copy))


@pytest.mark.parametrize("target", ["local", "dev", "staging", "prod"])
def test_anomaly_threshold_is_said_twice_and_alike(project_root: Path, target: str) -> None:
    """Guards the health check and the mart (and with it the SQL alert) against judging a day differently."""
    variables = yaml.safe_load((project_root / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert Decimal(str(variables["anomaly_threshold"])) == Decimal(
        str(load_settings(target).REVENUE_ANOMALY_THRESHOLD)
    )
