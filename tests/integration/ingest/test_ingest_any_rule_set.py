"""Guards `bronze = silver + quarantine` for any rule set, rules that give NULL included."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlt_ingest.quality import rules
from dlt_ingest.quality.check import CHECK_ROWS
from dlt_ingest.quality.inline_rows import inline_rows_sql

_ATOMS = st.sampled_from(
    [
        "TRUE",
        "FALSE",
        "CAST(NULL AS BOOLEAN)",
        "price > 100",
        "price IN (0, NULL)",
        "items_ordered NOT IN (1, 2)",
        "status = 'approved'",
        "customer_id < order_id",
        "LENGTH(order_item) > 10",
        "date_ordered < DATE'2026-02-01'",
        "order_timestamp IS NULL",
        "TRY_CAST(order_id AS INT) > 0",
    ]
)
_PREDICATES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda p: f"NOT ({p})"),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda p: f"(({p[0]}) {p[1]} ({p[2]}))"),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def rows(spark):
    return spark.sql(inline_rows_sql([(str(n), row.row) for n, row in enumerate(CHECK_ROWS)]))


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(predicates=st.lists(_PREDICATES, min_size=0, max_size=4))
def test_each_row_goes_to_exactly_one_side(rows, declared, monkeypatch, predicates):
    """The expectations of Silver and the condition of the quarantine are complements, whatever the predicates give."""
    chosen = tuple(rules.Rule(f"rule_{n}", predicate, "Any.") for n, predicate in enumerate(predicates))
    monkeypatch.setattr(rules, "RULES", chosen)
    module = declared.modules["silver_orders_quarantine"]
    flagged = module.with_failed_rules(rows)
    kept = " AND ".join(f"({condition})" for condition in rules.expectations().values()) or "TRUE"
    judged = flagged.selectExpr(
        "row_name", f"({kept}) AS kept", "SIZE(failed_rules) > 0 AS quarantined", "failed_rules"
    ).collect()
    assert len(judged) == len(CHECK_ROWS)
    for row in judged:
        assert {row.kept, row.quarantined} == {True, False}
        assert set(row.failed_rules) <= {rule.name for rule in chosen}
