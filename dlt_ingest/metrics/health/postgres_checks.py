"""Checks over what has arrived in Postgres, asked of schema `metrics` there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from dlt_ingest.metrics.health.model import Check, HealthLimits, Query

# How far the clocks of dbt's machine and of Postgres may be apart.
CLOCKS_APART = timedelta(minutes=1)


def export_lag(query: Query, metrics: Query, limits: HealthLimits, now: datetime) -> Sequence[Check]:
    """No build of an exported model waits for longer than the limit to be delivered.

    Counted from the first build after the last delivery, whether the build failed with its export or went on without it:
    a day without new builds is not a lag.

    Args:
        query: Runs one SQL statement on the warehouse.
        metrics: Runs one on the metrics database.
        limits: Limits of the environment.
        now: The present.
    """
    delivered = {
        row["target"]: row["exported_at"]
        for row in metrics("select target, exported_at from metrics._export_state order by target")
    }
    builds: dict[str, list[datetime]] = {}
    for row in query(_BUILDS):
        builds.setdefault(row["node_name"], []).append(row["built_at"])
    if not builds and not delivered:
        return [
            Check(
                "export_lag",
                "not_applicable",
                "No exported model has been built yet",
                next_step="orders build",
            )
        ]
    checks = []
    for target in sorted(builds.keys() | delivered.keys()):
        since = delivered.get(target)
        waiting = [at for at in builds.get(target, []) if since is None or at > since + CLOCKS_APART]
        lag = (now - min(waiting)).total_seconds() / 60 if waiting else 0.0
        late = lag > limits.export_lag_minutes
        checks.append(
            Check(
                "export_lag",
                "fail" if late else "ok",
                f"{target} waits for {lag:,.0f} minutes to be exported{'' if since else ', and never was'}"
                if waiting
                else f"{target} is up to date",
                value=round(lag, 1),
                limit=limits.export_lag_minutes,
                unit="minutes",
                next_step="orders export" if waiting else "",
                subject=target,
            )
        )
    return checks


# The latest thousand are weeks of builds; a lag of weeks is found all the same, only counted from later.
_BUILDS = """
select node_name, coalesce(started_at, ended_at) as built_at
from gold.fct_dbt_nodes
where resource_type = 'model' and startswith(node_name, 'exp_') and coalesce(started_at, ended_at) is not null
order by built_at desc
limit 1000
"""


def dead_letters(query: Query, metrics: Query, limits: HealthLimits, now: datetime) -> Sequence[Check]:
    """No row waits that Postgres refused."""
    del query, limits, now
    count = metrics("select count(*) as letters from metrics._dead_letter where status = 'open'")[0][
        "letters"
    ]
    return [
        Check(
            "dead_letters",
            "fail" if count else "ok",
            f"{count:,} refused {'row waits' if count == 1 else 'rows wait'} for replay"
            if count
            else "Postgres refused no rows",
            value=count,
            limit=0,
            unit="rows",
            next_step="see metrics._dead_letter for the reasons, then run orders export --retry-dead-letters"
            if count
            else "",
        )
    ]


CHECKS: tuple[Callable[[Query, Query, HealthLimits, datetime], Sequence[Check]], ...] = (
    export_lag,
    dead_letters,
)


def unreachable(reason: str) -> Sequence[Check]:
    """Return what to say when Postgres does not answer."""
    return [
        Check(
            "postgres",
            "fail",
            f"Postgres does not answer: {reason}",
            next_step="start it, or correct POSTGRES_HOST and the related variables; the next export delivers the rest",
        )
    ]
