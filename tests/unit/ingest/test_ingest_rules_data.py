"""Guards the rules, the order record and the statuses as data: names, texts, and agreement with what others say."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from dlt_ingest.configurations.volume import OrdersVolume
from dlt_ingest.quality.check import CHECK_ROWS
from dlt_ingest.quality.order_lines import line_key_sql
from dlt_ingest.quality.order_record import BRONZE_COLUMNS, ORDER_FIELD_NAMES, schema_hints
from dlt_ingest.quality.order_statuses import (
    RETURN_STATUSES,
    STATUS_PRECEDENCE,
    STATUS_RANKS,
    is_return_sql,
    status_rank_sql,
)
from dlt_ingest.quality.rules import RULE_NAMES, RULES, expectations, failed_rules_sql
from dlt_ingest.quality.visible_text import trimmed

ROOT = Path(__file__).resolve().parents[3]


def test_rules_have_names_that_can_be_metrics_and_a_meaning():
    """Guards the event log and the marts, which key on the names."""
    assert len(set(RULE_NAMES)) == len(RULES) > 0
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in RULE_NAMES)
    assert all(rule.meaning.endswith(".") and rule.action == "drop" for rule in RULES)


def test_every_rule_is_broken_by_a_built_in_row_of_its_own():
    """Guards the check: a rule without a row that breaks it, and only it, could rot unseen."""
    alone = {row.breaks[0] for row in CHECK_ROWS if len(row.breaks) == 1}
    assert alone == set(RULE_NAMES)
    assert sum(not row.breaks for row in CHECK_ROWS) >= 10
    assert len({row.name for row in CHECK_ROWS}) == len(CHECK_ROWS)


def test_predicates_never_ask_the_clock_or_another_table():
    """Guards the full refresh: the same row must be judged the same on any day, by its own columns."""
    text = " ".join(rule.predicate for rule in RULES).lower()
    assert not re.search(r"current_|now\(|rand|uuid|select", text)


def test_expectations_read_the_one_evaluation():
    """Guards `bronze = silver + quarantine`: expectations look at failed_rules and repeat no predicate."""
    assert list(expectations()) == list(RULE_NAMES)
    for name, condition in expectations().items():
        assert condition == f"NOT array_contains(failed_rules, '{name}')"
        assert failed_rules_sql().count(f"'{name}'") == 1


def test_statuses_agree_with_the_seed_of_dbt():
    """Guards the one life of an order that DLT and dbt both know: same statuses, ranks, precedence and returns."""
    with (ROOT / "seeds" / "order_statuses.csv").open(encoding="utf-8") as file:
        seed = list(csv.DictReader(file))
    assert {row["status"]: int(row["lifecycle_rank"]) for row in seed} == dict(STATUS_RANKS)
    assert {row["status"]: int(row["order_precedence"]) for row in seed} == dict(STATUS_PRECEDENCE)
    assert {row["status"] for row in seed if row["counts_as_refund"] == "true"} == RETURN_STATUSES
    assert is_return_sql() == "status IN ('returned')"
    assert status_rank_sql("s") == (
        "CASE s WHEN 'pending' THEN 1 WHEN 'approved' THEN 2 WHEN 'fulfilled' THEN 3 "
        "WHEN 'cancelled' THEN 4 WHEN 'returned' THEN 5 ELSE 0 END"
    )


def test_lines_are_told_apart_by_the_same_words_in_dbt():
    """Guards the grain: DLT and dbt must not have two opinions of what a line is."""
    model = ROOT / "dbt_project" / "models" / "intermediate" / "int_orders__events_valued.sql"
    written = " ".join(model.read_text(encoding="utf-8").replace("deliveries.", "").split()).lower()
    assert line_key_sql().lower() in written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("K1", "K1"),
        (" K1\t", "K1"),
        ("\u00a0K1\u200b\ufeff", "K1"),
        ("K\u00a01", "K\u00a01"),
        ("\u3000\u2003\n", ""),
        ("\u3164\U000e0041", ""),
        ("\u540d", "\u540d"),
    ],
)
def test_what_shows_nothing_is_trimmed(text, expected):
    """Guards ids in Python (an erasure finds its customer's lines in files) against those that SQL trims."""
    assert trimmed(text) == expected


def test_schema_hints_declare_the_record_and_not_what_auto_loader_owns():
    """Guards the inference: every field of the record is hinted, _rescued_data is left to Auto Loader."""
    hinted = [hint.split(" ")[0] for hint in re.split(r", (?=[a-z_]+ )", schema_hints())]
    assert hinted == [*ORDER_FIELD_NAMES, "replay_of", "_corrupt_record"]
    assert "items_ordered BIGINT" in schema_hints()
    # Spark's own reader would make 1250 of "12,50" here: what a text means is for the pipeline to decide.
    for name in ("price", "date_ordered", "order_timestamp"):
        assert f"{name} STRING" in schema_hints()
    assert schema_hints({"Menge, Stk": "items_ordered"}).endswith(", `Menge, Stk` BIGINT")
    assert len(ORDER_FIELD_NAMES) == 9
    assert ORDER_FIELD_NAMES[-1] == "order_line"
    assert all(column.meaning for column in BRONZE_COLUMNS)


def test_volume_has_the_folders_of_the_specification():
    """Guards the layout that operators put files into."""
    volume = OrdersVolume("c", "s", "v")
    assert volume.folders == tuple(
        f"/Volumes/c/s/v/orders/{name}" for name in ("landing", "checkpoints", "schema", "generator")
    )
