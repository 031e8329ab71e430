"""Small pipelines as people write them: their files, the data that they read, and the rows that are right.

Each is written after what public pipelines do, and copied from none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
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
    Case(
        "a change feed whose nulls keep the values, with a late change and a delete",
        {
            "two.sql": """
CREATE OR REFRESH STREAMING TABLE latest;
APPLY CHANGES INTO latest FROM STREAM(feed) KEYS (id) IGNORE NULL UPDATES APPLY AS DELETE WHEN gone
  SEQUENCE BY seq COLUMNS (id, name, town, place) STORED AS SCD TYPE 1;
CREATE OR REFRESH STREAMING TABLE history;
CREATE FLOW f AS AUTO CDC INTO history FROM STREAM feed KEYS (id) IGNORE NULL UPDATES APPLY AS DELETE WHEN gone
  SEQUENCE BY seq COLUMNS (id, name, town) STORED AS SCD TYPE 2;
""",
            "feed.py": f"""
import dlt
COLUMNS = "id INT, name STRING, town STRING, gone BOOLEAN, seq INT, place STRUCT<x: INT, y: INT>"

@dlt.table
def feed():
    return spark.readStream.schema(COLUMNS).json("{RAW}/changes")

dlt.create_streaming_table("towns")
dlt.create_auto_cdc_flow(target="towns", source="feed", keys=["id"], sequence_by="seq", apply_as_deletes="gone",
                         column_list=["id", "name", "town"], ignore_null_updates_column_list=["town"])
""",
        },
        {
            "changes/1.json": """{"id": 1, "name": "a", "town": "A", "seq": 1, "place": {"x": 1, "y": 1}}
{"id": 1, "name": "b", "seq": 3, "place": {"x": 2}}
{"id": 2, "name": "z", "town": "Z", "seq": 1}
{"id": 2, "gone": true, "seq": 2}
{"id": 2, "name": "y", "seq": 3}
"""
        },
        {
            "latest": [
                {"id": 1, "name": "b", "town": "B", "place": {"x": 2, "y": 1}},
                {"id": 2, "name": "y", "town": None, "place": None},
            ],
            "towns": [{"id": 1, "name": None, "town": "B"}, {"id": 2, "name": "y", "town": None}],
            "history": [
                {"id": i, "name": n, "town": t, "__START_AT": start, "__END_AT": end}
                for i, n, t, start, end in (
                    (1, "a", "A", 1, 2),
                    (1, "a", "B", 2, 3),
                    (1, "b", "B", 3, None),
                    (2, "z", "Z", 1, 2),
                    (2, "y", None, 3, None),
                )
            ],
        },
        {"changes/2.json": '{"id": 1, "town": "B", "seq": 2}\n{"id": 1, "seq": 4}\n'},
    ),
    Case(
        "a change feed that runs once, in sql",
        {
            "o.sql": "CREATE STREAMING TABLE a;\nCREATE FLOW f AS AUTO CDC ONCE INTO a FROM b KEYS (id) SEQUENCE BY seq;"
        },
        refused=("AUTO CDC ONCE", "o.sql:2", "Union the backfill"),
    ),
    Case(
        "a change feed that runs once, in Python",
        {
            "o.py": 'import dlt\ndlt.create_streaming_table("a")\n'
            'dlt.create_auto_cdc_flow(target="a", source="b", keys=["id"], sequence_by="seq", once=True)\n'
        },
        refused=("once", "o.py:3", "Union the backfill"),
    ),
    Case(
        "a history of another type",
        {
            "o.sql": "CREATE STREAMING TABLE a;\nAPPLY CHANGES INTO a FROM b KEYS (id) SEQUENCE BY seq STORED AS SCD TYPE 3;"
        },
        refused=("SCD TYPE", "1 or 2", "o.sql:2"),
    ),
    Case(
        "a watermark alone",
        {
            "w.py": f"""
import dlt

@dlt.table
def trips():
    frame = {READ}.selectExpr("trip", "TIMESTAMP'2026-01-05' AS at")
    late = frame.withWatermark("at", "1 hour")
    return late.select(late.trip, frame.trip.alias("again"))
"""
        },
        {"trips/1.json": '{"trip": 1}'},
        {"trips": [{"trip": 1, "again": 1}]},
    ),
]

CSV = 'id,name,price,day\n1,"Smith, A",2.50,2026-01-05\n2,Böll,,2026-01-06\n'
FILES: list[Case] = [
    Case(
        "csv by Auto Loader, types inferred, with file names and a later column",
        {
            "c.py": f"""
import dlt
from pyspark.sql.functions import col

@dlt.table
def goods():
    return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "csv").option("header", True)
            .option("cloudFiles.inferColumnTypes", "true").option("cloudFiles.schemaHints", "price DECIMAL(9,2)")
            .load("{RAW}/goods").select("*", col("_metadata.file_name").alias("file")))

@dlt.table
def dear():
    return dlt.read("goods").where("price > 2").select("id", "day")
""",
        },
        {"goods/1.csv": CSV},
        {
            "dear": [{"id": 1, "day": date(2026, 1, 5)}],
            "goods": [
                {
                    "id": 1,
                    "name": "Smith, A",
                    "price": Decimal("2.50"),
                    "day": date(2026, 1, 5),
                    "_rescued_data": None,
                    "file": "1.csv",
                    "color": None,
                },
                {
                    "id": 2,
                    "name": "Böll",
                    "price": None,
                    "day": date(2026, 1, 6),
                    "_rescued_data": None,
                    "file": "1.csv",
                    "color": None,
                },
                {
                    "id": 3,
                    "name": "x",
                    "price": None,
                    "day": None,
                    "_rescued_data": '{"day":"soon","_file_path":"dbfs:/Volumes/main/raw/goods/2.csv"}',
                    "file": "2.csv",
                    "color": "red",
                },
            ],
        },
        {"goods/2.csv": "id,color,name,day\n3,red,x,soon\n"},
    ),
    Case(
        "csv by spark.read, as text and with a schema",
        {
            "c.py": f"""
import dlt

@dlt.table
def texts():
    return spark.read.option("header", "true").csv("{RAW}/goods").select("id", "price")

@dlt.table
def typed():
    columns = "id INT, name STRING, price DOUBLE, day STRING"
    return spark.read.csv("{RAW}/goods", schema=columns, header=True).select("id", "price")

@dlt.table
def semicolons():
    return (spark.read.format("csv").option("sep", ";").option("inferSchema", True).option("quote", "'")
            .load("{RAW}/other/*.txt").selectExpr("_c0 + 1 AS a", "_c1 AS b"))
""",
        },
        {"goods/1.csv": CSV, "other/1.txt": "1;'a;b'\n2;c\n"},
        {
            "texts": [{"id": "1", "price": "2.50"}, {"id": "2", "price": None}],
            "typed": [{"id": 1, "price": 2.5}, {"id": 2, "price": None}],
            "semicolons": [{"a": 2, "b": "a;b"}, {"a": 3, "b": "c"}],
        },
    ),
    Case(
        "csv with escapes, doubled quotes and cells over lines",
        {
            "c.py": f"""
import dlt

@dlt.table
def backslash():
    return spark.read.csv("{RAW}/a", schema="x STRING, y STRING")

@dlt.table
def doubled():
    return spark.read.option("multiLine", True).option("escape", '"').csv("{RAW}/b", schema="x STRING, y STRING")
""",
        },
        {"a/1.csv": '"say \\"hi\\"",C:\\temp\n"a\\nb",\n', "b/1.csv": '"say ""hi""","one\ntwo"\r\n,z\n'},
        {
            "backslash": [{"x": 'say "hi"', "y": "C:\\temp"}, {"x": "a\\nb", "y": None}],
            "doubled": [{"x": 'say "hi"', "y": "one\ntwo"}, {"x": None, "y": "z"}],
        },
    ),
    Case(
        "csv with doubled quotes and no escape",
        {"c.py": f'import dlt\n@dlt.table\ndef a():\n    return spark.read.csv("{RAW}/b")\n'},
        {"b/1.csv": '"say ""hi""",1\n'},
        {"a": [{"_c0": '"say ""hi"""', "_c1": "1"}]},
    ),
    Case(
        "read_files in sql: streams, tables, metadata",
        {
            "r.sql": f"""
CREATE OR REFRESH STREAMING TABLE goods AS
SELECT *, _metadata.file_name AS file FROM STREAM read_files('{RAW}/goods', format => 'csv', schemaHints => 'id STRING');
CREATE OR REFRESH MATERIALIZED VIEW n AS SELECT count(*) AS n FROM read_files("{RAW}/goods/*.csv", format => "csv");
CREATE OR REFRESH STREAMING LIVE TABLE older AS SELECT id FROM cloud_files('{RAW}/goods', 'csv', map('header', 'true'));
CREATE OR REFRESH MATERIALIZED VIEW events AS SELECT kind FROM json.`{RAW}/events` WHERE kind <> 'x';
""",
        },
        {"goods/1.csv": "id,name\n1,a\n", "events/1.json": '{"kind": "x"}\n{"kind": "y"}\n'},
        {
            "goods": [
                {"id": i, "name": n, "_rescued_data": None, "file": f}
                for i, n, f in (("1", "a", "1.csv"), ("2", "b", "2.csv"))
            ],
            "n": [{"n": 2}],
            "older": [{"id": "1"}, {"id": "2"}],
            "events": [{"kind": "y"}],
        },
        {"goods/2.csv": "id,name\n2,b\n"},
    ),
    Case(
        "text and binary files",
        {
            "t.py": f"""
import dlt
from pyspark.sql import functions as F

@dlt.table
def lines():
    return spark.readStream.format("cloudFiles").option("cloudFiles.format", "text").load("{RAW}/logs")

@dlt.table
def whole():
    return spark.read.text("{RAW}/logs", wholetext=True).select(F.length("value").alias("n"))

@dlt.table
def files():
    return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "binaryFile").option("pathGlobFilter", "*.bin")
            .load("{RAW}/blobs").select("path", "length", F.hex("content").alias("hex")))
""",
        },
        {"logs/1.log": "a\r\n\nb\n", "blobs/1.bin": b"\x00\xff", "blobs/2.txt": "no"},
        {
            "lines": [{"value": "a"}, {"value": ""}, {"value": "b"}],
            "whole": [{"n": 6}],
            "files": [{"path": "dbfs:/Volumes/main/raw/blobs/1.bin", "length": 2, "hex": "00FF"}],
        },
    ),
    Case(
        "json as spark.read and spark.readStream have it",
        {
            "j.py": f"""
import dlt

@dlt.table
def batch():
    return spark.read.json("{RAW}/events").select("kind", "n")

@dlt.table
def stream():
    return spark.readStream.schema("kind STRING, n INT").json("{RAW}/events")

@dlt.table
def seen():
    frame = spark.read.format("json").load("{RAW}/events")
    return frame.select(*[c for c in frame.columns if c != "kind"])
""",
        },
        {"events/1.json": '{"kind": "x", "n": 1}\n{"kind": "y"}\n'},
        {
            "batch": [{"kind": "x", "n": 1}, {"kind": "y", "n": None}],
            "stream": [{"kind": "x", "n": 1}, {"kind": "y", "n": None}],
            "seen": [{"n": 1}, {"n": None}],
        },
    ),
    Case(
        "a stream of files without a schema",
        {"j.py": f'import dlt\n@dlt.table\ndef a():\n    return spark.readStream.json("{RAW}/events")\n'},
        {"events/1.json": '{"kind": "x"}\n'},
        refused=("needs a schema", "cloudFiles"),
    ),
    Case(
        "a folder that does not exist",
        {"j.py": f'import dlt\n@dlt.table\ndef a():\n    return spark.read.csv("{RAW}/nowhere")\n'},
        refused=("PATH_NOT_FOUND", "--volume"),
    ),
    Case(
        "a message broker",
        {"k.py": 'import dlt\n@dlt.table\ndef a():\n    return spark.readStream.format("kafka").load()\n'},
        refused=("Kafka", "spark.readStream.schema"),
    ),
    Case(
        "a folder of a partition",
        {"p.py": f'import dlt\n@dlt.table\ndef a():\n    return spark.read.csv("{RAW}/p")\n'},
        {"p/day=1/a.csv": "1\n"},
        {"a": [{"_c0": "1", "day": 1}]},
    ),
    Case(
        "an option that nobody knows",
        {
            "p.py": f'import dlt\n@dlt.table\ndef a():\n    return spark.read.option("haeder", "true").csv("{RAW}/p")\n'
        },
        {"p/a.csv": "1\n"},
        {"a": [{"_c0": "1"}]},
        notes=("option haeder has no effect here: csv files have no such option",),
    ),
]
