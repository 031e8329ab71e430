"""Shapes of what people look at and hear from: dashboards and alerts.

Sources: "Declarative Automation Bundles resources" and the REST API references of Lakeview and of alerts, Databricks
    documentation.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typing_extensions import Required, TypedDict

from orders.bundle_check.shapes.kinds import Lifecycle, Permissions, elements, exactly_one, strict

Levels = Literal["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]


@strict
class Dashboard(TypedDict, total=False):
    """An AI/BI dashboard."""

    display_name: Required[str]
    file_path: Required[str]
    warehouse_id: Required[str]
    dataset_catalog: str
    dataset_schema: str
    embed_credentials: bool
    parent_path: str
    permissions: Permissions[Levels]
    lifecycle: Lifecycle


@strict
class OperandColumn(TypedDict, total=False):
    """A column of an alert's query."""

    name: Required[str]
    display: str
    aggregation: Literal["SUM", "COUNT", "COUNT_DISTINCT", "AVG", "MEDIAN", "MIN", "MAX", "STDDEV"]


@strict
class OperandValue(TypedDict, total=False):
    """A constant that an alert compares with."""

    bool_value: bool
    double_value: float
    string_value: str


@strict
class Threshold(TypedDict, total=False):
    """What an alert compares with: a column or a constant."""

    column: OperandColumn
    value: Annotated[OperandValue, exactly_one("bool_value", "double_value", "string_value")]


@strict
class Subscription(TypedDict, total=False):
    """Who hears of an alert."""

    user_email: str
    destination_id: str


@strict
class AlertNotification(TypedDict, total=False):
    """How often an alert is told, and to whom."""

    notify_on_ok: bool
    retrigger_seconds: int
    subscriptions: Annotated[
        list[Annotated[Subscription, exactly_one("user_email", "destination_id")]], elements(least=1)
    ]


@strict
class Evaluation(TypedDict, total=False):
    """When an alert is triggered."""

    comparison_operator: Required[
        Literal[
            "LESS_THAN",
            "GREATER_THAN",
            "EQUAL",
            "NOT_EQUAL",
            "GREATER_THAN_OR_EQUAL",
            "LESS_THAN_OR_EQUAL",
            "IS_NULL",
            "IS_NOT_NULL",
        ]
    ]
    empty_result_state: Literal["UNKNOWN", "TRIGGERED", "OK", "ERROR"]
    source: Required[OperandColumn]
    threshold: Annotated[Threshold, exactly_one("column", "value")]
    notification: AlertNotification


@strict
class AlertSchedule(TypedDict, total=False):
    """When an alert's query runs."""

    quartz_cron_schedule: Required[str]
    timezone_id: Required[str]
    pause_status: Literal["UNPAUSED", "PAUSED"]


@strict
class AlertRunAs(TypedDict, total=False):
    """An alert never runs as a group."""

    service_principal_name: str
    user_name: str


@strict
class Alert(TypedDict, total=False):
    """A SQL alert."""

    display_name: Required[str]
    query_text: Required[str]
    warehouse_id: Required[str]
    custom_summary: str
    custom_description: str
    custom_template_format: Literal["HTML", "MARKDOWN"]
    evaluation: Required[Evaluation]
    schedule: Required[AlertSchedule]
    parameters: Any
    run_as: Annotated[AlertRunAs, exactly_one("service_principal_name", "user_name")]
    run_as_user_name: str
    parent_path: str
    permissions: Permissions[Levels]
    lifecycle: Lifecycle
