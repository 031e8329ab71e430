"""The project's DLT files as a graph of Apache Spark Declarative Pipelines, for a dry run.

Spark 4.2 has the decorators of Databricks without expectations and without Auto Loader. So this file, which Spark
imports, stands in for `dlt`: expectations are let through, and `cloudFiles` becomes a plain stream of JSON files with
the hinted schema. Everything else of the files is Spark's to judge: columns, types, upstream datasets.

At the end come two datasets that must not resolve. They prove that the dry run looks.
"""

from __future__ import annotations

import inspect
import os
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path

from pyspark import pipelines as dp
from pyspark.sql import SparkSession
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.streaming.readwriter import DataStreamReader

PROJECT_ROOT = Path(os.environ["ORDERS_PROJECT_ROOT"])


def _table(
    query_function: Callable | None = None,
    *,
    name: str | None = None,
    comment: str | None = None,
    table_properties: dict[str, str] | None = None,
    schema: str | None = None,  # Spark infers it in a dry run
) -> Callable:
    def declare(function: Callable) -> Callable:
        streams = "readStream" in Path(inspect.getsourcefile(function)).read_text(encoding="utf-8")
        kind = dp.table if streams else dp.materialized_view
        kind(name=name or function.__name__, comment=comment, table_properties=table_properties or {})(
            function
        )
        return function

    return declare(query_function) if query_function is not None else declare


def _let_through(*_: object, **__: object) -> Callable:
    return lambda function: function


def _cloud_files_option(reader: DataStreamReader, key: str, value: str) -> DataStreamReader:
    if key == "cloudFiles.schemaHints":
        return reader.schema(f"{value}, _rescued_data STRING")
    return reader if key.startswith("cloudFiles.") else _option(reader, key, value)


dlt = types.ModuleType("dlt")
dlt.table = _table
for _name in (
    "expect",
    "expect_or_drop",
    "expect_or_fail",
    "expect_all",
    "expect_all_or_drop",
    "expect_all_or_fail",
):
    setattr(dlt, _name, _let_through)
sys.modules["dlt"] = dlt
sys.path.insert(0, str(PROJECT_ROOT))

_format, _option = DataStreamReader.format, DataStreamReader.option
DataStreamReader.format = lambda reader, source: _format(reader, "json" if source == "cloudFiles" else source)
DataStreamReader.option = _cloud_files_option
# Spark's server resolves the input of drop() at once, before the upstream dataset is known; a column more is harmless.
DataFrame.drop = lambda frame, *_: frame

for _file in sorted((PROJECT_ROOT / "dlt_ingest" / "transformations").glob("[!_]*.py")):
    runpy.run_path(str(_file))


@dp.materialized_view(name="silver.wrong_column")
def wrong_column() -> DataFrame:
    return SparkSession.active().read.table("silver.orders").select("no_such_column")


@dp.materialized_view(name="silver.wrong_upstream")
def wrong_upstream() -> DataFrame:
    return SparkSession.active().read.table("silver.no_such_dataset")
