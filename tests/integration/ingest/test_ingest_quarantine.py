"""Guards the quarantine's commands: what is shown, and that a corrected row arrives in Silver exactly once."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from dlt_ingest.errors import InputError
from dlt_ingest.quarantine.corrections import Correction, read_corrections
from dlt_ingest.quarantine.replay import replay_corrections, replay_selection
from dlt_ingest.quarantine.rows import Selection, count_by_file, count_by_rule, read_rows

GOOD = {
    "order_id": "O-1", "order_item": "Kettle", "price": 12.5, "items_ordered": 2, "status": "approved",
    "date_ordered": "2026-03-01", "customer_id": "C-1", "order_timestamp": "2026-03-01T09:30:00.25Z",
}  # fmt: skip


def arrive(pipeline, file, *rows):
    lines = [row if isinstance(row, str) else json.dumps({**GOOD, **row}) for row in rows]
    (pipeline.landing / file).write_text("".join(f"{line}\n" for line in lines))
    pipeline.ingest()


def silver(query):
    return query("SELECT order_id, status, price, replay_of FROM silver.orders ORDER BY order_id, status")


def landed(pipeline):
    return {path.name: path.read_bytes() for path in pipeline.landing.iterdir()}


@pytest.fixture
def rows(pipeline, query):
    arrive(
        pipeline,
        "first.json",
        {"order_id": "O-1"},
        {"order_id": "O-2", "status": "lost"},
        {"order_id": "O-3", "status": "lost", "price": 0},
        '{"order_id": "O-4", ',
    )
    arrive(
        pipeline,
        "second.json",
        {"order_id": "O-5", "items_ordered": "three"},
        {"order_id": "O-6", "status": "lost"},
    )
    return {row.record["order_id"]: row for row in read_rows(query, Selection())}


def test_counts_by_rule_and_by_file(rows, pipeline, query):
    """Guards the overview: rows and open rows, by each rule that a row breaks and by file."""
    by_rule = {count.name: (count.rows, count.open_rows) for count in count_by_rule(query)}
    assert by_rule == {
        "status_known": (3, 3),
        "price_positive": (1, 1),
        "record_is_readable": (1, 1),
        "fields_have_declared_types": (1, 1),
    }
    assert [(c.name.rsplit("/", 1)[1], c.rows) for c in count_by_file(query)] == [
        ("first.json", 3),
        ("second.json", 2),
    ]
    replay_selection(
        query, pipeline.landing, Selection(ids=(rows["O-2"].quarantine_id,)), {"status": "pending"}
    )
    pipeline.ingest()
    assert {count.name: (count.rows, count.open_rows) for count in count_by_rule(query)}["status_known"] == (
        3,
        2,
    )


def test_rows_are_selected_and_keep_their_values(rows, query):
    """Guards `show`: by rule, file, id and limit; exact values and the unreadable line itself."""
    assert {r.record["order_id"] for r in read_rows(query, Selection(rule="status_known"))} == {
        "O-2",
        "O-3",
        "O-6",
    }
    assert {r.record["order_id"] for r in read_rows(query, Selection(file="second.json"))} == {"O-5", "O-6"}
    assert len(read_rows(query, Selection(), limit=2)) == 2
    unreadable = rows[None]
    assert unreadable.corrupt_record == '{"order_id": "O-4", '
    assert unreadable.failed_rules == ("record_is_readable",)
    row = read_rows(query, Selection(ids=(rows["O-2"].quarantine_id[:12],)))[0]
    assert row.record["price"] == Decimal("12.50")
    line = json.loads(row.as_json_line())
    assert line["order_timestamp"] == "2026-03-01T09:30:00.250000Z"
    assert line["_failed_rules"] == ["status_known"]
    for selection in (Selection(rule="no_rule"), Selection(ids=("' OR 1=1",)), Selection(ids=("abc",))):
        with pytest.raises(InputError):
            read_rows(query, selection)
    assert read_rows(query, Selection(file="x' OR '1'='1")) == []


def test_change_sends_rows_back_exactly_once(rows, pipeline, query):
    """Guards exactly once: the same replay before and after its ingest adds nothing to Silver."""
    before = silver(query)
    selection = Selection(ids=(rows["O-2"].quarantine_id, rows["O-6"].quarantine_id))
    first = replay_selection(query, pipeline.landing, selection, {"status": "fulfilled"})
    assert set(first.sent) == {rows["O-2"].quarantine_id, rows["O-6"].quarantine_id}
    files = landed(pipeline)
    waiting = replay_selection(query, pipeline.landing, selection, {"status": "approved"})
    assert (waiting.file_name, set(waiting.waiting_in_landing)) == (None, set(first.sent))
    pipeline.ingest()
    done = replay_selection(query, pipeline.landing, selection, {"status": "cancelled"})
    assert (done.file_name, set(done.already_in_silver)) == (None, set(first.sent))
    pipeline.ingest()
    assert landed(pipeline) == files
    new = [row for row in silver(query) if row not in before]
    assert [(r["order_id"], r["status"], r["replay_of"]) for r in new] == [
        ("O-2", "fulfilled", rows["O-2"].quarantine_id),
        ("O-6", "fulfilled", rows["O-6"].quarantine_id),
    ]
    assert {
        r.record["order_id"] for r in read_rows(query, Selection(rule="status_known", open_only=True))
    } == {"O-3"}


def test_edited_file_sends_rows_back(rows, pipeline, query, tmp_path):
    """Guards the round trip: show as JSON lines, edit, replay; the unreadable line and the wrong type included."""
    lines = {r.quarantine_id: json.loads(r.as_json_line(), parse_float=Decimal) for r in rows.values()}
    lines[rows[None].quarantine_id] |= {**GOOD, "order_id": "O-4"}
    lines[rows["O-5"].quarantine_id] |= {"items_ordered": 3}
    chosen = [lines[rows[None].quarantine_id], lines[rows["O-5"].quarantine_id]]
    file = tmp_path / "corrected.jsonl"
    file.write_text("\n".join(json.dumps(line, default=float) for line in chosen))
    outcome = replay_corrections(query, pipeline.landing, read_corrections(file))
    assert len(outcome.sent) == 2
    again = replay_corrections(query, pipeline.landing, read_corrections(file))
    assert again.file_name is None
    pipeline.ingest()
    arrived = {row["order_id"]: row for row in silver(query)}
    assert set(arrived) == {"O-1", "O-4", "O-5"}
    assert arrived["O-4"]["price"] == Decimal("12.50")


def test_row_that_still_breaks_a_rule_is_refused_before_it_lands(rows, pipeline, query):
    """Guards against replays that come back: the rules themselves judge, one bad row stops all, nothing lands."""
    files = landed(pipeline)
    with pytest.raises(InputError, match=rf"1 of 3 rows.*{rows['O-3'].quarantine_id[:12]}: price_positive"):
        replay_selection(query, pipeline.landing, Selection(rule="status_known"), {"status": "pending"})
    with pytest.raises(InputError, match="not_from_the_future"):
        replay_selection(
            query, pipeline.landing, Selection(ids=(rows["O-2"].quarantine_id,)),
            {"status": "pending", "order_timestamp": "2999-01-01T00:00:00Z"},
        )  # fmt: skip
    assert landed(pipeline) == files


def test_correction_that_was_quarantined_may_be_corrected_again(rows, pipeline, query):
    """Guards the second try: it stands for the same row, and only one of the two may reach Silver."""
    row = rows["O-2"]
    failed = {"status": "still lost", "order_id": "O-2", "replay_of": row.quarantine_id}
    arrive(pipeline, "replay-0000000000000000.json", failed)
    both = [r for r in read_rows(query, Selection(rule="status_known")) if r.origin == row.quarantine_id]
    assert len(both) == 2
    outcome = replay_selection(
        query, pipeline.landing, Selection(ids=tuple(r.quarantine_id for r in both)), {"status": "approved"}
    )
    assert len(outcome.sent) == 1
    pipeline.ingest()
    replays = [r for r in silver(query) if r["replay_of"] is not None]
    assert [(r["order_id"], r["replay_of"]) for r in replays] == [("O-2", row.quarantine_id)]
    third = replay_selection(
        query, pipeline.landing, Selection(ids=(row.quarantine_id,)), {"status": "pending"}
    )
    assert third.already_in_silver == (row.quarantine_id,)


def test_rows_that_are_not_in_quarantine_are_refused(rows, pipeline, query):
    """Guards `replay`: an unknown id, and a change for no row, are refusals by id; nothing lands."""
    files = landed(pipeline)
    unknown = "f" * 64
    with pytest.raises(InputError, match=f"1 of the rows are not in quarantine.*{unknown}"):
        replay_corrections(query, pipeline.landing, [Correction(unknown, rows["O-2"].record)])
    with pytest.raises(InputError, match="No rows in quarantine"):
        replay_selection(query, pipeline.landing, Selection(ids=(unknown,)), {"status": "pending"})
    with pytest.raises(InputError, match="No quarantined row is selected"):
        replay_selection(query, pipeline.landing, Selection(file="third.json"), {"status": "pending"})
    twice = [Correction(rows["O-2"].quarantine_id, rows["O-2"].record)] * 2
    with pytest.raises(InputError, match="given twice"):
        replay_corrections(query, pipeline.landing, twice)
    assert landed(pipeline) == files
