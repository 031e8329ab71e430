"""Orders of a shop: raw, cleaned with customers, and sales of a city."""

import dlt
from pyspark.sql.functions import col, explode, from_unixtime, sum, upper

RAW = "/Volumes/main/raw"


@dlt.view(comment="Customers as the shop's system exports them")
def customers():
    return spark.read.csv(f"{RAW}/customers/customers.csv", header=True)


@dlt.table(table_properties={"quality": "bronze", "pipelines.autoOptimize.managed": "true"})
def orders_raw():
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.schemaLocation", "/tmp/schemas/orders")
        .option("cloudFiles.format", "json")
        .option("cloudFiles.inferColumnTypes", "true")
        .load(f"{RAW}/orders/")
    )


@dlt.table(partition_cols=["order_date"], comment="Orders with a number")
@dlt.expect_or_drop("valid number", "order_number IS NOT NULL")
@dlt.expect("known state", "state IS NOT NULL")
def orders_cleaned():
    df = dlt.read_stream("orders_raw").join(dlt.read("customers"), ["customer_id", "customer_name"], "left")
    df = df.withColumn("ordered_at", from_unixtime(df.ordered_at).cast("TIMESTAMP"))
    df = df.withColumn("order_date", df.ordered_at.cast("DATE"))
    return df.select("customer_id", "order_number", "ordered_at", "order_date", "items", "state", "city")


def city_sales(city):
    @dlt.table(name=f"sales_{city.lower().replace(' ', '_')}", comment=f"Sales in {city}")
    def sales():
        df = dlt.read_stream("orders_cleaned").where(f"city == '{city}'")
        df = df.select(df.city, df.order_date, df.customer_id, explode(df["items"]).alias("item"))
        return df.groupBy(df.order_date, df.city, df.item.curr.alias("currency")).agg(
            sum(df.item.price).alias("sales"), sum(df.item.qty).alias("quantity")
        )


for place in ("Los Angeles", "Chicago"):
    city_sales(place)


@dlt.table
def states():
    return (
        dlt.read("orders_cleaned")
        .withColumn("state", upper(col("state")))
        .groupBy("state")
        .count()
        .withColumnRenamed("count", "orders")
    )
