"""Guards `orders land --profile`: it says what the pipeline would do with a file, and leaves the workspace alone."""

from __future__ import annotations

import json

from orders.landing.conversion import source_of
from orders.landing.profile import profile

GOOD = {
    "order_id": "O-1", "order_item": "Mug", "price": 12.5, "items_ordered": 2, "status": "approved",
    "date_ordered": "2026-03-01", "customer_id": "C-1", "order_timestamp": "2026-03-01T09:30:00Z",
}  # fmt: skip


def test_a_profile_counts_what_each_rule_would_keep_out(pipeline, tmp_path):
    """Guards the numbers that a person decides by, and the mapping that is proposed for a field nobody has."""
    unnamed = {name: value for name, value in GOOD.items() if name != "items_ordered"}
    records = [{**unnamed, "Qty": 2}, {**unnamed, "Qty": 3, "price": "12,50"}]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(records, indent=2))
    found = profile(
        [source_of(path, None)], None, pipeline.spec, "/Volumes/ecommerce_local/bronze/files/orders/landing"
    )
    assert (found.records, found.accepted, found.faults) == (2, 0, ())
    assert {(rule.rule, rule.records) for rule in found.broken} == {
        ("items_ordered_present", 2),
        ("fields_have_declared_types", 1),
    }
    assert found.missing == ("items_ordered",)
    assert dict(found.suggestions) == {"items_ordered": "Qty"}
    assert {field.name: field.values for field in found.fields}["price"] == 2
    assert list(pipeline.landing.iterdir()) == []
