"""Mistakes in schedules: cron expressions and time zones."""

from __future__ import annotations

from pathlib import Path

from .mistakes import JOB, Mistake, assert_found, each

MISTAKES = [
    Mistake(
        "Unix cron",
        JOB,
        "quartz_cron_expression: 0 30 6 * * ?",
        "quartz_cron_expression: 30 6 * * *",
        "resources.jobs.orders_watch.schedule.quartz_cron_expression",
        "looks like Unix cron",
        "0 30 6 * * ?",
    ),
    Mistake(
        "cron with both days",
        JOB,
        "0 30 6 * * ?",
        "0 30 6 1 * MON",
        "resources.jobs.orders_watch.schedule.quartz_cron_expression",
        "must be ?",
        "0 30 6 * * ?",
    ),
    Mistake(
        "cron out of range",
        JOB,
        "0 30 6 * * ?",
        "0 30 26 * * ?",
        "resources.jobs.orders_watch.schedule.quartz_cron_expression",
        "'26' is not a value of hours",
        "0 30 6",
    ),
    Mistake(
        "not a time zone",
        JOB,
        "timezone_id: UTC",
        "timezone_id: CEST",
        "resources.jobs.orders_watch.schedule.timezone_id",
        "not a time zone",
        "Use such a name",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)
