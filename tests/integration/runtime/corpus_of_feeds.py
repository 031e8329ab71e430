"""Pipelines that follow other tables: change feeds, snapshots, sinks, hooks, and what happens when a part of one fails."""

from __future__ import annotations

from corpus_of_files import Case

_HEAD = """import dlt
from pyspark.sql import functions as F

@dlt.table
def feed():
    return spark.readStream.schema("id INT, n INT, m INT").json("/Volumes/main/raw/c")
"""
_CHANGES: dict[str, str | bytes] = {
    "c/1.json": '{"id": 1, "n": 1, "m": 2}\n{"id": 1, "n": 1, "m": 1}\n{"id": 2, "n": 5, "m": 1}\n'
}
_LATER: dict[str, str | bytes] = {"c/2.json": '{"id": 1, "n": 1, "m": 3}\n{"id": 2, "n": 4, "m": 9}\n'}
_SNAPSHOTS: dict[str, str | bytes] = {
    "s/1/a.json": '{"id": 1, "n": 1}\n{"id": 2, "n": 5}\n',
    "s/2/a.json": '{"id": 1, "n": 2}\n{"id": 3, "n": 5}\n',
}


def _row(key: int, n: int, start: int, end: int | None) -> dict[str, object]:
    return {"id": key, "n": n, "__START_AT": start, "__END_AT": end}


FEEDS = [
    Case(
        "a sequence of several columns",
        {
            "a.py": f"""{_HEAD}
dlt.create_streaming_table("one")
dlt.apply_changes(target="one", source="feed", keys=["id"], sequence_by=F.struct("n", "m"))
dlt.create_streaming_table("two")
dlt.create_auto_cdc_flow(
    target="two", source="feed", keys=["id"], sequence_by=F.struct("n", "m"), stored_as_scd_type=2, column_list=["id", "m"]
)
"""
        },
        _CHANGES,
        {
            "one": [{"id": 1, "n": 1, "m": 3}, {"id": 2, "n": 5, "m": 1}],
            "two": [
                {"id": 1, "m": 1, "__START_AT": {"n": 1, "m": 1}, "__END_AT": {"n": 1, "m": 2}},
                {"id": 1, "m": 2, "__START_AT": {"n": 1, "m": 2}, "__END_AT": {"n": 1, "m": 3}},
                {"id": 1, "m": 3, "__START_AT": {"n": 1, "m": 3}, "__END_AT": None},
                {"id": 2, "m": 9, "__START_AT": {"n": 4, "m": 9}, "__END_AT": {"n": 5, "m": 1}},
                {"id": 2, "m": 1, "__START_AT": {"n": 5, "m": 1}, "__END_AT": None},
            ],
        },
        _LATER,
    ),
    Case(
        "a sequence of several columns in SQL",
        {
            "a.sql": """CREATE OR REFRESH STREAMING TABLE feed AS
SELECT * FROM STREAM read_files('/Volumes/main/raw/c', format => 'json', schema => 'id INT, n INT, m INT');
CREATE OR REFRESH STREAMING TABLE one;
CREATE FLOW f AS AUTO CDC INTO one FROM STREAM(feed) KEYS (id) SEQUENCE BY struct(n, m) STORED AS SCD TYPE 1;
"""
        },
        _CHANGES,
        {"one": [{"id": 1, "n": 1, "m": 3}, {"id": 2, "n": 5, "m": 1}]},
        _LATER,
    ),
    Case(
        "a key whose name has a backtick",
        {
            "a.py": """import dlt
@dlt.table(table_properties={"delta.columnMapping.mode": "name"})
def feed():
    return (spark.readStream.schema("id INT, n INT, m INT").json("/Volumes/main/raw/c")
            .withColumnRenamed("id", "the `id`, so to speak"))
dlt.create_streaming_table("one")
dlt.apply_changes(target="one", source="feed", keys=["the `id`, so to speak"], sequence_by="n", column_list=["n"])
"""
        },
        _CHANGES,
        {"one": [{"n": 1}, {"n": 5}]},
        notes=("delta.columnMapping.mode has no effect",),
    ),
    Case(
        "rules on the target of a change feed",
        {
            "a.py": f"""{_HEAD}
dlt.create_streaming_table("one", expect_all_or_drop={{"small": "m < 3"}}, expect_all={{"two": "id = 2"}})
dlt.apply_changes(target="one", source="feed", keys=["id"], sequence_by="n * 10 + m", apply_as_deletes="m = 9")
"""
        },
        _CHANGES,
        {"one": [{"id": 1, "n": 1, "m": 2}, {"id": 2, "n": 5, "m": 1}]},
        _LATER,
    ),
    Case(
        "snapshots of a view",
        {
            "a.py": """import dlt
@dlt.view
def now():
    return spark.read.schema("id INT, n INT").json("/Volumes/main/raw/s/1")
dlt.create_streaming_table("one")
dlt.apply_changes_from_snapshot(target="one", source="now", keys=["id"], stored_as_scd_type=1)
"""
        },
        _SNAPSHOTS,
        {"one": [{"id": 2, "n": 7}, {"id": 4, "n": 1}]},
        {"s/1/a.json": '{"id": 2, "n": 7}\n{"id": 4, "n": 1}\n'},
    ),
    Case(
        "snapshots of a function, with their versions",
        {
            "a.py": """import dlt

def following(latest):
    version = 1 if latest is None else latest + 1
    folders = [f.name for f in dbutils.fs.ls("/Volumes/main/raw/s")]
    if f"{version}/" not in folders:
        return None
    return spark.read.schema("id INT, n INT").json(f"/Volumes/main/raw/s/{version}"), version

dlt.create_streaming_table("one")
dlt.create_auto_cdc_from_snapshot_flow(target="one", source=following, keys=["id"])
dlt.create_streaming_table("two")
dlt.create_auto_cdc_from_snapshot_flow(target="two", source=following, keys=["id"], stored_as_scd_type="2")
"""
        },
        _SNAPSHOTS,
        {
            "one": [{"id": 1, "n": 2}, {"id": 2, "n": 5}],
            "two": [
                _row(1, 1, 1, 2),
                _row(1, 2, 2, None),
                _row(2, 5, 1, 2),
                _row(2, 5, 3, None),
                _row(3, 5, 2, 3),
            ],
        },
        {"s/3/a.json": '{"id": 1, "n": 2}\n{"id": 2, "n": 5}\n'},
    ),
    Case(
        "snapshots whose history follows some columns",
        {
            "a.py": """import dlt
def following(latest):
    version = 1 if latest is None else latest + 1
    if version > 2:
        return None
    rows = "(1, 1, 1), (2, 5, 5)" if version == 1 else "(1, 1, 9), (2, 6, 5)"
    return spark.sql(f"SELECT * FROM VALUES {rows} AS t(id, n, m)"), version
dlt.create_streaming_table("two")
dlt.apply_changes_from_snapshot(
    target="two", source=following, keys=["id"], stored_as_scd_type=2, track_history_except_column_list=["m"]
)
"""
        },
        {},
        {
            "two": [
                {"id": 1, "n": 1, "m": 9, "__START_AT": 1, "__END_AT": None},
                {"id": 2, "n": 5, "m": 5, "__START_AT": 1, "__END_AT": 2},
                {"id": 2, "n": 6, "m": 5, "__START_AT": 2, "__END_AT": None},
            ]
        },
    ),
    Case(
        "a sink, a hook and two backfills",
        {
            "a.py": f"""{_HEAD}
dlt.create_sink("folder", "delta", {{"path": "/Volumes/main/raw/out"}})
@dlt.append_flow(target="folder")
def to_folder():
    return dlt.read_stream("feed").where("id = 1")

dlt.create_sink("table", "delta", {{"tableName": "sunk.rows"}})
@dlt.append_flow(target="table", name="to_table")
def another():
    return dlt.read_stream("feed").select("id")

dlt.create_streaming_table("both")
@dlt.append_flow(target="both", once=True)
def first():
    return spark.sql("SELECT 7 AS id")
@dlt.append_flow(target="both", once=True)
def second():
    return spark.sql("SELECT 8 AS id")
@dlt.append_flow(target="both")
def rest():
    return dlt.read_stream("feed").select("id")

@dlt.on_event_hook(max_allowable_consecutive_failures=0)
def hook(event):
    assert event["event_type"] != "flow_progress", event["details"]["flow_progress"]["status"]
"""
        },
        _CHANGES,
        {
            "sunk.rows": [{"id": 1}] * 3 + [{"id": 2}] * 2,
            "both": [{"id": 7}, {"id": 8}] + [{"id": 1}] * 3 + [{"id": 2}] * 2,
        },
        _LATER,
        notes=("The event hook hook, a.py:29",),
    ),
    Case(
        "the file of a row by its older name",
        {
            "a.py": """import dlt
from pyspark.sql.functions import input_file_name
@dlt.table
def named():
    rows = spark.readStream.schema("id INT, n INT, m INT").json("/Volumes/main/raw/c")
    return rows.select("id", input_file_name().alias("f"))
@dlt.table
def told():
    return spark.sql("SELECT DISTINCT input_file_name() AS f FROM json.`/Volumes/main/raw/c`")
"""
        },
        _CHANGES,
        {
            "named": [{"id": i, "f": "dbfs:/Volumes/main/raw/c/1.json"} for i in (1, 1, 2)],
            "told": [{"f": "dbfs:/Volumes/main/raw/c/1.json"}],
        },
    ),
]
