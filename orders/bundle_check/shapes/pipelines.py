"""Shapes of pipelines.

Sources: "Declarative Automation Bundles resources" and the REST API reference of pipelines, Databricks documentation.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.clusters import PipelineCluster
from orders.bundle_check.shapes.kinds import (
    Lifecycle,
    Permissions,
    RunAs,
    TextMap,
    elements,
    exactly_one,
    strict,
)


@strict
class Glob(TypedDict, total=False):
    """Source files by a pattern."""

    include: Required[str]


@strict
class SourceFile(TypedDict, total=False):
    """One source file or notebook."""

    path: Required[str]


@strict
class SourceCode(TypedDict, total=False):
    """What a pipeline runs."""

    glob: Glob
    file: SourceFile
    notebook: SourceFile


@strict
class PipelineEnvironment(TypedDict, total=False):
    """Packages of a serverless pipeline."""

    dependencies: list[str]
    environment_version: str


@strict
class EventLog(TypedDict, total=False):
    """The table that receives the events."""

    catalog: str
    schema: str
    name: Required[str]


@strict
class PipelineNotification(TypedDict, total=False):
    """Who is told of which events."""

    email_recipients: Required[Annotated[list[str], elements(least=1)]]
    alerts: Required[
        Annotated[
            list[
                Literal[
                    "on-update-success", "on-update-failure", "on-update-fatal-failure", "on-flow-failure"
                ]
            ],
            elements(least=1),
        ]
    ]


@strict
class Pipeline(TypedDict, total=False):
    """A pipeline."""

    name: Required[str]
    catalog: Required[str]
    schema: Required[str]
    serverless: bool
    continuous: bool
    development: bool
    photon: bool
    edition: Literal["CORE", "PRO", "ADVANCED"]
    channel: Literal["CURRENT", "PREVIEW"]
    root_path: str
    libraries: Required[
        Annotated[
            list[Annotated[SourceCode, exactly_one("glob", "file", "notebook")]],
            elements(least=1),
        ]
    ]
    configuration: TextMap
    parameters: TextMap
    environment: PipelineEnvironment
    event_log: EventLog
    notifications: list[PipelineNotification]
    clusters: list[PipelineCluster]
    permissions: Permissions[Literal["CAN_MANAGE", "IS_OWNER", "CAN_RUN", "CAN_VIEW"]]
    run_as: RunAs
    tags: TextMap
    lifecycle: Lifecycle
    cascade_on_destroy: bool
    allow_duplicate_names: bool
    budget_policy_id: str
    usage_policy_id: str
    restart_window: Any
    parent_path: str
