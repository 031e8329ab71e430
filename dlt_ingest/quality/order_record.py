"""The order record as it arrives: eight fields and an optional ninth, their types, and what Bronze adds to them.

`price` is wider than money has to be on purpose: DECIMAL(38,10) keeps a price of 4.999 visible as what it is, so that a
rule can refuse it, where DECIMAL(18,2) would round it away silently.

Auto Loader reads some fields as text, and Bronze keeps the text beside the typed value (`TEXT_FIELDS`): of these Spark's
reader would make a wrong value silently. See `text_values`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dlt_ingest.quality.text_values import text_column


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
    OrderField("date_ordered", "DATE", "Day on which the order was placed, in the shop's time zone"),
    OrderField("customer_id", "STRING", "Customer who ordered; a pseudonym, no personal data"),
    OrderField("order_timestamp", "TIMESTAMP", "Time of this event (UTC), not of placing the order"),
)
# The one field that may be missing.
ORDER_LINE = OrderField(
    "order_line",
    "STRING",
    "Line of the order that this event is about; NULL where the shop numbers no lines: then the item names the line",
)
ORDER_FIELDS: tuple[OrderField, ...] = (*REQUIRED_FIELDS, ORDER_LINE)
ORDER_FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in ORDER_FIELDS)

REPLAY_OF = OrderField(
    "replay_of", "STRING", "quarantine_id of the row that this record corrects; NULL for all others"
)
CORRUPT_RECORD = OrderField(
    "_corrupt_record", "STRING", "The line as it arrived, if it is not a JSON object; otherwise NULL"
)
RESCUED_DATA = OrderField(
    "_rescued_data",
    "STRING",
    "JSON of the fields that did not fit their declared name or type; otherwise NULL",
)

# The fields that are read as text, and typed by us. A BIGINT needs no text: Spark takes nothing for it but an integer.
TEXT_FIELDS: tuple[OrderField, ...] = tuple(
    OrderField(
        text_column(name), "STRING", f"{name} as it arrived: the text, or the number as it was written"
    )
    for name in ("price", "date_ordered", "order_timestamp")
)
_READ_AS_TEXT = frozenset(column.name.removesuffix("_text") for column in TEXT_FIELDS)

# What schemaHints declares. _rescued_data is Auto Loader's own and must not be hinted.
HINTED_FIELDS: tuple[OrderField, ...] = (*ORDER_FIELDS, REPLAY_OF, CORRUPT_RECORD)

SOURCE_COLUMNS: tuple[OrderField, ...] = (
    OrderField("source_file", "STRING", "File that the record came in"),
    OrderField("ingested_at", "TIMESTAMP", "When the record was ingested into Bronze (UTC)"),
    OrderField(
        "batch_id", "STRING", "Batch of the record: the path of its file below landing, without .json"
    ),
)

# Bronze alone has it: what it holds is nothing that an order is made of.
SHADOWED_FIELDS = OrderField(
    "shadowed_fields",
    "STRING",
    "JSON of those fields of the record that have the name of a column added in Bronze; otherwise NULL",
)

# The columns that Bronze adds to the record, under names that a record may have too.
OWN_COLUMNS: tuple[OrderField, ...] = (*TEXT_FIELDS, *SOURCE_COLUMNS, SHADOWED_FIELDS)

BRONZE_COLUMNS: tuple[OrderField, ...] = (
    *ORDER_FIELDS,
    REPLAY_OF,
    CORRUPT_RECORD,
    RESCUED_DATA,
    *TEXT_FIELDS,
    *SOURCE_COLUMNS,
)


def schema_hints(other_names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the value of `cloudFiles.schemaHints`: the declared fields as a DDL list.

    Args:
        other_names: Other name of a field -> its name here. Both are hinted, with the same type.
    """
    types = {f.name: "STRING" if f.name in _READ_AS_TEXT else f.type for f in HINTED_FIELDS}
    hints = [f"{name} {kind}" for name, kind in types.items()]
    return ", ".join([*hints, *(f"`{theirs}` {types[ours]}" for theirs, ours in other_names.items())])


def own_column_hints(other_names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return hints for what a record may have under the name of a column that Bronze adds: text, as it arrived.

    Args:
        other_names: As for `schema_hints`, which has hinted these names already.
    """
    hinted = {name.lower() for name in other_names}
    return ", ".join(f"{column.name} STRING" for column in OWN_COLUMNS if column.name not in hinted)
