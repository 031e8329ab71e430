"""What Unity Catalog is to show about the tables, beyond what the code that makes them says already.

Said elsewhere and not repeated here: comments of schemas and volume and all grants (resources/storage.yml,
databricks.yml), comments and keys of Silver and Gold (the schemas of the datasets, dbt's `persist_docs` and contracts).
"""

from __future__ import annotations

from dataclasses import dataclass

from dlt_ingest.governance.erasure_statements import GOLD_TABLES
from dlt_ingest.quality.order_record import (
    BRONZE_COLUMNS,
    CORRUPT_RECORD,
    RESCUED_DATA,
    SHADOWED_FIELDS,
    TEXT_FIELDS,
)


@dataclass(frozen=True, order=True)
class SchemaTag:
    """A tag of a schema."""

    schema: str
    tag: str
    value: str


@dataclass(frozen=True, order=True)
class ColumnTag:
    """A tag of a column; `table` is schema and table."""

    table: str
    column: str
    tag: str
    value: str


@dataclass(frozen=True, order=True)
class ColumnComment:
    """A comment of a column that nothing else comments; `table` is schema and table."""

    table: str
    column: str
    comment: str


LAYERS = ("bronze", "silver", "gold", "ops")

SCHEMA_TAGS = tuple(SchemaTag(layer, "layer", layer) for layer in LAYERS)

# Every table that erasing a customer has to touch is one that shows whom it is about, and vice versa.
PSEUDONYMOUS_TABLES = (
    "bronze.orders",
    "silver.orders",
    "silver.orders_quarantine",
    "silver.customers",
    *(f"gold.{table}" for table in GOLD_TABLES),
)
_TABLES_OF_RECORDS = ("bronze.orders", "silver.orders_quarantine")

COLUMN_TAGS = (
    *(ColumnTag(table, "customer_id", "pii", "pseudonymous") for table in PSEUDONYMOUS_TABLES),
    # What senders wrote where no field was for it: nobody knows what is there.
    *(
        ColumnTag(table, column.name, "pii", "possible")
        for table in _TABLES_OF_RECORDS
        for column in (CORRUPT_RECORD, RESCUED_DATA, *TEXT_FIELDS)
    ),
    ColumnTag("bronze.orders", SHADOWED_FIELDS.name, "pii", "possible"),
)

# Auto Loader infers the columns of Bronze, so the pipeline cannot comment them.
COLUMN_COMMENTS = tuple(
    ColumnComment("bronze.orders", column.name, column.meaning)
    for column in (*BRONZE_COLUMNS, SHADOWED_FIELDS)
)
