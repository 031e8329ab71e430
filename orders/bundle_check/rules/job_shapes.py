"""Shapes of jobs, tasks and what they run on.

Sources: "Declarative Automation Bundles resources" and "Jobs API 2.2", Databricks documentation.
"""

from __future__ import annotations

from orders.bundle_check.rules.resource_shapes import CLUSTER_KEYS, LIFECYCLE, RUN_AS, permissions
from orders.bundle_check.rules.shapes import ANYTHING, FLAG, TEXT, WHOLE, ListOf, MapOf, Record, Shape, choice

PAUSE_STATUS = choice("UNPAUSED", "PAUSED")

CLUSTER = Record(
    {
        **CLUSTER_KEYS,
        "cluster_name": TEXT,
        "data_security_mode": choice(
            "NONE",
            "SINGLE_USER",
            "USER_ISOLATION",
            "DATA_SECURITY_MODE_AUTO",
            "DATA_SECURITY_MODE_DEDICATED",
            "DATA_SECURITY_MODE_STANDARD",
        ),
        "docker_image": ANYTHING,
        "enable_elastic_disk": FLAG,
        "is_single_node": FLAG,
        "kind": choice("CLASSIC_PREVIEW"),
        "runtime_engine": choice("NULL", "STANDARD", "PHOTON"),
        "single_user_name": TEXT,
        "spark_version": TEXT,
        "use_ml_runtime": FLAG,
        "workload_type": ANYTHING,
    },
    required=["spark_version"],
)

_EVENTS = (
    "on_start",
    "on_success",
    "on_failure",
    "on_duration_warning_threshold_exceeded",
    "on_streaming_backlog_exceeded",
)
EMAIL_NOTIFICATIONS = Record(
    {**{event: ListOf(TEXT) for event in _EVENTS}, "no_alert_for_skipped_runs": FLAG}
)
WEBHOOK_NOTIFICATIONS = Record({event: ListOf(Record({"id": TEXT}, ["id"]), most=3) for event in _EVENTS})
_NO_ALERTS: dict[str, Shape] = {"no_alert_for_skipped_runs": FLAG, "no_alert_for_canceled_runs": FLAG}
HEALTH = Record(
    {
        "rules": ListOf(
            Record(
                {
                    "metric": choice(
                        "RUN_DURATION_SECONDS",
                        "STREAMING_BACKLOG_BYTES",
                        "STREAMING_BACKLOG_RECORDS",
                        "STREAMING_BACKLOG_SECONDS",
                        "STREAMING_BACKLOG_FILES",
                    ),
                    "op": choice("GREATER_THAN"),
                    "value": WHOLE,
                },
                ["metric", "op", "value"],
            )
        )
    }
)
LIBRARY_KINDS = ("whl", "pypi", "requirements", "jar", "maven", "cran", "egg")
LIBRARY = Record(
    {
        "whl": TEXT,
        "pypi": Record({"package": TEXT, "repo": TEXT}, ["package"]),
        "requirements": TEXT,
        "jar": TEXT,
        "maven": ANYTHING,
        "cran": ANYTHING,
        "egg": TEXT,
    },
    one_of=[LIBRARY_KINDS],
)

TASK_TYPES: dict[str, Shape] = {
    "pipeline_task": Record(
        {
            "pipeline_id": TEXT,
            "full_refresh": FLAG,
            "full_refresh_selection": ListOf(TEXT),
            "refresh_selection": ListOf(TEXT),
            "reset_checkpoint_selection": ListOf(TEXT),
            "parameters": MapOf(TEXT),
        },
        ["pipeline_id"],
    ),
    "dbt_task": Record(
        {
            "commands": ListOf(TEXT, least=1, most=10),
            "project_directory": TEXT,
            "profiles_directory": TEXT,
            "warehouse_id": TEXT,
            "catalog": TEXT,
            "schema": TEXT,
            "source": choice("WORKSPACE", "GIT"),
        },
        ["commands"],
    ),
    "python_wheel_task": Record(
        {
            "package_name": TEXT,
            "entry_point": TEXT,
            "parameters": ListOf(TEXT),
            "named_parameters": MapOf(TEXT),
        },
        ["package_name", "entry_point"],
    ),
    "notebook_task": Record(
        {
            "notebook_path": TEXT,
            "base_parameters": MapOf(TEXT),
            "source": choice("WORKSPACE", "GIT"),
            "warehouse_id": TEXT,
        },
        ["notebook_path"],
    ),
    "spark_python_task": Record(
        {"python_file": TEXT, "parameters": ListOf(TEXT), "source": choice("WORKSPACE", "GIT")},
        ["python_file"],
    ),
    "condition_task": Record(
        {
            "op": choice(
                "EQUAL_TO",
                "NOT_EQUAL",
                "GREATER_THAN",
                "GREATER_THAN_OR_EQUAL",
                "LESS_THAN",
                "LESS_THAN_OR_EQUAL",
            ),
            "left": TEXT,
            "right": TEXT,
        },
        ["op", "left", "right"],
    ),
    "run_job_task": Record(
        {"job_id": TEXT, "job_parameters": MapOf(TEXT), "pipeline_params": ANYTHING}, ["job_id"]
    ),
    "sql_task": ANYTHING,
    "alert_task": ANYTHING,
    "dashboard_task": ANYTHING,
    "for_each_task": ANYTHING,
}

TASK = Record(
    {
        "task_key": TEXT,
        "description": TEXT,
        "depends_on": ListOf(Record({"task_key": TEXT, "outcome": TEXT}, ["task_key"])),
        "run_if": choice(
            "ALL_SUCCESS",
            "ALL_DONE",
            "NONE_FAILED",
            "AT_LEAST_ONE_SUCCESS",
            "ALL_FAILED",
            "AT_LEAST_ONE_FAILED",
        ),
        "disabled": FLAG,
        "environment_key": TEXT,
        "environment_variables_key": TEXT,
        "existing_cluster_id": TEXT,
        "job_cluster_key": TEXT,
        "new_cluster": CLUSTER,
        "libraries": ListOf(LIBRARY),
        "max_retries": WHOLE,
        "min_retry_interval_millis": WHOLE,
        "retry_on_timeout": FLAG,
        "timeout_seconds": WHOLE,
        "email_notifications": EMAIL_NOTIFICATIONS,
        "webhook_notifications": WEBHOOK_NOTIFICATIONS,
        "notification_settings": Record({**_NO_ALERTS, "alert_on_last_attempt": FLAG}),
        "health": HEALTH,
        "disable_auto_optimization": FLAG,
        **TASK_TYPES,
    },
    required=["task_key"],
    one_of=[tuple(TASK_TYPES)],
)

JOB = Record(
    {
        "name": TEXT,
        "description": TEXT,
        "tags": MapOf(TEXT),
        "max_concurrent_runs": WHOLE,
        "queue": Record({"enabled": FLAG}, ["enabled"]),
        "timeout_seconds": WHOLE,
        "trigger": Record(
            {
                "pause_status": PAUSE_STATUS,
                "file_arrival": Record(
                    {
                        "url": TEXT,
                        "min_time_between_triggers_seconds": WHOLE,
                        "wait_after_last_change_seconds": WHOLE,
                    },
                    ["url"],
                ),
                "periodic": Record(
                    {"interval": WHOLE, "unit": choice("HOURS", "DAYS", "WEEKS")}, ["interval", "unit"]
                ),
                "table_update": ANYTHING,
            },
            one_of=[("file_arrival", "periodic", "table_update")],
        ),
        "schedule": Record(
            {"quartz_cron_expression": TEXT, "timezone_id": TEXT, "pause_status": PAUSE_STATUS},
            ["quartz_cron_expression", "timezone_id"],
        ),
        "continuous": ANYTHING,
        "health": HEALTH,
        "email_notifications": EMAIL_NOTIFICATIONS,
        "webhook_notifications": WEBHOOK_NOTIFICATIONS,
        "notification_settings": Record(_NO_ALERTS),
        "job_clusters": ListOf(
            Record({"job_cluster_key": TEXT, "new_cluster": CLUSTER}, ["job_cluster_key", "new_cluster"])
        ),
        "environments": ListOf(
            Record(
                {
                    "environment_key": TEXT,
                    "spec": Record(
                        {"environment_version": TEXT, "client": TEXT, "dependencies": ListOf(TEXT)},
                        one_of=[("environment_version", "client")],
                    ),
                },
                ["environment_key", "spec"],
            )
        ),
        "environment_variables": ANYTHING,
        "parameters": ListOf(Record({"name": TEXT, "default": TEXT}, ["name", "default"])),
        "tasks": ListOf(TASK, least=1, most=1000),
        "permissions": permissions("CAN_MANAGE", "IS_OWNER", "CAN_MANAGE_RUN", "CAN_VIEW"),
        "run_as": RUN_AS,
        "performance_target": choice("PERFORMANCE_OPTIMIZED", "STANDARD"),
        "budget_policy_id": TEXT,
        "usage_policy_id": TEXT,
        "git_source": ANYTHING,
        "lifecycle": LIFECYCLE,
        "parent_path": TEXT,
    },
    required=["name", "tasks"],
)
