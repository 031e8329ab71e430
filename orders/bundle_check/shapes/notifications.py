"""Shapes of who is told of a job's runs, and of what is too long.

Source: "Jobs API 2.2", Databricks documentation.
"""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.kinds import elements, strict


@strict
class EmailNotifications(TypedDict, total=False):
    """Mail addresses by event."""

    on_start: list[str]
    on_success: list[str]
    on_failure: list[str]
    on_duration_warning_threshold_exceeded: list[str]
    on_streaming_backlog_exceeded: list[str]
    no_alert_for_skipped_runs: bool


@strict
class Webhook(TypedDict, total=False):
    """A notification destination of the workspace."""

    id: Required[str]


Webhooks = Annotated[list[Webhook], elements(most=3)]


@strict
class WebhookNotifications(TypedDict, total=False):
    """Notification destinations by event."""

    on_start: Webhooks
    on_success: Webhooks
    on_failure: Webhooks
    on_duration_warning_threshold_exceeded: Webhooks
    on_streaming_backlog_exceeded: Webhooks


@strict
class QuietRuns(TypedDict, total=False):
    """For which runs nobody is told."""

    no_alert_for_skipped_runs: bool
    no_alert_for_canceled_runs: bool


@strict
class HealthRule(TypedDict, total=False):
    """A limit of one metric of a run."""

    metric: Required[
        Literal[
            "RUN_DURATION_SECONDS",
            "STREAMING_BACKLOG_BYTES",
            "STREAMING_BACKLOG_RECORDS",
            "STREAMING_BACKLOG_SECONDS",
            "STREAMING_BACKLOG_FILES",
        ]
    ]
    op: Required[Literal["GREATER_THAN"]]
    value: Required[int]


@strict
class Health(TypedDict, total=False):
    """The limits of a job or task."""

    rules: list[HealthRule]
