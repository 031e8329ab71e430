"""The order record as it arrives: eight fields and an optional ninth, their types, and what Bronze adds to them.

The types are the schema hints of Auto Loader. `price` is wider than money has to be on purpose:
DECIMAL(38,10) keeps a price of 4.999 visible as what it is, so that a rule can refuse it, where DECIMAL(18,2)
would round it away in silence.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OrderField:
    """One field of the order record.

    Attributes:
        name: Name in the JSON record and in every table.
        type: SQL type in Bronze.
        meaning: What the field says, for column comments and documentation.
    """

    name: str
    type: str
    meaning: str


REQUIRED_FIELDS: tuple[OrderField, ...] = (
    OrderField(
        "order_id", "STRING", "Order that this event belongs to; several events of one order share it"
    ),
    OrderField("order_item", "STRING", "Item that was ordered, by its name in the catalogue"),
    OrderField("price", "DECIMAL(38,10)", "Price of one item in US dollars"),
    OrderField("items_ordered", "BIGINT", "Number of items of this kind in the order"),
    OrderField("status", "STRING", "Status that the order reached with this event"),
    OrderField("date_ordered", "DATE", "Day on which the order was placed (UTC)"),
    OrderField("customer_id", "STRING", "Customer who ordered; a pseudonym, no personal data"),
    OrderField("order_timestamp", "TIMESTAMP", "Moment of this event (UTC), not of the order's placing"),
)
# The one field that may be missing.
ORDER_LINE = OrderField(
    "order_line",
    "STRING",
    "Line of the order that this event is about; NULL where the shop numbers no lines: the item names the line then",
)
ORDER_FIELDS: tuple[OrderField, ...] = (*REQUIRED_FIELDS, ORDER_LINE)
ORDER_FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in ORDER_FIELDS)

REPLAY_OF = OrderField(
    "replay_of", "STRING", "quarantine_id of the row that this record corrects; NULL for all others"
)
CORRUPT_RECORD = OrderField(
    "_corrupt_record", "STRING", "The line as it came, if it is not a JSON object; else NULL"
)
RESCUED_DATA = OrderField(
    "_rescued_data", "STRING", "JSON of the fields that did not fit their declared name or type; else NULL"
)

# What schemaHints declares. _rescued_data is Auto Loader's own and must not be hinted.
HINTED_FIELDS: tuple[OrderField, ...] = (*ORDER_FIELDS, REPLAY_OF, CORRUPT_RECORD)

SOURCE_COLUMNS: tuple[OrderField, ...] = (
    OrderField("source_file", "STRING", "File that the record came in"),
    OrderField("ingested_at", "TIMESTAMP", "When the record was ingested into Bronze (UTC)"),
    OrderField("batch_id", "STRING", "Batch of the record: the name of its file without the extension"),
)

BRONZE_COLUMNS: tuple[OrderField, ...] = (
    *ORDER_FIELDS,
    REPLAY_OF,
    CORRUPT_RECORD,
    RESCUED_DATA,
    *SOURCE_COLUMNS,
)


def schema_hints() -> str:
    """Give the value of `cloudFiles.schemaHints`: the declared fields as a DDL list."""
    return ", ".join(f"{field.name} {field.type}" for field in HINTED_FIELDS)
