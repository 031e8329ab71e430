"""Analyses of orders with window functions, pivots, dates and sets; and the history of a daily snapshot."""

import dlt
from pyspark.sql import Window
from pyspark.sql import functions as F

RAW = "/Volumes/main/raw"


@dlt.table
@dlt.expect_or_fail("one currency", "currency = 'EUR'")
def orders():
    return (
        spark.read.option("header", True)
        .option("sep", ";")
        .option("inferSchema", True)
        .option("timestampFormat", "dd/MM/yyyy HH:mm")
        .option("nullValue", "-")
        .option("comment", "#")
        .csv(f"{RAW}/orders")
    )


@dlt.table
def ranked():
    by_customer = Window.partitionBy("customer").orderBy("ordered_at")
    running = by_customer.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return (
        dlt.read("orders")
        .withColumn("n", F.row_number().over(by_customer))
        .withColumn("total", F.round(F.sum("amount").over(running), 2))
        .withColumn("days", F.datediff("ordered_at", F.lag("ordered_at").over(by_customer)))
        .withColumn("next", F.lead("amount", 1, 0.0).over(by_customer))
        .withColumn(
            "share", F.round(F.col("amount") / F.sum("amount").over(Window.partitionBy("customer")), 3)
        )
        .withColumn("half", F.ntile(2).over(Window.orderBy("ordered_at")))
        .select("id", "n", "total", "days", "next", "share", "half")
    )


@dlt.table
def monthly():
    return (
        dlt.read("orders")
        .groupBy(F.date_trunc("month", "ordered_at").cast("date").alias("month"))
        .pivot("status", ["paid", "open"])
        .agg(F.sum("amount").alias("amount"), F.countDistinct("customer").alias("customers"))
        .na.fill(0)
    )


@dlt.table
def profiles():
    o = dlt.read("orders")
    return (
        o.groupBy("customer")
        .agg(
            F.count_if(F.col("status") == "open").alias("open"),
            F.min("ordered_at").alias("first"),
            F.max(F.struct("ordered_at", "status")).getField("status").alias("last_status"),
            F.sort_array(F.collect_list("id"), asc=False).alias("ids"),
            F.stddev_pop("amount").alias("spread"),
            F.map_from_arrays(
                F.array(F.lit("sum"), F.lit("avg")), F.array(F.sum("amount"), F.avg("amount"))
            ).alias("m"),
        )
        .withColumn("weekday", F.date_format("first", "E"))
        .withColumn("quarter", F.concat(F.year("first"), F.lit("-Q"), F.quarter("first")))
        .withColumn("due", F.date_add(F.last_day("first"), 1))
        .withColumn("avg", F.round(F.col("m")["avg"], 2))
        .withColumn("spread", F.round("spread", 2))
        .withColumn(
            "vip", F.when(F.col("m")["sum"] > 100, "gold").when(F.size("ids") > 1, "silver").otherwise("none")
        )
        .drop("m")
    )


@dlt.table
def unpivoted():
    return (
        dlt.read("monthly")
        .selectExpr("month", "stack(2, 'paid', paid_amount, 'open', open_amount) AS (status, amount)")
        .where("amount > 0")
    )


@dlt.view
def snapshot():
    return spark.read.json(f"{RAW}/snap")


dlt.create_streaming_table("price_history")
dlt.apply_changes_from_snapshot(target="price_history", source="snapshot", keys=["sku"], stored_as_scd_type=1)
