"""Several flows into one table, a backfill, a sink, rules on the target, and files of text and bytes."""

from pyspark import pipelines as dp
from pyspark.sql import functions as F

RAW = "/Volumes/main/raw"

dp.create_streaming_table(
    name="events",
    comment="Events of all regions",
    table_properties={"delta.enableChangeDataFeed": "true"},
    expect_all={"has an id": "id IS NOT NULL"},
    expect_all_or_drop={"fresh": "year(day) >= 2020"},
)


def region_flow(region):
    @dp.append_flow(target="events", name=f"{region}_flow")
    def flow():
        return (
            spark.readStream.format("cloudFiles")
            .option("cloudFiles.format", "csv")
            .option("cloudFiles.schemaHints", "id INT, day DATE")
            .option("cloudFiles.schemaEvolutionMode", "rescue")
            .option("header", "true")
            .option("dateFormat", "dd.MM.yyyy")
            .option("pathGlobFilter", "*.csv")
            .load(f"{RAW}/{region}")
            .select("id", "day", F.lit(region).alias("region"))
        )


for region in ["eu", "us"]:
    region_flow(region)


@dp.append_flow(target="events", once=True)
def backfill():
    return spark.read.schema("id INT, day DATE").json(f"{RAW}/old").withColumn("region", F.lit("old"))


dp.create_sink(name="outbox", format="delta", options={"path": f"{RAW}/outbox"})


@dp.append_flow(target="outbox")
def to_outbox():
    return (
        spark.readStream.table("events")
        .where("region <> 'old'")
        .select(F.to_json(F.struct("id", "region")).alias("value"))
    )


@dp.materialized_view
def words():
    lines = spark.read.text(f"{RAW}/text")
    return (
        lines.select(F.explode(F.split(F.lower("value"), r"\W+")).alias("word"))
        .where("word <> ''")
        .groupBy("word")
        .count()
        .orderBy(F.desc("count"), "word")
        .limit(3)
    )


@dp.materialized_view
def blobs():
    return (
        spark.read.format("binaryFile")
        .load(f"{RAW}/bin/*.bin")
        .select(F.element_at(F.split("path", "/"), -1).alias("name"), "length", F.hex("content").alias("hex"))
    )
