"""silver.orders: every order event that keeps all rules, typed, with what the marts derive from.

All events are here, duplicates included: which of them is an order's current state is for Gold to say, since
it can change with each arrival, and a stream that only appends must not.
"""

from __future__ import annotations

import dlt
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.configurations.pipeline import PipelineSettings
from dlt_ingest.quality.evaluation import with_failed_rules
from dlt_ingest.quality.reading import STANDARD, Reading
from dlt_ingest.quality.rules import expectations
from dlt_ingest.quality.visible_text import trimmed_sql

SCHEMA = """
    order_event_id STRING COMMENT 'Hash of the record: when delivered twice, it has the same id',
    order_id STRING COMMENT 'Order that this event belongs to',
    customer_id STRING COMMENT 'Customer who ordered; a pseudonym',
    order_line STRING COMMENT 'Line of the order that this event is about; NULL where the shop numbers no lines',
    order_item STRING COMMENT 'Item that was ordered',
    status STRING COMMENT 'Status that the order reached with this event',
    items_ordered BIGINT COMMENT 'Number of pieces in the line; in an event of status returned, pieces that came back',
    price DECIMAL(18,2) COMMENT 'Price of one item in US dollars',
    order_value DECIMAL(18,2) COMMENT 'price * items_ordered in US dollars; revenue depends on status',
    date_ordered DATE COMMENT 'Day on which the order was placed, in the time zone of the shop',
    order_timestamp TIMESTAMP COMMENT 'Moment of this event (UTC)',
    order_year INT COMMENT 'Year of date_ordered',
    order_month INT COMMENT 'Month of date_ordered, 1 to 12',
    order_day_of_week INT COMMENT 'Day of week of date_ordered, 1 = Sunday to 7 = Saturday',
    order_hour INT COMMENT 'Hour of order_timestamp (UTC), 0 to 23',
    replay_of STRING COMMENT 'quarantine_id of the row that this event corrects; NULL for all others',
    failed_rules ARRAY<STRING> COMMENT 'Always empty here; what the expectations of this table read',
    batch_id STRING COMMENT 'Batch of the record: the place of its file below landing, without .json',
    source_file STRING COMMENT 'File that the record came in',
    ingested_at TIMESTAMP COMMENT 'When the record was ingested into Bronze (UTC)'
"""

# Cannot stand in a JSON string unescaped and is in no sane value: keeps ("ab", "c") and ("a", "bc") apart.
SEPARATOR = "\x1f"

PRICE = "TRY_CAST(price AS DECIMAL(18,2))"


def order_events(bronze: DataFrame, reading: Reading = STANDARD) -> DataFrame:
    """Turn rows of Bronze into order events, good ones and bad ones alike, each with its `failed_rules`.

    No expression can fail on a bad row under ANSI: the expectations drop it only after it has been computed.

    Args:
        bronze: Rows with the columns of bronze.orders.
        reading: How the records of this shop are read.

    Returns:
        One row for each row given, with the columns of silver.orders.
    """
    typed = with_failed_rules(bronze, reading).select(
        F.expr(trimmed_sql("order_id")).alias("order_id"),
        F.expr(trimmed_sql("customer_id")).alias("customer_id"),
        F.expr(f"NULLIF({trimmed_sql('order_line')}, '')").alias("order_line"),
        F.expr(trimmed_sql("order_item")).alias("order_item"),
        F.expr(reading.status_sql()).alias("status"),
        "items_ordered",
        F.expr(PRICE).alias("price"),
        # 16 integer digits times 20 stay below the 38 that a decimal has: the product cannot overflow before
        # TRY_CAST.
        F.expr(f"TRY_CAST({PRICE} * CAST(items_ordered AS DECIMAL(20,0)) AS DECIMAL(18,2))").alias(
            "order_value"
        ),
        "date_ordered",
        "order_timestamp",
        F.year("date_ordered").alias("order_year"),
        F.month("date_ordered").alias("order_month"),
        F.dayofweek("date_ordered").alias("order_day_of_week"),
        F.hour("order_timestamp").alias("order_hour"),
        "replay_of",
        "failed_rules",
        "batch_id",
        "source_file",
        "ingested_at",
    )
    # Numbers and times by their exact value, not by an engine's way of printing them.
    identity = F.concat_ws(
        SEPARATOR,
        F.expr("CAST(price AS STRING)"),
        F.expr("CAST(items_ordered AS STRING)"),
        "status",
        F.expr("CAST(date_ordered AS STRING)"),
        F.expr("CAST(UNIX_MICROS(order_timestamp) AS STRING)"),
        "order_id",
        "customer_id",
        "order_item",
        # Last, and left out where there is none: an event without a line keeps the id that it always had.
        "order_line",
    )
    return typed.select(F.sha2(identity, 256).alias("order_event_id"), "*")


@dlt.table(
    name="silver.orders",
    comment="Valid order events, one row per delivery; delivered twice, the id is the same. Append only.",
    table_properties={"quality": "silver"},
    schema=SCHEMA,
)
@dlt.expect_all_or_drop(expectations())
def silver_orders() -> DataFrame:
    """Declare silver.orders."""
    # Only an erasure changes rows of Bronze (docs/operations/erase-customer.md), and it deletes here too.
    spark = SparkSession.active()
    bronze = spark.readStream.option("skipChangeCommits", "true").table("bronze.orders")
    return order_events(bronze, PipelineSettings.from_spark(spark).reading)
