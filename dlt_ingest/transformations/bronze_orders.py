"""bronze.orders: every record that ever landed, as it arrived.

Auto Loader takes each file of landing once. Nothing is dropped here: a line that is not a JSON object is kept in
`_corrupt_record`, a field that does not fit its type in `_rescued_data`, and an unknown field becomes a new
column. Price, day and moment are read as text, which stays beside the typed value: what a text means is decided by
`text_values`, not by a reader. The locations of schema and checkpoint are deliberately absent: a pipeline manages its own.
"""

from __future__ import annotations

import dlt
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.configurations.pipeline import PipelineSettings
from dlt_ingest.quality.order_record import (
    OWN_COLUMNS,
    RESCUED_DATA,
    SHADOWED_FIELDS,
    own_column_hints,
    schema_hints,
)
from dlt_ingest.quality.reading import Reading
from dlt_ingest.quality.text_values import day_sql, moment_sql, price_sql, text_column

# The last part of a path, with one dot that begins `.json`, or with none.
_PLAIN_JSON = r"(^|/)[^./]+[.]json$"
_NO_DOT = r"(^|/)[^./]+$"
_OWN_NAMES = [column.name for column in OWN_COLUMNS]


def landed_files(spark: SparkSession, settings: PipelineSettings) -> DataFrame:
    """Read the files of landing that have not been read before, with the file's metadata at hand."""
    reading = settings.reading
    other_names = reading.other_names
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.format", "json")
        .option("cloudFiles.inferColumnTypes", "true")
        .option("cloudFiles.schemaEvolutionMode", "addNewColumns")
        .option("cloudFiles.schemaHints", f"{schema_hints(other_names)}, {own_column_hints(other_names)}")
        .option("readerCaseSensitive", str(not reading.ignores_case).lower())
        .load(settings.landing_path)
    )


def with_origin(records: DataFrame, landing_path: str) -> DataFrame:
    """Add to each record the file it came in, the time of ingestion and its batch.

    A record may have fields of these very names. The schema hints make columns of them, so that they are always
    there: their values move to `shadowed_fields`, and the names become ours. `_metadata` is asked for in the one way
    that a field of that name cannot get into (Spark: `DataFrame.metadataColumn`).

    One file is one batch, so that a batch has the same id whenever its file is read again.

    Args:
        records: What Auto Loader read.
        landing_path: The folder that it reads.
    """
    path = records.metadataColumn("_metadata").getField("file_path")
    return records.withColumns(
        {
            SHADOWED_FIELDS.name: F.when(
                F.coalesce(*_OWN_NAMES).isNotNull(), F.to_json(F.struct(*_OWN_NAMES))
            ),
            "source_file": path,
            "ingested_at": F.current_timestamp(),
            "batch_id": batch_id(path, landing_path),
        }
    )


def batch_id(path: Column, landing_path: str) -> Column:
    """Return the batch of a file: its place below landing, without `.json`. No two files have the same.

    Only `.json` is left off, and only where no other dot is left, so that `a.jsonl`, `a.json.gz` and `a.jsonl.json`
    keep their ends; a name without any dot is written with `./` before it, which no place below landing begins with.
    """
    folder = f"{landing_path.rstrip('/')}/"
    at = F.locate(folder, path)
    below = F.when(at > 0, path.substr(at + len(folder), F.length(path))).otherwise(path)
    return (
        F.when(below.rlike(_PLAIN_JSON), F.regexp_replace(below, r"[.]json$", ""))
        .when(below.rlike(_NO_DOT), F.concat(F.lit("./"), below))
        .otherwise(below)
    )


def with_our_names(records: DataFrame, reading: Reading) -> DataFrame:
    """Return the fields that the shop names otherwise the names that they have here.

    Where a record has a field under both names, with two values, the shop's is in `_rescued_data`.
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
        )
        # A name that is ours too is free for its own use from here on.
        records = (
            records.withColumn(theirs, F.lit(None).cast("string"))
            if theirs.lower() in _OWN_NAMES
            else records.drop(theirs)
        )
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
    comment="Order events as they landed, one row per line. Append only; nothing is dropped or corrected here.",
    table_properties={"quality": "bronze"},
)
def bronze_orders() -> DataFrame:
    """Declare bronze.orders."""
    spark = SparkSession.active()
    settings = PipelineSettings.from_spark(spark)
    records = with_our_names(landed_files(spark, settings), settings.reading)
    return with_typed_values(with_origin(records, settings.landing_path), settings.reading)
