"""Dates and timestamps by a pattern, as `dateFormat` and `timestampFormat` of Spark's readers take them.

Rules: Apache Spark's page "Datetime Patterns for Formatting and Parsing", and `java.time.format.DateTimeFormatter`, on
which it is built. `tests/unit/runtime/spark_csv.json` holds the answers of Apache Spark 4.2.1. Letters that Spark refuses
for reading, or whose meaning depends on a locale, are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from local_workspace.dlt_runtime.auto_loader.moments import offset_of
from local_workspace.errors import NotSupported

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NUMBERS = {
    "d": "day",
    "H": "hour",
    "h": "clock_hour",
    "K": "half_hour",
    "k": "day_hour",
    "m": "minute",
    "s": "second",
}
_OFFSETS = {1: r"[+-]\d\d(?:\d\d)?", 2: r"[+-]\d{4}", 3: r"[+-]\d\d:\d\d"}
_ZONE = r"(?:Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)"


@dataclass(frozen=True)
class Pattern:
    """A pattern, ready to read texts by it."""

    expression: re.Pattern[str]

    def local(self, text: str) -> tuple[datetime, str] | None:
        """Read a text.

        Returns:
            The date and time in it, the parts that the pattern lacks being those of 1970-01-01 00:00, and its zone or "";
            None if the text does not fit.
        """
        match = self.expression.fullmatch(text)
        if match is None:
            return None
        found = {
            name.rstrip("0123456789"): value for name, value in match.groupdict().items() if value is not None
        }
        try:
            return _moment(found), found.get("zone", "")
        except ValueError:
            return None

    def moment(self, text: str) -> datetime | None:
        """Read a text as a moment; without a zone it is UTC, the time zone of the session."""
        found = self.local(text)
        if found is None:
            return None
        local, zone = found
        offset = offset_of(zone, local) if zone else timedelta(0)
        return None if offset is None else local.replace(tzinfo=timezone.utc) - offset


def _moment(found: dict[str, str]) -> datetime:
    year = int(found.get("year", 0)) or 1970
    if "short_year" in found:
        year = 2000 + int(found["short_year"])
    month = int(found.get("month", 1))
    if "month_name" in found:
        month = [name[:3].lower() for name in _MONTHS].index(found["month_name"][:3].lower()) + 1
    hour = int(found.get("hour", 0))
    half = 12 if found.get("half", "am").lower() == "pm" else 0
    if "clock_hour" in found:
        if not 1 <= int(found["clock_hour"]) <= 12:
            raise ValueError(found)
        hour = int(found["clock_hour"]) % 12 + half
    if "half_hour" in found:
        if int(found["half_hour"]) > 11:
            raise ValueError(found)
        hour = int(found["half_hour"]) + half
    if "day_hour" in found:
        hour = int(found["day_hour"]) % 24
    fraction = int(found.get("fraction", "0")[:6].ljust(6, "0"))
    clock = (hour, int(found.get("minute", 0)), int(found.get("second", 0)))
    # Its zone is the caller's to say.
    base = datetime(year, month, int(found.get("day", 1)), *clock)  # noqa: DTZ001
    if "day_of_year" in found:
        base = datetime(year, 1, 1, *clock) + timedelta(days=int(found["day_of_year"]) - 1)  # noqa: DTZ001
        if base.year != year:
            raise ValueError(found)
    return base.replace(microsecond=fraction)


@lru_cache(maxsize=64)
def pattern(text: str, option: str) -> Pattern:
    """Compile a pattern.

    Args:
        text: As the option gives it.
        option: Its name, for messages.

    Raises:
        NotSupported: It has a letter that is not served.
    """
    parts: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise _refused(text, option, "a quote that is not closed")
            parts.append(re.escape(text[at + 1 : end] or "'"))
            at = end + 1
        elif char in "[]":
            parts.append("(?:" if char == "[" else ")?")
            at += 1
        elif char.isascii() and char.isalpha():
            end = at
            while end < len(text) and text[end] == char:
                end += 1
            following = text[end : end + 1]
            parts.append(_letters(char, end - at, text, option, len(parts), adjacent=following.isalpha()))
            at = end
        else:
            parts.append(re.escape(char))
            at += 1
    try:
        return Pattern(re.compile("".join(parts), re.IGNORECASE | re.ASCII))
    except re.error as error:
        raise _refused(text, option, str(error)) from error


def _letters(  # noqa: PLR0911, PLR0912  (one a letter)
    char: str, count: int, text: str, option: str, number: int, *, adjacent: bool
) -> str:
    if char in {"y", "u"}:
        if count == 2:
            return rf"(?P<short_year{number}>\d\d)"
        # Digits that follow at once leave four to the year.
        return (
            rf"(?P<year{number}>\d{{4}})" if adjacent or count == 4 else rf"(?P<year{number}>\d{{{count},4}})"
        )
    if char in {"M", "L"}:
        if count == 3:
            return f"(?P<month_name{number}>{'|'.join(name[:3] for name in _MONTHS)})"
        if count == 4:
            return f"(?P<month_name{number}>{'|'.join(_MONTHS)})"
        if count < 3:
            return rf"(?P<month{number}>{_digits(count)})"
    if char in _NUMBERS and count <= 2:
        return rf"(?P<{_NUMBERS[char]}{number}>{_digits(count)})"
    if char == "D" and count <= 3:
        return rf"(?P<day_of_year{number}>\d{{{count},3}})"
    if char == "S" and count <= 9:
        return rf"(?P<fraction{number}>\d{{1,{count}}})"
    if char == "a" and count == 1:
        return f"(?P<half{number}>am|pm)"
    if char == "X" and count <= 3:
        return f"(?P<zone{number}>Z|{_OFFSETS[count]})"
    if char == "x" and count <= 3:
        return f"(?P<zone{number}>{_OFFSETS[count]})"
    if char == "Z" and count <= 3:
        return rf"(?P<zone{number}>[+-]\d{{4}})"
    if (char == "V" and count == 2) or (char == "z" and count <= 3):
        return rf"(?P<zone{number}>[A-Za-z][\w/+-]*|{_ZONE})"
    raise _refused(text, option, char * count)


def _digits(count: int) -> str:
    return r"\d\d" if count == 2 else r"\d{1,2}"


def _refused(text: str, option: str, what: str) -> NotSupported:
    return NotSupported(
        f"Option {option} with {what}",
        "Write y, M, d, H, h, m, s, S, a, X, x, Z, VV, texts in quotes and optional parts in brackets; or read the column "
        "as STRING and take it apart in the query",
        got=repr(text),
    )
