"""Shape of databricks.yml itself.

Source: "Configuration reference" of Declarative Automation Bundles, Databricks documentation.
"""

from __future__ import annotations

from orders.bundle_check.rules.job_shapes import JOB
from orders.bundle_check.rules.resource_shapes import (
    ALERT,
    DASHBOARD,
    PIPELINE,
    RUN_AS,
    SCHEMA,
    SECRET_SCOPE,
    SQL_WAREHOUSE,
    VOLUME,
    permissions,
)
from orders.bundle_check.rules.shapes import ANYTHING, FLAG, TEXT, WHOLE, ListOf, MapOf, Record, Shape, choice

RESOURCE_KINDS: dict[str, Shape] = {
    "alerts": MapOf(ALERT),
    "dashboards": MapOf(DASHBOARD),
    "jobs": MapOf(JOB),
    "pipelines": MapOf(PIPELINE),
    "schemas": MapOf(SCHEMA),
    "secret_scopes": MapOf(SECRET_SCOPE),
    "sql_warehouses": MapOf(SQL_WAREHOUSE),
    "volumes": MapOf(VOLUME),
}

_GIT = Record({"branch": TEXT, "origin_url": TEXT})
_SHARED: dict[str, Shape] = {
    "artifacts": MapOf(
        Record(
            {
                "type": choice("whl", "jar"),
                "path": TEXT,
                "build": TEXT,
                "dynamic_version": FLAG,
                "executable": choice("bash", "sh", "cmd"),
                "files": ListOf(Record({"source": TEXT}, ["source"])),
            }
        )
    ),
    "permissions": permissions("CAN_VIEW", "CAN_MANAGE", "CAN_RUN"),
    "presets": Record(
        {
            "name_prefix": TEXT,
            "trigger_pause_status": choice("PAUSED", "UNPAUSED"),
            "pipelines_development": FLAG,
            "jobs_max_concurrent_runs": WHOLE,
            "source_linked_deployment": FLAG,
            "artifacts_dynamic_version": FLAG,
            "tags": MapOf(TEXT),
        }
    ),
    "run_as": RUN_AS,
    "sync": Record({"include": ListOf(TEXT), "exclude": ListOf(TEXT), "paths": ListOf(TEXT)}),
    "workspace": Record(
        dict.fromkeys(
            (
                "host",
                "profile",
                "auth_type",
                "root_path",
                "file_path",
                "artifact_path",
                "state_path",
                "resource_path",
                "client_id",
            ),
            TEXT,
        )
    ),
}
_BUNDLE: dict[str, Shape] = {
    "name": TEXT,
    "databricks_cli_version": TEXT,
    "cluster_id": TEXT,
    "compute_id": TEXT,
    "deployment": ANYTHING,
    "engine": choice("direct", "terraform"),
    "git": _GIT,
    "uuid": TEXT,
    # Filled in by composing the bundle for a target.
    "target": TEXT,
    "mode": choice("development", "production"),
}

TARGET = Record(
    {
        "mode": choice("development", "production"),
        "default": FLAG,
        "bundle": Record(_BUNDLE),
        "git": _GIT,
        # A target may set any key of any resource; these are checked after the target is merged into the bundle.
        "resources": MapOf(ANYTHING),
        "variables": MapOf(ANYTHING),
        **_SHARED,
    }
)
VARIABLE = Record(
    {
        "description": TEXT,
        "default": ANYTHING,
        "type": choice("complex"),
        "lookup": Record(
            dict.fromkeys(
                (
                    "alert",
                    "cluster",
                    "cluster_policy",
                    "dashboard",
                    "instance_pool",
                    "job",
                    "metastore",
                    "notification_destination",
                    "pipeline",
                    "query",
                    "service_principal",
                    "warehouse",
                ),
                TEXT,
            )
        ),
        # Filled in by composing the bundle for a target.
        "value": ANYTHING,
    },
    required=["description"],
)
BUNDLE = Record(
    {
        "bundle": Record(_BUNDLE, required=["name"]),
        "include": ListOf(TEXT),
        "experimental": Record({"skip_name_prefix_for_schema": FLAG, "python_wheel_wrapper": FLAG}),
        "resources": Record(RESOURCE_KINDS),
        "targets": MapOf(TARGET),
        "variables": MapOf(VARIABLE),
        "git": _GIT,
        **_SHARED,
    },
    required=["bundle", "targets", "resources"],
)
