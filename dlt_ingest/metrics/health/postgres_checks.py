"""Checks over what has arrived in Postgres, asked of schema `metrics` there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from dlt_ingest.metrics.health.model import Check, HealthLimits, Query

Built = datetime | None


def export_lag(metrics: Query, built_at: Built, limits: HealthLimits) -> Sequence[Check]:
    """What the marts hold has been exported since they were built.

    Args:
        metrics: Runs one SQL statement on the metrics database.
        built_at: When the exported models were last built successfully (UTC); None when they never were.
        limits: Limits of the environment.
    """
    rows = metrics(
        "select target, exported_at at time zone 'UTC' as exported_at from metrics._export_state order by target"
    )
    if built_at is None:
        return [Check("export_lag", "not_applicable", "The exported models have not been built yet")]
    if not rows:
        return [
            Check("export_lag", "fail", "Nothing was ever exported to Postgres", next_step="orders export")
        ]
    checks = []
    for row in rows:
        lag = max(0.0, (built_at - row["exported_at"]).total_seconds() / 60)
        late = lag > limits.export_lag_minutes
        checks.append(
            Check(
                "export_lag",
                "fail" if late else "ok",
                f"{row['target']} is {lag:,.0f} minutes behind the marts"
                if late
                else f"{row['target']} is up to date",
                value=round(lag, 1),
                limit=limits.export_lag_minutes,
                unit="minutes",
                next_step="orders export" if late else "",
                subject=row["target"],
            )
        )
    return checks


def dead_letters(metrics: Query, built_at: Built, limits: HealthLimits) -> Sequence[Check]:
    """No row waits that Postgres refused."""
    del built_at, limits
    count = metrics("select count(*) as letters from metrics._dead_letter where status = 'open'")[0][
        "letters"
    ]
    return [
        Check(
            "dead_letters",
            "fail" if count else "ok",
            f"{count:,} rows were refused by Postgres and wait"
            if count
            else "No row was refused by Postgres",
            value=count,
            limit=0,
            unit="rows",
            next_step="see metrics._dead_letter for the reasons, then orders export --retry-dead-letters"
            if count
            else "",
        )
    ]


CHECKS: tuple[Callable[[Query, Built, HealthLimits], Sequence[Check]], ...] = (export_lag, dead_letters)


def unreachable(reason: str) -> Sequence[Check]:
    """What to say when Postgres does not answer."""
    return [
        Check(
            "postgres",
            "fail",
            f"Postgres does not answer: {reason}",
            next_step="start it, or mend POSTGRES_HOST and its companions; the next export delivers what was missed",
        )
    ]
