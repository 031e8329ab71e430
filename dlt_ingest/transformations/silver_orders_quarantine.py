"""silver.orders_quarantine: every row of Bronze that breaks a rule, with the names of all it breaks.

The complement of silver.orders: both read the same evaluation of the same rows, so that each row of Bronze is
in exactly one of them.
"""

from __future__ import annotations

import dlt
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.configurations.pipeline import PipelineSettings
from dlt_ingest.quality.evaluation import with_failed_rules
from dlt_ingest.quality.order_record import BRONZE_COLUMNS, TEXT_FIELDS
from dlt_ingest.quality.reading import STANDARD, Reading

SCHEMA = """
    quarantine_id STRING COMMENT 'Hash of source file and record; a replayed row refers to it',
    order_id STRING COMMENT 'As it came; NULL if missing or unreadable',
    order_item STRING COMMENT 'As it came; NULL if missing or unreadable',
    price DECIMAL(38,10) COMMENT 'As it came; NULL if missing, unreadable or of another type',
    items_ordered BIGINT COMMENT 'As it came; NULL if missing, unreadable or of another type',
    status STRING COMMENT 'As it came; NULL if missing or unreadable',
    date_ordered DATE COMMENT 'As it came; NULL if missing, unreadable or of another type',
    customer_id STRING COMMENT 'As it came; NULL if missing or unreadable. A pseudonym',
    order_timestamp TIMESTAMP COMMENT 'As it came (UTC); NULL if missing, unreadable or of another type',
    order_line STRING COMMENT 'As it came; NULL if the shop numbers no lines, or unreadable',
    replay_of STRING COMMENT 'quarantine_id of the row that this one was to correct',
    _corrupt_record STRING COMMENT 'The line as it arrived, if it is not a JSON object; otherwise NULL',
    _rescued_data STRING COMMENT 'JSON of the fields that did not fit their declared name or type; otherwise NULL',
    price_text STRING COMMENT 'price as it arrived: the text, or the number as it was written',
    date_ordered_text STRING COMMENT 'date_ordered as it arrived: the text, or the number as it was written',
    order_timestamp_text STRING COMMENT 'order_timestamp as it arrived: the text, or the number as it was written',
    source_file STRING COMMENT 'File that the record came in',
    ingested_at TIMESTAMP COMMENT 'When the record was ingested into Bronze (UTC)',
    batch_id STRING COMMENT 'Batch of the record: the place of its file below landing, without .json',
    failed_rules ARRAY<STRING> COMMENT 'Names of all rules that the row breaks; never empty',
    update_id STRING COMMENT 'Update that put the row here; NULL where it is not known',
    quarantined_at TIMESTAMP COMMENT 'When the row was quarantined: its time of ingestion (UTC)'
"""

_TEXTS = [column.name for column in TEXT_FIELDS]
_RECORD = [
    column.name
    for column in BRONZE_COLUMNS
    if column.name not in {"ingested_at", "batch_id", "order_line", *_TEXTS}
]


def quarantined(bronze: DataFrame, update_id: str | None, reading: Reading = STANDARD) -> DataFrame:
    """Keep the rows of Bronze that break a rule.

    Args:
        bronze: Rows with the columns of bronze.orders.
        update_id: Id of the running update, or None where it is not known.
        reading: How the records of this shop are read.

    Returns:
        The broken rows with the columns of silver.orders_quarantine. The time is that of ingestion, not of
        the update: a full refresh of this table gives the same rows again.
    """
    broken = with_failed_rules(bronze, reading).where("SIZE(failed_rules) > 0")
    # A missing value counts too, else {"order_id": "1"} and {"customer_id": "1"} were one record.
    identity = F.concat_ws(
        "\x1f",
        *(F.coalesce(F.expr(f"CAST({name} AS STRING)"), F.lit("\x1e")) for name in _RECORD),
        # Left out where there is none: a record without a line keeps the id that corrections may name.
        F.concat(F.lit("order_line="), F.col("order_line")),
        # A text counts where it is all there is.
        *(
            F.expr(f"CASE WHEN {text.removesuffix('_text')} IS NULL THEN CONCAT('{text}=', {text}) END")
            for text in _TEXTS
        ),
    )
    return broken.select(
        F.sha2(identity, 256).alias("quarantine_id"),
        *(column.name for column in BRONZE_COLUMNS),
        "failed_rules",
        F.lit(update_id).cast("string").alias("update_id"),
        F.col("ingested_at").alias("quarantined_at"),
    )


@dlt.table(
    name="silver.orders_quarantine",
    comment="Order records that break a rule, with the names of all they break. Fixed ones can be replayed.",
    table_properties={"quality": "quarantine"},
    schema=SCHEMA,
)
def silver_orders_quarantine() -> DataFrame:
    """Declare silver.orders_quarantine."""
    spark = SparkSession.active()
    # Only an erasure changes rows of Bronze (docs/operations/erase-customer.md), and it deletes here too.
    bronze = spark.readStream.option("skipChangeCommits", "true").table("bronze.orders")
    settings = PipelineSettings.from_spark(spark)
    return quarantined(bronze, settings.update_id, settings.reading)
