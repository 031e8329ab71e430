"""Taxi trips from CSV: those that can be believed, those that cannot, and how many break which rule."""

from common import RULES, is_airport, with_reasons
from pyspark import pipelines as dp
from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType, TimestampType

RAW = spark.conf.get("source.path")
YEAR = int(spark.conf.get("source.year", "2025"))
SCHEMA = StructType(
    [
        StructField("picked_at", TimestampType(), True),
        StructField("dropped_at", TimestampType(), True),
        StructField("miles", DoubleType(), True),
        StructField("zone", IntegerType(), True),
        StructField("fare", DoubleType(), True),
        StructField("pay", StringType(), True),
    ]
)


@dp.table(name="trips_raw", cluster_by=["zone"], table_properties={"delta.feature.timestampNtz": "supported"})
@dp.expect("expected_year", f"regexp_extract(file, 'trips_([0-9]{{4}})', 1) = '{YEAR}'")
def trips_raw():
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.format", "csv")
        .option("header", True)
        .option("timestampFormat", "MM/dd/yyyy HH:mm")
        .schema(SCHEMA)
        .load(f"{RAW}/trips")
        .withColumn("file", F.col("_metadata.file_name"))
    )


@dp.materialized_view(name="zones", comment="Names of zones")
@dp.expect_all({"valid id": "zone BETWEEN 1 AND 265", "has a name": "name IS NOT NULL"})
def zones():
    return spark.read.option("header", "true").option("inferSchema", "true").csv(f"{RAW}/zones/zones.csv")


@dp.temporary_view(name="trips_with_reasons")
@dp.expect_all(RULES)
def trips_with_reasons():
    return with_reasons(spark.readStream.table("trips_raw"))


@dp.table(name="trips")
def trips():
    return spark.readStream.table("trips_with_reasons").where(F.size("reasons") == 0).drop("reasons")


@dp.table(name="quarantine")
def quarantine():
    return (
        spark.readStream.table("trips_with_reasons")
        .where(F.size("reasons") > 0)
        .select("zone", "fare", "reasons")
    )


@dp.materialized_view(name="broken_rules")
def broken_rules():
    names = spark.createDataFrame([(name,) for name in RULES], ["rule"])
    failed = (
        spark.read.table("quarantine")
        .select(F.explode("reasons").alias("rule"))
        .groupBy("rule")
        .agg(F.count(F.lit(1)).alias("n"))
    )
    total = spark.read.table("trips_raw").agg(F.count("*").alias("total"))
    return (
        names.join(failed, "rule", "left")
        .fillna(0, subset=["n"])
        .crossJoin(total)
        .withColumn("rate", F.round(F.col("n").cast("double") / F.col("total"), 3))
    )


@dp.materialized_view(name="busiest")
def busiest():
    t = spark.read.table("trips").alias("t")
    z = spark.read.table("zones").alias("z")
    counted = (
        t.join(z, F.col("t.zone") == F.col("z.zone"))
        .groupBy(
            F.col("z.borough").alias("borough"),
            F.col("z.name").alias("name"),
            is_airport(F.col("t.zone")).alias("kind"),
        )
        .agg(
            F.count(F.lit(1)).alias("trips"),
            F.sum("t.fare").alias("fares"),
            F.collect_set("t.pay").alias("pays"),
        )
    )
    by_borough = Window.partitionBy("borough").orderBy(F.col("trips").desc(), F.col("name"))
    return (
        counted.withColumn("place", F.row_number().over(by_borough))
        .where(F.col("place") <= 2)
        .withColumn("pays", F.concat_ws("+", F.sort_array("pays")))
    )


@dp.materialized_view(name="monitoring", private=True)
@dp.expect_or_fail("all well", "mode <> 'broken'")
def monitoring():
    return spark.range(1).select(F.lit(spark.conf.get("mode", "fine")).alias("mode"))
