"""Guards the reader of corrected rows: types are exact, and a refusal names file, line and field."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from dlt_ingest.errors import InputError
from dlt_ingest.quarantine.corrections import parse_changes, read_corrections
from dlt_ingest.quarantine.rows import Selection

ID = "a" * 64


def test_corrected_rows_are_read_in_their_types(tmp_path):
    """Guards exactness: money without floats, moments in UTC, notes of `show` passed over, blank lines ignored."""
    file = tmp_path / "rows.jsonl"
    file.write_text(
        f'\ufeff{{"quarantine_id": "{ID}", "price": 9007199254740993.01, "items_ordered": 3, "order_id": "O\u2028\x85-1", '
        '"date_ordered": "2026-03-01", "order_timestamp": "2026-03-01T10:30:00+02:00", "_failed_rules": ["x"]}\n\n'
    )
    (row,) = read_corrections(file)
    assert row.quarantine_id == ID
    assert row.record == {
        "order_id": "O\u2028\x85-1",  # ends no line of JSON
        "order_item": None,
        "price": Decimal("9007199254740993.01"),
        "items_ordered": 3,
        "status": None,
        "date_ordered": date(2026, 3, 1),
        "customer_id": None,
        "order_timestamp": datetime(2026, 3, 1, 8, 30),  # noqa: DTZ001  # moments of records are UTC
        "order_line": None,
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"order_id": "O-2"}', "quarantine_id.*line 2"),
        ("[]", "quarantine_id.*line 2"),
        ("not json", "No JSON.*line 2"),
        ('{"quarantine_id": "ID", "colour": "red"}', "no such field.*colour.*line 2"),
        ('{"quarantine_id": "ID", "price": "12.50"}', "field price.*line 2"),
        ('{"quarantine_id": "ID", "price": 1e40}', "field price"),
        ('{"quarantine_id": "ID", "price": 0.00000000001}', "field price"),
        ('{"quarantine_id": "ID", "price": NaN}', "field price"),
        ('{"quarantine_id": "ID", "items_ordered": 1.5}', "field items_ordered"),
        ('{"quarantine_id": "ID", "items_ordered": true}', "field items_ordered"),
        ('{"quarantine_id": "ID", "items_ordered": 9223372036854775808}', "field items_ordered"),
        ('{"quarantine_id": "ID", "order_id": 5}', "field order_id"),
        ('{"quarantine_id": "ID", "date_ordered": "2026-02-30"}', "field date_ordered"),
        ('{"quarantine_id": "ID", "order_timestamp": "noon"}', "field order_timestamp"),
    ],
)
def test_bad_corrections_are_refused_by_line_and_field(tmp_path, line, words):
    """Guards against a value that would be quarantined for its type, or rounded on its way."""
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"quarantine_id": "{ID}"}}\n{line.replace("ID", ID)}\n')
    with pytest.raises(InputError, match=words):
        read_corrections(file)


def test_changes_are_read_as_typed_by_a_person():
    """Guards `--set field=value`: text of each type, and refusals by field."""
    assert parse_changes({"price": "12.50", "items_ordered": "3", "status": "pending"}) == {
        "price": Decimal("12.50"),
        "items_ordered": 3,
        "status": "pending",
    }
    for changes, words in (
        ({"colour": "red"}, "colour"),
        ({"price": "free"}, "field price"),
        ({"price": "NaN"}, "price"),
    ):
        with pytest.raises(InputError, match=words):
            parse_changes(changes)


def test_missing_file_is_refused(tmp_path):
    """Guards the message for a path that does not exist."""
    with pytest.raises(InputError, match=r"gone\.jsonl"):
        read_corrections(tmp_path / "gone.jsonl")


def test_selection_is_quoted_and_checked():
    """Guards the SQL against what a user types: a rule and an id must be possible ones, a file name is quoted."""
    condition = Selection(file="x' OR '1'='1").condition()
    assert "x\\' OR \\'1\\'=\\'1" in condition
    for selection in (Selection(rule="no_rule"), Selection(ids=("' OR 1=1",)), Selection(ids=("abc",))):
        with pytest.raises(InputError):
            selection.condition()
