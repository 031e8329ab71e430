"""silver.customers: each customer with the history of their orders, from the current state of each order."""

from __future__ import annotations

import dlt
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.quality.order_statuses import status_rank_sql

SCHEMA = """
    customer_id STRING NOT NULL COMMENT 'Customer; a pseudonym',
    first_order_date DATE COMMENT 'Day of the first order (UTC), in any state',
    last_order_date DATE COMMENT 'Day of the last order so far (UTC), in any state',
    orders BIGINT COMMENT 'Number of orders, in any state',
    order_history
        ARRAY<STRUCT<order_id: STRING, date_ordered: DATE, status: STRING, order_value: DECIMAL(18,2)>>
        COMMENT 'All orders in their current state, oldest first',
    CONSTRAINT customers_pk PRIMARY KEY (customer_id)
"""


def current_orders(events: DataFrame) -> DataFrame:
    """Keep the current state of each order: its latest event.

    Of events at the same moment the one further on in the life of an order is the later; what is left is
    decided by `order_event_id`. The order of arrival never decides, so that a rebuild gives the same answer.
    """
    latest_first = Window.partitionBy("order_id").orderBy(
        F.col("order_timestamp").desc(), F.expr(status_rank_sql()).desc(), F.col("order_event_id").desc()
    )
    return (
        events.withColumn("recency", F.row_number().over(latest_first)).where("recency = 1").drop("recency")
    )


def customers_with_history(events: DataFrame) -> DataFrame:
    """Give one row for each customer, with their orders from oldest to newest.

    Args:
        events: Rows with the columns of silver.orders.
    """
    orders = current_orders(events).groupBy("customer_id")
    # Collected in any order, so sorted: structs compare field by field.
    history = F.array_sort(F.collect_list(F.struct("date_ordered", "order_id", "status", "order_value")))
    return orders.agg(
        F.min("date_ordered").alias("first_order_date"),
        F.max("date_ordered").alias("last_order_date"),
        F.count("*").alias("orders"),
        history.alias("history"),
    ).select(
        "customer_id",
        "first_order_date",
        "last_order_date",
        "orders",
        F.transform(
            "history",
            lambda order: F.struct(
                order["order_id"].alias("order_id"),
                order["date_ordered"].alias("date_ordered"),
                order["status"].alias("status"),
                order["order_value"].alias("order_value"),
            ),
        ).alias("order_history"),
    )


@dlt.table(
    name="silver.customers",
    comment="Customers with their order history, one row a customer. Recomputed from silver.orders.",
    table_properties={"quality": "silver"},
    schema=SCHEMA,
)
def silver_customers() -> DataFrame:
    """Declare silver.customers."""
    return customers_with_history(SparkSession.active().read.table("silver.orders"))
