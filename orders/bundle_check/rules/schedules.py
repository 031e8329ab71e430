"""Quartz cron expressions and time zones, whose mistakes the platform reports only on deployment."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator

from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Source: Quartz "CronTrigger Tutorial": seconds minutes hours day-of-month month day-of-week [year].
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("seconds", 0, 59, ()),
    ("minutes", 0, 59, ()),
    ("hours", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 1, 7, _DAYS),
    ("year", 1970, 2199, ()),
)


def check_schedules(subject: Subject) -> Iterator[Finding]:
    """Check every schedule of a job or an alert."""
    for kind, key in (("jobs", "quartz_cron_expression"), ("alerts", "quartz_cron_schedule")):
        for path, resource in subject.resources(kind):
            schedule = resource.find("schedule")
            if schedule is not None:
                yield from _schedule(schedule, (*path, "schedule"), key)


def _schedule(schedule: Node, path: KeyPath, key: str) -> Iterator[Finding]:
    cron = schedule.find(key)
    if cron is not None and isinstance(cron.value, str) and (problem := quartz_problem(cron.value)):
        yield finding(
            cron,
            (*path, key),
            f"{cron.value!r}: {problem}",
            allowed="a Quartz cron expression: seconds minutes hours day-of-month month day-of-week [year]",
            remedy="For every day at 06:30 write 0 30 6 * * ?.",
        )
    zone = schedule.find("timezone_id")
    if zone is not None and not _is_time_zone(str(zone.value)):
        yield finding(
            zone,
            (*path, "timezone_id"),
            f"{zone.value!r} is not a time zone",
            allowed="a name of the tz database, e.g. UTC or Europe/Berlin",
            remedy="Use such a name; abbreviations and offsets are not accepted.",
        )


def _is_time_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return name.startswith("${")
    return True


def quartz_problem(expression: str) -> str | None:
    """Return what is wrong with a Quartz cron expression, or None.

    Quartz differs from Unix cron: it begins with seconds, one of the two day fields must be `?`, and days of the week
    start with Sunday as 1.
    """
    fields = expression.split()
    if len(fields) not in {6, 7}:
        hint = "; this looks like Unix cron, but Quartz begins with seconds" if len(fields) == 5 else ""
        return f"has {len(fields)} fields instead of 6 or 7{hint}"
    for text, (name, low, high, words) in zip(fields, _FIELDS, strict=False):
        problem = _field_problem(text.upper(), name, low, high, words)
        if problem:
            return problem
    if (fields[3] == "?") == (fields[5] == "?"):
        return "exactly one of day of month and day of week must be ?"
    return None


def _field_problem(text: str, name: str, low: int, high: int, words: tuple[str, ...]) -> str | None:
    if text == "?":
        return None if name.startswith("day") else f"? is not allowed for {name}"
    special = {
        "day of month": r"L(-\d+)?|LW|\d{1,2}W",
        "day of week": r"L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5])",
    }
    for part in text.split(","):
        if name in special and re.fullmatch(special[name], part):
            continue
        span, _, step = part.partition("/")
        if step and not (step.isdigit() and 1 <= int(step) <= high):
            return f"the step {step!r} of {name} is not a number from 1 to {high}"
        if span in {"*", ""}:
            if not span and not step:
                return f"{name} has an empty part"
            continue
        for end in span.split("-", 1):
            value = words.index(end) + low if end in words else int(end) if end.isdigit() else None
            if value is None or not low <= value <= high:
                return f"{end!r} is not a value of {name} ({low} to {high}{' or ' + ' '.join(words) if words else ''})"
    return None
