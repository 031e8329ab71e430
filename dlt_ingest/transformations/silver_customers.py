"""silver.customers: each customer with the history of their orders, from the current state of each order."""

from __future__ import annotations

import dlt
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.quality.order_lines import line_key_sql
from dlt_ingest.quality.order_statuses import (
    is_return_sql,
    status_of_precedence_sql,
    status_precedence_sql,
    status_rank_sql,
)

SCHEMA = """
    customer_id STRING NOT NULL COMMENT 'Customer; a pseudonym',
    first_order_date DATE COMMENT 'Day of the first order (UTC), in any state',
    last_order_date DATE COMMENT 'Day of the last order so far (UTC), in any state',
    orders BIGINT COMMENT 'Number of orders, in any state',
    order_history
        ARRAY<STRUCT<order_id: STRING, date_ordered: DATE, status: STRING, order_value: DECIMAL(18,2)>>
        COMMENT 'All orders in their current state, oldest first; order_value is that of all lines',
    CONSTRAINT customers_pk PRIMARY KEY (customer_id)
"""


def current_orders(events: DataFrame) -> DataFrame:
    """Return one row per order, in its current state: its lines together.

    An event *states* its line, or takes something of it back (status `returned`). The latest statement of a line
    decides; of events at the same moment the one further on in the life of an order is the later, and what is
    left is decided by `order_event_id`. The order of arrival never decides, so that a rebuild gives the same
    answer. A line is `returned` once all its pieces came back after that statement. The rules are those of
    gold.fct_order_lines and gold.fct_orders, and are written out in their descriptions.

    Args:
        events: Rows with the columns of silver.orders; an event that was delivered twice is there twice.

    Returns:
        order_id, customer_id, date_ordered, status, order_value.
    """
    time, rank = F.col("order_timestamp").desc(), F.expr(status_rank_sql()).desc()
    latest_first = (time, rank, F.col("order_event_id").desc())
    line = Window.partitionBy("order_id", "line_key")
    numbered = (
        events.withColumn("line_key", F.expr(line_key_sql()))
        .withColumn("is_return", F.expr(is_return_sql()))
        .withColumn(
            "delivery", F.row_number().over(Window.partitionBy("order_event_id").orderBy("ingested_at"))
        )
        .where("delivery = 1")
        # 0 while only returns have been passed, 1 at the latest statement.
        .withColumn(
            "statements",
            F.sum(F.when(F.col("is_return"), 0).otherwise(1)).over(
                line.orderBy(*latest_first).rowsBetween(Window.unboundedPreceding, Window.currentRow)
            ),
        )
        .withColumn("recency", F.row_number().over(line.orderBy(*latest_first)))
        # A return names what came back, not whose order it was and when: only if nothing else is known.
        .withColumn(
            "voice",
            F.row_number().over(
                Window.partitionBy("order_id").orderBy(F.col("is_return").asc(), *latest_first)
            ),
        )
    )
    stated = (F.col("statements") == 1) & ~F.col("is_return")
    returned = (F.col("statements") == 0) & F.col("is_return")
    lines = numbered.groupBy("order_id", "line_key").agg(
        F.max(F.when(stated, F.col("status"))).alias("stated_status"),
        F.max(F.when(stated, F.col("items_ordered"))).alias("stated_items"),
        F.max(F.when(stated, F.col("order_value"))).alias("stated_value"),
        F.max(F.when(returned & (F.col("recency") == 1), F.col("status"))).alias("returned_status"),
        F.sum(F.when(returned, F.col("items_ordered"))).alias("returned_items"),
        F.sum(F.when(returned, F.col("order_value"))).alias("returned_value"),
        F.max(F.when(F.col("voice") == 1, F.col("customer_id"))).alias("customer_id"),
        F.max(F.when(F.col("voice") == 1, F.col("date_ordered"))).alias("date_ordered"),
    )
    all_back = F.col("returned_items") >= F.coalesce("stated_items", F.lit(0))
    line_status = F.when(all_back, F.col("returned_status")).otherwise(F.col("stated_status"))
    precedence = lines.withColumn("status", line_status).withColumn(
        "precedence", F.expr(status_precedence_sql())
    )
    orders = precedence.groupBy("order_id").agg(
        F.max("customer_id").alias("customer_id"),
        F.max("date_ordered").alias("date_ordered"),
        F.min("precedence").alias("precedence"),
        F.sum(F.coalesce("stated_value", "returned_value")).cast("decimal(18,2)").alias("order_value"),
    )
    return orders.withColumn("status", F.expr(status_of_precedence_sql("precedence")))


def customers_with_history(events: DataFrame) -> DataFrame:
    """Return one row for each customer, with their orders from oldest to newest.

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
    comment="Customers with their order history, one row per customer. Recomputed from silver.orders.",
    table_properties={"quality": "silver"},
    schema=SCHEMA,
)
def silver_customers() -> DataFrame:
    """Declare silver.customers."""
    return customers_with_history(SparkSession.active().read.table("silver.orders"))
