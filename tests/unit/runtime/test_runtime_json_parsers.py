# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""The two JSON parsers of Auto Loader: the exact one against Spark's rules, the fast one against the exact one."""

from __future__ import annotations

import json
import math
import random
from datetime import date, datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pytest

from local_workspace.dlt_runtime.auto_loader.bulk_json import BulkParser
from local_workspace.dlt_runtime.auto_loader.strict_json import (
    Record,
    Unreadable,
    convert_record,
    parse_members,
    rescued_text,
)
from local_workspace.dlt_runtime.auto_loader.types import parse_columns

COLUMNS = parse_columns(
    "s STRING, i INT, b BIGINT, d DOUBLE, m DECIMAL(18,4), f BOOLEAN, day DATE, ts TIMESTAMP, `o'dd` STRING",
    "test",
)


def one(line: str, columns: dict[str, pa.DataType] = COLUMNS) -> Record:
    members = parse_members(line)
    assert len(members) == 1
    return convert_record(members[0], columns)


@pytest.mark.parametrize(
    ("line", "values", "rescued"),
    [
        ('{"b": 5}', {"b": 5}, {}),
        ('{"b": 3.7}', {}, {"b": "3.7"}),
        ('{"b": 3.0}', {}, {"b": "3.0"}),
        ('{"b": 1e3}', {}, {"b": "1e3"}),
        ('{"b": true}', {}, {"b": "true"}),
        ('{"b": "5"}', {}, {"b": '"5"'}),
        ('{"b": 9223372036854775808}', {}, {"b": "9223372036854775808"}),
        ('{"b": -9223372036854775808}', {"b": -(2**63)}, {}),
        ('{"i": 2147483648}', {}, {"i": "2147483648"}),
        ('{"b": null}', {"b": None}, {}),
        ('{"s": 1.50}', {"s": "1.50"}, {}),
        ('{"s": {"x" : 1.0} }', {"s": '{"x" : 1.0}'}, {}),
        ('{"s": [1, 2.0]}', {"s": "[1, 2.0]"}, {}),
        ('{"s": false}', {"s": "false"}, {}),
        ('{"s": "\\u00e9\\ud83d\\ude00"}', {"s": "é😀"}, {}),
        ('{"m": 12345678901234.5678}', {"m": Decimal("12345678901234.5678")}, {}),
        ('{"m": 0.10}', {"m": Decimal("0.1000")}, {}),
        ('{"m": 0.00001}', {"m": Decimal(0)}, {}),
        ('{"m": 19.990000000000002}', {"m": Decimal("19.9900")}, {}),
        ('{"m": "1,234.50"}', {"m": Decimal("1234.50")}, {}),
        ('{"m": 1.50000000000}', {"m": Decimal("1.5000")}, {}),
        ('{"m": 123456789012345}', {}, {"m": "123456789012345"}),
        ('{"m": 1e400}', {}, {"m": "1e400"}),
        ('{"m": 0e999999999999}', {}, {"m": "0e999999999999"}),
        ('{"m": "12.5"}', {"m": Decimal("12.5")}, {}),
        ('{"m": "12.5 EUR"}', {}, {"m": '"12.5 EUR"'}),
        ('{"m": NaN}', {}, {"m": "NaN"}),
        ('{"d": 1e400}', {"d": math.inf}, {}),
        ('{"d": "1.5"}', {}, {"d": '"1.5"'}),
        ('{"d": 7}', {"d": 7.0}, {}),
        ('{"f": "true"}', {}, {"f": '"true"'}),
        ('{"f": 1}', {}, {"f": "1"}),
        ('{"day": "2024-02-29"}', {"day": date(2024, 2, 29)}, {}),
        ('{"day": "2023-02-29"}', {}, {"day": '"2023-02-29"'}),
        ('{"day": "2024-02-29T10:00:00Z"}', {"day": date(2024, 2, 29)}, {}),
        ('{"day": 20240229}', {}, {"day": "20240229"}),
        ('{"ts": "2024-01-01T10:00:00+02:30"}', {"ts": datetime(2024, 1, 1, 7, 30, tzinfo=timezone.utc)}, {}),
        (
            '{"ts": "2024-01-01 10:00:00.123456"}',
            {"ts": datetime(2024, 1, 1, 10, 0, 0, 123456, timezone.utc)},
            {},
        ),
        ('{"ts": "2024-01-01"}', {"ts": datetime(2024, 1, 1, tzinfo=timezone.utc)}, {}),
        ('{"ts": "yesterday"}', {}, {"ts": '"yesterday"'}),
        ('{"S": "x"}', {}, {"S": '"x"'}),
        ('{"unknown.key": 1, "qu\\"ote": [1]}', {}, {"unknown.key": "1", 'qu"ote': "[1]"}),
        ('{"s": "a", "s": "b"}', {"s": "b"}, {"s": '"a"'}),
        ('{"b": 1, "b": 2, "b": "x"}', {}, {"b": '[1,2,"x"]'}),
        ("{}", {}, {}),
        ('  {"b" :\t1 }\r\n', {"b": 1}, {}),
        ("{'s': 'it\\'s', 'x': ['\"']}", {"s": "it's"}, {"x": '["\\""]'}),
        ('{"b": 1},', {"b": 1}, {}),
    ],
)
def test_a_value_is_kept_exactly_or_rescued_as_it_was(
    line: str, values: dict[str, object], rescued: dict[str, str]
) -> None:
    """Guards money and counts: no rounding, no cast between JSON types, nothing dropped."""
    record = one(line)
    assert {k: v for k, v in record.values.items() if v is not None or values.get(k, 0) is None} == values
    assert record.rescued == rescued


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "5",
        '"text"',
        "null",
        "[1]",
        '{"a":1',
        '{"a":1} {"b":2}',
        '{"a":1}, 2',
        '{"a":01}',
        '{"a":1,}',
        '{"a":"x\ny"}',
        "\x00",
        '{"a":' * 100_000,
        '{"a":.5}',
        "{a:1}",
        '[{"a":1},5]',
        '{"a":"\\x"}',
    ],
)
def test_a_line_that_is_no_record_is_unreadable_as_a_whole(line: str) -> None:
    """Guards against half-read lines: they must end in _corrupt_record, not as rows with holes."""
    with pytest.raises(Unreadable):
        parse_members(line)


def test_an_array_of_objects_is_several_records() -> None:
    """Guards Spark's rule for a line that holds an array."""
    assert [[(k, v) for k, _raw, v in m] for m in parse_members('[{"a":"x"}, {}]')] == [[("a", "x")], []]
    assert parse_members("[]") == []


def test_nested_columns_keep_what_fits_and_rescue_the_rest() -> None:
    """Guards structs, maps and arrays: a wrong leaf must not take its neighbours along."""
    columns = parse_columns("o STRUCT<x: BIGINT, y: STRING>, l ARRAY<BIGINT>, m MAP<STRING, DOUBLE>", "test")
    record = one('{"o":{"x":"no","y":"yes","z":1},"l":[1,2],"m":{"a":1.5}}', columns)
    assert record.values == {"o": {"y": "yes"}, "l": [1, 2], "m": [("a", 1.5)]}
    assert record.rescued == {"o.x": '"no"', "o.z": "1"}
    assert one('{"l":[1,2.5]}', columns).rescued == {"l": "[1,2.5]"}


def test_rescued_data_is_json_with_the_file_path() -> None:
    """Guards the shape that rules and replay read: an object, values as in the file, `_file_path` last."""
    text = rescued_text({'k"ey': "1.50", "o": '{"a":[true]}'}, "dbfs:/Volumes/c/s/v/ü.json")
    assert text is not None
    assert "1.50" in text
    assert json.loads(text) == {'k"ey': 1.5, "o": {"a": [True]}, "_file_path": "dbfs:/Volumes/c/s/v/ü.json"}
    assert rescued_text({}, "x") is None


def _hostile_value(rng: random.Random) -> str:
    return rng.choice(
        ["1", "-1", "0", "-0", "1.5", "3.0", "1e5", "1E-7", "1.0000000000000001", "12345678901234567890", "0.1", "99999999999999.99",
         "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "0.00005", "0.00004999",
         "123456789012345.6", "1e400", "NaN", "Infinity", "-Infinity", "nan", "inf", "true", "false", "null", "tru", "01", "1.", ".5", "+1",
         '"1"', '"1.5"', '"abc"', '""', '" "', '"2024-01-01"', '"2024-1-1"', '"2024-02-30"', '"0000-01-01"', '"9999-12-31"', '"+2024-01-01"',
         '"2024-01-01T00:00:00Z"', '"2024-01-01 23:59:59"', '"2024-01-01T23:59:60Z"', '"2024-01-01T24:00:00Z"', '"2024-01-01T00:00:00+05:30"',
         '"2024-01-01T00:00:00.1234567Z"', '"2024-01-01T00:00Z"', '"2024-01-01T00:00:00-19:00"', '"0001-01-01T00:00:00+10:00"',
         '"\\u0000"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\n"', '"a\tb"', '"\\/"', '"infinity"', '"epoch"', '"today"', '"-infinity"',
         "{}", '{"a":1}', "[]", "[1,2]", '[1,]', '{"a":1,}', "//c", "/*c*/1", "'x'", '"x" /*c*/', '"2024-01-01 00:00:00 America/New_York"',
         '"9999-12-31T23:59:59Z"', '"12:00:00"', '"true"', '"TRUE"', '"0x10"', "0x10", "1_000", '"1_000"', '"é"', '"\x7f"', "18446744073709551615"]
    )  # fmt: skip


def _hostile_line(rng: random.Random) -> str:
    keys = [*COLUMNS, *COLUMNS, "S", "x", "a.b", 'q\\"q', "", "o''dd", "$", "*", "a~b", "a/b"]
    members = [
        f'"{rng.choice(keys)}"{rng.choice([":", " : "])}{_hostile_value(rng)}'
        for _ in range(rng.randint(0, 3))
    ]
    text = "{" + ",".join(members) + "}"
    damage = rng.random()
    if damage < 0.1:
        cut = rng.randint(0, len(text))
        text = text[:cut] + rng.choice(["", "x", "}", '"', ",", "\\"]) + text[cut:]
    elif damage < 0.15:
        text = text[: rng.randint(0, len(text))]
    elif damage < 0.2:
        text = "[" + text + rng.choice(["]", ", {}]", ""])
    return text + rng.choice(["\n", "\r\n", "", " \n"])


def test_the_fast_parser_agrees_with_the_exact_one_on_every_line_it_takes() -> None:
    """Guards the speed-up: on hostile lines DuckDB's lenient casts must never get a value past the exact rules."""
    rng = random.Random(20260101)  # noqa: S311
    lines = [_hostile_line(rng) for _ in range(30_000)] + ['{"s": "plain", "b": 1, "m": 2.5}\n'] * 10
    parser = BulkParser(COLUMNS)
    table, places, others = parser.parse(pa.array(lines, pa.large_string()))
    parser.close()
    assert len(table) + len(others) == len(lines)
    assert len(table) > 2000, "the fast parser takes too little for this test to mean anything"
    for row, place in zip(table.to_pylist(), places.to_pylist(), strict=True):
        line = lines[place]
        record = one(line)
        assert record.rescued == {}, line
        expected = {name: record.values.get(name) for name in COLUMNS}
        same = {k: v == expected[k] or (v != v and expected[k] != expected[k]) for k, v in row.items()}  # noqa: PLR0124
        assert all(same.values()), (line, row, expected)


def test_lines_of_the_usual_keys_are_judged_as_all_others() -> None:
    """Guards the short way for lines that have the keys of most: with hostile values, and beside lines of other keys."""
    rng = random.Random(20260102)  # noqa: S311
    plain = {
        "ts": '"2024-01-02T03:04:05Z"', "s": '"plain"', "m": "12.34", "b": "2", "d": "1.5", "f": "true", "day": '"2024-01-02"',
    }  # fmt: skip

    def usual() -> str:
        spoiled = {rng.choice(list(plain)): _hostile_value(rng) for _ in range(rng.randint(0, 2))}
        return "{" + ",".join(f'"{k}":{v}' for k, v in (plain | spoiled).items()) + "}"

    lines = [usual() if rng.random() < 0.8 else _hostile_line(rng) for _ in range(20_000)]
    parser = BulkParser(COLUMNS)
    for part in (lines[:12_000], lines[12_000:], lines[:3]):
        table, places, others = parser.parse(pa.array(part, pa.large_string()))
        assert sorted([*places.to_pylist(), *others.to_pylist()]) == list(range(len(part)))
        assert others.to_pylist() == sorted(others.to_pylist())
        assert len(table) > len(part) // 3
        for row, place in zip(table.to_pylist(), places.to_pylist(), strict=True):
            record = one(part[place])
            assert record.rescued == {}, part[place]
            for name, value in row.items():
                expected = record.values.get(name)
                assert value == expected or (value != value and expected != expected), part[place]  # noqa: PLR0124
    parser.close()


def test_the_fast_parser_takes_plain_lines() -> None:
    """Guards the speed-up the other way: a plain order line must not go the slow way."""
    line = '{"s":1.50,"i":1,"b":2,"d":1.5,"m":12.34,"f":true,"day":"2024-01-02","ts":"2024-01-02T03:04:05Z"}'
    parser = BulkParser(COLUMNS)
    table, _places, others = parser.parse(pa.array([line, '{"m":12345678901234567.8}'], pa.large_string()))
    assert (len(table), others.to_pylist()) == (1, [1])
    assert table["s"].to_pylist() == ["1.50"], "a STRING column has the number as the file writes it"
