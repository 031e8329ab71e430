# Databricks notebook source
# MAGIC %md
# MAGIC ## Changes of customers: SCD 1 and 2

# COMMAND ----------

import dlt
from pyspark.sql.functions import col, expr, lit, struct, to_timestamp

source = spark.conf.get("source")


@dlt.table(name="customer_bronze", comment="Changes as they come")
def customer_bronze():
    return (
        spark.readStream.format("cloudFiles")
        .option("cloudFiles.format", "json")
        .option("cloudFiles.inferColumnTypes", "true")
        .load(f"{source}/cdc")
    )


# COMMAND ----------


@dlt.table(name="customer_clean")
@dlt.expect_or_drop("no_rescued_data", "_rescued_data IS NULL")
@dlt.expect_or_drop("valid_id", "id IS NOT NULL")
@dlt.expect_or_drop("valid_operation", "operation IN ('APPEND', 'DELETE', 'UPDATE')")
def customer_clean():
    return dlt.read_stream("customer_bronze").withColumn(
        "operation_date", to_timestamp(col("operation_date"), "MM-dd-yyyy HH:mm:ss")
    )


# COMMAND ----------

dlt.create_target_table(name="customers", comment="Customers as they are")

dlt.apply_changes(
    target="customers",
    source="customer_clean",
    keys=["id"],
    sequence_by=struct("operation_date", "seq"),
    ignore_null_updates=False,
    apply_as_deletes=expr("operation = 'DELETE'"),
    except_column_list=["operation", "operation_date", "seq", "_rescued_data"],
)

# COMMAND ----------

dlt.create_streaming_table("customers_history")

dlt.apply_changes(
    target="customers_history",
    source="customer_clean",
    keys=["id"],
    sequence_by=col("seq"),
    apply_as_deletes=expr("operation = 'DELETE'"),
    except_column_list=["operation", "operation_date", "seq", "_rescued_data"],
    stored_as_scd_type="2",
    track_history_except_column_list=["email"],
)


@dlt.table
def current_customers():
    return dlt.read("customers_history").where(col("__END_AT").isNull()).withColumn("current", lit(True))
