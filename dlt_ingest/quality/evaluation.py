"""The evaluation of the rules on a DataFrame: once per row, into one column."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

from dlt_ingest.quality.reading import STANDARD, Reading
from dlt_ingest.quality.rules import failed_rules_sql


def with_failed_rules(bronze: DataFrame, reading: Reading = STANDARD) -> DataFrame:
    """Add `failed_rules ARRAY<STRING>`: the names of all rules that the row breaks, empty for a good row.

    Args:
        bronze: Rows with the columns of `bronze.orders`.
        reading: How the records of this shop are read.

    Returns:
        The same rows, each once, with one more column that is never NULL.
    """
    return bronze.withColumn("failed_rules", F.expr(failed_rules_sql(reading)))
