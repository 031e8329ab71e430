"""Pipelines that ask for what the runtime does not do: each is refused with its place and a way out."""

from __future__ import annotations

from corpus_of_files import Case

_FEED = """
@dlt.table
def feed():
    return spark.readStream.schema("id INT, n INT").json("/Volumes/main/raw/c")
"""


def _query(name: str, expression: str, *parts: str) -> Case:
    code = f"""import dlt
from pyspark.sql import functions as F
@dlt.table
def t():
    feed = spark.readStream.table("feed")
    return {expression}
{_FEED}"""
    return Case(name, {"a.py": code}, refused=("(flow t, a.py:3)", *parts))


def _code(name: str, code: str, *parts: str) -> Case:
    return Case(name, {"a.py": f"import dlt\n{code}\n{_FEED}"}, refused=parts)


_BATCH = "a @dlt.table whose query is a batch one"

REFUSALS = [
    _query(
        "state of one's own",
        """feed.groupBy("id").applyInPandasWithState(lambda k, p, s: p, "id INT", "n INT", "append", "NoTimeout")""",
        "applyInPandasWithState",
        "applyInPandas(...) in a @dlt.table",
    ),
    _query(
        "streams joined in SQL text",
        """spark.sql("SELECT a.id FROM STREAM(feed) a JOIN STREAM(feed) b ON a.id = b.id")""",
        "join with another stream",
        _BATCH,
    ),
    _query("streams joined", """feed.join(feed, "id")""", "join with another stream", _BATCH),
    _query("doubles dropped from a stream", """feed.dropDuplicates(["id"])""", "dropDuplicates", _BATCH),
    _query(
        "windows over a stream", """feed.groupBy(F.window("at", "1 day")).count()""", "Aggregation", _BATCH
    ),
    _query(
        "a union of a stream and a batch",
        """feed.union(spark.read.schema("id INT, n INT").json("/Volumes/main/raw/c"))""",
        "union with a batch query",
        "@dlt.append_flow",
    ),
    _query(
        "an older version of a table",
        """spark.read.option("versionAsOf", 0).table("feed")""",
        "versionAsOf",
        "by its path",
    ),
    _code(
        "a change feed from snapshots",
        """dlt.create_streaming_table("t")
dlt.apply_changes_from_snapshot(target="t", source="s", keys=["id"], stored_as_scd_type=2)""",
        "apply_changes_from_snapshot",
        "a.py:3",
        "dbt snapshot",
    ),
    _code(
        "a sink",
        """dlt.create_sink(name="s", format="delta", options={"path": "/Volumes/main/raw/o"})""",
        "create_sink",
        "a.py:2",
        "task after the pipeline",
    ),
    _code(
        "a hook for events",
        "@dlt.on_event_hook\ndef hook(event):\n    print(event)",
        "on_event_hook",
        "a.py:2",
        "event log table",
    ),
    _code(
        "expectations on the target of a change feed",
        """dlt.create_streaming_table("t", expect_all={"a": "id > 0"})
dlt.apply_changes(target="t", source="feed", keys=["id"], sequence_by="n")""",
        "Expectations",
        "a.py:2",
        "its source",
    ),
]
