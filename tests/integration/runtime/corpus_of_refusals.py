"""Pipelines that ask for what the runtime does not do: each is refused with its place and a way out."""

from __future__ import annotations

from corpus_of_files import Case

_FEED = """
@dlt.table
def feed():
    return spark.readStream.schema("id INT, n INT, at TIMESTAMP").json("/Volumes/main/raw/c")
"""


#: Whether the function was called or its query run, the place is that of the dataset.
_PLACE = "t, a.py:3"


def _query(name: str, expression: str, *parts: str) -> Case:
    code = f"""import dlt
from pyspark.sql import functions as F
@dlt.table
def t():
    feed = spark.readStream.table("feed")
    return {expression}
{_FEED}"""
    return Case(name, {"a.py": code}, _DATA, refused=(_PLACE, *parts))


_DATA: dict[str, str | bytes] = {"c/1.json": '{"id": 1, "n": 1}\n'}


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
        "streams joined on one side in SQL text",
        """spark.sql("SELECT a.id FROM STREAM(feed) a LEFT JOIN STREAM(feed) b ON a.id = b.id")""",
        "left outer join of two streams",
        "inner join",
    ),
    _query(
        "an outer join of streams",
        """feed.join(spark.readStream.table("feed"), "id", "left")""",
        "left outer join of two streams",
        "inner join",
    ),
    _query(
        "a second operator with state",
        """feed.withWatermark("at", "1 day").groupBy(F.window("at", "1 day")).count().dropDuplicates(["count"])""",
        "second operator with state",
        "a streaming table of its own",
    ),
    _query(
        "groups of a stream that no watermark closes beside its rows",
        """feed.groupBy("id").count().union(spark.readStream.table("feed").select("id", F.lit(1)))""",
        "union or join of a stream with an aggregation without a watermark",
        "table of its own",
    ),
    _query(
        "doubles within no watermark",
        """feed.dropDuplicatesWithinWatermark(["id"])""",
        "dropDuplicatesWithinWatermark",
        "withWatermark",
    ),
    _query(
        "different values counted in a stream",
        """feed.withWatermark("at", "1 day").groupBy(F.window("at", "1 day")).agg(F.countDistinct("id"))""",
        "(DISTINCT ...)",
        "approx_count_distinct",
    ),
    _query(
        "sessions of a stream",
        """feed.withWatermark("at", "1 day").groupBy(F.session_window("at", "1 day")).count()""",
        "session_window",
        "Use window",
    ),
    _query("a sorted stream", """feed.orderBy("id")""", "Sorting", _BATCH),
    _query("the first rows of a stream", """feed.limit(3)""", "limit", _BATCH),
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
        "expectations on a table that follows snapshots",
        """dlt.create_streaming_table("t", expect_all={"a": "id > 0"})
dlt.apply_changes_from_snapshot(target="t", source="feed", keys=["id"])""",
        "Expectations",
        "a.py:2",
        "its source",
    ),
    _code(
        "a sink of a broker",
        """dlt.create_sink(name="s", format="kafka", options={"topic": "x"})""",
        "create_sink",
        "a.py:2",
        "--conf sink_format=delta",
    ),
    _code(
        "a sink that is fed once",
        """dlt.create_sink(name="s", format="delta", options={"path": "/Volumes/main/raw/o"})
@dlt.append_flow(target="s", once=True)
def f():
    return spark.read.table("feed")""",
        "sink s",
        "a.py:3",
        "streaming table",
    ),
    _code(
        "a sink of batches",
        """@dlt.foreach_batch_sink
def s(batch, number):
    pass""",
        "foreach_batch_sink",
        "a.py:2",
        "task after the pipeline",
    ),
    _code(
        "a misspelt argument",
        """@dlt.table(coment="x")\ndef t():\n    return spark.range(1)""",
        "a.py:2",
        "Did you mean comment?",
    ),
    _code(
        "a misspelt argument of a change feed",
        """dlt.create_streaming_table("t")
dlt.apply_changes(target="t", source="feed", keys=["id"], sequence_by="n", stored_as_scd=2)""",
        "stored_as_scd",
        "a.py:3",
        "Did you mean stored_as_scd_type?",
    ),
    _code(
        "an argument that is missing",
        """dlt.create_auto_cdc_flow(target="t", source="feed", keys=["id"])""",
        "sequence_by",
        "a.py:2",
    ),
    _code(
        "an older name that is none",
        """@dlt.incremental_table\ndef t():\n    return 1""",
        "incremental_table",
        "streaming query",
    ),
    _query("a column that is not there", """feed.select("idd")""", "UNRESOLVED_COLUMN", "Did you mean id?"),
    _query(
        "a function that is not there",
        """feed.selectExpr("nonsense(id)")""",
        "nonsense",
        "UNRESOLVED_ROUTINE",
    ),
    _query(
        "a text that is no number",
        """spark.read.table("feed").selectExpr("cast('x' AS INT) AS n")""",
        "CAST_INVALID_INPUT",
    ),
]
