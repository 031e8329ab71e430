"""Readings of sensors in JSON within JSON, joined with their devices, with a window of event time."""

import dlt
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, MapType, StringType, StructField, StructType

RAW = "/Volumes/main/raw"
payload = StructType(
    [
        StructField("temps", ArrayType(DoubleType())),
        StructField("tags", MapType(StringType(), StringType())),
        StructField("at", StringType()),
    ]
)


@dlt.table
def bronze():
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.format", "json")
        .schema("device STRING, body STRING")
        .load(f"{RAW}/readings")
        .select("*", F.col("_metadata.file_name").alias("file"))
    )


@dlt.table
@dlt.expect_all_or_drop({"has a device": "device IS NOT NULL", "has readings": "size(temps) > 0"})
def silver():
    body = F.from_json("body", payload)
    return (
        dlt.read_stream("bronze")
        .withColumn("b", body)
        .select(
            "device",
            F.to_timestamp("b.at").alias("at"),
            F.transform("b.temps", lambda t: F.round(t * 9 / 5 + 32, 1)).alias("temps"),
            F.aggregate("b.temps", F.lit(0.0), lambda a, t: a + t).alias("sum"),
            F.array_max("b.temps").alias("top"),
            F.exists("b.temps", lambda t: t > 30).alias("hot"),
            F.col("b.tags").getItem("site").alias("site"),
            F.map_keys("b.tags").alias("keys"),
            F.get_json_object("body", "$.tags.unit").alias("unit"),
        )
        .withColumn("first", F.get("temps", F.lit(0)))
        .withColumn("even", F.filter("temps", lambda t, i: i % 2 == 0))
    )


@dlt.view
def devices():
    return spark.read.schema("device STRING, model STRING, since DATE").json(f"{RAW}/devices")


@dlt.table
def enriched():
    s = dlt.read_stream("silver")
    d = dlt.read("devices")
    return s.join(F.broadcast(d), "device", "left").select(
        "device", "model", "at", "top", F.datediff(F.to_date("at"), "since").alias("days")
    )


@dlt.table
def five_minutes():
    return (
        dlt.read_stream("silver")
        .withWatermark("at", "10 minutes")
        .groupBy(F.window("at", "5 minutes"), "device")
        .agg(F.max("top").alias("top"), F.count("*").alias("n"))
        .select("device", F.col("window.start").alias("start"), "top", "n")
    )


@dlt.table
def by_model():
    return dlt.read("enriched").groupBy("model").pivot("device", ["d1", "d2"]).agg(F.max("top"))
