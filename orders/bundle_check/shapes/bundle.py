"""Shape of databricks.yml itself.

Source: "Configuration reference" of Declarative Automation Bundles, Databricks documentation.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.jobs import Job
from orders.bundle_check.shapes.kinds import Permissions, RunAs, TextMap, strict
from orders.bundle_check.shapes.pipelines import Pipeline
from orders.bundle_check.shapes.storage import Schema, SecretScope, SqlWarehouse, Volume
from orders.bundle_check.shapes.watching import Alert, Dashboard

Mode = Literal["development", "production"]


@strict
class Resources(TypedDict, total=False):
    """The resources of a bundle, by kind and key."""

    alerts: dict[Any, Alert]
    dashboards: dict[Any, Dashboard]
    jobs: dict[Any, Job]
    pipelines: dict[Any, Pipeline]
    schemas: dict[Any, Schema]
    secret_scopes: dict[Any, SecretScope]
    sql_warehouses: dict[Any, SqlWarehouse]
    volumes: dict[Any, Volume]


@strict
class Git(TypedDict, total=False):
    """Where the bundle comes from."""

    branch: str
    origin_url: str


@strict
class ArtifactFile(TypedDict, total=False):
    """A built file."""

    source: Required[str]


@strict
class Artifact(TypedDict, total=False):
    """What a deployment builds."""

    type: Literal["whl", "jar"]
    path: str
    build: str
    dynamic_version: bool
    executable: Literal["bash", "sh", "cmd"]
    files: list[ArtifactFile]


@strict
class Presets(TypedDict, total=False):
    """What a target sets on all resources."""

    name_prefix: str
    trigger_pause_status: Literal["PAUSED", "UNPAUSED"]
    pipelines_development: bool
    jobs_max_concurrent_runs: int
    source_linked_deployment: bool
    artifacts_dynamic_version: bool
    tags: TextMap


@strict
class Sync(TypedDict, total=False):
    """Which files are uploaded."""

    include: list[str]
    exclude: list[str]
    paths: list[str]


@strict
class Workspace(TypedDict, total=False):
    """The workspace of a deployment, and its folders there."""

    host: str
    profile: str
    auth_type: str
    root_path: str
    file_path: str
    artifact_path: str
    state_path: str
    resource_path: str
    client_id: str


@strict
class Everywhere(TypedDict, total=False):
    """What the bundle and each target may set."""

    git: Git
    artifacts: dict[Any, Artifact]
    permissions: Permissions[Literal["CAN_VIEW", "CAN_MANAGE", "CAN_RUN"]]
    presets: Presets
    run_as: RunAs
    sync: Sync
    workspace: Workspace


@strict
class About(TypedDict, total=False):
    """The bundle's own properties, as a target may set them."""

    databricks_cli_version: str
    cluster_id: str
    compute_id: str
    deployment: Any
    engine: Literal["direct", "terraform"]
    git: Git
    uuid: str
    # Filled in by composing the bundle for a target.
    target: str
    mode: Mode


class AboutInTarget(About, total=False):
    """A target may leave out the name."""

    name: str


class AboutBundle(About, total=False):
    """The bundle itself has a name."""

    name: Required[str]


class Target(Everywhere, total=False):
    """A target of the bundle."""

    mode: Mode
    default: bool
    bundle: AboutInTarget
    # A target may set any key of any resource; these are checked after the target is merged into the bundle.
    resources: dict[Any, Any]
    variables: dict[Any, Any]


@strict
class Lookup(TypedDict, total=False):
    """An object of the workspace that a variable finds by its name."""

    alert: str
    cluster: str
    cluster_policy: str
    dashboard: str
    instance_pool: str
    job: str
    metastore: str
    notification_destination: str
    pipeline: str
    query: str
    service_principal: str
    warehouse: str


@strict
class Variable(TypedDict, total=False):
    """A variable of the bundle."""

    description: Required[str]
    default: Any
    type: Literal["complex"]
    lookup: Lookup
    # Filled in by composing the bundle for a target.
    value: Any


@strict
class Experimental(TypedDict, total=False):
    """Switches that may go."""

    skip_name_prefix_for_schema: bool
    python_wheel_wrapper: bool


class BundleFile(Everywhere, total=False):
    """The whole bundle: databricks.yml with its includes."""

    bundle: Required[AboutBundle]
    include: list[str]
    experimental: Experimental
    resources: Required[Resources]
    targets: Required[dict[Any, Target]]
    variables: dict[Any, Variable]
