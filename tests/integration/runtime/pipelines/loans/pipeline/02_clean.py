# Databricks notebook source
# MAGIC %pip install pyarrow

# COMMAND ----------

# MAGIC %run ./helpers

# COMMAND ----------

import dlt
import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

spark.sql("USE CATALOG main")
spark.sql("USE SCHEMA loans_silver")


@F.udf(returnType=StringType())
def initials(name):
    return None if name is None else "".join(part[0].upper() for part in name.split())


@F.pandas_udf("double")
def yearly(balance: pd.Series, rate: pd.Series) -> pd.Series:
    return (balance * rate / 100).round(2)


@dlt.table(
    comment="Loans with their type",
    schema="id INT, who STRING, balance DOUBLE, interest DOUBLE, kind STRING, month INT",
)
@dlt.expect_all_or_drop(RULES)
def loans():
    loans = spark.readStream.table("main.loans_bronze.raw_loans")
    types = spark.read.table("loans_bronze.ref_types")
    return loans.join(types, loans.type_id == types.id, "left").select(
        loans.id,
        initials("name").alias("who"),
        F.col("balance").cast("double").alias("balance"),
        yearly(F.col("balance").cast("double"), F.col("rate").cast("double")).alias("interest"),
        F.coalesce(types.label, F.lit("other")).alias("kind"),
        "month",
    )


@dlt.table
def balances():
    dlt.read("loans").createOrReplaceTempView("every_loan")
    return spark.sql("""
        SELECT every_loan.kind, sum(balance) AS balance, count(*) AS n, min_by(who, balance) AS smallest,
               array_sort(collect_set(month)) AS months
        FROM every_loan
        GROUP BY every_loan.kind
    """)
