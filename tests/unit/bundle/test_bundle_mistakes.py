"""Seeds mistakes into a good bundle; each must be found with its file, its key and what to do.

Every case is something that the Databricks CLI, the platform or a night without orders would have told much later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlt_ingest.bundle.check import Finding, check_bundle
from dlt_ingest.bundle.check.deployed_code import hash_of

JOB = "resources/orders.job.yml"
PIPELINE = "resources/orders_ingest.pipeline.yml"
STORAGE = "resources/storage.yml"
ALERTS = "resources/alerts.yml"
DASHBOARDS = "resources/dashboards.yml"
MAIN = "databricks.yml"


@dataclass(frozen=True)
class Mistake:
    """One edit, and the finding that it must lead to.

    Attributes:
        name: What is done wrong.
        file: Where.
        old: The text that is replaced, once.
        new: What replaces it.
        key: The key path that the finding must name.
        what: A part of what it must say.
        remedy: A part of what it must advise.
        at: The file that the finding must name, where it is not the edited one.
        target: The target in which it shows.
    """

    name: str
    file: str
    old: str
    new: str
    key: str
    what: str
    remedy: str
    at: str | None = None
    target: str = "prod"


MISTAKES = [
    Mistake(
        "misspelt key",
        JOB,
        "      timeout_seconds: 7200",
        "      timeout_second: 7200",
        "resources.jobs.orders.timeout_second",
        "no such key",
        "'timeout_seconds'",
    ),
    Mistake(
        "wrong type",
        JOB,
        "      timeout_seconds: 7200",
        "      timeout_seconds: two hours",
        "resources.jobs.orders.timeout_seconds",
        "the text 'two hours'",
        "of this type",
    ),
    Mistake(
        "text instead of a flag",
        PIPELINE,
        "serverless: true",
        'serverless: "yes"',
        "resources.pipelines.orders_ingest.serverless",
        "the text 'yes'",
        "of this type",
    ),
    Mistake(
        "required key missing",
        STORAGE,
        "      volume_type: MANAGED",
        "      volume_typ: MANAGED",
        "resources.volumes.files.volume_typ",
        "no such key",
        "'volume_type'",
    ),
    Mistake(
        "dbt task without commands",
        JOB,
        "            commands:\n              - dbt build",
        "            catalog: x\n            #          - dbt build",
        "resources.jobs.orders.tasks[1].dbt_task.commands",
        "missing",
        "Add 'commands'",
    ),
    Mistake(
        "undeclared variable",
        PIPELINE,
        "      catalog: ${var.catalog}\n      schema",
        "      catalog: ${var.catalogue}\n      schema",
        "resources.pipelines.orders_ingest.catalog",
        "no such variable",
        "Correct the reference",
    ),
    Mistake(
        "reference to no resource",
        JOB,
        "${resources.pipelines.orders_ingest.id}",
        "${resources.pipelines.order_ingest.id}",
        "resources.jobs.orders.tasks[0].pipeline_task.pipeline_id",
        "no such resource",
        "Correct the reference",
    ),
    Mistake(
        "reference to no attribute",
        JOB,
        "${resources.volumes.files.name}",
        "${resources.volumes.files.title}",
        "resources.jobs.orders.trigger.file_arrival.url",
        "the resource has no title",
        "Correct the reference",
    ),
    Mistake(
        "reference to nothing",
        PIPELINE,
        "        environment: ${var.environment}",
        "        environment: ${bundle.environ}",
        "resources.pipelines.orders_ingest.tags.environment",
        "nothing in the bundle",
        "Correct the reference",
    ),
    Mistake(
        "unclosed reference",
        STORAGE,
        "name: ${var.secret_scope}",
        "name: ${var.secret_scope",
        "resources.secret_scopes.orders_secrets.name",
        "not closed",
        "Close it",
    ),
    Mistake(
        "variable without a value",
        MAIN,
        '(RUN_AS_SERVICE_PRINCIPAL).\n    default: ""\n',
        "(RUN_AS_SERVICE_PRINCIPAL).\n",
        "variables.run_as_service_principal",
        "no value in target dev",
        "Give it one",
        target="dev",
    ),
    Mistake(
        "variable nobody uses",
        MAIN,
        "  node_type_id:\n",
        "  unused:\n    description: x\n  node_type_id:\n",
        "variables.unused",
        "no value of the bundle uses",
        "remove it",
    ),
    Mistake(
        "unknown dynamic value",
        JOB,
        '--vars \'{"run_id":"{{job.run_id}}"}\'\n          libraries: &libraries',
        '--vars \'{"run_id":"{{job.runid}}"}\'\n          libraries: &libraries',
        "resources.jobs.orders.tasks[1].dbt_task.commands[0]",
        "{{job.runid}}",
        "as it is written",
    ),
    Mistake(
        "library glob beside the code",
        PIPELINE,
        "../dlt_ingest/transformations/**",
        "../dlt_ingest/transformation/**",
        "resources.pipelines.orders_ingest.libraries[0].glob.include",
        "matches no",
        "Correct the path",
    ),
    Mistake(
        "glob that pipelines do not know",
        PIPELINE,
        "../dlt_ingest/transformations/**",
        "../dlt_ingest/transformations/*.py",
        "resources.pipelines.orders_ingest.libraries[0].glob.include",
        "not supported",
        "end with /**",
    ),
    Mistake(
        "root path that is not there",
        PIPELINE,
        "root_path: ..",
        "root_path: ../src",
        "resources.pipelines.orders_ingest.root_path",
        "does not exist",
        "Correct the path",
    ),
    Mistake(
        "dbt project elsewhere",
        JOB,
        "            project_directory: ..",
        "            project_directory: ../resources",
        "resources.jobs.orders.tasks[1].dbt_task.project_directory",
        "no dbt_project.yml",
        "dbt_project.yml",
    ),
    Mistake(
        "profiles elsewhere",
        JOB,
        "profiles_directory: profiles",
        "profiles_directory: ../profiles",
        "resources.jobs.orders.tasks[1].dbt_task.profiles_directory",
        "no profiles.yml",
        "Correct",
    ),
    Mistake(
        "dashboard file missing",
        DASHBOARDS,
        "pipeline_monitoring.lvdash.json",
        "pipeline_monitor.lvdash.json",
        "resources.dashboards.pipeline_monitoring.file_path",
        "does not exist",
        "Correct the path",
    ),
    Mistake(
        "capitals differ",
        DASHBOARDS,
        "../dashboards/pipeline_monitoring",
        "../Dashboards/pipeline_monitoring",
        "resources.dashboards.pipeline_monitoring.file_path",
        "../Dashboards/pipeline_monitoring",
        "capitals",
    ),
    Mistake(
        "wheel built elsewhere",
        JOB,
        "- whl: ../dist/*.whl",
        "- whl: ../wheels/*.whl",
        "resources.jobs.orders.tasks[1].libraries[0].whl",
        "no artifact",
        "dist folder",
    ),
    Mistake(
        "upload leaves code out",
        MAIN,
        "    - docs/**\n",
        "    - docs/**\n    - dlt_ingest/quality/**\n",
        "sync.exclude[5]",
        "keeps",
        "narrower",
    ),
    Mistake(
        "Unix cron",
        JOB,
        "quartz_cron_expression: 0 30 6 * * ?",
        "quartz_cron_expression: 30 6 * * *",
        "resources.jobs.orders_watch.schedule.quartz_cron_expression",
        "looks like Unix cron",
        "0 30 6 * * ?",
    ),
    Mistake(
        "cron with both days",
        JOB,
        "0 30 6 * * ?",
        "0 30 6 1 * MON",
        "resources.jobs.orders_watch.schedule.quartz_cron_expression",
        "must be ?",
        "0 30 6 * * ?",
    ),
    Mistake(
        "cron out of range",
        JOB,
        "0 30 6 * * ?",
        "0 30 26 * * ?",
        "resources.jobs.orders_watch.schedule.quartz_cron_expression",
        "'26' is no hours",
        "0 30 6",
    ),
    Mistake(
        "no time zone",
        JOB,
        "timezone_id: UTC",
        "timezone_id: CEST",
        "resources.jobs.orders_watch.schedule.timezone_id",
        "no time zone",
        "Use such a name",
    ),
    Mistake(
        "unknown channel",
        PIPELINE,
        "channel: CURRENT",
        "channel: STABLE",
        "resources.pipelines.orders_ingest.channel",
        "'STABLE'",
        "CURRENT",
    ),
    Mistake(
        "edition of a serverless pipeline",
        PIPELINE,
        "serverless: true",
        "serverless: true\n      edition: ADVANCED",
        "resources.pipelines.orders_ingest.edition",
        "takes no edition",
        "Remove one",
    ),
    Mistake(
        "unknown edition",
        PIPELINE,
        "serverless: true",
        "serverless: false\n      edition: PREMIUM",
        "resources.pipelines.orders_ingest.edition",
        "'PREMIUM'",
        "Write",
    ),
    Mistake(
        "notification nobody sends",
        PIPELINE,
        "on-update-fatal-failure",
        "on-update-fatal",
        "resources.pipelines.orders_ingest.notifications[0].alerts[1]",
        "'on-update-fatal'",
        "on-update-fatal-failure",
    ),
    Mistake(
        "continuous pipeline in a job",
        PIPELINE,
        "continuous: false",
        "continuous: true",
        "resources.pipelines.orders_ingest.continuous",
        "never ends",
        "triggered",
    ),
    Mistake(
        "unknown schema for the event log",
        PIPELINE,
        "schema: ${resources.schemas.ops.name}",
        "schema: operations",
        "resources.pipelines.orders_ingest.event_log.schema",
        "no schema 'operations'",
        "Define",
    ),
    Mistake(
        "parameter that the job has not",
        "resources/erase_customer.job.yml",
        "- name: customer_id",
        "- name: customer",
        "resources.jobs.erase_customer.tasks[0].python_wheel_task.parameters[1]",
        "no parameter 'customer_id'",
        "Define",
    ),
    Mistake(
        "dependency on no task",
        JOB,
        "            - task_key: ingest\n",
        "            - task_key: ingestion\n",
        "resources.jobs.orders.tasks[1].depends_on[0].task_key",
        "no task 'ingestion'",
        "Name a task",
    ),
    Mistake(
        "circle of tasks",
        JOB,
        "          pipeline_task:\n",
        "          depends_on:\n            - task_key: health_check\n          pipeline_task:\n",
        "resources.jobs.orders.tasks",
        "wait for each other",
        "circle",
    ),
    Mistake(
        "two task types in one task",
        JOB,
        "          pipeline_task:\n",
        "          notebook_task:\n            notebook_path: ../notebooks/x\n          pipeline_task:\n",
        "resources.jobs.orders.tasks[0]",
        "pipeline_task, notebook_task",
        "Keep one",
    ),
    Mistake(
        "task of no type",
        JOB,
        "          pipeline_task:\n            pipeline_id: ${resources.pipelines.orders_ingest.id}\n"
        "            full_refresh: false\n",
        "",
        "resources.jobs.orders.tasks[0]",
        "none of the keys",
        "Add one",
    ),
    Mistake(
        "undefined cluster",
        JOB,
        "          job_cluster_key: single_node\n          dbt_task:",
        "          job_cluster_key: one_node\n          dbt_task:",
        "resources.jobs.orders.tasks[1].job_cluster_key",
        "no job_cluster_key 'one_node'",
        "define it",
    ),
    Mistake(
        "undefined environment",
        JOB,
        "          job_cluster_key: single_node\n          dbt_task:",
        "          environment_key: default\n          dbt_task:",
        "resources.jobs.orders.tasks[1].environment_key",
        "no environment_key 'default'",
        "define it",
    ),
    Mistake(
        "task key twice",
        JOB,
        "        - task_key: health_check\n          description: Freshness",
        "        - task_key: dbt\n          description: Freshness",
        "resources.jobs.orders.tasks[1].task_key",
        "occurs twice",
        "Rename",
    ),
    Mistake(
        "command that is not dbt",
        JOB,
        "              - dbt build",
        "              - python -m dbt build",
        "resources.jobs.orders.tasks[1].dbt_task.commands[0]",
        "does not start with dbt",
        "Begin with",
    ),
    Mistake(
        "dbt deps",
        JOB,
        "              - dbt build",
        "              - dbt deps --target ${var.environment}\n              - dbt build",
        "resources.jobs.orders.tasks[1].dbt_task.commands[0]",
        "no dbt packages",
        "Remove",
    ),
    Mistake(
        "dbt without a target",
        JOB,
        "dbt build --target ${var.environment}",
        "dbt build",
        "resources.jobs.orders.tasks[1].dbt_task.commands[0]",
        "no target",
        "Add",
    ),
    Mistake(
        "open quote in a command",
        JOB,
        "{{job.run_id}}\"}'\n          libraries: &libraries",
        '{{job.run_id}}"}\n          libraries: &libraries',
        "resources.jobs.orders.tasks[1].dbt_task.commands[0]",
        "no shell line",
        "Close the quote",
    ),
    Mistake(
        "trigger too eager",
        JOB,
        "wait_after_last_change_seconds: 60",
        "wait_after_last_change_seconds: 5",
        "resources.jobs.orders.trigger.file_arrival.wait_after_last_change_seconds",
        "is 5",
        "at least 60",
    ),
    Mistake(
        "landing of another volume",
        JOB,
        "/orders/landing/",
        "/orders/inbox/",
        "resources.jobs.orders.trigger.file_arrival.url",
        "orders/inbox",
        "landing",
    ),
    Mistake(
        "schedule beside a trigger",
        JOB,
        "      trigger:\n",
        "      schedule:\n        quartz_cron_expression: 0 0 1 * * ?\n        timezone_id: UTC\n      trigger:\n",
        "resources.jobs.orders",
        "schedule and trigger",
        "Keep one",
    ),
    Mistake(
        "unknown health metric",
        JOB,
        "RUN_DURATION_SECONDS",
        "RUN_SECONDS",
        "resources.jobs.orders.health.rules[0].metric",
        "'RUN_SECONDS'",
        "RUN_DURATION_SECONDS",
    ),
    Mistake(
        "unknown privilege",
        MAIN,
        "USE_SCHEMA, CREATE_TABLE,",
        "USE_SCHEMA, CREATE_TABEL,",
        "resources.schemas.bronze.grants[0].privileges[1]",
        "'CREATE_TABEL'",
        "CREATE_TABLE",
    ),
    Mistake(
        "unknown mode", MAIN, "mode: development", "mode: dev", "targets.dev.mode", "'dev'", "development"
    ),
    Mistake(
        "two defaults",
        MAIN,
        "mode: production",
        "mode: production\n    default: true",
        "targets.prod.default",
        "default too",
        "Remove one",
    ),
    Mistake(
        "production under a person's name",
        MAIN,
        "    run_as: *shared_run_as\n",
        "",
        "targets.prod.run_as.service_principal_name",
        "person who deploys",
        "run_as",
    ),
    Mistake(
        "tables go with the pipeline",
        MAIN,
        "cascade_on_destroy: false",
        "cascade_on_destroy: true",
        "resources.pipelines.orders_ingest.cascade_on_destroy",
        "go with the pipeline",
        "false",
    ),
    Mistake(
        "unprotected production",
        MAIN,
        "prevent_destroy: true",
        "prevent_destroy: false",
        "resources.schemas.silver.lifecycle.prevent_destroy",
        "would remove",
        "prevent_destroy",
        at=STORAGE,
    ),
    Mistake(
        "development's catalog in production",
        MAIN,
        "catalog: ecommerce_prod",
        "catalog: ecommerce_dev",
        "targets.prod.variables.catalog",
        "catalog of dev too",
        "its own catalog",
    ),
    Mistake(
        "catalog differs from the configuration",
        MAIN,
        "catalog: ecommerce_staging",
        "catalog: ecommerce_stage",
        "targets.staging.variables.catalog",
        "staging.json says 'ecommerce_staging'",
        "ecommerce_staging",
        target="staging",
    ),
    Mistake(
        "secret in the file",
        MAIN,
        '"{{secrets/${var.secret_scope}/postgres_password}}"',
        "hunter2",
        "resources.jobs.orders.job_clusters[0].new_cluster.spark_env_vars.POSTGRES_PASSWORD",
        "secret stands in",
        "Change it",
    ),
    Mistake(
        "one key for two kinds",
        PIPELINE,
        "    orders_ingest:",
        "    orders:",
        "resources.pipelines.orders",
        "also that of jobs.orders",
        "Rename",
    ),
    Mistake(
        "key twice in a mapping",
        JOB,
        "      max_concurrent_runs: 1\n      queue:\n        enabled: true\n      timeout_seconds: 7200",
        "      max_concurrent_runs: 1\n      max_concurrent_runs: 2\n      timeout_seconds: 7200",
        "resources.jobs.orders.max_concurrent_runs",
        "second time",
        "Remove one",
    ),
    Mistake(
        "unreadable YAML",
        JOB,
        "      name: orders\n",
        "      name: orders: watch\n",
        "",
        "not readable as YAML",
        "Correct the line",
    ),
    Mistake(
        "include of nothing",
        MAIN,
        "  - resources/*.yml",
        "  - resource/*.yml",
        "include",
        "matches no file",
        "Correct the pattern",
    ),
    Mistake(
        "limit differs from the configuration",
        MAIN,
        "export_lag_minutes: 60",
        "export_lag_minutes: 90",
        "targets.prod.variables.export_lag_minutes",
        "prod.json says 60",
        "60",
    ),
    Mistake(
        "environment without a configuration",
        MAIN,
        "default: ${bundle.target}",
        "default: qa",
        "variables.environment",
        "no dlt_ingest/configurations/qa.json",
        "Add the file",
    ),
    Mistake(
        "alert's SQL does not parse",
        ALERTS,
        "        select",
        "        selct",
        "resources.alerts.quality_rate.query_text",
        "",
        "Correct the statement",
    ),
    Mistake(
        "alert on an unknown relation",
        ALERTS,
        "gold.fct_pipeline_runs",
        "gold.fct_pipeline_run",
        "resources.alerts.quality_rate.query_text",
        "no relation gold.fct_pipeline_run",
        "Correct the statement",
    ),
    Mistake(
        "alert on an unknown column",
        ALERTS,
        "where quality_rate is not null",
        "where quality_ratio is not null",
        "resources.alerts.quality_rate.query_text",
        "quality_ratio",
        "Correct the statement",
    ),
    Mistake(
        "alert compares no column of its query",
        ALERTS,
        "          name: quality_rate",
        "          name: rate",
        "resources.alerts.quality_rate.evaluation.source.name",
        "no column 'rate'",
        "Name a column",
    ),
    Mistake(
        "alert with an unknown comparison",
        ALERTS,
        "comparison_operator: LESS_THAN",
        "comparison_operator: BELOW",
        "resources.alerts.quality_rate.evaluation.comparison_operator",
        "'BELOW'",
        "Write",
    ),
]


def _apply(root: Path, mistake: Mistake) -> None:
    file = root / mistake.file
    text = file.read_text(encoding="utf-8")
    assert mistake.old in text, f"the good bundle no longer has {mistake.old!r} in {mistake.file}"
    file.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each kind of mistake is named by file and key, with the way out."""
    _apply(bundle_copy, mistake)
    findings = check_bundle(bundle_copy, [mistake.target])
    found = [finding for finding in findings if finding.key == mistake.key and mistake.what in finding.what]
    assert found, "\n".join(map(str, findings)) or "nothing was found"
    assert mistake.remedy in f"{found[0].remedy} {found[0].allowed}"
    assert found[0].file == (mistake.at or mistake.file)
    assert found[0].line > 0


def test_good_bundle_has_no_finding(project_root: Path) -> None:
    """Guards against crying wolf: what we deploy passes its own check, for all targets."""
    assert [str(finding) for finding in check_bundle(project_root)] == []


def test_dataset_outside_every_pipeline(bundle_copy: Path) -> None:
    """Guards that a dataset that is written in the wrong folder is not silently left out of the deployment."""
    stray = bundle_copy / "dlt_ingest" / "gold_orders.py"
    stray.write_text("import dlt\n\n\n@dlt.table\ndef gold_orders():\n    return dlt.read('bronze.orders')\n")
    assert any("gold_orders.py declares a dataset" in finding.what for finding in check_bundle(bundle_copy))


def test_deployed_code_is_compared_by_hash(bundle_copy: Path) -> None:
    """Guards that what runs locally and what is deployed are the same bytes: changed, missing and extra files."""
    folder = bundle_copy / "dlt_ingest" / "transformations"
    local = {file: hash_of(file) for file in folder.rglob("[!_]*.py")}
    assert not [f for f in check_bundle(bundle_copy, ["prod"], local_files=local) if "libraries" in f.key]

    (folder / "bronze_orders.py").write_text("# changed\n")
    local.pop(folder / "silver_orders.py")
    local[bundle_copy / "dlt_ingest" / "extra.py"] = "0" * 64
    found = "\n".join(f.what for f in check_bundle(bundle_copy, ["prod"], local_files=local))
    assert "bronze_orders.py is not what the local run loaded" in found
    assert "silver_orders.py is deployed, and local runs do not load it" in found
    assert "local runs load dlt_ingest/extra.py, and it is not deployed" in found


def test_dashboard_mistakes(bundle_copy: Path) -> None:
    """Guards dashboards: SQL that does not parse, and a widget that shows a column its dataset does not have."""
    file = bundle_copy / "dashboards" / "pipeline_monitoring.lvdash.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["datasets"][0] |= {"queryLines": ["select from where"]}
    content["datasets"][1] |= {"queryLines": ["select 1 as one from gold.fct_quality_rule"]}
    content["pages"][0]["layout"][0]["widget"]["queries"] = [
        {"name": "main", "query": {"datasetName": "nothing", "fields": []}}
    ]
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")
    found: list[Finding] = [f for f in check_bundle(bundle_copy, ["dev"]) if f.file.endswith(".lvdash.json")]
    text = "\n".join(map(str, found))
    assert "does not parse" in text
    assert "there is no relation gold.fct_quality_rule" in text
    assert "the dashboard has no dataset 'nothing'" in text
    assert all(finding.line > 1 for finding in found)
