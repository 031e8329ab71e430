"""One line of JSON into typed columns, exactly: the reference for what `bulk_json` does faster.

The rules are those of Spark's JSON reader where it keeps a value, and of Auto Loader's rescued data where it
would bend or drop one:

* a number becomes BIGINT only if it is written as an integer in range; `3.7`, `true` and `"5"` do not become
  integers;
* a number that a STRING column receives stays the text in the file; so do objects and arrays;
* decimals are never seen as binary floats, and one that does not fit precision and scale is rescued, not
  rounded;
* what has no column, or does not fit its column, goes to `_rescued_data` as the JSON that was in the file;
* a line that is not an object (or an array of objects, which are several rows) is unreadable as a whole.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

import pyarrow as pa

CORRUPT_COLUMN = "_corrupt_record"
_WHITESPACE = re.compile(r"[ \t\r\n]*")
_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NOT_FINITE = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "+Infinity": math.inf,
    "-Infinity": -math.inf,
    "INF": math.inf,
    "+INF": math.inf,
    "-INF": -math.inf,
}
_RANGES = {pa.int8(): 8, pa.int16(): 16, pa.int32(): 32, pa.int64(): 64}


class Unreadable(ValueError):  # noqa: N818  (says what the line is)
    """The line is not JSON that holds records."""


class _Mismatch(Exception):  # noqa: N818
    """The value does not fit the column."""


class Number(str):
    """A number of the file, as its text."""

    __slots__ = ()


class Pairs(list):
    """The members of an object, in order, with repeated keys."""

    __slots__ = ()


_DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=Pairs, strict=True
)


@dataclass
class Record:
    """One row: values by column, and the rescued members as JSON texts."""

    values: dict[str, Any] = field(default_factory=dict)
    rescued: dict[str, str] = field(default_factory=dict)


def parse_members(text: str) -> list[list[tuple[str, str, Any]]]:
    """Parse a line into records, each a list of `(key, JSON text of the value, value)`.

    Raises:
        Unreadable: It is not one JSON object, nor one array of objects with at least one in it.
    """
    try:
        at = _space(text, 0)
        if text[at : at + 1] == "[":
            records, at = _array(text, at)
        else:
            record, at = _object(text, at)
            records = [record]
        if _space(text, at) != len(text):
            raise Unreadable("text after the value")
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if "\\u" in text and "\\ud" in text.lower():
        _refuse_lone_surrogates(records)
    return records


def _space(text: str, at: int) -> int:
    match = _WHITESPACE.match(text, at)
    return match.end() if match else at


def _array(text: str, at: int) -> tuple[list[list[tuple[str, str, Any]]], int]:
    records = []
    at = _space(text, at + 1)
    while True:
        record, at = _object(text, at)
        records.append(record)
        at = _space(text, at)
        if text[at : at + 1] == "]":
            return records, at + 1
        if text[at : at + 1] != ",":
            raise Unreadable("no comma between the elements of an array")
        at = _space(text, at + 1)


def _object(text: str, at: int) -> tuple[list[tuple[str, str, Any]], int]:
    if text[at : at + 1] != "{":
        raise Unreadable("not an object")
    members: list[tuple[str, str, Any]] = []
    at = _space(text, at + 1)
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise Unreadable("a key is not a string")
        key, at = scanstring(text, at + 1, True)
        at = _space(text, at)
        if text[at : at + 1] != ":":
            raise Unreadable("no colon after a key")
        start = _space(text, at + 1)
        value, at = _DECODER.raw_decode(text, start)
        members.append((key, text[start:at], value))
        at = _space(text, at)
        if text[at : at + 1] == "}":
            return members, at + 1
        if text[at : at + 1] != ",":
            raise Unreadable("no comma between members")
        at = _space(text, at + 1)


def _refuse_lone_surrogates(records: list[list[tuple[str, str, Any]]]) -> None:
    def check(value: Any) -> None:
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise Unreadable("half of a surrogate pair") from None
        elif isinstance(value, (list, tuple)):
            for item in value:
                check(item)

    for record in records:
        for key, _raw, value in record:
            check(key)
            check(value)


def convert_record(members: list[tuple[str, str, Any]], columns: Mapping[str, pa.DataType]) -> Record:
    """Put the members of an object into typed columns.

    Of a repeated key the last value counts, as in Spark; the earlier ones are rescued. A key that differs
    from a column in case only is not that column.
    """
    record = Record()
    repeated: dict[str, list[str]] = {}
    last: dict[str, tuple[str, Any]] = {}
    for key, raw, value in members:
        if key in last:
            repeated.setdefault(key, []).append(last[key][0])
        last[key] = (raw, value)
    for key, (raw, value) in last.items():
        if key not in columns:
            record.rescued[key] = raw
            continue
        try:
            record.values[key] = convert(value, raw, columns[key], key, record.rescued)
        except _Mismatch:
            record.rescued[key] = raw
    for key, raws in repeated.items():
        everything = raws + ([record.rescued[key]] if key in record.rescued else [])
        record.rescued[key] = everything[0] if len(everything) == 1 else "[" + ",".join(everything) + "]"
    return record


def convert(  # noqa: PLR0911, PLR0912  (one a type)
    value: Any, raw: str, kind: pa.DataType, path: str, rescued: dict[str, str]
) -> Any:
    """Convert one JSON value; parts of a struct that do not fit are rescued under their path."""
    if value is None:
        return None
    if kind == pa.string():
        return value if isinstance(value, str) and not isinstance(value, Number) else raw
    if pa.types.is_boolean(kind):
        if isinstance(value, bool):
            return value
    elif pa.types.is_integer(kind):
        if isinstance(value, Number) and _INTEGER.fullmatch(value):
            bits = _RANGES[kind]
            if len(value) <= 20 and -(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1):
                return int(value)
    elif pa.types.is_floating(kind):
        return _double(value)
    elif pa.types.is_decimal(kind):
        return _decimal(value, kind)
    elif pa.types.is_date(kind):
        return _date(value)
    elif pa.types.is_timestamp(kind):
        return _timestamp(value, kind)
    elif pa.types.is_struct(kind):
        return _struct(value, kind, path, rescued)
    elif pa.types.is_map(kind):
        if isinstance(value, Pairs) and len({k for k, _ in value}) == len(value):
            return [(k, _whole(v, kind.item_type)) for k, v in value]
    elif pa.types.is_list(kind) and isinstance(value, list) and not isinstance(value, Pairs):
        return [_whole(item, kind.value_type) for item in value]
    raise _Mismatch


def _whole(value: Any, kind: pa.DataType) -> Any:
    inner: dict[str, str] = {}
    converted = convert(value, to_json(value), kind, "", inner)
    if inner:
        raise _Mismatch
    return converted


def _struct(value: Any, kind: pa.StructType, path: str, rescued: dict[str, str]) -> dict[str, Any]:
    if not isinstance(value, Pairs) or len({k for k, _ in value}) != len(value):
        raise _Mismatch
    fields = {f.name: f.type for f in kind}
    result: dict[str, Any] = {}
    for key, item in value:
        raw = to_json(item)
        if key not in fields:
            rescued[f"{path}.{key}"] = raw
            continue
        try:
            result[key] = convert(item, raw, fields[key], f"{path}.{key}", rescued)
        except _Mismatch:
            rescued[f"{path}.{key}"] = raw
    return result


def _double(value: Any) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, Number):
        number = float(value)
        if not math.isinf(number):
            return number
    raise _Mismatch


def _decimal(value: Any, kind: pa.Decimal128Type) -> Decimal:
    # Spark takes a string that is wholly a number for a DECIMAL column (JacksonParser), though not for BIGINT
    # or DOUBLE.
    if not isinstance(value, str) or not _NUMBER.fullmatch(value) or len(value) > 200:
        raise _Mismatch
    number = Decimal(value)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  (finite by the pattern)
    shift = exponent + kind.scale
    if not number:
        return Decimal((0, (0,), -kind.scale))
    if shift > kind.precision or len(digits) + shift > kind.precision:
        raise _Mismatch
    if shift >= 0:
        return Decimal((sign, digits + (0,) * shift, -kind.scale))
    if any(digits[shift:]) or -shift > len(digits) + kind.precision:
        raise _Mismatch
    return Decimal((sign, digits[:shift] or (0,), -kind.scale))


def _date(value: Any) -> date:
    match = _DATE.fullmatch(value) if isinstance(value, str) and not isinstance(value, Number) else None
    try:
        if match:
            return date(*(int(part) for part in match.groups()))
    except ValueError:
        pass
    raise _Mismatch


def _timestamp(value: Any, kind: pa.TimestampType) -> datetime:
    try:
        if isinstance(value, Number):
            # Spark reads an integer as seconds since 1970 for TIMESTAMP.
            if kind.tz is not None and _INTEGER.fullmatch(value) and len(value) < 12:
                return _EPOCH + timedelta(seconds=int(value))
            raise _Mismatch
        match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return _midnight(value, kind)
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        micros = int((fraction or "0")[:6].ljust(6, "0"))
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micros, timezone.utc
        )
        if kind.tz is None:
            if zone:
                raise _Mismatch
            return moment.replace(tzinfo=None)
        if zone and zone[0] in "+-":
            hours, minutes = int(zone[1:3]), int(zone[-2:])
            if hours > 18 or minutes > 59:
                raise _Mismatch
            offset = timedelta(hours=hours, minutes=minutes)
            moment = moment - offset if zone[0] == "+" else moment + offset
    except (ValueError, OverflowError):
        raise _Mismatch from None
    return moment


def _midnight(value: Any, kind: pa.TimestampType) -> datetime:
    day = _date(value)
    return datetime(day.year, day.month, day.day, tzinfo=None if kind.tz is None else timezone.utc)


def to_json(value: Any) -> str:
    """Write a parsed value as JSON again, numbers as they were in the file."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{to_json(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def rescued_text(rescued: Mapping[str, str], file_path: str) -> str | None:
    """Give `_rescued_data`: a JSON object of the rescued members and the path of their file.

    None if nothing was rescued.
    """
    if not rescued:
        return None
    members = [f"{json.dumps(key, ensure_ascii=False)}:{raw}" for key, raw in rescued.items()]
    return "{" + ",".join([*members, f'"_file_path":{json.dumps(file_path, ensure_ascii=False)}']) + "}"
