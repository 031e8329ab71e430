"""Checks over the operations and revenue marts, asked of the SQL warehouse.

Each takes what it needs from one mart and judges in Python, so that the limits stay in the configuration and the alerts of
the bundle (resources/alerts.yml) can ask the same marts in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from statistics import median

from dlt_ingest.metrics.health.model import Check, HealthLimits, Query
from dlt_ingest.metrics.percent import percent

# Fewer earlier updates than this say nothing about what is usual; more than this are no longer how things are.
MINIMUM_HISTORY = 5
MAXIMUM_HISTORY = 20
# A laptop's update takes a second, and nobody waits for the one that takes another.
NOTICEABLE_SECONDS = 1.0


def update_succeeded(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Check that the latest update succeeded, in the event log itself: after a failed update no mart is built."""
    del limits
    rows = query(
        """
        select
            update_id,
            min(event_at) as started_at,
            max(case when update_state = 'COMPLETED' then 1 else 0 end) as is_completed,
            max(case when update_state = 'FAILED' then 1 else 0 end) as is_failed,
            max(case when update_state = 'FAILED' then error_message end) as error_message
        from gold.stg_event_log__events
        where update_id is not null
        group by update_id
        order by started_at desc, update_id desc
        """
    )
    if not rows:
        return [Check("update_succeeded", "fail", "No update has run yet", next_step="orders run")]
    good_at = max((row["started_at"] for row in rows if row["is_completed"]), default=None)
    failed = [row for row in rows if row["is_failed"] and (good_at is None or row["started_at"] > good_at)]
    if not failed:
        return [
            Check(
                "update_succeeded",
                "ok",
                "No update has failed since the last successful one",
                0,
                0,
                "updates",
            )
        ]
    reason = f": {failed[0]['error_message']}" if failed[0]["error_message"] else ""
    return [
        Check(
            "update_succeeded",
            "fail",
            f"{_counted(len(failed), 'update has', 'updates have')} failed since the last successful one{reason}",
            value=len(failed),
            limit=0,
            unit="updates",
            next_step="fix the cause and run the update again; it resumes where it stopped",
        )
    ]


def quality_rate(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Enough of the latest records broke no rule."""
    rows = query(
        "select quality_rate, rows_dropped from gold.fct_pipeline_runs where quality_rate is not null "
        "order by started_at desc, update_id desc limit 1"
    )
    if not rows:
        return [Check("quality_rate", "not_applicable", "No update has checked a record yet")]
    rate, dropped = Decimal(rows[0]["quality_rate"]), rows[0]["rows_dropped"]
    good = rate >= limits.minimum_quality_rate
    return [
        Check(
            "quality_rate",
            "ok" if good else "fail",
            f"{percent(rate)} of the latest records keep every rule;  {dropped:,} went to quarantine",
            value=rate,
            limit=limits.minimum_quality_rate,
            unit="ratio",
            next_step="" if good else "orders quarantine list",
        )
    ]


def rules(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """No rule has begun to fail, or fails more than its own history explains. Only verdicts over records count."""
    del limits
    rows = query(
        """
        select dataset, rule_name, failed_records, is_newly_failing
        from (
            select
                *,
                row_number() over (partition by dataset, rule_name order by started_at desc, update_id desc) as age
            from gold.fct_quality_rules
            where checked_records > 0
        ) as verdicts
        where age = 1 and (is_newly_failing or trend = 'worse')
        order by failed_records desc, rule_name
        """
    )
    if not rows:
        return [
            Check("rules_hold", "ok", "No rule fails more often than before", value=0, limit=0, unit="rules")
        ]
    names = ", ".join(
        f"{row['rule_name']} ({row['failed_records']:,}{', kept until now' if row['is_newly_failing'] else ''})"
        for row in rows
    )
    return [
        Check(
            "rules_hold",
            "warn",
            f"Rules that fail more often than before: {names}",
            value=len(rows),
            limit=0,
            unit="rules",
            next_step=f"orders quarantine show --rule {rows[0]['rule_name']}",
        )
    ]


def update_duration(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Check that the latest update took about as long as usual."""
    rows = query(
        "select duration_seconds from gold.fct_pipeline_runs where run_status = 'succeeded' and not is_full_refresh "
        f"and duration_seconds > 0 order by started_at desc, update_id desc limit {MAXIMUM_HISTORY + 1}"
    )
    durations = [float(row["duration_seconds"]) for row in rows]
    if len(durations) <= MINIMUM_HISTORY:
        return [
            Check(
                "update_duration",
                "not_applicable",
                f"{_counted(len(durations), 'update is', 'updates are')} too few to tell the usual time",
            )
        ]
    latest, usual = durations[0], median(durations[1:])
    bound = usual * float(limits.slow_update_factor)
    slow = latest > bound and latest - usual > NOTICEABLE_SECONDS
    return [
        Check(
            "update_duration",
            "warn" if slow else "ok",
            f"The latest update took {latest:.1f} s; the usual time is {usual:.1f} s",
            value=round(latest, 3),
            limit=round(bound, 3),
            unit="seconds",
            next_step="look at gold.fct_dataset_runs for the dataset that grew" if slow else "",
        )
    ]


def freshness(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Check that every dataset is as fresh as the mart promises, which dashboards and the alert also read."""
    del limits
    rows = query("select dataset, age_minutes, sla_minutes from gold.fct_freshness order by dataset")
    judged = [
        _freshness_of(row["dataset"], row["age_minutes"], row["sla_minutes"])
        for row in rows
        if row["sla_minutes"] is not None
    ]
    return judged or [Check("freshness", "not_applicable", "No dataset has an SLA")]


def _freshness_of(dataset: str, age: int | None, limit: int) -> Check:
    late = age is None or age > limit
    return Check(
        "freshness",
        "fail" if late else "ok",
        f"{dataset} has never been loaded"
        if age is None
        else f"{dataset} is {_duration(age)} old; the promise is {_duration(limit)}",
        value=age,
        limit=limit,
        unit="minutes",
        next_step="orders run; then find out why the schedule did not run" if late else "",
        subject=dataset,
    )


def _duration(minutes: int) -> str:
    return f"{minutes / 60:,.1f}".removesuffix(".0") + " hours" if minutes >= 120 else f"{minutes:,} minutes"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def dbt_build(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Check that the latest dbt invocation built everything and its tests passed."""
    del limits
    rows = query(
        "select invocation_id, nodes_failed, nodes_warned, tests_passed from gold.fct_dbt_runs "
        "order by started_at desc limit 1"
    )
    if not rows:
        return [Check("dbt_build", "not_applicable", "dbt has not run yet", next_step="orders build")]
    run = rows[0]
    failed, warned = run["nodes_failed"], run["nodes_warned"]
    if not failed and not warned:
        finding = (
            f"The latest dbt invocation succeeded, {_counted(run['tests_passed'], 'test', 'tests')} passed"
        )
        return [Check("dbt_build", "ok", finding, value=0, limit=0, unit="nodes")]
    status, count = ("failed", failed) if failed else ("warned", warned)
    # The id comes from the mart, and dbt makes it: no quote can be in it.
    nodes = query(
        f"select node_name from gold.fct_dbt_nodes where invocation_id = '{run['invocation_id']}' "
        f"and node_status = '{status}' order by node_name limit 3"
    )
    names = ", ".join(node["node_name"] for node in nodes)
    return [
        Check(
            "dbt_build",
            "fail" if failed else "warn",
            f"{_counted(count, 'node', 'nodes')} of the latest dbt invocation {status}: {names}"
            + (" and others" if count > len(nodes) else ""),
            value=count,
            limit=0,
            unit="nodes",
            next_step=f"orders build --select {nodes[0]['node_name']}" if nodes else "orders build",
        )
    ]


def revenue_anomaly(query: Query, limits: HealthLimits) -> Sequence[Check]:
    """Check that the last two days' revenue is usual for the weekday; the current day can only be too high."""
    del limits
    rows = query(
        "select date_ordered, net_revenue, anomaly_score, is_anomaly, is_complete from gold.fct_revenue_anomalies "
        "order by date_ordered desc limit 2"
    )
    unusual = [row for row in rows if row["is_anomaly"]]
    usual = [row for row in rows if row["is_complete"] and row["anomaly_score"] is not None]
    if not unusual and not usual:
        return [
            Check("revenue_anomaly", "not_applicable", "The history is too short to recognise an unusual day")
        ]
    row = (unusual or usual)[0]
    return [
        Check(
            "revenue_anomaly",
            "warn" if unusual else "ok",
            f"Revenue of {row['date_ordered']} is {row['net_revenue']:,.2f}, {abs(row['anomaly_score']):.1f} robust "
            f"deviations {'above' if row['anomaly_score'] > 0 else 'below'} such a day",
            value=row["anomaly_score"],
            unit="deviations",
            next_step="compare the day in gold.fct_revenue_anomalies with the day's batches"
            if unusual
            else "",
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
