"""What the datasets of taxi trips share."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

RULES = {
    "later_than_pickup": "dropped_at > picked_at",
    "short_enough": "unix_timestamp(dropped_at) - unix_timestamp(picked_at) BETWEEN 60 AND 10800",
    "some_distance": "miles BETWEEN 0.1 AND 100",
}


def is_airport(zone: Column) -> Column:
    return F.when(zone.isin(1, 132, 138), F.lit("Airport")).otherwise(F.lit("City"))


def with_reasons(trips: DataFrame) -> DataFrame:
    reasons = F.array(*[F.when(~F.expr(rule), F.lit(name)) for name, rule in RULES.items()])
    return trips.withColumn("reasons", F.filter(reasons, lambda reason: reason.isNotNull()))
