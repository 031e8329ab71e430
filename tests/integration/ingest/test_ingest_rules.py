"""Guards the rules: each built-in row must break exactly what it says, and a wrong rule must be noticed."""

from __future__ import annotations

from dlt_ingest.quality import check, inline_rows, rules


def test_every_built_in_row_breaks_exactly_its_rules(query):
    """Guards every predicate against the engine's idea of NULL, casts, comparison and ANSI errors."""
    misjudged = {r.row.name: (r.row.breaks, r.broke) for r in check.check_rules(query) if not r.passed}
    assert misjudged == {}


def test_check_notices_a_rule_that_lets_everything_pass(query, monkeypatch):
    """Guards the check itself: with one predicate made TRUE, the rows that break it must fail."""
    weakened = tuple(
        rules.Rule(r.name, "TRUE", r.meaning) if r.name == "price_positive" else r for r in rules.RULES
    )
    monkeypatch.setattr(rules, "RULES", weakened)
    failed = {result.row.name for result in check.check_rules(query) if not result.passed}
    assert {"a price of nothing", "a negative price"} <= failed


def test_predicate_that_gives_null_counts_as_broken(query, monkeypatch):
    """Guards `bronze = silver + quarantine` for any rule set: NULL must not be a third answer."""
    monkeypatch.setattr(rules, "RULES", (rules.Rule("unclear", "price > CAST(NULL AS INT)", "gives NULL"),))
    assert inline_rows.judge(query, [("x", check.GOOD_RECORD)]) == [("unclear",)]


def test_text_of_any_kind_survives_the_literal(query):
    """Guards the replay against injection and mangling: all text comes back as given."""
    text = "O'Neil \\' \" \\n \n;-- ${x} {{y}} 日本 \U0001f600"
    row = {**check.GOOD_RECORD, "order_item": text}
    statement = f"SELECT order_item FROM ({inline_rows.inline_rows_sql([('a', row)])}) AS t"
    assert query(statement) == [{"order_item": text}]


def test_more_rows_than_one_statement_takes_keep_their_order(query):
    """Guards the paging of `judge`: verdicts line up with the rows beyond one statement."""
    rows = [(str(n), {**check.GOOD_RECORD, **({"price": "0"} if n % 3 == 0 else {})}) for n in range(250)]
    assert inline_rows.judge(query, rows) == [("price_positive",) if n % 3 == 0 else () for n in range(250)]
