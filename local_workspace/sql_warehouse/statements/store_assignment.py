"""The rows of a query as a table's columns keep them: one rule for INSERT, UPDATE and MERGE.

A value is cast to its column's type, a column that no value is given for is NULL, and text is fitted to CHAR(n) and
VARCHAR(n). Databricks refuses some of these casts (its "store assignment" does not read numbers from text); the local
warehouse only refuses values that cannot be cast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from local_workspace.catalog.char_types import fitted, limit_of
from local_workspace.sql import spark_types as types
from local_workspace.sql.rewrites.common_types import cast_template as as_spark_casts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType


def assigned(frame: DataFrame, fields: Sequence[Mapping[str, Any]], places: Mapping[str, int]) -> DataFrame:
    """Return the frame with exactly a table's columns, in their order and of their types.

    Args:
        frame: The rows.
        fields: The table's columns, as in a Delta schema.
        places: For each column that a value is given for, by its name in lower case: which of the frame's columns has it.
    """
    from pyspark.sql.connect import functions as f  # noqa: PLC0415

    given = frame.schema.fields  # a copy each time
    plain = frame.toDF(*[f"c{i}" for i in range(len(given))])
    columns = []
    for field in fields:
        at = places.get(field["name"].lower())
        kind = spark_type(field["type"])
        if at is None:
            columns.append(f.lit(None).cast(kind).alias(field["name"]))
            continue
        source = given[at].dataType
        value = f.col(f"c{at}")
        if limit_of(field) is not None:
            value = f.expr(fitted(f"CAST(c{at} AS STRING)", field))
        elif types.is_fraction(source):
            # Spark makes texts and decimals of doubles otherwise than the engine does.
            value = f.expr(as_spark_casts(source, kind).format(f"c{at}"))
        elif source != kind:
            value = value.cast(kind)
        columns.append(value.alias(field["name"]))
    return plain.select(*columns)


def spark_type(delta_type: Any) -> DataType:
    """Return the engine's type for a type of a Delta schema."""
    from pyspark.sql.types import StructField  # noqa: PLC0415

    return StructField.fromJson({"name": "c", "type": delta_type, "nullable": True, "metadata": {}}).dataType
