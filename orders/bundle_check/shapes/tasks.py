"""Shapes of tasks: what a job runs.

Sources: "Declarative Automation Bundles resources" and "Jobs API 2.2", Databricks documentation.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.clusters import JobCluster
from orders.bundle_check.shapes.kinds import TextMap, elements, exactly_one, strict
from orders.bundle_check.shapes.notifications import (
    EmailNotifications,
    Health,
    QuietRuns,
    WebhookNotifications,
)

Source = Literal["WORKSPACE", "GIT"]


@strict
class PyPiPackage(TypedDict, total=False):
    """A package of a Python index."""

    package: Required[str]
    repo: str


@strict
class Library(TypedDict, total=False):
    """What is installed on a task's cluster."""

    whl: str
    pypi: PyPiPackage
    requirements: str
    jar: str
    maven: Any
    cran: Any
    egg: str


@strict
class PipelineTask(TypedDict, total=False):
    """An update of a pipeline."""

    pipeline_id: Required[str]
    full_refresh: bool
    full_refresh_selection: list[str]
    refresh_selection: list[str]
    reset_checkpoint_selection: list[str]
    parameters: TextMap


@strict
class DbtTask(TypedDict, total=False):
    """dbt commands, one after the other."""

    commands: Required[Annotated[list[str], elements(least=1, most=10)]]
    project_directory: str
    profiles_directory: str
    warehouse_id: str
    catalog: str
    schema: str
    source: Source


@strict
class PythonWheelTask(TypedDict, total=False):
    """An entry point of a wheel."""

    package_name: Required[str]
    entry_point: Required[str]
    parameters: list[str]
    named_parameters: TextMap


@strict
class NotebookTask(TypedDict, total=False):
    """A notebook."""

    notebook_path: Required[str]
    base_parameters: TextMap
    source: Source
    warehouse_id: str


@strict
class SparkPythonTask(TypedDict, total=False):
    """A Python file."""

    python_file: Required[str]
    parameters: list[str]
    source: Source


@strict
class ConditionTask(TypedDict, total=False):
    """A comparison that decides which tasks follow."""

    op: Required[
        Literal[
            "EQUAL_TO",
            "NOT_EQUAL",
            "GREATER_THAN",
            "GREATER_THAN_OR_EQUAL",
            "LESS_THAN",
            "LESS_THAN_OR_EQUAL",
        ]
    ]
    left: Required[str]
    right: Required[str]


@strict
class RunJobTask(TypedDict, total=False):
    """Another job."""

    job_id: Required[str]
    job_parameters: TextMap
    pipeline_params: Any


@strict
class TaskKinds(TypedDict, total=False):
    """What a task may run, each under a key of its own."""

    pipeline_task: PipelineTask
    dbt_task: DbtTask
    python_wheel_task: PythonWheelTask
    notebook_task: NotebookTask
    spark_python_task: SparkPythonTask
    condition_task: ConditionTask
    run_job_task: RunJobTask
    sql_task: Any
    alert_task: Any
    dashboard_task: Any
    for_each_task: Any


@strict
class Dependency(TypedDict, total=False):
    """A task that must end first."""

    task_key: Required[str]
    outcome: str


class TaskQuietRuns(QuietRuns, total=False):
    """For which runs of a task nobody is told."""

    alert_on_last_attempt: bool


class _Task(TaskKinds, total=False):
    task_key: Required[str]
    description: str
    depends_on: list[Dependency]
    run_if: Literal[
        "ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"
    ]
    disabled: bool
    environment_key: str
    environment_variables_key: str
    existing_cluster_id: str
    job_cluster_key: str
    new_cluster: JobCluster
    libraries: list[Annotated[Library, exactly_one(*Library.__annotations__)]]
    max_retries: int
    min_retry_interval_millis: int
    retry_on_timeout: bool
    timeout_seconds: int
    email_notifications: EmailNotifications
    webhook_notifications: WebhookNotifications
    notification_settings: TaskQuietRuns
    health: Health
    disable_auto_optimization: bool


Task = Annotated[_Task, exactly_one(*TaskKinds.__annotations__)]
"""A task of a job."""
