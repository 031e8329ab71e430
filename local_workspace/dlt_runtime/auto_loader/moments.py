"""Dates and timestamps out of text, as Spark's JSON reader takes them.

The grammar is that of Spark's cast from text, which its JSON reader uses where no format is given, and its
fallback for dates (a text of fewer than four digits is days since 1970). `tests/unit/runtime/spark_json.json` holds the
answers of Apache Spark 4.2.1.

Deliberately absent: years outside of 1 to 9999, which Spark keeps and neither Python nor most clients can
show; and times without a date, which Spark puts on the day of the update.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

_PADDING = "".join(map(chr, range(33))) + "\x7f"
_DATE = re.compile(r"[+-]?([0-9]{4,7})(?:-([0-9]{1,2})(?:-([0-9]{1,2})(?:[ T].*)?)?)?", re.DOTALL)
_TIMESTAMP = re.compile(
    r"[+-]?([0-9]{4,6})(?:-([0-9]{1,2})(?:-([0-9]{1,2})"
    r"(?:[ T]([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]*))?(.*))?)?)?)?)?",
    re.DOTALL,
)
_DAYS = re.compile(r"[+-]?\d{1,10}")
_FIRST_DAY, _LAST_DAY = (date.min - date(1970, 1, 1)).days, (date.max - date(1970, 1, 1)).days
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_OFFSET = re.compile(r"([+-])(?:(\d{1,2})|(\d{2}):(\d{2})(?::(\d{2}))?|(\d{2})(\d{2})(\d{2})?)", re.ASCII)
_ONE_DIGIT_HOUR = re.compile(r"([+-])(\d):", re.ASCII)
_ONE_DIGIT_MINUTE = re.compile(r"([+-])(\d\d):(\d)$", re.ASCII)
_LONGEST_OFFSET = timedelta(hours=18)
# java.time.ZoneId.SHORT_IDS: the abbreviations of three letters that Java knows.
_SHORT_IDS = {
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo",
    "AST": "America/Anchorage",
    "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris",
    "EST": "-05:00",
    "HST": "-10:00",
    "IET": "America/Indiana/Indianapolis",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia",
    "MST": "-07:00",
    "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico",
    "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}
# In Python's list of zones and not in Java's.
_NOT_IN_JAVA = {"Factory", "localtime", "posixrules"}


def day_of_text(text: str) -> date | None:
    """Read a DATE; what follows the day after a blank or a T does not count.

    Returns:
        The day, or None if the text is not a date.
    """
    match = _DATE.fullmatch(text.strip(_PADDING))
    try:
        if match and text.strip(_PADDING)[0] != "-":
            return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
        if not match and _DAYS.fullmatch(text) and _FIRST_DAY <= int(text) <= _LAST_DAY:
            return date(1970, 1, 1) + timedelta(days=int(text))
    except ValueError:
        pass
    return None


def moment_of_text(text: str) -> datetime | None:
    """Read a TIMESTAMP; without a zone it is UTC, the time zone of the session.

    A local time that a change of clocks leaves out is moved on by the hour that is missing; of one that comes
    twice the earlier is taken.

    Returns:
        The moment in UTC, or None if the text is not a timestamp.
    """
    found = _local_time(text)
    if found is None:
        return None
    local, zone = found
    if not zone:
        return local.replace(tzinfo=timezone.utc)
    offset = offset_of(zone, local)
    try:
        return None if offset is None else local.replace(tzinfo=timezone.utc) - offset
    except OverflowError:
        return None


def local_time_of_text(text: str) -> datetime | None:
    """Read a TIMESTAMP_NTZ: as :func:`moment_of_text`, and a text with a zone is none."""
    found = _local_time(text)
    return None if found is None or found[1] else found[0]


def moment_of_seconds(seconds: int) -> datetime | None:
    """Read a number as seconds since 1970, as Spark does for TIMESTAMP; None outside of the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _local_time(text: str) -> tuple[datetime, str] | None:
    text = text.strip(_PADDING)
    match = _TIMESTAMP.fullmatch(text)
    if not match or text[0] == "-":
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        local = datetime(  # noqa: DTZ001  (its zone is the caller's to say)
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
        )
    except ValueError:
        return None
    return local, (zone or "").strip(_PADDING)


def offset_of(zone: str, local: datetime) -> timedelta | None:
    """Return how far a zone is ahead of UTC at a local time; None if there is no such zone."""
    zone = _ONE_DIGIT_HOUR.sub(r"\g<1>0\2:", zone, count=1)
    zone = _ONE_DIGIT_MINUTE.sub(r"\1\2:0\3", zone, count=1)
    zone = _SHORT_IDS.get(zone, zone)
    if zone in ("Z", "UTC", "GMT", "UT"):
        return timedelta(0)
    for prefix in ("UTC", "GMT", "UT"):
        if zone.startswith(prefix) and zone[len(prefix)] in "+-":
            return _fixed_offset(zone[len(prefix) :])
    if zone[0] in "+-":
        return _fixed_offset(zone)
    region = _region(zone)
    return None if region is None else local.replace(tzinfo=region).utcoffset()


def _fixed_offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (
        int(match[2] or match[3] or match[6]),
        int(match[4] or match[7] or 0),
        int(match[5] or match[8] or 0),
    )
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if minutes > 59 or seconds > 59 or offset > _LONGEST_OFFSET:
        return None
    return offset if match[1] == "+" else -offset


@lru_cache(maxsize=1024)
def _region(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name in _regions() else None


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_IN_JAVA)
