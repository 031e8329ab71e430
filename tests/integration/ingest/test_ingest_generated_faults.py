"""Guards the planted faults: each kind must end in quarantine by its rule, and nothing else may."""

from __future__ import annotations

from collections import Counter

from dlt_ingest.generators.cdnow import write_batches
from dlt_ingest.generators.faults import FAULT_KINDS
from dlt_ingest.generators.orders import OrderGenerator


def test_quarantine_is_what_the_manifest_promises(pipeline, query):
    """Guards both sides at once: a fault that a rule misses, and a rule that takes a good record for a bad one."""
    generator = OrderGenerator(pipeline.landing, faults=0.15, late=0.05, duplicates=0.05)
    batches = list(generator.run(end=6))
    pipeline.ingest()
    promised: Counter[str] = Counter()
    for batch in batches:
        promised.update(batch.failed_rules)
    assert sum(batch.faulty for batch in batches) > 2 * len(FAULT_KINDS)
    found = query(
        "SELECT CONCAT_WS(',', failed_rules) AS rules, COUNT(*) AS n FROM silver.orders_quarantine GROUP BY 1"
    )
    assert {row["rules"]: row["n"] for row in found} == dict(promised)
    assert query("SELECT COUNT(*) AS n FROM silver.orders")[0]["n"] == sum(
        b.records - b.faulty for b in batches
    )
    repeated = query("SELECT COUNT(*) - COUNT(DISTINCT order_event_id) AS n FROM silver.orders")[0]["n"]
    assert repeated == sum(batch.duplicates for batch in batches)


def test_cdnow_loses_its_eight_purchases_for_nothing(pipeline, query):
    """Guards the real data end to end in Silver: 6,911 orders of 2,349 customers, 244,091.94, and 8 in quarantine."""
    write_batches(pipeline.landing)
    pipeline.ingest()
    found = query(
        "SELECT COUNT(*) AS n, COUNT(DISTINCT order_id) AS orders, CAST(SUM(order_value) AS STRING) AS revenue "
        "FROM silver.orders"
    )
    assert pipeline.ingest().files == []
    assert found == [{"n": 6911, "orders": 6911, "revenue": "244091.94"}]
    assert query("SELECT COUNT(DISTINCT customer_id) AS n FROM silver.orders") == [{"n": 2349}]
    rules = query("SELECT EXPLODE(failed_rules) AS rule FROM silver.orders_quarantine")
    assert Counter(row["rule"] for row in rules) == {"price_positive": 8}
