"""Guards that a text means the same on the laptop and in production: Sail's answers against those of Apache Spark."""

from __future__ import annotations

import json

import pytest

from .ask_spark_text_values import EXPRESSIONS, FILE, answers

# Sail's rules of summer time end in 2099. Rule not_from_the_future keeps such moments out on both.
_APART = {"2500-07-01 12:00:00 Europe/Berlin"}


@pytest.mark.parametrize("field", EXPRESSIONS)
def test_both_engines_read_each_text_alike(spark, field):
    """Guards the expressions of Bronze: text_values.json has what Spark 4.2.1 answered to the very same SQL."""
    frozen = json.loads(FILE.read_text(encoding="utf-8"))[field]
    texts = [text for text in frozen if text not in _APART]
    assert len(texts) > 100
    found = dict(zip(texts, answers(spark, field, texts), strict=True))
    assert {t: (found[t], frozen[t]) for t in texts if found[t] != frozen[t]} == {}


def test_what_spark_reads_wrongly_is_no_value():
    """Guards money and days against Spark itself: none of its dangerous readings is in the frozen answers."""
    frozen = json.loads(FILE.read_text(encoding="utf-8"))
    prices = frozen["price"]
    assert [t for t, (value,) in prices.items() if "," in t and value is not None] == []
    assert [prices[t] for t in ("12,50", "1,234.50", "19.99 \u20ac", " 12.5 ", "\uff10\uff11")] == [
        [None]
    ] * 5
    assert [prices[t][0] for t in ("1e3", "+5", "19.990000000000002")] == [
        "1000.0000000000",
        "5.0000000000",
        "19.9900000000",
    ]
    for field in ("date_ordered", "order_timestamp"):
        numbers = {
            t: answer
            for t, answer in frozen[field].items()
            if t.strip().lstrip("+-").isdecimal() and t.isascii()
        }
        assert [t for t, answer in numbers.items() if answer[0] is not None] == ["2026"]
        assert all(answer[-1] == "true" for t, answer in numbers.items() if t != "2026")
