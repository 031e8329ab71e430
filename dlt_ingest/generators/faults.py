"""Faults that the generator plants: each kind spoils a good record so that it breaks known rules and no others."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from dlt_ingest.generators.records import encode_record
from dlt_ingest.quality.rules import MAX_ITEMS_ORDERED, MAX_PRICE

Record = dict[str, Any]


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        name: Name in the manifest.
        rules: Rules that a record with this fault breaks.
        spoil: Makes the line of a good record with this fault in it.
    """

    name: str
    rules: tuple[str, ...]
    spoil: Callable[[Record, random.Random], str]


def _changed(change: Callable[[Record, random.Random], Record]) -> Callable[[Record, random.Random], str]:
    return lambda record, rng: encode_record({**record, **change(record, rng)})


def _without(field: str) -> Callable[[Record, random.Random], str]:
    return lambda record, _: encode_record({name: value for name, value in record.items() if name != field})


def _truncated(record: Record, rng: random.Random) -> str:
    line = encode_record(record)
    return line[: rng.randrange(len(line) // 3, len(line) - 1)]


FAULT_KINDS: tuple[FaultKind, ...] = (
    FaultKind("negative_price", ("price_positive",), _changed(lambda r, _: {"price": -r["price"]})),
    FaultKind(
        "unknown_status",
        ("status_known",),
        _changed(lambda _r, rng: {"status": rng.choice(["on_hold", "lost"])}),
    ),
    FaultKind("missing_customer_id", ("customer_id_present",), _without("customer_id")),
    FaultKind("truncated_line", ("record_is_readable",), _truncated),
    FaultKind(
        "items_as_a_word", ("fields_have_declared_types",), _changed(lambda _r, _: {"items_ordered": "three"})
    ),
    FaultKind("zero_price", ("price_positive",), _changed(lambda _r, _: {"price": Decimal("0.00")})),
    FaultKind("missing_order_id", ("order_id_present",), _without("order_id")),
    FaultKind(
        "event_before_order",
        ("ordered_before_event",),
        _changed(
            lambda r, rng: {"date_ordered": r["order_timestamp"].date() + timedelta(days=rng.randint(1, 5))}
        ),
    ),
    FaultKind(
        "price_below_a_cent",
        ("price_in_cents",),
        _changed(lambda r, _: {"price": r["price"] + Decimal("0.004")}),
    ),
    FaultKind("zero_items", ("items_ordered_positive",), _changed(lambda _r, _: {"items_ordered": 0})),
    FaultKind(
        "event_in_the_future",
        ("not_from_the_future",),
        # A century ahead: whenever the record is ingested, it is not yet.
        _changed(lambda r, _: {"order_timestamp": r["order_timestamp"] + timedelta(days=36525)}),
    ),
    FaultKind("missing_price", ("price_present",), _without("price")),
    FaultKind("empty_item", ("order_item_present",), _changed(lambda _r, _: {"order_item": ""})),
    FaultKind(
        "price_as_a_word", ("fields_have_declared_types",), _changed(lambda _r, _: {"price": "twelve"})
    ),
    FaultKind(
        "not_json",
        ("record_is_readable",),
        lambda _r, rng: f"503 Service Unavailable (request {rng.randrange(10**6)})",
    ),
    FaultKind("missing_items_ordered", ("items_ordered_present",), _without("items_ordered")),
    FaultKind("missing_date_ordered", ("date_ordered_present",), _without("date_ordered")),
    FaultKind("missing_order_timestamp", ("order_timestamp_present",), _without("order_timestamp")),
    FaultKind("missing_status", ("status_known",), _without("status")),
    FaultKind(
        "default_date", ("date_ordered_plausible",), _changed(lambda _r, _: {"date_ordered": "1970-01-01"})
    ),
    FaultKind(
        "price_too_high", ("price_plausible",), _changed(lambda r, _: {"price": MAX_PRICE + r["price"]})
    ),
    FaultKind(
        "too_many_items",
        ("items_ordered_plausible",),
        _changed(lambda r, _: {"items_ordered": MAX_ITEMS_ORDERED + r["items_ordered"]}),
    ),
    FaultKind(
        "moment_in_milliseconds",
        ("order_timestamp_not_epoch",),
        _changed(lambda r, _: {"order_timestamp": int(r["order_timestamp"].timestamp()) * 1000}),
    ),
    FaultKind(
        "day_as_a_number",
        ("date_ordered_not_epoch",),
        _changed(lambda r, _: {"date_ordered": int(r["order_timestamp"].strftime("%Y%m%d"))}),
    ),
)
