"""Both JSON parsers against the answers of Apache Spark, value by value.

`spark_json.json` holds some hundred values a type with what `spark.read.json` of Spark 4.2.1 made of them, asked once by
`ask_spark_json.py` (which needs Java; the tests do not). A value is taken, is a misfit (its column NULL, the record
in `_corrupt_record`: what Auto Loader rescues), or makes the whole line unreadable. Where we stay apart from Spark
on purpose, the entry has our answer too, and the file the reason.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from local_workspace.dlt_runtime.auto_loader.bulk_json import BulkParser, can_take
from local_workspace.dlt_runtime.auto_loader.strict_json import Unreadable, convert_record, parse_members
from local_workspace.dlt_runtime.auto_loader.types import parse_columns

ANSWERS = json.loads((Path(__file__).parent / "spark_json.json").read_text(encoding="utf-8"))
TYPES = list(ANSWERS["values"])


def _line(value: str) -> str:
    return '{"k":"k","v":' + value + ',"z":"z"}'


def _columns(kind: str) -> dict[str, pa.DataType]:
    return parse_columns(f"k STRING, v {kind}, z STRING", "test")


def _answer(value: str, kind: str) -> list[Any]:
    """Give the answer of the exact parser in the form of the file."""
    columns = _columns(kind)
    try:
        (members,) = parse_members(_line(value))
    except Unreadable:
        return ["unreadable"]
    record = convert_record(members, columns)
    if any(key.split(".")[0] == "v" for key in record.rescued):
        return ["misfit"]
    assert (record.values["k"], record.values["z"]) == ("k", "z")
    return ["value", _shown(pa.array([record.values["v"]], columns["v"])[0].as_py())]


def _shown(value: Any) -> Any:
    """Write a value as Spark's cast to text does; parts of nested values as its to_json does."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat(" ")
        return text.rstrip("0") if "." in text else text
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    return value


def _same(ours: Any, spark: Any, kind: pa.DataType) -> bool:
    if pa.types.is_floating(kind) and spark is not None:
        wanted = pa.array([float(spark)], kind)[0].as_py()
        return float(ours) == wanted or (math.isnan(wanted) and math.isnan(float(ours)))
    return bool(ours == spark)


def _entries(kind: str) -> list[list[Any]]:
    return ANSWERS["values"][kind]


TAKEN_FAST = [kind for kind in TYPES if can_take(_columns(kind)["v"])]


@pytest.mark.parametrize("kind", TYPES)
def test_the_exact_parser_answers_as_spark(kind: str) -> None:
    """Guards that a pipeline tested here sees the values that it will see in production."""
    arrow = _columns(kind)["v"]
    wrong = []
    for value, *spark in _entries(kind):
        outcome, text = spark[0], spark[1] if len(spark) > 1 else None
        ours = _answer(value, kind)
        expected = spark[2] if len(spark) > 2 else outcome
        agrees = ours[0] == expected
        if agrees and ours[0] == "value" and len(spark) == 2 and not pa.types.is_nested(arrow):
            agrees = _same(ours[1], text, arrow)
        if not agrees:
            wrong.append((value, spark, ours))
    assert not wrong


def test_nested_values_are_those_of_spark() -> None:
    """Guards the parts of structs, arrays and maps, for which the answers hold JSON."""
    columns = _columns("STRUCT<d: DATE, t: TIMESTAMP, m: DECIMAL(10,2)>")
    (members,) = parse_members(_line('{"d":"2026-03","t":"2026-03-01 09:30:00 Asia/Tokyo","m":"1,234.565"}'))
    value = convert_record(members, columns).values["v"]
    (spark,) = (e[2] for e in _entries("STRUCT<d: DATE, t: TIMESTAMP, m: DECIMAL(10,2)>") if e[1] == "value")
    assert (value["d"].isoformat(), f"{value['t']:%Y-%m-%dT%H:%M:%S.000Z}", float(value["m"])) == (
        spark["d"],
        spark["t"],
        spark["m"],
    )


@pytest.mark.parametrize("kind", TAKEN_FAST)
def test_the_fast_parser_answers_as_spark_on_what_it_takes(kind: str) -> None:
    """Guards the speed-up: what DuckDB takes must be Spark's value; what Spark refuses it must leave alone."""
    entries = [e for e in _entries(kind) if "\n" not in e[0]]
    parser = BulkParser(_columns(kind))
    table, places, others = parser.parse(pa.array([_line(e[0]) for e in entries], pa.large_string()))
    parser.close()
    assert len(table) + len(others) == len(entries)
    arrow = _columns(kind)["v"]
    wrong = []
    for ours, place in zip(table["v"].to_pylist(), places.to_pylist(), strict=True):
        value, outcome, *rest = entries[place]
        if outcome != "value" or len(rest) > 1 or not _same(_shown(ours), rest[0], arrow):
            wrong.append((value, outcome, rest, ours))
    assert not wrong
    assert len(table), "the fast parser took nothing: this test means nothing"


def test_lines_are_records_as_in_spark() -> None:
    """Guards what is a record at all: single quotes, arrays, what stands behind a record, damaged lines."""
    columns = parse_columns("k STRING, v STRING", "test")
    wrong = []
    for line, *spark in ANSWERS["lines"]:
        expected = spark[1] if len(spark) > 1 else spark[0]
        try:
            records = [convert_record(m, columns).values for m in parse_members(line.removeprefix("\ufeff"))]
            ours: Any = [[record.get("k"), record.get("v")] for record in records]
        except Unreadable:
            ours = "unreadable"
        if ours != expected:
            wrong.append((line[:80], expected, ours))
    assert not wrong


def test_each_difference_from_spark_has_a_reason() -> None:
    """Guards the list of differences: one that nobody gave a reason for is a fault, and an unused reason is stale."""
    given = {e[-1] for kind in TYPES for e in _entries(kind) if len(e) > 3}
    given |= {e[-1] for e in ANSWERS["lines"] if len(e) > 2}
    assert given == set(ANSWERS["apart"])
    # Few, and none of them on money: whatever Spark makes of a DECIMAL or a BIGINT, we make too.
    for kind in ("DECIMAL(38,10)", "DECIMAL(10,2)", "DECIMAL(38,0)", "BIGINT", "INT", "DOUBLE", "BOOLEAN"):
        assert not [e for e in _entries(kind) if len(e) > 3], kind
