"""One line of JSON into typed columns, exactly: the reference for what `bulk_json` does faster.

The rules are those of Spark's JSON reader where it keeps a value, and of Auto Loader's rescued data where it
would bend or drop one:

* a number becomes BIGINT only if it is written as an integer in range; `3.7`, `true` and `"5"` do not become
  integers;
* a number that a STRING column receives stays the text in the file; so do objects and arrays;
* decimals are never seen as binary floats; digits beyond the scale are rounded half up, and of a text every
  comma is dropped (`"12,50"` is 1250: a pipeline that takes such texts has to look at them itself);
* what has no column, or does not fit its column, goes to `_rescued_data` as the JSON that was in the file;
* a line that is not an object (or an array of objects, which are several rows) is unreadable as a whole.

`tests/unit/runtime/spark_json.json` holds Spark's answers, and names what is kept apart from them on purpose.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from local_workspace.dlt_runtime.auto_loader.moments import (
    day_of_text,
    local_time_of_text,
    moment_of_seconds,
    moment_of_text,
)
from local_workspace.dlt_runtime.auto_loader.spark_json import (
    Number,
    Pairs,
    scan_text,
    scan_value,
    skip_space,
)

CORRUPT_COLUMN = "_corrupt_record"
_FILE_PATH = "_file_path"
_STRING_OR_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(NaN|[+-]?Infinity|[+-]INF)')
_INTEGER = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
# Java's BigDecimal takes the digits of any script, and so does Python's Decimal.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?")
_LONGEST_NUMBER = 1000
_PUNCTUATION = " \t\r\n,;]}"
_NOT_FINITE = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "+Infinity": math.inf,
    "-Infinity": -math.inf,
    "+INF": math.inf,
    "-INF": -math.inf,
}
_RANGES = {pa.int8(): 8, pa.int16(): 16, pa.int32(): 32, pa.int64(): 64}


class Unreadable(ValueError):  # noqa: N818  (says what the line is)
    """The line is not JSON that holds records."""


class _Mismatch(Exception):  # noqa: N818
    """The value does not fit the column."""


_DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=Pairs, strict=True
)


@dataclass
class Record:
    """One row: values by column, the rescued members as JSON texts, and those keys that no column has."""

    values: dict[str, Any] = field(default_factory=dict)
    rescued: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def parse_members(text: str) -> list[list[tuple[str, str, Any]]]:
    """Parse a line into records, each a list of `(key, JSON text of the value, value)`.

    An empty array has no record.

    Raises:
        Unreadable: It is not one JSON object, nor one array of objects.
    """
    try:
        records = _records(text, _STANDARD)
    except (ValueError, RecursionError) as error:
        # Most of such lines are damaged; some are what Spark takes beyond the standard.
        try:
            records = _records(text, _SPARK)
        except (ValueError, RecursionError):
            raise Unreadable(str(error)) from None
    if "\\u" in text and "\\ud" in text.lower():
        try:
            return [
                [(_whole_text(key), raw, _without_halves(value)) for key, raw, value in r] for r in records
            ]
        except RecursionError as error:
            raise Unreadable(str(error)) from None
    return records


@dataclass(frozen=True)
class _Grammar:
    """How keys and values are read: each function takes text and place, and gives the value and the place behind."""

    key: Callable[[str, int], tuple[str, int]]
    value: Callable[[str, int], tuple[Any, int]]
    raw: Callable[[str], str]


def _standard_key(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != '"':
        raise Unreadable("a key is not a string")
    key, end = scanstring(text, at + 1, True)
    return key, end


class _Loose(str):
    """The text of a value that may be no JSON by the standard."""

    __slots__ = ()


_STANDARD = _Grammar(_standard_key, _DECODER.raw_decode, str)
_SPARK = _Grammar(scan_text, scan_value, _Loose)


def _records(text: str, grammar: _Grammar) -> list[list[tuple[str, str, Any]]]:
    at = skip_space(text, 0)
    if text[at : at + 1] == "[":
        records, at = _array(text, at, grammar)
    else:
        record, at = _object(text, at, grammar)
        records = [record]
    # Spark looks at nothing behind the value. Punctuation can be passed over, as in a line of an array that was
    # written one element per line; with anything else data would be lost silently, so the line is kept whole.
    if text[at:].strip(_PUNCTUATION):
        raise Unreadable("text after the value")
    return records


def _array(text: str, at: int, grammar: _Grammar) -> tuple[list[list[tuple[str, str, Any]]], int]:
    records: list[list[tuple[str, str, Any]]] = []
    at = skip_space(text, at + 1)
    if text[at : at + 1] == "]":
        return records, at + 1
    while True:
        record, at = _object(text, at, grammar)
        records.append(record)
        at = skip_space(text, at)
        if text[at : at + 1] == "]":
            return records, at + 1
        if text[at : at + 1] != ",":
            raise Unreadable("no comma between the elements of an array")
        at = skip_space(text, at + 1)


def _object(text: str, at: int, grammar: _Grammar) -> tuple[list[tuple[str, str, Any]], int]:
    if text[at : at + 1] != "{":
        raise Unreadable("not an object")
    members: list[tuple[str, str, Any]] = []
    at = skip_space(text, at + 1)
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        key, at = grammar.key(text, at)
        at = skip_space(text, at)
        if text[at : at + 1] != ":":
            raise Unreadable("no colon after a key")
        start = skip_space(text, at + 1)
        value, at = grammar.value(text, start)
        members.append((key, grammar.raw(text[start:at]), value))
        at = skip_space(text, at)
        if text[at : at + 1] == "}":
            return members, at + 1
        if text[at : at + 1] != ",":
            raise Unreadable("no comma between members")
        at = skip_space(text, at + 1)


def _whole_text(text: str) -> str:
    """Put a question mark for half of a surrogate pair, as Java does when it writes UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _without_halves(value: Any) -> Any:
    if isinstance(value, Number):
        return value
    if isinstance(value, str):
        return _whole_text(value)
    if isinstance(value, Pairs):
        return Pairs((_whole_text(key), _without_halves(item)) for key, item in value)
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    return value


def convert_record(
    members: list[tuple[str, str, Any]],
    columns: Mapping[str, pa.DataType],
    folded: Mapping[str, str] = MappingProxyType({}),
) -> Record:
    """Put the members of an object into typed columns.

    Of a repeated key the last value counts, as in Spark; the earlier ones are rescued. A key that differs
    from a column in case only is not that column, unless `folded` says so.

    Args:
        members: What :func:`parse_members` gave.
        columns: Name -> type.
        folded: Name in lower case -> column, where letter case makes no difference.
    """
    record = Record()
    repeated: dict[str, list[str]] = {}
    last: dict[str, tuple[str, Any]] = {}
    for written, raw, value in members:
        key = folded.get(written.lower(), written) if folded else written
        if key in last:
            repeated.setdefault(key, []).append(_rescuable(*last[key]))
        last[key] = (raw, value)
    for key, (raw, value) in last.items():
        if key not in columns:
            record.rescued[key] = _rescuable(raw, value)
            record.unknown.append(key)
            continue
        try:
            record.values[key] = convert(value, raw, columns[key], key, record.rescued)
        except (_Mismatch, ValueError, ArithmeticError, RecursionError):
            # Whatever a conversion stumbles over is a value that does not fit: it is kept, and only it.
            record.rescued[key] = _rescuable(raw, value)
    for key, raws in repeated.items():
        everything = raws + ([record.rescued[key]] if key in record.rescued else [])
        record.rescued[key] = everything[0] if len(everything) == 1 else "[" + ",".join(everything) + "]"
    return record


def _rescuable(raw: str, value: Any) -> str:
    """Return what `_rescued_data` shows of a value: the text in the file, unless it might be no JSON there."""
    if not isinstance(raw, _Loose):
        return raw
    try:
        return to_json(value)
    except RecursionError:
        return json.dumps(raw, ensure_ascii=False)


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
        return float(value)  # one that is too large is infinite, as in Spark
    raise _Mismatch


def _decimal(value: Any, kind: pa.Decimal128Type) -> Decimal:
    # Spark takes a text that is wholly a number for a DECIMAL column (JacksonParser), though not for BIGINT
    # or DOUBLE, and drops every comma of it (ExprUtils.getDecimalParser).
    if not isinstance(value, str):
        raise _Mismatch
    text = value if isinstance(value, Number) else value.replace(",", "")
    if not _NUMBER.fullmatch(text) or len(text) > _LONGEST_NUMBER:
        raise _Mismatch
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  (finite by the pattern)
    shift = exponent + kind.scale
    if not any(digits) or len(digits) + shift < 0:
        return Decimal(
            (0, (0,), -kind.scale)
        )  # nothing is left, or all of it is below a tenth of the last place
    if len(digits) + shift > kind.precision:
        raise _Mismatch
    if shift >= 0:
        return Decimal((sign, digits + (0,) * shift, -kind.scale))
    unscaled = int("".join(map(str, digits[:shift] or (0,)))) + (digits[shift] >= 5)
    if unscaled >= 10**kind.precision:
        raise _Mismatch
    return Decimal((sign if unscaled else 0, tuple(map(int, str(unscaled))), -kind.scale))


def _date(value: Any) -> date:
    day = day_of_text(value) if isinstance(value, str) and not isinstance(value, Number) else None
    if day is None:
        raise _Mismatch
    return day


def _timestamp(value: Any, kind: pa.TimestampType) -> datetime:
    moment = None
    if isinstance(value, Number):
        if kind.tz is not None and _INTEGER.fullmatch(value) and len(value) <= 20:
            moment = moment_of_seconds(int(value))
    elif isinstance(value, str):
        moment = local_time_of_text(value) if kind.tz is None else moment_of_text(value)
    if moment is None:
        raise _Mismatch
    return moment


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
    """Return `_rescued_data`: a JSON object of the rescued members and the path of their file.

    It is JSON for every reader: `NaN` and the infinities, which Spark reads and JSON does not know, become strings. A
    member of the record that is called `_file_path` as ours is gets more underscores.

    None if nothing was rescued.
    """
    if not rescued:
        return None
    named = {_beside(key, rescued) if key == _FILE_PATH else key: raw for key, raw in rescued.items()}
    members = [f"{json.dumps(key, ensure_ascii=False)}:{_readable(raw)}" for key, raw in named.items()]
    return "{" + ",".join([*members, f'"{_FILE_PATH}":{json.dumps(file_path, ensure_ascii=False)}']) + "}"


def _beside(name: str, taken: Mapping[str, str]) -> str:
    while name in taken:
        name = "_" + name
    return name


def _readable(raw: str) -> str:
    if not any(constant in raw for constant in ("NaN", "Infinity", "INF")):
        return raw
    return _STRING_OR_CONSTANT.sub(lambda found: found[0] if found[1] is None else f'"{found[1]}"', raw)
