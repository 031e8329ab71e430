"""The sink on a server that is well: what a second export changes, what drift does, what comes back exactly."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from export_fixtures import SCHEMA, Database, batch, business, expected, many, row

from dlt_ingest.metrics.postgres import ExportDeclarationError, ExportSpec, SchemaDriftError

OTHER = ExportSpec(target="exp_other", key=("id",))


def test_the_same_rows_again_change_nothing(database: Database) -> None:
    """Guards idempotence: `_exported_at` and `_run_id` stay, too, and only the state row moves on."""
    first = database.export_batches(many(5000), run_id="first")
    assert (first.rows, first.inserted, first.changed, first.attempts) == (5000, 5000, 5000, 1)
    rows = database.sql(
        "select xmin::text, _run_id, _exported_at, metric_date from metrics.exp_business_metrics"
    )
    second = database.export_batches(many(5000), run_id="second")
    assert (second.rows, second.changed, second.rejected) == (5000, 0, 0)
    again = database.sql(
        "select xmin::text, _run_id, _exported_at, metric_date from metrics.exp_business_metrics"
    )
    assert sorted(again) == sorted(rows)
    assert database.checksum() == expected(many(5000))
    state = database.sql(
        "select target, run_id, rows_read, rows_inserted, batches, exported_at > changed_at from metrics._export_state"
    )
    assert state == [("exp_business_metrics", "second", 5000, 0, 5, True)]


def test_memory_does_not_grow_with_the_rows(database: Database) -> None:
    """Guards streaming: of a hundred batches only a few are held at any moment, a retry in store included."""
    held: list[int] = []

    def watched() -> Iterator[pa.RecordBatch]:
        for part in many(100_000):
            held.append(pa.total_allocated_bytes())
            yield part

    one = next(many(1000)).nbytes
    before = pa.total_allocated_bytes()
    for expected_rows in (100_000, 0):
        held.clear()
        assert database.export_batches(watched()).changed == expected_rows
        assert max(held) - before < 10 * one


def test_only_what_differs_is_written_and_carries_its_run(database: Database) -> None:
    """Guards the join from a metric to the run that changed it."""
    database.export([row(day) for day in range(5)], run_id="first")
    result = database.export([row(0), row(1, value="9.00"), row(2, unit="EUR"), row(7)], run_id="second")
    assert (result.inserted, result.updated, result.deleted) == (1, 2, 0)
    runs = database.sql("select _run_id, count(*) from metrics.exp_business_metrics group by 1 order by 1")
    assert runs == [("first", 3), ("second", 3)]


def test_keys_that_left_the_model_go_only_when_it_says_so(database: Database) -> None:
    """Guards history: `keep` is the default, `mirror` deletes, and an empty model does not empty the table."""
    database.export([row(day) for day in range(4)])
    assert database.export([row(0)]).deleted == 0
    mirrored = business(deletes="mirror")
    assert database.export([row(0), row(1)], mirrored).deleted == 2
    with pytest.raises(ExportDeclarationError, match="allow_empty"):
        database.export([], mirrored)
    assert len(database.table()) == 2
    assert database.export([], business(deletes="mirror", allow_empty=True)).deleted == 2
    assert database.export([], mirrored).deleted == 0


def test_a_new_column_is_added_and_a_missing_one_is_left_alone(database: Database) -> None:
    """Guards additive drift in both directions: deploying dbt before or after its readers loses nothing."""
    database.export([row(0), row(1)])
    wider = pa.schema([*SCHEMA, ("region", pa.string())])
    result = database.export_batches([batch([{**row(0), "region": "north"}], wider)])
    assert (result.columns_added, result.updated) == (("region",), 1)
    assert database.sql("select region from metrics.exp_business_metrics order by metric_date") == [
        ("north",),
        (None,),
    ]
    assert database.export([row(0), row(1)]).changed == 0
    assert database.sql("select region from metrics.exp_business_metrics order by metric_date limit 1") == [
        ("north",)
    ]


@pytest.mark.parametrize(
    ("old", "new", "accepted"),
    [
        (pa.int32(), pa.int32(), True),
        (pa.int64(), pa.int32(), True),
        (pa.int32(), pa.int64(), False),
        (pa.decimal128(20, 4), pa.decimal128(18, 2), True),
        (pa.decimal128(18, 2), pa.decimal128(20, 2), False),
        (pa.decimal128(20, 2), pa.decimal128(18, 4), False),
        (pa.decimal128(20, 0), pa.int64(), True),
        (pa.float64(), pa.float32(), True),
        (pa.string(), pa.date32(), False),
        (pa.date32(), pa.string(), False),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), False),
    ],
    ids=str,
)
def test_a_changed_type_is_refused_by_name_unless_it_loses_nothing(
    database: Database, old: pa.DataType, new: pa.DataType, accepted: bool
) -> None:
    """Guards the values: what a narrower or other type would round, cut or misread is refused before any row."""

    def rows(kind: pa.DataType) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist(
            [{"id": 1, "amount": None}], schema=pa.schema([("id", pa.int64()), ("amount", kind)])
        )

    database.export_batches([rows(old)], OTHER)
    if accepted:
        assert database.export_batches([rows(new)], OTHER).changed == 0
        return
    with pytest.raises(SchemaDriftError) as caught:
        database.export_batches([rows(new)], OTHER)
    assert "amount is " in str(caught.value)
    assert 'alter table metrics.exp_other alter column "amount" type' in str(caught.value)


def test_another_key_is_refused(database: Database) -> None:
    """Guards the grain: with a finer key in the model the table would reject rows, with a coarser one double them."""
    database.export([row()])
    with pytest.raises(SchemaDriftError, match="no primary key on the model's key"):
        database.export([row()], replace(business(), key=("metric_name",)))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (pa.schema([("name", pa.string())]), "key of exp_other names a column"),
        (pa.schema([("id", pa.int64()), ("_run_id", pa.string())]), "column name that cannot be exported"),
        (pa.schema([("id", pa.int64()), ("gone", pa.null())]), "Cast gone in the model"),
        (pa.schema([("id", pa.int64()), ("span", pa.month_day_nano_interval())]), "Cast span in the model"),
    ],
)
def test_a_model_that_cannot_be_exported_says_why(database: Database, schema: pa.Schema, words: str) -> None:
    """Guards the author of a model: the text names the column and the way out."""
    with pytest.raises(ExportDeclarationError, match=words):
        database.export_batches([pa.RecordBatch.from_pylist([], schema=schema)], OTHER)


def test_every_type_comes_back_exactly(database: Database) -> None:
    """Guards the types: money to the cent, instants to the microsecond, NULL apart from the empty string."""
    instant = dt.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=dt.timezone.utc)
    values: dict[str, tuple[pa.DataType, Any, Any]] = {
        "id": (pa.int64(), -(2**63), -(2**63)),
        "money": (pa.decimal128(18, 2), Decimal("-9999999999999999.99"), Decimal("-9999999999999999.99")),
        "precise": (pa.decimal128(38, 10), Decimal("0.0000000001"), Decimal("0.0000000001")),
        "small": (pa.int8(), -128, -128),
        "ratio": (pa.float64(), 0.1 + 0.2, 0.1 + 0.2),
        "single": (pa.float32(), 1.5, 1.5),
        "instant": (pa.timestamp("us", "UTC"), instant, instant),
        "elsewhere": (pa.timestamp("ns", "Europe/Berlin"), instant, instant),
        "wall_clock": (pa.timestamp("us"), instant.replace(tzinfo=None), instant.replace(tzinfo=None)),
        "day": (pa.date32(), dt.date(1, 1, 1), dt.date(1, 1, 1)),
        "flag": (pa.bool_(), False, False),
        "empty": (pa.string(), "", ""),
        "nothing": (pa.string(), None, None),
        "text": (pa.string(), 'a "quoted", \\N line\r\nand ☃ \t\\.', 'a "quoted", \\N line\r\nand ☃ \t\\.'),
        "coded": (pa.dictionary(pa.int32(), pa.string()), "red", "red"),
        "bytes": (pa.binary(), b"\x00\xff", b"\x00\xff"),
        "list": (pa.list_(pa.decimal128(4, 2)), [Decimal("1.10"), None], ["1.10", None]),
        "pairs": (pa.map_(pa.string(), pa.int64()), [("a", 1)], {"a": 1}),
        "record": (pa.struct([("on", pa.date32())]), {"on": dt.date(2024, 1, 1)}, {"on": "2024-01-01"}),
    }
    schema = pa.schema([(name, kind) for name, (kind, _, _) in values.items()])
    source = pa.RecordBatch.from_arrays(
        [pa.array([value], kind) for kind, value, _ in values.values()], schema=schema
    )
    for changed in (1, 0):
        assert database.export_batches([source], OTHER).changed == changed
    columns = ", ".join(f'"{name}"' for name in values)
    (found,) = database.sql(f"select {columns} from metrics.exp_other")
    assert {
        name: bytes(value) if name == "bytes" else value for name, value in zip(values, found, strict=True)
    } == {name: back for name, (_, _, back) in values.items()}


def test_a_table_of_only_its_key_can_be_exported(database: Database) -> None:
    """Guards the model without values, where there is nothing to update."""
    source = [pa.RecordBatch.from_pylist([{"id": 1}, {"id": 2}], schema=pa.schema([("id", pa.int64())]))]
    assert database.export_batches(source, OTHER).inserted == 2
    assert database.export_batches([*source, *source], OTHER).changed == 0


def test_names_are_quoted_everywhere(database: Database) -> None:
    """Guards against a column name that is a keyword, or more than that."""
    name = 'select"; drop schema metrics cascade; --'
    source = [pa.RecordBatch.from_pylist([{"Group": 1, name: "x"}])]
    spec = ExportSpec(target="exp_quoted", key=("Group",))
    assert database.export_batches(source, spec).inserted == 1
    changed = [pa.RecordBatch.from_pylist([{"Group": 1, name: "y"}, {"Group": 2, name: "\0"}])]
    result = database.export_batches(changed, replace(spec, deletes="mirror"))
    assert (result.updated, result.rejected) == (1, 1)
    payload = database.sql("select payload from metrics._dead_letter")[0][0]
    assert json.loads(payload) == {"Group": "2", name: "\0"}
