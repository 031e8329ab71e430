"""Mistakes in jobs: the graph of tasks, what tasks run on, what a dbt task may say, what starts a job."""

from __future__ import annotations

from pathlib import Path

from .mistakes import JOB, Mistake, assert_found, each

MISTAKES = [
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
        "Use a task",
    ),
    Mistake(
        "cycle of tasks",
        JOB,
        "          pipeline_task:\n",
        "          depends_on:\n            - task_key: health_check\n          pipeline_task:\n",
        "resources.jobs.orders.tasks",
        "wait for each other",
        "cycle",
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
        "not a shell line",
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
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)
