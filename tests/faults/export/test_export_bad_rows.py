"""Rows that Postgres rejects: the others arrive, these are kept with their reason and can be sent again."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal

import pytest
from export_fixtures import Database, business, expected, many, row

from dlt_ingest.metrics.postgres import ReplayResult, SchemaDriftError, retry_dead_letters
from dlt_ingest.metrics.postgres import delivery as delivery_module

NO_NEGATIVE = "alter table metrics.exp_business_metrics add constraint no_negative check (metric_value >= 0)"


def test_bad_rows_are_kept_with_their_reason_and_the_others_arrive(database: Database) -> None:
    """Guards that a bad row neither stops a build nor disappears, in an empty table and in a filled one."""
    bad = [
        row(3, "orders\0x"),
        row(4, None),
        row(5, value="99999999999999.99"),
        row(6, value="1.00"),
        row(6, value="2.00"),
        row(7, value="7.00"),
        row(7, value="7.00"),
    ]
    database.export([])
    database.sql("alter table metrics.exp_business_metrics add check (metric_value < 1000)")
    for attempt in (1, 2):
        result = database.export([row(day) for day in range(3)] + bad)
        assert (result.rows, result.rejected, result.inserted) == (10, 5, 4 if attempt == 1 else 0)
        assert [(day.day, str(value)) for day, _, _, value in database.table()] == [
            (1, "1.00"),
            (2, "1.00"),
            (3, "1.00"),
            (8, "7.00"),
        ]
        letters = database.letters()
        assert Counter(reason for reason, *_ in letters) == {
            "bad_character": 1,
            "null_value": 1,
            "constraint_violated": 1,
            "duplicate_key": 2,
        }
        assert {(status, attempts) for _, status, attempts, _ in letters} == {("open", attempt)}
    kept = {letter[0]: json.loads(letter[3]) for letter in database.letters()}
    assert kept["bad_character"]["metric_name"] == "orders\0x"
    assert Decimal(kept["constraint_violated"]["metric_value"]) == Decimal("99999999999999.99")


def test_few_bad_rows_among_many_are_found_where_they_are(database: Database) -> None:
    """Guards the search by COPY's line number, also where line breaks inside values make its count wrong."""
    rows = [item for part in many(5000) for item in part.to_pylist()]
    for place in (0, 777, 2001, 4999):
        rows[place] = {**rows[place], "unit": "line\nbreak\n" if place % 2 else "US\0D"}
    rows[2002] = {**rows[2002], "unit": "US\0D"}
    result = database.export(rows)
    assert (result.inserted, result.rejected) == (4998, 2)
    assert [letter[0] for letter in database.letters()] == ["bad_character"] * 2
    assert database.export(rows).changed == 0


def test_a_constraint_that_only_the_table_knows_rejects_single_rows(database: Database) -> None:
    """Guards the search after COPY: a second unique index shows itself only when the rows are merged."""
    database.export([row(day, value=f"{day}.00") for day in range(50)])
    database.sql("create unique index on metrics.exp_business_metrics (metric_value)")
    rows = [row(day, value=f"{day}.00") for day in range(100)]
    rows[70] = row(70, value="10.00")
    result = database.export(rows)
    assert (result.inserted, result.updated, result.rejected) == (49, 0, 1)
    assert database.letters()[0][0] == "not_unique"


def test_a_replay_delivers_what_was_put_right(database: Database) -> None:
    """Guards `orders export --retry-dead-letters`: delivered once, closed, not doubled by the next export."""
    database.export([])
    database.sql(NO_NEGATIVE)
    rows = [row(1), row(2, value="-5.00"), row(3, "a\0b")]
    assert database.export(rows, run_id="first").rejected == 2
    assert retry_dead_letters(database.settings) == [ReplayResult("exp_business_metrics", 0, 2)]
    database.sql("alter table metrics.exp_business_metrics drop constraint no_negative")
    assert retry_dead_letters(database.settings, run_id="second") == [
        ReplayResult("exp_business_metrics", 1, 1)
    ]
    assert [str(value) for *_, value in database.table()] == ["1.00", "-5.00"]
    assert database.sql("select distinct _run_id from metrics.exp_business_metrics order by 1") == [
        ("first",),
        ("second",),
    ]
    assert [(reason, status) for reason, status, *_ in database.letters()] == [
        ("bad_character", "open"),
        ("constraint_violated", "delivered"),
    ]
    assert database.export(rows).changed == 0


def test_a_replay_never_brings_an_old_value_back(database: Database) -> None:
    """Guards the order of time: a letter that the next export does not reject again is obsolete."""
    database.export([row(value="4.00")])
    database.sql(NO_NEGATIVE)
    assert database.export([row(value="-5.00")]).rejected == 1
    database.sql("alter table metrics.exp_business_metrics drop constraint no_negative")
    assert database.export([row(value="4.00")]).changed == 0
    assert [status for _, status, *_ in database.letters()] == ["superseded"]
    assert retry_dead_letters(database.settings) == []
    assert [str(value) for *_, value in database.table()] == ["4.00"]


def test_rows_that_contradict_each_other_are_not_chosen_between(database: Database) -> None:
    """Guards the key: a replay must not let the last of two values win by chance."""
    assert database.export([row(value="1.00"), row(value="2.00")]).rejected == 2
    assert retry_dead_letters(database.settings) == [ReplayResult("exp_business_metrics", 0, 2)]
    assert database.table() == []
    database.sql(
        "update metrics._dead_letter set status = 'superseded' where payload::jsonb ->> 'metric_value' = '1.00'"
    )
    assert retry_dead_letters(database.settings) == [ReplayResult("exp_business_metrics", 1, 0)]
    assert [str(value) for *_, value in database.table()] == ["2.00"]


def test_an_edited_letter_is_delivered_as_edited(database: Database) -> None:
    """Guards the way out for rows that cannot be fixed at their source."""
    database.export([row(1), row(2, "net\0revenue")])
    database.sql(
        "update metrics._dead_letter set payload = replace(payload, '\\u0000', '_') where status = 'open'"
    )
    assert retry_dead_letters(database.settings) == [ReplayResult("exp_business_metrics", 1, 0)]
    assert [name for _, name, *_ in database.table()] == ["net_revenue", "net_revenue"]
    database.export([row(1), row(2, "net\0revenue")])
    database.sql("update metrics._dead_letter set payload = 'not json' where status = 'open'")
    assert retry_dead_letters(database.settings) == [ReplayResult("exp_business_metrics", 0, 1)]


def test_mirroring_does_not_delete_the_key_of_a_rejected_row(database: Database) -> None:
    """Guards the last good value: a row that was rejected has not left the model."""
    database.export([row(1), row(2), row(3)])
    database.sql(NO_NEGATIVE)
    result = database.export([row(1), row(2, value="-1.00"), row(9, None)], business(deletes="mirror"))
    assert (result.deleted, result.rejected) == (1, 2)
    assert [(day.day, str(value)) for day, _, _, value in database.table()] == [(2, "1.00"), (3, "1.00")]


def test_a_model_that_does_not_fit_its_table_is_refused_as_a_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the dead letters against a flood: thousands of rejections are one mistake in the model."""
    monkeypatch.setattr(delivery_module, "MAX_REJECTED", 50)
    database.export([])
    database.sql("alter table metrics.exp_business_metrics add check (metric_value < 0)")
    with pytest.raises(SchemaDriftError, match="rejects too many rows"):
        database.export_batches(many(200))
    assert database.letters() == []


def test_duplicates_across_batches_leave_one_row(database: Database) -> None:
    """Guards the straight way into an empty table: the second of two equal rows comes batches later."""
    rows = list(many(3000))
    result = database.export_batches([*rows, rows[0]])
    assert (result.rows, result.inserted, result.rejected) == (4000, 3000, 0)
    assert database.checksum() == expected(many(3000))
