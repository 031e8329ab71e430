"""Scans of parcels as the depots send them, and those that can be believed."""

import dlt
from pyspark.sql import functions as F


@dlt.table(comment="One row per scan, as it came")
def scans_raw():
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.format", "csv")
        .option("header", "true")
        .option("cloudFiles.inferColumnTypes", "true")
        .load("/Volumes/demo/raw/scans")
        .withColumn("file", F.col("_metadata.file_name"))
    )


@dlt.table(comment="One row per scan with a parcel and a time")
@dlt.expect_or_drop("has_parcel", "parcel IS NOT NULL")
@dlt.expect("not_in_the_future", "scanned_at <= current_timestamp()")
def scans():
    return dlt.read_stream("scans_raw").select("parcel", "depot", "scanned_at")
