"""Shapes of pipelines, schemas, volumes, secret scopes, dashboards and alerts.

Sources: "Declarative Automation Bundles resources" and the REST API reference of each resource, Databricks
    documentation.
"""

from __future__ import annotations

from orders.bundle_check.rules.shapes import (
    ANYTHING,
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    ListOf,
    MapOf,
    Record,
    Shape,
    choice,
)

LIFECYCLE = Record({"prevent_destroy": FLAG})
PRINCIPAL = ("group_name", "service_principal_name", "user_name")
RUN_AS = Record(dict.fromkeys(PRINCIPAL, TEXT), one_of=[PRINCIPAL])


def permissions(*levels: str) -> Shape:
    """Return the shape of a list of permissions on a resource."""
    return ListOf(
        Record(
            {"level": choice(*levels), **dict.fromkeys(PRINCIPAL, TEXT)},
            required=["level"],
            one_of=[PRINCIPAL],
        )
    )


def grants(*privileges: str) -> Shape:
    """Return the shape of a list of Unity Catalog privileges by principal."""
    return ListOf(
        Record(
            {"principal": TEXT, "privileges": ListOf(choice(*privileges), least=1)},
            ["principal", "privileges"],
        )
    )


CLUSTER_KEYS: dict[str, Shape] = {
    "apply_policy_default_values": FLAG,
    "autoscale": Record({"min_workers": WHOLE, "max_workers": WHOLE}, ["min_workers", "max_workers"]),
    "aws_attributes": ANYTHING,
    "azure_attributes": ANYTHING,
    "gcp_attributes": ANYTHING,
    "cluster_log_conf": ANYTHING,
    "custom_tags": MapOf(TEXT),
    "driver_instance_pool_id": TEXT,
    "driver_node_type_id": TEXT,
    "enable_local_disk_encryption": FLAG,
    "init_scripts": ANYTHING,
    "instance_pool_id": TEXT,
    "node_type_id": TEXT,
    "num_workers": WHOLE,
    "policy_id": TEXT,
    "spark_conf": MapOf(TEXT),
    "spark_env_vars": MapOf(TEXT),
    "ssh_public_keys": ListOf(TEXT),
}

_PIPELINE_CLUSTER = Record(
    {
        **CLUSTER_KEYS,
        "label": choice("default", "updates", "maintenance"),
        "autoscale": Record(
            {"min_workers": WHOLE, "max_workers": WHOLE, "mode": choice("ENHANCED", "LEGACY")},
            ["min_workers", "max_workers"],
        ),
    }
)

PIPELINE = Record(
    {
        "name": TEXT,
        "catalog": TEXT,
        "schema": TEXT,
        "serverless": FLAG,
        "continuous": FLAG,
        "development": FLAG,
        "photon": FLAG,
        "edition": choice("CORE", "PRO", "ADVANCED"),
        "channel": choice("CURRENT", "PREVIEW"),
        "root_path": TEXT,
        "libraries": ListOf(
            Record(
                {
                    "glob": Record({"include": TEXT}, ["include"]),
                    "file": Record({"path": TEXT}, ["path"]),
                    "notebook": Record({"path": TEXT}, ["path"]),
                },
                one_of=[("glob", "file", "notebook")],
            ),
            least=1,
        ),
        "configuration": MapOf(TEXT),
        "parameters": MapOf(TEXT),
        "environment": Record({"dependencies": ListOf(TEXT), "environment_version": TEXT}),
        "event_log": Record({"catalog": TEXT, "schema": TEXT, "name": TEXT}, ["name"]),
        "notifications": ListOf(
            Record(
                {
                    "email_recipients": ListOf(TEXT, least=1),
                    "alerts": ListOf(
                        choice(
                            "on-update-success",
                            "on-update-failure",
                            "on-update-fatal-failure",
                            "on-flow-failure",
                        ),
                        least=1,
                    ),
                },
                ["email_recipients", "alerts"],
            )
        ),
        "clusters": ListOf(_PIPELINE_CLUSTER),
        "permissions": permissions("CAN_MANAGE", "IS_OWNER", "CAN_RUN", "CAN_VIEW"),
        "run_as": RUN_AS,
        "tags": MapOf(TEXT),
        "lifecycle": LIFECYCLE,
        "cascade_on_destroy": FLAG,
        "allow_duplicate_names": FLAG,
        "budget_policy_id": TEXT,
        "usage_policy_id": TEXT,
        "restart_window": ANYTHING,
        "parent_path": TEXT,
    },
    required=["name", "catalog", "schema", "libraries"],
)

SCHEMA = Record(
    {
        "catalog_name": TEXT,
        "name": TEXT,
        "comment": TEXT,
        "properties": MapOf(TEXT),
        "storage_root": TEXT,
        "lifecycle": LIFECYCLE,
        "grants": grants(
            "ALL_PRIVILEGES",
            "APPLY_TAG",
            "CREATE_FUNCTION",
            "CREATE_MATERIALIZED_VIEW",
            "CREATE_MODEL",
            "CREATE_TABLE",
            "CREATE_VOLUME",
            "EXECUTE",
            "MANAGE",
            "MODIFY",
            "READ_VOLUME",
            "REFRESH",
            "SELECT",
            "USE_SCHEMA",
            "WRITE_VOLUME",
        ),
    },
    required=["catalog_name", "name"],
)

VOLUME = Record(
    {
        "catalog_name": TEXT,
        "schema_name": TEXT,
        "name": TEXT,
        "comment": TEXT,
        "volume_type": choice("MANAGED", "EXTERNAL"),
        "storage_location": TEXT,
        "lifecycle": LIFECYCLE,
        "grants": grants("ALL_PRIVILEGES", "APPLY_TAG", "MANAGE", "READ_VOLUME", "WRITE_VOLUME"),
    },
    required=["catalog_name", "schema_name", "name"],
)

SECRET_SCOPE = Record(
    {
        "name": TEXT,
        "backend_type": choice("DATABRICKS", "AZURE_KEYVAULT"),
        "keyvault_metadata": Record({"dns_name": TEXT, "resource_id": TEXT}, ["dns_name", "resource_id"]),
        "permissions": permissions("READ", "WRITE", "MANAGE"),
        "lifecycle": LIFECYCLE,
    },
    required=["name"],
)

DASHBOARD = Record(
    {
        "display_name": TEXT,
        "file_path": TEXT,
        "warehouse_id": TEXT,
        "dataset_catalog": TEXT,
        "dataset_schema": TEXT,
        "embed_credentials": FLAG,
        "parent_path": TEXT,
        "permissions": permissions("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"),
        "lifecycle": LIFECYCLE,
    },
    required=["display_name", "file_path", "warehouse_id"],
)

_OPERAND_COLUMN = Record(
    {
        "name": TEXT,
        "display": TEXT,
        "aggregation": choice("SUM", "COUNT", "COUNT_DISTINCT", "AVG", "MEDIAN", "MIN", "MAX", "STDDEV"),
    },
    required=["name"],
)
_OPERAND_VALUES = ("bool_value", "double_value", "string_value")

ALERT = Record(
    {
        "display_name": TEXT,
        "query_text": TEXT,
        "warehouse_id": TEXT,
        "custom_summary": TEXT,
        "custom_description": TEXT,
        "custom_template_format": choice("HTML", "MARKDOWN"),
        "evaluation": Record(
            {
                "comparison_operator": choice(
                    "LESS_THAN",
                    "GREATER_THAN",
                    "EQUAL",
                    "NOT_EQUAL",
                    "GREATER_THAN_OR_EQUAL",
                    "LESS_THAN_OR_EQUAL",
                    "IS_NULL",
                    "IS_NOT_NULL",
                ),
                "empty_result_state": choice("UNKNOWN", "TRIGGERED", "OK", "ERROR"),
                "source": _OPERAND_COLUMN,
                "threshold": Record(
                    {
                        "column": _OPERAND_COLUMN,
                        "value": Record(
                            {"bool_value": FLAG, "double_value": NUMBER, "string_value": TEXT},
                            one_of=[_OPERAND_VALUES],
                        ),
                    },
                    one_of=[("column", "value")],
                ),
                "notification": Record(
                    {
                        "notify_on_ok": FLAG,
                        "retrigger_seconds": WHOLE,
                        "subscriptions": ListOf(
                            Record(
                                {"user_email": TEXT, "destination_id": TEXT},
                                one_of=[("user_email", "destination_id")],
                            ),
                            least=1,
                        ),
                    }
                ),
            },
            required=["comparison_operator", "source"],
        ),
        "schedule": Record(
            {
                "quartz_cron_schedule": TEXT,
                "timezone_id": TEXT,
                "pause_status": choice("UNPAUSED", "PAUSED"),
            },
            required=["quartz_cron_schedule", "timezone_id"],
        ),
        "parameters": ANYTHING,
        "run_as": Record(dict.fromkeys(PRINCIPAL[1:], TEXT), one_of=[PRINCIPAL[1:]]),
        "run_as_user_name": TEXT,
        "parent_path": TEXT,
        "permissions": permissions("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"),
        "lifecycle": LIFECYCLE,
    },
    required=["display_name", "query_text", "warehouse_id", "evaluation", "schedule"],
)

SQL_WAREHOUSE = Record(
    {
        "name": TEXT,
        "cluster_size": TEXT,
        "min_num_clusters": WHOLE,
        "max_num_clusters": WHOLE,
        "auto_stop_mins": WHOLE,
        "enable_serverless_compute": FLAG,
        "enable_photon": FLAG,
        "warehouse_type": choice("PRO", "CLASSIC"),
        "spot_instance_policy": TEXT,
        "channel": ANYTHING,
        "tags": ANYTHING,
        "permissions": permissions("CAN_MANAGE", "CAN_MONITOR", "CAN_USE", "CAN_VIEW", "IS_OWNER"),
        "lifecycle": LIFECYCLE,
    },
    required=["name"],
)
