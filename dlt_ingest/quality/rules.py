"""The rules of an order record, once, as data.

A predicate is Spark SQL over the columns of `bronze.orders` and says what a good row looks like. How the
rules are written:

* A predicate that gives NULL counts as broken (the evaluation makes it FALSE), so that no row passes by being
  unclear.
* One fault breaks one rule. Presence has rules of its own, so every other rule lets NULL pass; a line that
  cannot be read breaks only `record_is_readable`, and a value of the wrong type only
  `fields_have_declared_types`, though both leave fields empty.
* Nothing in a predicate can raise an error under ANSI, whatever the row holds (TRY_CAST, no division, no
  indexing): one bad row must never stop an update.
* A predicate depends on the row alone, never on the clock of the update: the same row is judged the same in a
  full refresh.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from dlt_ingest.quality.order_record import ORDER_FIELD_NAMES
from dlt_ingest.quality.order_statuses import STATUS_RANKS
from dlt_ingest.quality.reading import STANDARD, Reading
from dlt_ingest.quality.text_values import is_number_sql, text_column
from dlt_ingest.quality.visible_text import has_text_sql

# A row that breaks a rule leaves the stream: it is in quarantine instead of Silver. There is no second action
# on purpose. A rule that only watches is a dbt test with severity warn; a rule that stops the update would
# let one row hold up all others.
DROP = "drop"

MAX_PRICE = Decimal("100000.00")
MAX_ITEMS_ORDERED = 10_000
FIRST_DATE_ORDERED = "1990-01-01"
CLOCK_TOLERANCE = "INTERVAL 5 MINUTES"


@dataclass(frozen=True)
class Rule:
    """One rule of the order record.

    Attributes:
        name: Name of the expectation, of the entry in `failed_rules` and of the metric. Never renamed
            lightly.
        predicate: SQL condition that a good row fulfils. `predicate_sql` fills in what depends on the shop.
        meaning: The rule in words, and what would go wrong without it.
        action: What happens to a row that breaks it; always `drop` (to quarantine).
    """

    name: str
    predicate: str
    meaning: str
    action: str = DROP


# True where a missing value is explained by another rule already: the whole line is unreadable, or the field
# was there with another type (its text is kept, or Auto Loader has put it into _rescued_data under the field's name).
def _lost_elsewhere(field: str) -> str:
    rescued = f"_corrupt_record IS NOT NULL OR {_RESCUED.format(field)}"
    return f"{rescued} OR {text_column(field)} IS NOT NULL" if field in _TYPED_FROM_TEXT else rescued


def _text_has_type(field: str) -> str:
    """Return the condition that a text without a value breaks the rule on types, unless another rule names it."""
    text = text_column(field)
    named = f" OR {is_number_sql(text)}" if field in _DATED else ""
    return f"({field} IS NOT NULL OR {text} IS NULL{named})"


def _is_no_number(field: str) -> str:
    text = text_column(field)
    return f"{field} IS NOT NULL OR {text} IS NULL OR NOT {is_number_sql(text)}"


def _is_present(field: str) -> str:
    return f"{field} IS NOT NULL OR {_lost_elsewhere(field)}"


def _has_text(field: str) -> str:
    return f"COALESCE({has_text_sql(field)}, FALSE) OR {_lost_elsewhere(field)}"


_IN_CENTS = "TRY_CAST(price AS DECIMAL(18,2))"
_STATUSES = ", ".join(f"'{status}'" for status in STATUS_RANKS)
_TYPED_FROM_TEXT = ("price", "date_ordered", "order_timestamp")
_DATED = ("date_ordered", "order_timestamp")
# Places in a predicate for what depends on the shop; see `Reading`.
_RESCUED = "{{rescued {}}}"
_STATUS = "{status}"
_DAY_OF_EVENT = "{day_of_event}"

RULES: tuple[Rule, ...] = (
    Rule(
        "record_is_readable",
        "_corrupt_record IS NULL",
        "The line is one JSON object. Any other line is kept unchanged.",
    ),
    Rule(
        "fields_have_declared_types",
        " AND ".join(["_rescued_data IS NULL", *map(_text_has_type, _TYPED_FROM_TEXT)]),
        "Every field has its declared name and type. What did not fit is in _rescued_data, or in price_text, "
        "date_ordered_text and order_timestamp_text: 12,50 is 12.50 to one reader and 1250 to another.",
    ),
    Rule(
        "order_id_present", _has_text("order_id"), "Without an order id, events cannot be joined to an order."
    ),
    Rule(
        "customer_id_present",
        _has_text("customer_id"),
        "Without a customer, the order is in no customer mart.",
    ),
    Rule("order_item_present", _has_text("order_item"), "Without an item, the order is in no product mart."),
    Rule("price_present", _is_present("price"), "Without a price, the order has no value."),
    Rule(
        "price_positive",
        "price IS NULL OR price > 0",
        "Every price is above zero: 0.00 is a gap in the source, not a gift.",
    ),
    Rule(
        "price_in_cents",
        f"price IS NULL OR {_IN_CENTS} IS NULL OR price = {_IN_CENTS}",
        "Money has two decimals. A price of 4.999 would be rounded, and revenue would not reconcile.",
    ),
    Rule(
        "price_plausible",
        f"price IS NULL OR price <= {MAX_PRICE}",
        f"No single item costs more than {MAX_PRICE:,} dollars; a slip of the decimal point does.",
    ),
    Rule(
        "items_ordered_present",
        _is_present("items_ordered"),
        "Without a number of items, the order has no value.",
    ),
    Rule(
        "items_ordered_positive",
        "items_ordered IS NULL OR items_ordered > 0",
        "An order is for at least one item.",
    ),
    Rule(
        "items_ordered_plausible",
        f"items_ordered IS NULL OR items_ordered <= {MAX_ITEMS_ORDERED}",
        f"No order is for more than {MAX_ITEMS_ORDERED:,} items of a kind.",
    ),
    Rule(
        "status_known",
        f"COALESCE({_STATUS}, '') IN ({_STATUSES}) OR {_lost_elsewhere('status')}",
        "The status is a known one; any other has no meaning for revenue.",
    ),
    Rule(
        "date_ordered_present", _is_present("date_ordered"), "Without its day, the order is in no daily mart."
    ),
    Rule(
        "date_ordered_not_epoch",
        _is_no_number("date_ordered"),
        "A date is written out. A number is ambiguous: days, seconds or milliseconds since 1970, or 20260301.",
    ),
    Rule(
        "date_ordered_plausible",
        f"date_ordered IS NULL OR date_ordered >= DATE'{FIRST_DATE_ORDERED}'",
        f"No order is older than {FIRST_DATE_ORDERED}; 1970-01-01 is some program's default.",
    ),
    Rule(
        "order_timestamp_present",
        _is_present("order_timestamp"),
        "Without its timestamp, the event cannot be put in order with the others.",
    ),
    Rule(
        "order_timestamp_not_epoch",
        _is_no_number("order_timestamp"),
        "A timestamp is written out. A number is ambiguous: milliseconds since 1970, read as seconds, are in "
        "the year 58133.",
    ),
    Rule(
        "ordered_before_event",
        f"date_ordered IS NULL OR order_timestamp IS NULL OR date_ordered <= {_DAY_OF_EVENT}",
        "Nothing happens to an order before it is placed, by the calendar of the shop (TIME_ZONE).",
    ),
    Rule(
        "not_from_the_future",
        f"order_timestamp IS NULL OR order_timestamp <= ingested_at + {CLOCK_TOLERANCE}",
        "No event is more than 5 minutes later than its ingestion: otherwise it would stay its order's current "
        "state until that day.",
    ),
)

RULE_NAMES: tuple[str, ...] = tuple(rule.name for rule in RULES)


def predicate_sql(rule: Rule, reading: Reading = STANDARD) -> str:
    """Return the SQL condition of a rule for the records of one shop."""
    filled = {_STATUS: reading.status_sql(), _DAY_OF_EVENT: reading.day_of_moment_sql("order_timestamp")}
    filled |= {_RESCUED.format(field): reading.is_rescued_sql(field) for field in ORDER_FIELD_NAMES}
    places = "|".join(map(re.escape, filled))
    return re.sub(places, lambda place: filled[place[0]], rule.predicate)


def failed_rules_sql(reading: Reading = STANDARD) -> str:
    """Return the SQL expression for the names of all rules that a row of Bronze breaks, as ARRAY<STRING>.

    Args:
        reading: How the records of this shop are read.
    """
    broken = ", ".join(
        f"CASE WHEN COALESCE(({predicate_sql(rule, reading)}), FALSE) THEN CAST(NULL AS STRING) ELSE '{rule.name}' END"
        for rule in RULES
    )
    return f"ARRAY_COMPACT(ARRAY({broken}))"


def expectations() -> dict[str, str]:
    """Return the expectations of a dataset with a column `failed_rules`: rule name -> condition.

    The predicates are evaluated once, in `failed_rules_sql`; expectations and quarantine both read the
    outcome. So the two can never disagree about a row, and `bronze = silver + quarantine` holds for any rule
    set.
    """
    return {rule.name: f"NOT array_contains(failed_rules, '{rule.name}')" for rule in RULES}
