"""Mistakes in keys and structure: nothing misspelt, missing, of another type, or said twice."""

from __future__ import annotations

from pathlib import Path

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
