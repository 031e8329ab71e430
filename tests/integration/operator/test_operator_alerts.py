"""Guards the SQL alerts of the bundle: each fires on trouble, stays quiet without, and agrees with `orders check`.

The queries run as they are deployed, with dev's limits, on small marts of known rows. What Databricks does with the
result is done here by `fires`, after the documentation of the Alerts API (v2): the first row's value of the source column,
compared with the threshold; without a row, the state for empty results.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dlt_ingest.configurations.loading import load_settings
from dlt_ingest.metrics.health import warehouse_checks
from dlt_ingest.metrics.health.model import Check, HealthLimits
from dlt_ingest.sql_client import SqlClient, WarehouseConnection
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.workspace import Workspace
from orders.bundle_check.loader import Bundle

PROJECT = Path(__file__).resolve().parents[3]
CATALOG = "ecommerce_dev"
NOW = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
ALERTS = Bundle.load(PROJECT, "dev").resources("alerts")
SETTINGS = load_settings("dev")
LIMITS = HealthLimits(
    minimum_quality_rate=SETTINGS.QUALITY_RATE_MINIMUM,
    slow_update_factor=SETTINGS.SLOW_UPDATE_FACTOR,
    export_lag_minutes=SETTINGS.EXPORT_LAG_MINUTES,
    landing_backlog_files=SETTINGS.LANDING_BACKLOG_FILES,
)
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
}

# Columns of the marts that alerts and checks read, with the types of their contracts.
MARTS: dict[str, dict[str, str]] = {
    "fct_pipeline_runs": {
        "update_id": "string",
        "run_status": "string",
        "quality_rate": "decimal(9, 6)",
        "rows_in": "bigint",
        "rows_dropped": "bigint",
        "duration_seconds": "decimal(18, 3)",
        "is_full_refresh": "boolean",
        "started_at": "timestamp",
    },
    "fct_quality_rules": {
        "update_id": "string",
        "dataset": "string",
        "rule_name": "string",
        "trend": "string",
        "checked_records": "bigint",
        "failed_records": "bigint",
        "is_newly_failing": "boolean",
        "started_at": "timestamp",
    },
    "stg_event_log__events": {
        "update_id": "string",
        "update_state": "string",
        "error_message": "string",
        "event_at": "timestamp",
    },
    "fct_revenue_anomalies": {
        "date_ordered": "date",
        "anomaly": "string",
        "net_revenue": "decimal(18, 2)",
        "baseline_revenue": "decimal(18, 2)",
        "anomaly_score": "decimal(18, 4)",
        "is_complete": "boolean",
        "is_anomaly": "boolean",
    },
    "fct_freshness": {
        "dataset": "string",
        "freshness_status": "string",
        "age_minutes": "bigint",
        "sla_minutes": "bigint",
        "minutes_overdue": "bigint",
    },
    "fct_export_deliveries": {
        "model_name": "string",
        "open_dead_letters": "bigint",
        "error_message": "string",
        "lag_minutes": "bigint",
        "attempted_at": "timestamp",
        "arrived_at": "timestamp",
    },
}
Row = Mapping[str, Any]


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def run(minutes: float, **columns: Any) -> Row:
    """An update that began so many minutes ago."""
    return {
        "update_id": f"u{minutes:g}",
        "run_status": "succeeded",
        "quality_rate": Decimal("0.99"),
        "rows_in": 100,
        "rows_dropped": 1,
        "duration_seconds": 10,
        "is_full_refresh": False,
        "started_at": ago(minutes),
        **columns,
    }


def verdict(
    minutes: float,
    trend: str = "stable",
    *,
    newly: bool = False,
    checked: int = 100,
    rule: str = "price_positive",
) -> Row:
    return {
        "update_id": f"u{minutes:g}",
        "dataset": "silver.orders",
        "rule_name": rule,
        "trend": trend,
        "checked_records": checked,
        "failed_records": 7 if newly or trend == "worse" else 0,
        "is_newly_failing": newly,
        "started_at": ago(minutes),
    }


def event(minutes: float, state: str, message: str | None = None) -> Sequence[Row]:
    """The first and the last event of an update."""
    update = {"update_id": f"u{minutes:g}", "error_message": None}
    return [
        {**update, "update_state": "RUNNING", "event_at": ago(minutes)},
        {**update, "update_state": state, "event_at": ago(minutes - 1), "error_message": message},
    ]


def day(days: int, anomaly: str = "none", *, complete: bool = True, score: float | None = 0.5) -> Row:
    return {
        "date_ordered": (NOW - timedelta(days=days)).date(),
        "anomaly": anomaly,
        "net_revenue": 100,
        "baseline_revenue": 90,
        "anomaly_score": score,
        "is_complete": complete,
        "is_anomaly": anomaly != "none",
    }


def dataset(name: str, status: str, age: int | None, sla: int | None) -> Row:
    overdue = age - sla if age is not None and sla is not None and age > sla else None
    return {
        "dataset": name,
        "freshness_status": status,
        "age_minutes": age,
        "sla_minutes": sla,
        "minutes_overdue": overdue,
    }


def delivery(
    minutes: float, lag: int = 0, *, letters: int | None = 0, model: str = "exp_days", arrived: bool = True
) -> Row:
    """An export so many minutes ago."""
    return {
        "model_name": model,
        "open_dead_letters": letters,
        "error_message": None if arrived else "refused",
        "lag_minutes": lag,
        "attempted_at": ago(minutes),
        "arrived_at": ago(minutes - lag) if arrived else None,
    }


def usual(*durations: float) -> list[Row]:
    """Updates, the latest first, of these durations."""
    return [run(10 * (i + 1), duration_seconds=seconds) for i, seconds in enumerate(durations)]


LAG = SETTINGS.EXPORT_LAG_MINUTES
RATE = SETTINGS.QUALITY_RATE_MINIMUM
FACTOR = float(SETTINGS.SLOW_UPDATE_FACTOR)
RUNS, RULES, EVENTS, DAYS, FRESH, DELIVERIES = MARTS

# Alert, mart, its rows, whether it fires.
CASES: dict[str, tuple[str, str, Sequence[Row], bool]] = {
    "rate below the limit": (
        "quality_rate",
        RUNS,
        [run(5, quality_rate=RATE - Decimal("0.000001")), run(9)],
        True,
    ),
    "rate at the limit": (
        "quality_rate",
        RUNS,
        [run(5, quality_rate=RATE), run(9, quality_rate=Decimal("0.5"))],
        False,
    ),
    "update without files after a bad one": (
        "quality_rate",
        RUNS,
        [run(5, quality_rate=None), run(9, quality_rate=Decimal("0.5"))],
        True,
    ),
    "no update yet": ("quality_rate", RUNS, [], False),
    "rule begins to fail": ("failing_rule", RULES, [verdict(5, newly=True), verdict(9)], True),
    "rule gets worse, then an update without records": (
        "failing_rule",
        RULES,
        [verdict(5, "no_records", checked=0), verdict(9, "worse")],
        True,
    ),
    "rule holds again": (
        "failing_rule",
        RULES,
        [verdict(5), verdict(9, newly=True), verdict(9, rule="other")],
        False,
    ),
    "no rule yet": ("failing_rule", RULES, [], False),
    "slower than the factor": ("slow_update", RUNS, usual(10 * FACTOR + 0.1, 10, 10, 9, 11, 10), True),
    "as slow as the factor": ("slow_update", RUNS, usual(10 * FACTOR, 10, 10, 9, 11, 10), False),
    "too little history": ("slow_update", RUNS, usual(10 * FACTOR + 50, 10, 10, 9, 11), False),
    "a second more": ("slow_update", RUNS, usual(1.2, 0.2, 0.2, 0.2, 0.2, 0.2), False),
    "slow full refresh": (
        "slow_update",
        RUNS,
        [run(1, duration_seconds=999, is_full_refresh=True), *usual(10, 10, 9, 11, 10, 10)],
        False,
    ),
    "failed since the good one": (
        "failed_update",
        EVENTS,
        [*event(5, "FAILED", "disk full"), *event(9, "COMPLETED")],
        True,
    ),
    "first update failed": ("failed_update", EVENTS, event(5, "FAILED"), True),
    "good since the failed one": (
        "failed_update",
        EVENTS,
        [*event(5, "COMPLETED"), *event(9, "FAILED")],
        False,
    ),
    "update under way": ("failed_update", EVENTS, [*event(5, "RUNNING"), *event(9, "COMPLETED")], False),
    "yesterday too low": ("revenue_anomaly", DAYS, [day(0, complete=False), day(1, "low", score=-4)], True),
    "today too high already": (
        "revenue_anomaly",
        DAYS,
        [day(0, "high", complete=False, score=5), day(1)],
        True,
    ),
    "unusual long ago": (
        "revenue_anomaly",
        DAYS,
        [day(0, complete=False), day(1), day(2, "high", score=5)],
        False,
    ),
    "no history": ("revenue_anomaly", DAYS, [day(0, complete=False, score=None), day(1, score=None)], False),
    "stale": ("stale_data", FRESH, [dataset("bronze.orders", "stale", 1441, 1440)], True),
    "never loaded": ("stale_data", FRESH, [dataset("gold.fct_orders", "never_loaded", None, 1500)], True),
    "fresh, and one without a promise": (
        "stale_data",
        FRESH,
        [dataset("bronze.orders", "fresh", 1440, 1440), dataset("gold.x", "no_sla", 99999, None)],
        False,
    ),
    "rows wait for too long": (
        "export_lag",
        DELIVERIES,
        [
            delivery(1, 1, arrived=False, letters=None),
            delivery(LAG + 1, LAG + 1, arrived=False, letters=None),
            delivery(LAG + 60),
        ],
        True,
    ),
    "rows wait, not yet too long": (
        "export_lag",
        DELIVERIES,
        [delivery(LAG, LAG, arrived=False, letters=None), delivery(LAG + 60)],
        False,
    ),
    "rows that waited have arrived": (
        "export_lag",
        DELIVERIES,
        [delivery(1), delivery(LAG + 60, LAG + 59, letters=None)],
        False,
    ),
    "no export yet": ("export_lag", DELIVERIES, [], False),
    "a row was refused": (
        "dead_letters",
        DELIVERIES,
        [delivery(1), delivery(1, letters=3, model="exp_hours"), delivery(9, model="exp_hours")],
        True,
    ),
    "refused, and Postgres is away since": (
        "dead_letters",
        DELIVERIES,
        [delivery(1, 1, arrived=False, letters=None), delivery(9, letters=1)],
        True,
    ),
    "replayed": ("dead_letters", DELIVERIES, [delivery(1), delivery(9, letters=3)], False),
    "nothing was ever refused": ("dead_letters", DELIVERIES, [], False),
}
# The check of `orders check` that asks the same; those of the export ask Postgres itself, which SQL alerts cannot.
SAME_QUESTION: dict[str, Callable[..., Sequence[Check]]] = {
    "quality_rate": warehouse_checks.quality_rate,
    "failing_rule": warehouse_checks.rules,
    "slow_update": warehouse_checks.update_duration,
    "failed_update": warehouse_checks.update_succeeded,
    "revenue_anomaly": warehouse_checks.revenue_anomaly,
    "stale_data": warehouse_checks.freshness,
}


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlClient]:
    """A client of a workspace without Postgres whose marts a test may fill."""
    options = WorkspaceOptions(catalogs=(CATALOG,), schemas=("gold",), start_postgres=False)
    with ExitStack() as stack:
        workspace = stack.enter_context(
            Workspace.attach(WorkspaceLayout(tmp_path_factory.mktemp("alerts") / "workspace"), options)
        )
        connection = WarehouseConnection.from_environment(
            workspace.environment(), catalog=CATALOG, schema="gold"
        )
        yield stack.enter_context(SqlClient(connection))


def fill(client: SqlClient, mart: str, rows: Sequence[Row]) -> None:
    columns = MARTS[mart]
    kinds = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in columns.items())
    values = ", ".join(f"({', '.join(_literal(row[name]) for name in columns)})" for row in rows)
    empty = f"({', '.join('null' for _ in columns)})"
    client.execute(
        f"create or replace table gold.{mart} using delta as select {kinds} "
        f"from values {values or empty} as rows ({', '.join(columns)}){'' if rows else ' where 1 = 0'}"
    )


def _literal(value: object) -> str:
    return "null" if value is None else f"'{value}'"


def fires(evaluation: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    """What Databricks makes of a query's result."""
    if not rows:
        return evaluation["empty_result_state"] == "TRIGGERED"
    source = evaluation["source"]
    assert "aggregation" not in source, (
        "no alert of ours aggregates over rows; this evaluator does not know how"
    )
    value = rows[0][source["name"]]
    assert value is not None, "a NULL would be compared with nothing"
    threshold = float(evaluation["threshold"]["value"]["double_value"])
    return COMPARE[evaluation["comparison_operator"]](float(value), threshold)


@pytest.mark.parametrize("case", CASES)
def test_an_alert_fires_when_it_should(marts, case):
    """Guards each alert's query and evaluation, and that the health check judges the same rows the same way."""
    name, mart, rows, expected = CASES[case]
    fill(marts, mart, rows)
    alert = ALERTS[name]
    assert fires(alert["evaluation"], marts.query(alert["query_text"])) is expected
    if name in SAME_QUESTION and rows:
        checks = SAME_QUESTION[name](marts.query, LIMITS)
        assert any(check.verdict in ("fail", "warn") for check in checks) is expected


def test_every_alert_is_tested_both_ways():
    """Guards the table above: no alert without a case that fires and one that stays quiet."""
    seen = {(name, expected) for name, _, _, expected in CASES.values()}
    assert seen == {(name, expected) for name in ALERTS for expected in (True, False)}
