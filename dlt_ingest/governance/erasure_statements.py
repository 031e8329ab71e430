"""The SQL of an erasure, in order: what `orders erase` runs here, and what the job erase_customer runs on Databricks.

Only statements that both know, with two parameters: `:customer_id` and `:customer_pattern` (`CustomerId.pattern`).

Sources, Databricks documentation: "Use Unity Catalog with pipelines" (DELETE on a streaming table, from a SQL warehouse or
standard compute), "REORG TABLE", "VACUUM", "Parameter markers".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.quality.order_record import CORRUPT_RECORD, RESCUED_DATA
from dlt_ingest.quality.visible_text import has_text_sql, trimmed_sql

# Fields in which the id of a customer can stand when `customer_id` itself could not be read.
FREE_TEXT = (
    "order_id",
    "order_line",
    "order_item",
    "status",
    "replay_of",
    CORRUPT_RECORD.name,
    RESCUED_DATA.name,
)

# Tables of Gold that hold customer ids; a test compares them with information_schema. Their views hold none.
GOLD_TABLES = (
    "fct_order_events",
    "int_orders__changed",
    "fct_order_lines",
    "fct_returns",
    "fct_order_sequence",
    "fct_fulfilment",
    "fct_open_orders",
    "fct_orders",
    "int_customers__orders_aggregated",
    "int_customers__months_aggregated",
    "dim_customers",
    "customer_predictions",
    "customers_snapshot",
)

# Streams of Silver take what Bronze still had for them before Silver is cleaned, else they would bring it afterwards.
STREAMS = ("silver.orders", "silver.orders_quarantine")
VIEWS = ("silver.customers",)
PIPELINE_TABLES = ("bronze.orders", *STREAMS, *VIEWS)

# Both are equal by construction. Where they are not after the deletions, the streams are refreshed in full.
BRONZE_AGAINST_SILVER = (
    "SELECT (SELECT count(*) FROM bronze.orders) AS bronze, "
    "(SELECT count(*) FROM silver.orders) + (SELECT count(*) FROM silver.orders_quarantine) AS silver"
)

# What is computed from the cleaned tables. A snapshot is not a model: its rows are deleted and nothing rebuilds it.
DBT_ARGUMENTS = (
    "build",
    "--full-refresh",
    "--select",
    "stg_orders__order_events+",
    "stg_orders__customers+",
    "stg_orders__quarantined_orders+",
    "--exclude-resource-type",
    "test",
    "--exclude-resource-type",
    "unit_test",
)


@dataclass(frozen=True)
class Deletion:
    """Rows of one table that are the customer's.

    Attributes:
        table: Schema and table.
        condition: SQL with the parameters.
    """

    table: str
    condition: str

    @property
    def statement(self) -> str:
        """The DELETE, with its parameters."""
        return f"DELETE FROM {self.table} WHERE {self.condition}"

    @property
    def count(self) -> str:
        """A query for the number of rows, in column `n`, with the same parameters."""
        return f"SELECT count(*) AS n FROM {self.table} WHERE {self.condition}"


def parameters_of(statement: str, customer: CustomerId) -> dict[str, str]:
    """Return the values of the parameters that a statement has."""
    values = {"customer_id": customer.value, "customer_pattern": customer.pattern}
    return {name: value for name, value in values.items() if f":{name}" in statement}


def record_condition(more_text: Iterable[str] = ()) -> str:
    """Return the condition for records as they arrived: `CustomerId.owns_line` in SQL.

    Args:
        more_text: STRING columns that schema evolution has added.
    """
    mentions = " OR ".join(f"{column} RLIKE :customer_pattern" for column in [*FREE_TEXT, *more_text])
    # No coalesce: the local engine's DELETE does not take it.
    return (
        f"{trimmed_sql('customer_id')} = :customer_id "
        f"OR ((customer_id IS NULL OR NOT {has_text_sql('customer_id')}) AND ({mentions}))"
    )


def bronze_deletion(more_text: Iterable[str] = ()) -> Deletion:
    """Return the condition for the customer's rows in Bronze."""
    return Deletion("bronze.orders", record_condition(more_text))


def silver_deletions() -> tuple[Deletion, ...]:
    """Return the condition for the customer's rows in the streaming tables of Silver."""
    return (
        Deletion("silver.orders", "customer_id = :customer_id"),
        Deletion("silver.orders_quarantine", record_condition()),
    )


def gold_deletions(tables: Iterable[str] = GOLD_TABLES) -> tuple[Deletion, ...]:
    """Return the condition for the customer's rows in Gold."""
    return tuple(Deletion(f"gold.{table}", "customer_id = :customer_id") for table in tables)


def purge(table: str) -> str:
    """With deletion vectors a deleted row is still in its file; this writes such files again without it."""
    return f"REORG TABLE {table} APPLY (PURGE)"


def vacuum(table: str) -> str:
    """Remove the files that only versions older than the table's retention need.

    Not for tables of a pipeline: its own maintenance does it for them.
    """
    return f"VACUUM {table}"
