"""Small pipelines as people write them: their files, the data that they read, and the rows that are right.

Each is written after what public pipelines do, and copied from none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RAW = "/Volumes/main/raw"


@dataclass(frozen=True)
class Case:
    """One pipeline.

    Attributes:
        name: What it shows.
        files: Source files by name.
        data: Input files below `/Volumes/main/raw`, by path.
        rows: Table (of one or two levels) -> its rows, in any order.
        later: Input files that a second update finds; `rows` are then those after it.
        refused: Instead of rows, what the error must name.
        configuration: Of the pipeline.
        notes: What the update must tell once, each as a part of the text.
    """

    name: str
    files: dict[str, str]
    data: dict[str, str | bytes] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    later: dict[str, str | bytes] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    configuration: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


TRIPS = '{"trip": 1, "km": 3}\n{"trip": 2, "km": 0}\n{"trip": 3, "km": 9}\n'
READ = f"""spark.readStream.format("cloudFiles").option("cloudFiles.format", "json") \\
        .option("cloudFiles.inferColumnTypes", "true").load("{RAW}/trips")"""

SOURCES: list[Case] = [
    Case(
        "sql file with a stream, a rule and a materialized view",
        {
            "taxi.sql": """
-- trips as they come
CREATE OR REFRESH STREAMING TABLE trips (
  CONSTRAINT driven EXPECT (km > 0) ON VIOLATION DROP ROW,
  CONSTRAINT short EXPECT (km < 5)
) COMMENT 'Trips; one row each' TBLPROPERTIES ('quality' = 'silver')
AS SELECT trip, km FROM STREAM(raw_trips);

CREATE OR REFRESH MATERIALIZED VIEW total AS SELECT sum(km) AS km FROM trips;
CREATE OR REFRESH PRIVATE STREAMING TABLE hidden AS SELECT * FROM STREAM trips;
CREATE TEMPORARY VIEW long AS SELECT * FROM trips WHERE km > 5;
CREATE MATERIALIZED VIEW IF NOT EXISTS gold.long_trips AS SELECT trip FROM long;
""",
            "raw.py": f"import dlt\n@dlt.table\ndef raw_trips():\n    return {READ}\n",
        },
        {"trips/1.json": TRIPS},
        {
            "trips": [{"trip": 1, "km": 3}, {"trip": 3, "km": 9}],
            "total": [{"km": 12}],
            "gold.long_trips": [{"trip": 3}],
        },
    ),
    Case(
        "older sql: LIVE tables and apply changes",
        {
            "old.sql": """
SET shop.minimum = 1;
CREATE STREAMING LIVE VIEW feed AS SELECT trip, km, trip AS seq FROM STREAM(LIVE.raw_trips) WHERE km >= ${shop.minimum};
CREATE OR REFRESH STREAMING LIVE TABLE kept;
APPLY CHANGES INTO LIVE.kept FROM STREAM(LIVE.feed) KEYS (trip) APPLY AS DELETE WHEN km = 9
  SEQUENCE BY seq COLUMNS * EXCEPT (seq) STORED AS SCD TYPE 1;
CREATE LIVE TABLE counted COMMENT "how many" AS SELECT count(*) AS n FROM LIVE.kept
""",
            "raw.py": f"import dlt\n@dlt.table\ndef raw_trips():\n    return {READ}\n",
        },
        {"trips/1.json": TRIPS},
        {"kept": [{"trip": 1, "km": 3}], "counted": [{"n": 1}]},
    ),
    Case(
        "flows in sql",
        {
            "flows.sql": """
CREATE OR REFRESH STREAMING TABLE all_trips;
CREATE FLOW near AS INSERT INTO all_trips BY NAME SELECT trip, 'near' AS kind FROM STREAM raw_trips WHERE km < 5;
CREATE FLOW far AS INSERT INTO all_trips BY NAME SELECT trip, 'far' AS kind FROM STREAM raw_trips WHERE km >= 5;
CREATE OR REFRESH STREAMING TABLE history;
CREATE FLOW changes AS AUTO CDC INTO history FROM STREAM(raw_trips) KEYS (km) SEQUENCE BY trip STORED AS SCD TYPE 2;
""",
            "raw.py": f"import dlt\n@dlt.table\ndef raw_trips():\n    return {READ}.select('trip', 'km')\n",
        },
        {"trips/1.json": TRIPS},
        {
            "all_trips": [
                {"trip": 1, "kind": "near"},
                {"trip": 2, "kind": "near"},
                {"trip": 3, "kind": "far"},
            ],
            "history": [
                {"trip": t, "km": k, "__START_AT": t, "__END_AT": None} for t, k in ((1, 3), (2, 0), (3, 9))
            ],
        },
    ),
    Case(
        "a notebook kept as a Python file",
        {
            "load.py": f"""# Databricks notebook source
# MAGIC %md
# MAGIC # Trips

# COMMAND ----------

# MAGIC %run ./common

# COMMAND ----------

# DBTITLE 1,Load
import dlt
dbutils.widgets.text("least", "4")

@dlt.table
def trips():
    return {READ}.where(f"km > {{least()}}").select(double("km").alias("km"))

# COMMAND ----------

# MAGIC %sql
# MAGIC CREATE OR REFRESH MATERIALIZED VIEW counted AS
# MAGIC SELECT count(*) AS n FROM trips
""",
            "lib/unused.txt": "",
            "common/__init__.py": "",
        },
        {"trips/1.json": TRIPS},
        refused=("load.py", "%run", "names a notebook that does not exist"),
    ),
    Case(
        "a notebook that runs another one",
        {
            "load.py": f"""# Databricks notebook source
# MAGIC %run ./shared/common

# COMMAND ----------

# MAGIC %pip install pandas

# COMMAND ----------

import dlt
dbutils.widgets.text("least", "4")

@dlt.table
def trips():
    return {READ}.where(f"km > {{least()}}").select(double("km").alias("km"))

# COMMAND ----------

# MAGIC %sql
# MAGIC CREATE OR REFRESH MATERIALIZED VIEW counted AS
# MAGIC SELECT count(*) AS n FROM trips
""",
            "shared/common.py": """# Databricks notebook source
from pyspark.sql.functions import col

def double(name):
    return col(name) * 2

# COMMAND ----------

def least():
    return dbutils.widgets.get("least")
""",
        },
        {"trips/1.json": TRIPS},
        {"trips": [{"km": 18}], "counted": [{"n": 1}]},
    ),
    Case(
        "a Jupyter notebook",
        {
            "trips.ipynb": '{"cells": [{"cell_type": "markdown", "source": ["# Trips"]},'
            ' {"cell_type": "code", "source": ["%pip install pandas\\n", "import dlt\\n"]},'
            ' {"cell_type": "code", "source": ["@dlt.table\\n", "def trips():\\n", "    return spark.range(2)\\n"]},'
            ' {"cell_type": "code", "source": ["%sql\\n", "CREATE MATERIALIZED VIEW n AS SELECT count(*) n FROM trips"]}],'
            ' "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        },
        rows={"trips": [{"id": 0}, {"id": 1}], "n": [{"n": 2}]},
    ),
    Case(
        "a mistake in a Jupyter notebook",
        {
            "wrong.ipynb": '{"cells": [{"cell_type": "code", "source": ["import dlt\\n", "1 / 0\\n"]}],'
            ' "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        },
        refused=("wrong.ipynb, cell 1:2", "ZeroDivisionError"),
    ),
    Case(
        "a shell cell",
        {"sh.py": "# Databricks notebook source\n# MAGIC %sh\n# MAGIC ls /tmp\n"},
        refused=("%sh", "sh.py:2"),
    ),
    Case(
        "a package that is not there",
        {"pip.py": "# Databricks notebook source\n# MAGIC %pip install no-such-package-of-ours==1.0\n"},
        refused=("no-such-package-of-ours", "python -m pip install", "pip.py:2"),
    ),
    Case(
        "own modules, found as code finds them on Databricks",
        {
            "transformations/a.py": """
import os, sys
sys.path.append(os.path.abspath("../shared"))
import dlt
from pyspark.sql import SparkSession
from databricks.sdk.runtime import *
from helpers import twice
from beside import thrice

session = SparkSession.builder.appName("x").getOrCreate()
spark.conf.set("spark.sql.shuffle.partitions", "8")
spark.udf.register("plus_one", lambda x: x + 1, "bigint")

@dlt.table
def numbers():
    return session.range(2).selectExpr(f"id * {twice(1)} * {thrice(1)} AS six", "plus_one(id) AS next")

@dlt.table
def older():
    return spark.table("LIVE.numbers").select("six")
""",
            "transformations/beside.py": "def thrice(x):\n    return 3 * x\n",
            "shared/helpers.py": "def twice(x):\n    return 2 * x\n",
        },
        rows={"numbers": [{"six": 0, "next": 1}, {"six": 6, "next": 2}], "older": [{"six": 0}, {"six": 6}]},
        notes=("spark.sql.shuffle.partitions",),
    ),
    Case(
        "the older names",
        {
            "old.py": f"""
import dlt

@dlt.create_view
def source():
    return {READ}

dlt.create_target_table("latest")
dlt.apply_changes(target="latest", source="source", keys=["trip"], sequence_by="km", column_list=["trip", "km"])
dlt.create_streaming_live_table("both")

@dlt.append_flow(target="both")
def one():
    return dlt.read_stream("source").select("trip")

@dlt.create_table(name="counted")
def n():
    return dlt.read("latest").groupBy().count()
""",
        },
        {"trips/1.json": TRIPS},
        {"counted": [{"count": 3}], "both": [{"trip": 1}, {"trip": 2}, {"trip": 3}]},
    ),
    Case(
        "a secret that is not set",
        {
            "s.py": 'import dlt\n@dlt.table\ndef a():\n    return spark.range(int(dbutils.secrets.get("shop", "size")))\n'
        },
        refused=("SECRET_SHOP_SIZE",),
    ),
    Case(
        "files listed by dbutils",
        {
            "ls.py": f"""
import dlt
found = [f.name for f in dbutils.fs.ls("{RAW}/trips")]

@dlt.table
def files():
    return spark.createDataFrame([(name,) for name in found], "name string")
"""
        },
        {"trips/1.json": TRIPS, "trips/2.json": TRIPS},
        {"files": [{"name": "1.json"}, {"name": "2.json"}]},
    ),
    Case(
        "no import of dlt",
        {"n.py": "@dlt.table\ndef a():\n    return spark.range(1)\n"},
        refused=("n.py:1", "import dlt"),
    ),
    Case(
        "another time zone",
        {"z.py": 'import dlt\nspark.conf.set("spark.sql.session.timeZone", "Europe/Berlin")\n'},
        refused=("spark.sql.session.timeZone", "from_utc_timestamp"),
    ),
    Case(
        "a plain view in sql",
        {"v.sql": "CREATE VIEW v AS SELECT 1 AS a"},
        refused=("v.sql:1", "CREATE TEMPORARY VIEW"),
    ),
    Case(
        "a variable without a value",
        {"v.sql": "\nCREATE MATERIALIZED VIEW v AS SELECT * FROM ${source}"},
        refused=("v.sql:2", "--conf source=VALUE"),
    ),
    Case(
        "a statement that is no pipeline's",
        {"v.sql": "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a;\nINSERT INTO v VALUES (2)"},
        refused=("v.sql:2", "INSERT"),
    ),
]
