"""Shapes of jobs.

Sources: "Declarative Automation Bundles resources" and "Jobs API 2.2", Databricks documentation.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.clusters import JobCluster
from orders.bundle_check.shapes.kinds import (
    Lifecycle,
    Permissions,
    RunAs,
    TextMap,
    elements,
    exactly_one,
    strict,
)
from orders.bundle_check.shapes.notifications import (
    EmailNotifications,
    Health,
    QuietRuns,
    WebhookNotifications,
)
from orders.bundle_check.shapes.tasks import Task

PauseStatus = Literal["UNPAUSED", "PAUSED"]


@strict
class Queue(TypedDict, total=False):
    """Whether a run waits for its turn."""

    enabled: Required[bool]


@strict
class FileArrival(TypedDict, total=False):
    """A folder whose new files start a run."""

    url: Required[str]
    min_time_between_triggers_seconds: int
    wait_after_last_change_seconds: int


@strict
class Periodic(TypedDict, total=False):
    """A run every so often."""

    interval: Required[int]
    unit: Required[Literal["HOURS", "DAYS", "WEEKS"]]


@strict
class Trigger(TypedDict, total=False):
    """What starts a run, other than the clock."""

    pause_status: PauseStatus
    file_arrival: FileArrival
    periodic: Periodic
    table_update: Any


@strict
class Schedule(TypedDict, total=False):
    """When runs start."""

    quartz_cron_expression: Required[str]
    timezone_id: Required[str]
    pause_status: PauseStatus


@strict
class SharedCluster(TypedDict, total=False):
    """A cluster that several tasks use."""

    job_cluster_key: Required[str]
    new_cluster: Required[JobCluster]


@strict
class Packages(TypedDict, total=False):
    """Packages of serverless tasks. `client` is the former name of `environment_version`."""

    environment_version: str
    client: str
    dependencies: list[str]


@strict
class Environment(TypedDict, total=False):
    """An environment that serverless tasks name by its key."""

    environment_key: Required[str]
    spec: Required[Annotated[Packages, exactly_one("environment_version", "client")]]


@strict
class JobParameter(TypedDict, total=False):
    """A parameter of a run."""

    name: Required[str]
    default: Required[str]


@strict
class Job(TypedDict, total=False):
    """A job."""

    name: Required[str]
    description: str
    tags: TextMap
    max_concurrent_runs: int
    queue: Queue
    timeout_seconds: int
    trigger: Annotated[Trigger, exactly_one("file_arrival", "periodic", "table_update")]
    schedule: Schedule
    continuous: Any
    health: Health
    email_notifications: EmailNotifications
    webhook_notifications: WebhookNotifications
    notification_settings: QuietRuns
    job_clusters: list[SharedCluster]
    environments: list[Environment]
    environment_variables: Any
    parameters: list[JobParameter]
    tasks: Required[Annotated[list[Task], elements(least=1, most=1000)]]
    permissions: Permissions[Literal["CAN_MANAGE", "IS_OWNER", "CAN_MANAGE_RUN", "CAN_VIEW"]]
    run_as: RunAs
    performance_target: Literal["PERFORMANCE_OPTIMIZED", "STANDARD"]
    budget_policy_id: str
    usage_policy_id: str
    git_source: Any
    lifecycle: Lifecycle
    parent_path: str
