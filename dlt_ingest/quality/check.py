"""The check of the rules themselves: built-in rows, good and bad, each with the rules it must break.

It runs on the engine that runs the pipeline, by the very SQL that the pipeline runs. Evaluating the
predicates by another engine would prove that engine's idea of NULL, casts and comparison instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlt_ingest.quality.inline_rows import Query, Value, judge
from dlt_ingest.quality.rules import MAX_ITEMS_ORDERED, MAX_PRICE, RULE_NAMES

GOOD_RECORD: Mapping[str, Value] = {
    "order_id": "O-1",
    "order_item": "Espresso machine",
    "price": "249.90",
    "items_ordered": "2",
    "status": "approved",
    "date_ordered": "2026-03-01",
    "customer_id": "C-1",
    "order_timestamp": "2026-03-01 09:30:00",
    "source_file": "dbfs:/Volumes/c/bronze/files/orders/landing/orders-1.json",
    "ingested_at": "2026-03-02 00:00:00",
    "batch_id": "orders-1",
}


@dataclass(frozen=True)
class CheckRow:
    """One built-in row.

    Attributes:
        name: What is special about the row.
        changes: Columns in which it differs from `GOOD_RECORD`.
        breaks: Rules that it must break, and no others.
    """

    name: str
    changes: Mapping[str, Value]
    breaks: tuple[str, ...] = ()

    @property
    def row(self) -> dict[str, Value]:
        """All columns of the row."""
        return {**GOOD_RECORD, **self.changes}


@dataclass(frozen=True)
class CheckResult:
    """What the rules said of one built-in row.

    Attributes:
        row: The row.
        broke: Rules that it broke in fact.
    """

    row: CheckRow
    broke: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether exactly the expected rules were broken."""
        return set(self.broke) == set(self.row.breaks)


_UNREADABLE: Mapping[str, Value] = dict.fromkeys(
    (
        "order_id",
        "order_item",
        "price",
        "items_ordered",
        "status",
        "date_ordered",
        "customer_id",
        "order_timestamp",
        "order_line",
    )
)

CHECK_ROWS: tuple[CheckRow, ...] = (
    CheckRow("an ordinary order", {}),
    CheckRow("the cheapest price", {"price": "0.01"}),
    CheckRow("the dearest price", {"price": MAX_PRICE}),
    CheckRow("the largest order", {"items_ordered": MAX_ITEMS_ORDERED}),
    CheckRow("pending", {"status": "pending"}),
    CheckRow("fulfilled", {"status": "fulfilled"}),
    CheckRow("cancelled", {"status": "cancelled"}),
    CheckRow("returned a year later", {"status": "returned", "date_ordered": "2025-03-01"}),
    CheckRow("the first moment of its day", {"order_timestamp": "2026-03-01 00:00:00"}),
    CheckRow("the last moment of its day", {"order_timestamp": "2026-03-01 23:59:59.999999"}),
    CheckRow(
        "a clock 5 minutes ahead", {"order_timestamp": "2026-03-02 00:05:00", "date_ordered": "2026-03-02"}
    ),
    CheckRow(
        "the first possible day", {"date_ordered": "1990-01-01", "order_timestamp": "1990-01-01 12:00:00"}
    ),
    CheckRow("a replay", {"replay_of": "0" * 64}),
    CheckRow("a numbered line", {"order_line": "2"}),
    CheckRow(
        "text in other scripts, quotes, backslash",
        {"order_item": "Kaffee \u2615 'XL' \\ \u30b3\u30fc\u30d2\u30fc"},
    ),
    CheckRow(
        "an unreadable line",
        {**_UNREADABLE, "_corrupt_record": '{"order_id": "O-1", '},
        ("record_is_readable",),
    ),
    CheckRow(
        "items as a word",
        {"items_ordered": None, "_rescued_data": '{"items_ordered":"three"}'},
        ("fields_have_declared_types",),
    ),
    CheckRow(
        "price as a word",
        {"price": None, "price_text": "free"},
        ("fields_have_declared_types",),
    ),
    CheckRow("price with a comma", {"price": None, "price_text": "12,50"}, ("fields_have_declared_types",)),
    CheckRow("price with its text", {"price_text": "249.90"}),
    CheckRow(
        "price as a word, from before texts were kept",
        {"price": None, "_rescued_data": '{"price":"free"}'},
        ("fields_have_declared_types",),
    ),
    CheckRow(
        "date that is none",
        {"date_ordered": None, "date_ordered_text": "2026-02-30"},
        ("fields_have_declared_types",),
    ),
    CheckRow(
        "day as a number",
        {"date_ordered": None, "date_ordered_text": "20260301"},
        ("date_ordered_not_epoch",),
    ),
    CheckRow(
        "moment in seconds",
        {"order_timestamp": None, "order_timestamp_text": "1772353800"},
        ("order_timestamp_not_epoch",),
    ),
    CheckRow(
        "moment in milliseconds",
        {"order_timestamp": None, "order_timestamp_text": "1772353800000"},
        ("order_timestamp_not_epoch",),
    ),
    CheckRow(
        "one field of the wrong type, another one missing",
        {"items_ordered": None, "price": None, "_rescued_data": '{"items_ordered":"three"}'},
        ("fields_have_declared_types", "price_present"),
    ),
    CheckRow(
        "a field in other letter case",
        {"order_id": None, "_rescued_data": '{"Order_ID":"O-1"}'},
        ("fields_have_declared_types", "order_id_present"),
    ),
    CheckRow("no order id", {"order_id": None}, ("order_id_present",)),
    CheckRow("an empty order id", {"order_id": ""}, ("order_id_present",)),
    CheckRow("a blank order id", {"order_id": "  "}, ("order_id_present",)),
    CheckRow("a zero-width order id", {"order_id": "\u200b\ufeff"}, ("order_id_present",)),
    CheckRow("no customer", {"customer_id": None}, ("customer_id_present",)),
    CheckRow("a customer of a tab", {"customer_id": "\t"}, ("customer_id_present",)),
    CheckRow("a blank customer", {"customer_id": " "}, ("customer_id_present",)),
    CheckRow("no item", {"order_item": None}, ("order_item_present",)),
    CheckRow("an empty item", {"order_item": ""}, ("order_item_present",)),
    CheckRow("an item of a no-break space", {"order_item": "\u00a0"}, ("order_item_present",)),
    CheckRow("no price", {"price": None}, ("price_present",)),
    CheckRow("a price of nothing", {"price": "0.00"}, ("price_positive",)),
    CheckRow("a negative price", {"price": "-249.90"}, ("price_positive",)),
    CheckRow("a very negative price", {"price": "-9999999999999999999999999999"}, ("price_positive",)),
    CheckRow("a price below a cent", {"price": "4.999"}, ("price_in_cents",)),
    CheckRow("a price of half a cent", {"price": "0.005"}, ("price_in_cents",)),
    CheckRow("a price just too high", {"price": "100000.01"}, ("price_plausible",)),
    CheckRow(
        "a price that DECIMAL(18,2) cannot hold",
        {"price": "9999999999999999999999999999"},
        ("price_plausible",),
    ),
    CheckRow("no number of items", {"items_ordered": None}, ("items_ordered_present",)),
    CheckRow("no items", {"items_ordered": "0"}, ("items_ordered_positive",)),
    CheckRow("negative items", {"items_ordered": "-1"}, ("items_ordered_positive",)),
    CheckRow("too many items", {"items_ordered": MAX_ITEMS_ORDERED + 1}, ("items_ordered_plausible",)),
    CheckRow("the largest integer of items", {"items_ordered": 2**63 - 1}, ("items_ordered_plausible",)),
    CheckRow("no status", {"status": None}, ("status_known",)),
    CheckRow("an unknown status", {"status": "teleported"}, ("status_known",)),
    CheckRow("a status in capitals", {"status": "APPROVED"}, ("status_known",)),
    CheckRow("no date", {"date_ordered": None}, ("date_ordered_present",)),
    CheckRow("a default date", {"date_ordered": "1970-01-01"}, ("date_ordered_plausible",)),
    CheckRow("the first date there is", {"date_ordered": "0001-01-01"}, ("date_ordered_plausible",)),
    CheckRow("no moment", {"order_timestamp": None}, ("order_timestamp_present",)),
    CheckRow(
        "an event on the day before the order", {"date_ordered": "2026-03-02"}, ("ordered_before_event",)
    ),
    CheckRow("an event tomorrow", {"order_timestamp": "2026-03-02 00:05:01"}, ("not_from_the_future",)),
    CheckRow(
        "an event in the last year there is",
        {"order_timestamp": "9999-12-31 23:59:59"},
        ("not_from_the_future",),
    ),
    CheckRow(
        "several faults at once",
        {"order_id": None, "price": "-1", "status": "?"},
        ("order_id_present", "price_positive", "status_known"),
    ),
    CheckRow(
        "an empty object",
        dict(_UNREADABLE),
        (*(name for name in RULE_NAMES if name.endswith("_present")), "status_known"),
    ),
)


def check_rules(query: Query) -> list[CheckResult]:
    """Run all rules on the built-in rows.

    Args:
        query: Runs one SQL statement and returns its rows, for example `SqlClient.query`.

    Returns:
        One result for each built-in row, in the order of `CHECK_ROWS`. The rules are sound if all have
        passed.
    """
    verdicts = judge(query, [(row.name, row.row) for row in CHECK_ROWS])
    return [CheckResult(row, broke) for row, broke in zip(CHECK_ROWS, verdicts, strict=True)]
