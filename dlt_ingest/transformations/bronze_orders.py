"""bronze.orders: every record that ever landed, as it came.

Auto Loader takes each file of landing once. Nothing is dropped here: a line that is no JSON object is kept in
`_corrupt_record`, a field that does not fit its type in `_rescued_data`, and an unknown field becomes a new
column. Price, day and moment are read as text, which stays beside the typed value: what a text means is decided by
`text_values`, not by a reader. The locations of schema and checkpoint are deliberately absent: a pipeline manages its own.
"""

from __future__ import annotations

import dlt
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.configurations.pipeline import PipelineSettings
from dlt_ingest.quality.order_record import RESCUED_DATA, schema_hints
from dlt_ingest.quality.reading import Reading
from dlt_ingest.quality.text_values import day_sql, moment_sql, price_sql, text_column


def landed_files(spark: SparkSession, settings: PipelineSettings) -> DataFrame:
    """Read the files of landing that have not been read before, with the file's metadata at hand."""
    reading = settings.reading
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.format", "json")
        .option("cloudFiles.inferColumnTypes", "true")
        .option("cloudFiles.schemaEvolutionMode", "addNewColumns")
        .option("cloudFiles.schemaHints", schema_hints(reading.other_names))
        .option("readerCaseSensitive", str(not reading.ignores_case).lower())
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


def with_our_names(records: DataFrame, reading: Reading) -> DataFrame:
    """Give the fields that the shop names otherwise the names that they have here.

    Where a record has a field under both names, with two values, the shop's stands in `_rescued_data`.
    """
    for theirs, ours in reading.other_names.items():
        other, own, rescued = F.col(f"`{theirs}`"), F.col(ours), F.col(RESCUED_DATA.name)
        is_second = own.isNotNull() & other.isNotNull() & (own != other)
        second = F.to_json(F.struct(other.alias(theirs), rescued.alias(RESCUED_DATA.name)))
        records = records.withColumns(
            {
                ours: F.coalesce(own, other),
                RESCUED_DATA.name: F.when(is_second, second).otherwise(rescued),
            }
        ).drop(theirs)
    return records


def with_typed_values(records: DataFrame, reading: Reading) -> DataFrame:
    """Add price, day and moment out of their texts; a text that is none gives NULL, for a rule to name."""
    typed = {
        "price": price_sql(text_column("price")),
        "date_ordered": day_sql(text_column("date_ordered")),
        "order_timestamp": moment_sql(text_column("order_timestamp"), reading.time_zone),
    }
    texts = records.withColumns({text_column(name): F.col(name) for name in typed})
    return texts.withColumns({name: F.expr(value) for name, value in typed.items()})


@dlt.table(
    name="bronze.orders",
    comment="Order events as they landed, one row a line. Append only; nothing is dropped or corrected here.",
    table_properties={"quality": "bronze"},
)
def bronze_orders() -> DataFrame:
    """Declare bronze.orders."""
    spark = SparkSession.active()
    settings = PipelineSettings.from_spark(spark)
    records = with_our_names(with_origin(landed_files(spark, settings)), settings.reading)
    return with_typed_values(records, settings.reading)
