"""Checks over the operations and revenue marts, asked of the SQL warehouse.

Each takes what it needs from one mart and judges in Python, so that the limits stay in the configuration and the alerts of
the bundle (resources/alerts.yml) can ask the same marts in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from statistics import median

from dlt_ingest.metrics.health.model import Check, HealthLimits, Query

# Fewer earlier updates than this say nothing about what is usual.
MINIMUM_HISTORY = 5


def update_succeeded(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """The latest update ended well."""
    del limits
    rows = query(
        "select update_id, run_status, error_message from gold.fct_pipeline_runs order by started_at desc limit 1"
    )
    if not rows:
        return [Check("update_succeeded", "fail", "No update has run yet", next_step="orders ingest")]
    latest = rows[0]
    if latest["run_status"] in ("succeeded", "running"):
        return [Check("update_succeeded", "ok", f"The latest update {latest['run_status']}")]
    reason = f": {latest['error_message']}" if latest["error_message"] else ""
    return [
        Check(
            "update_succeeded",
            "fail",
            f"The latest update {latest['run_status']}{reason}",
            next_step="mend the cause and run the update again; it takes up where it stopped",
            subject=latest["update_id"],
        )
    ]


def quality_rate(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Enough of the latest records broke no rule."""
    rows = query(
        "select quality_rate, rows_dropped from gold.fct_pipeline_runs where quality_rate is not null "
        "order by started_at desc limit 1"
    )
    if not rows:
        return [Check("quality_rate", "not_applicable", "No update has checked a record yet")]
    rate, dropped = Decimal(rows[0]["quality_rate"]), rows[0]["rows_dropped"]
    good = rate >= limits.minimum_quality_rate
    return [
        Check(
            "quality_rate",
            "ok" if good else "fail",
            f"{rate:.2%} of the latest records broke no rule, {dropped:,} went to quarantine",
            value=rate,
            limit=limits.minimum_quality_rate,
            unit="ratio",
            next_step="" if good else "orders quarantine list",
        )
    ]


def rules(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """No rule that always held has begun to fail."""
    del limits
    rows = query(
        "select rule_name, dataset, failed_records from gold.fct_quality_rules where is_newly_failing "
        "and update_id = (select max_by(update_id, started_at) from gold.fct_quality_rules) order by failed_records desc"
    )
    if not rows:
        return [Check("rules_hold", "ok", "No rule has begun to fail", value=0, limit=0, unit="rules")]
    names = ", ".join(f"{row['rule_name']} ({row['failed_records']:,})" for row in rows)
    return [
        Check(
            "rules_hold",
            "warn",
            f"Rules that always held now fail: {names}",
            value=len(rows),
            limit=0,
            unit="rules",
            next_step=f"orders quarantine show --rule {rows[0]['rule_name']}",
        )
    ]


def update_duration(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """The latest update took about as long as updates usually take."""
    rows = query(
        "select duration_seconds from gold.fct_pipeline_runs where run_status = 'succeeded' and not is_full_refresh "
        "and duration_seconds is not null order by started_at desc limit 31"
    )
    durations = [float(row["duration_seconds"]) for row in rows]
    if len(durations) <= MINIMUM_HISTORY:
        return [
            Check(
                "update_duration",
                "not_applicable",
                f"{len(durations)} updates are too few to say what is usual",
            )
        ]
    latest, usual = durations[0], median(durations[1:])
    bound = usual * float(limits.slow_update_factor)
    slow = latest > bound and latest - usual > 1
    return [
        Check(
            "update_duration",
            "warn" if slow else "ok",
            f"The latest update took {latest:.1f} s, usual are {usual:.1f} s",
            value=round(latest, 3),
            limit=round(bound, 3),
            unit="seconds",
            next_step="look at gold.fct_dataset_runs for the dataset that grew" if slow else "",
        )
    ]


def freshness(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Every dataset was loaded within its SLA."""
    del limits
    rows = query(
        "select dataset, freshness_status, age_minutes, sla_minutes from gold.fct_freshness "
        "where freshness_status <> 'no_sla' order by dataset"
    )
    return [
        Check(
            "freshness",
            "ok" if row["freshness_status"] == "fresh" else "fail",
            f"{row['dataset']} was never loaded"
            if row["age_minutes"] is None
            else f"{row['dataset']} was loaded {row['age_minutes']:,} minutes ago",
            value=row["age_minutes"],
            limit=row["sla_minutes"],
            unit="minutes",
            next_step=""
            if row["freshness_status"] == "fresh"
            else "orders run; then see why the schedule did not",
            subject=row["dataset"],
        )
        for row in rows
    ] or [Check("freshness", "not_applicable", "No dataset has an SLA")]


def dbt_build(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """The latest dbt invocation built everything and its tests passed."""
    del limits
    rows = query(
        "select run_status, nodes_failed, tests_passed from gold.fct_dbt_runs order by started_at desc limit 1"
    )
    if not rows:
        return [Check("dbt_build", "not_applicable", "dbt has not run yet", next_step="orders build")]
    failed = rows[0]["nodes_failed"]
    return [
        Check(
            "dbt_build",
            "fail" if failed else "ok",
            f"{failed:,} nodes of the latest dbt invocation failed"
            if failed
            else f"The latest dbt invocation succeeded, {rows[0]['tests_passed']:,} tests passed",
            value=failed,
            limit=0,
            unit="nodes",
            next_step="dbt retry shows and repeats them" if failed else "",
        )
    ]


def revenue_anomaly(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """The latest complete day's revenue is what such a day usually brings."""
    del limits
    rows = query(
        "select date_ordered, net_revenue, anomaly_score, is_anomaly from gold.fct_revenue_anomalies "
        "where anomaly_score is not null and (is_complete or is_anomaly) order by date_ordered desc limit 1"
    )
    if not rows:
        return [Check("revenue_anomaly", "not_applicable", "The history is too short to know an unusual day")]
    row = rows[0]
    return [
        Check(
            "revenue_anomaly",
            "warn" if row["is_anomaly"] else "ok",
            f"Revenue of {row['date_ordered']} is {row['net_revenue']:,.2f}, {abs(row['anomaly_score']):.1f} robust "
            f"deviations {'above' if row['anomaly_score'] > 0 else 'below'} such a day",
            value=row["anomaly_score"],
            unit="deviations",
            next_step="compare the day in gold.fct_revenue_anomalies with the day's batches"
            if row["is_anomaly"]
            else "",
            subject=str(row["date_ordered"]),
        )
    ]


CHECKS: tuple[Callable[[Query, HealthLimits], Sequence[Check]], ...] = (
    update_succeeded,
    quality_rate,
    rules,
    update_duration,
    freshness,
    dbt_build,
    revenue_anomaly,
)
