"""Shapes of clusters.

Source: REST API reference of clusters, Databricks documentation.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.kinds import TextMap, strict


@strict
class Autoscale(TypedDict, total=False):
    """Between how many workers a cluster grows and shrinks."""

    min_workers: Required[int]
    max_workers: Required[int]


class PipelineAutoscale(Autoscale, total=False):
    """The same for a pipeline, which chooses how."""

    mode: Literal["ENHANCED", "LEGACY"]


@strict
class Machines(TypedDict, total=False):
    """What the clusters of jobs and of pipelines share."""

    apply_policy_default_values: bool
    aws_attributes: Any
    azure_attributes: Any
    gcp_attributes: Any
    cluster_log_conf: Any
    custom_tags: TextMap
    driver_instance_pool_id: str
    driver_node_type_id: str
    enable_local_disk_encryption: bool
    init_scripts: Any
    instance_pool_id: str
    node_type_id: str
    num_workers: int
    policy_id: str
    spark_conf: TextMap
    spark_env_vars: TextMap
    ssh_public_keys: list[str]


class PipelineCluster(Machines, total=False):
    """A cluster of a pipeline."""

    label: Literal["default", "updates", "maintenance"]
    autoscale: PipelineAutoscale


class JobCluster(Machines, total=False):
    """A cluster of a job or of one task."""

    autoscale: Autoscale
    cluster_name: str
    data_security_mode: Literal[
        "NONE",
        "SINGLE_USER",
        "USER_ISOLATION",
        "DATA_SECURITY_MODE_AUTO",
        "DATA_SECURITY_MODE_DEDICATED",
        "DATA_SECURITY_MODE_STANDARD",
    ]
    docker_image: Any
    enable_elastic_disk: bool
    is_single_node: bool
    kind: Literal["CLASSIC_PREVIEW"]
    runtime_engine: Literal["NULL", "STANDARD", "PHOTON"]
    single_user_name: str
    spark_version: Required[str]
    use_ml_runtime: bool
    workload_type: Any
