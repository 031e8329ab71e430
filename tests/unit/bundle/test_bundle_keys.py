"""Mistakes in keys and structure: nothing misspelt, missing, of another type, or said twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from orders.bundle_check.document import read_document
from orders.bundle_check.rules import check_bundle
from orders.bundle_check.shapes import BundleFile, Comparison

from .mistakes import JOB, MAIN, PIPELINE, STORAGE, Mistake, assert_found, each

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
        "one key for two kinds",
        PIPELINE,
        "    orders_ingest:",
        "    orders:",
        "resources.pipelines.orders",
        "also that of jobs.orders",
        "Rename",
    ),
    Mistake(
        "key without a value",
        JOB,
        "      timeout_seconds: 7200",
        "      timeout_seconds:",
        "resources.jobs.orders.timeout_seconds",
        "is nothing",
        "a whole number",
    ),
    Mistake(
        "key that YAML reads as a flag",
        JOB,
        "      timeout_seconds: 7200",
        "      on: 7200",
        "resources.jobs.orders[True]",
        "no such key",
        "timeout_seconds",
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
        "cannot be read as YAML",
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
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)


def test_no_mistake_hides_another(bundle_copy: Path) -> None:
    """Guards that one run names everything: a list too long, its element, a mapping of two kinds and its keys."""
    file = bundle_copy / JOB
    text = file.read_text(encoding="utf-8")
    commands = (
        "".join(f"              - dbt build --select n{n}\n" for n in range(11)) + "              - 7\n"
    )
    text = text.replace(
        "            commands:\n", f"            command: x\n            commands:\n{commands}", 1
    ).replace(
        "          dbt_task:\n", "          sql_task: {}\n          max_retry: 1\n          dbt_task:\n", 1
    )
    file.write_text(text, encoding="utf-8")
    task = "resources.jobs.orders.tasks[1]"
    found = {(finding.key, finding.what) for finding in check_bundle(bundle_copy, ["prod"])}
    assert {
        (task, "has sql_task, dbt_task"),
        (f"{task}.max_retry", "no such key"),
        (f"{task}.dbt_task.command", "no such key"),
        (f"{task}.dbt_task.commands", "has 13 elements"),
        (f"{task}.dbt_task.commands[11]", "is the int 7"),
    } <= {(key, what.replace("dbt_task, sql_task", "sql_task, dbt_task")) for key, what in found}


@pytest.mark.parametrize("value", ["${var.seconds}", "${resources.jobs.orders.id}"])
def test_a_reference_passes_as_any_value(value: str, tmp_path: Path) -> None:
    """Guards values that only a deployment knows; the same place refuses any other text."""
    file = tmp_path / "databricks.yml"
    bundle = "bundle: {name: x}\ntargets: {t: {}}\nresources: {jobs: {j: {name: j, tasks: %s, timeout_seconds: %s}}}\n"
    file.write_text(bundle % (f'"{value}"', f'"{value}"'), encoding="utf-8")
    comparison = Comparison(BundleFile)
    assert list(comparison.findings(read_document(file, tmp_path).root)) == []
    file.write_text(bundle % ("x", "y"), encoding="utf-8")
    keys = {finding.key for finding in comparison.findings(read_document(file, tmp_path).root)}
    assert keys == {"resources.jobs.j.tasks", "resources.jobs.j.timeout_seconds"}
