"""bronze.orders: every record that ever landed, as it came.

Auto Loader takes each file of landing once. Nothing is dropped here: a line that is no JSON object is kept in
`_corrupt_record`, a field that does not fit its type in `_rescued_data`, and an unknown field becomes a new
column. The locations of schema and checkpoint are deliberately absent: a pipeline manages its own.
"""

from __future__ import annotations

import dlt
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.configurations.pipeline import PipelineSettings
from dlt_ingest.quality.order_record import schema_hints


def landed_files(spark: SparkSession, settings: PipelineSettings) -> DataFrame:
    """Read the files of landing that have not been read before, with the file's metadata at hand."""
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.format", "json")
        .option("cloudFiles.inferColumnTypes", "true")
        .option("cloudFiles.schemaEvolutionMode", "addNewColumns")
        .option("cloudFiles.schemaHints", schema_hints())
        .load(settings.landing_path)
    )


def with_origin(records: DataFrame) -> DataFrame:
    """Add to each record the file it came in, the time of ingestion and its batch.

    One file is one batch, so that a batch has the same id whenever its file is read again.
    """
    return records.select(
        "*",
        F.col("_metadata.file_path").alias("source_file"),
        F.current_timestamp().alias("ingested_at"),
        F.regexp_replace(F.col("_metadata.file_name"), r"[.](json|jsonl|ndjson)([.]gz)?$", "").alias(
            "batch_id"
        ),
    )


@dlt.table(
    name="bronze.orders",
    comment="Order events as they landed, one row a line. Append only; nothing is dropped or corrected here.",
    table_properties={"quality": "bronze"},
)
def bronze_orders() -> DataFrame:
    """Declare bronze.orders."""
    spark = SparkSession.active()
    return with_origin(landed_files(spark, PipelineSettings.from_spark(spark)))
