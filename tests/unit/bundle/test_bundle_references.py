"""Mistakes in references: every `${...}` and `{{...}}` leads somewhere."""

from __future__ import annotations

from pathlib import Path

from .mistakes import JOB, MAIN, PIPELINE, STORAGE, Mistake, assert_found, each

MISTAKES = [
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
        "Set one",
        target="dev",
    ),
    Mistake(
        "variable nobody uses",
        MAIN,
        "  node_type_id:\n",
        "  unused:\n    description: x\n  node_type_id:\n",
        "variables.unused",
        "nothing in the bundle uses",
        "remove it",
    ),
    Mistake(
        "unknown dynamic value",
        JOB,
        '"run_id":"{{job.run_id}}"}\'\n          libraries: &libraries',
        '"run_id":"{{job.runid}}"}\'\n          libraries: &libraries',
        "resources.jobs.orders.tasks[1].dbt_task.commands[0]",
        "{{job.runid}}",
        "unchanged",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)
