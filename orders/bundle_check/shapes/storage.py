"""Shapes of what holds data and secrets: schemas, volumes, secret scopes and SQL warehouses.

Sources: "Declarative Automation Bundles resources" and the REST API reference of each resource, Databricks
    documentation.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.kinds import Grant, Lifecycle, Permissions, TextMap, strict


@strict
class Schema(TypedDict, total=False):
    """A schema of Unity Catalog."""

    catalog_name: Required[str]
    name: Required[str]
    comment: str
    properties: TextMap
    storage_root: str
    lifecycle: Lifecycle
    grants: list[
        Grant[
            Literal[
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
            ]
        ]
    ]


@strict
class Volume(TypedDict, total=False):
    """A volume of Unity Catalog."""

    catalog_name: Required[str]
    schema_name: Required[str]
    name: Required[str]
    comment: str
    volume_type: Literal["MANAGED", "EXTERNAL"]
    storage_location: str
    lifecycle: Lifecycle
    grants: list[Grant[Literal["ALL_PRIVILEGES", "APPLY_TAG", "MANAGE", "READ_VOLUME", "WRITE_VOLUME"]]]


@strict
class KeyVault(TypedDict, total=False):
    """The Azure key vault behind a secret scope."""

    dns_name: Required[str]
    resource_id: Required[str]


@strict
class SecretScope(TypedDict, total=False):
    """A secret scope."""

    name: Required[str]
    backend_type: Literal["DATABRICKS", "AZURE_KEYVAULT"]
    keyvault_metadata: KeyVault
    permissions: Permissions[Literal["READ", "WRITE", "MANAGE"]]
    lifecycle: Lifecycle


@strict
class SqlWarehouse(TypedDict, total=False):
    """A SQL warehouse."""

    name: Required[str]
    cluster_size: str
    min_num_clusters: int
    max_num_clusters: int
    auto_stop_mins: int
    enable_serverless_compute: bool
    enable_photon: bool
    warehouse_type: Literal["PRO", "CLASSIC"]
    spot_instance_policy: str
    channel: Any
    tags: Any
    permissions: Permissions[Literal["CAN_MANAGE", "CAN_MONITOR", "CAN_USE", "CAN_VIEW", "IS_OWNER"]]
    lifecycle: Lifecycle
