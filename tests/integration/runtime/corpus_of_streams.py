# ruff: noqa: E501  (a table of queries reads better with one query a line)
"""Streaming queries with state, and the files that come one update after the other; Apache Spark has answered each.

`ask_spark_streams.py` runs the same texts on Apache Spark with the trigger AvailableNow, one query an update over one
checkpoint, and freezes what each update gave in `spark_streams.json`.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = "id INT, at TIMESTAMP, n INT"


@dataclass(frozen=True)
class Stream:
    """One query.

    Attributes:
        name: What it shows.
        query: Over the streams `feed` and `other`, with `F` as the functions.
        batches: What comes with each update: lines `id hour:minute n` of `feed`, after a bar those of `other`; nothing for
            an update without new files. `-` stands for no time.
    """

    name: str
    query: str
    batches: tuple[str, ...]


_LATE = (
    "1 10:01 1, 2 10:07 2, 3 10:12 3",
    "4 10:01 4, 5 10:03 5, 6 10:30 6",
    "",
    "7 10:02 7, 8 10:31 8, 9 11:30 9",
    "10 10:20 1",
)
_DOUBLES = (
    "1 10:01 1, 2 10:07 1, 2 10:07 1",
    "1 10:01 1, 1 10:02 1, 3 10:40 1",
    "",
    "1 10:01 1, 2 10:35 1, 3 10:40 1, 3 11:40 1",
)
_PAIRS = (
    "1 10:01 1, 2 10:02 2 | 1 10:03 3",
    "1 10:04 4 | 2 10:05 5, 3 10:06 6",
    "3 10:07 7, 1 10:40 8 | 1 10:41 9",
    "2 10:03 1 | 2 10:04 1",
)

STREAMS = [
    Stream("doubles of all columns", "feed.distinct()", _DOUBLES),
    Stream("doubles by a key", 'feed.dropDuplicates(["id"]).select("id")', _DOUBLES),
    Stream(
        "doubles by key and event time, late ones dropped",
        'feed.withWatermark("at", "10 minutes").dropDuplicates(["id", "at"])',
        _DOUBLES,
    ),
    Stream(
        "doubles by a key while a watermark drops late rows",
        'feed.withWatermark("at", "5 minutes").dropDuplicates(["id"]).select("id")',
        _DOUBLES,
    ),
    Stream(
        "doubles within the watermark",
        'feed.withWatermark("at", "10 minutes").dropDuplicatesWithinWatermark(["id"]).select("id")',
        _DOUBLES,
    ),
    Stream(
        "tumbling windows",
        'feed.withWatermark("at", "10 minutes").groupBy(F.window("at", "5 minutes")).agg(F.sum("n").alias("s"), F.count("*").alias("c")).select("window.start", "window.end", "s", "c")',
        _LATE,
    ),
    Stream(
        "windows by a key that is computed",
        'feed.withWatermark("at", "2 minutes").groupBy(F.window("at", "10 minutes"), (F.col("n") % 2).alias("odd")).agg(F.max("id").alias("m")).select("window.end", "odd", "m")',
        _LATE,
    ),
    Stream(
        "sliding windows",
        'feed.withWatermark("at", "10 minutes").groupBy(F.window("at", "10 minutes", "5 minutes").alias("w")).agg(F.sum("n").alias("s")).select("w.start", "s")',
        _LATE,
    ),
    Stream(
        "windows that do not begin at the hour",
        'feed.withWatermark("at", "1 minute").groupBy(F.window("at", "7 minutes", "7 minutes", "2 minutes")).count().select("window.start", "count")',
        _LATE,
    ),
    Stream(
        "groups of the event time itself",
        'feed.withWatermark("at", "10 minutes").groupBy("at").agg(F.sum("n").alias("s"))',
        _LATE,
    ),
    Stream(
        "rows without a time",
        'feed.withWatermark("at", "1 minute").groupBy(F.window("at", "5 minutes")).count().select("window.start", "count")',
        ("1 - 1, 2 10:01 2", "3 - 3", "4 11:00 1, 5 - 1"),
    ),
    Stream(
        "a renamed event time, and a filter above",
        'feed.withWatermark("at", "5 minutes").select(F.col("at").alias("t"), "n").where("n > 1").groupBy(F.window("t", "5 minutes")).agg(F.sum("n").alias("s")).where("s > 2").select("window.start", "s")',
        _LATE,
    ),
    Stream(
        "doubles dropped, then windows",
        'feed.withWatermark("at", "10 minutes").dropDuplicates(["id", "at"]).groupBy(F.window("at", "5 minutes")).count().select("window.start", "count")',
        _DOUBLES,
    ),
    Stream(
        "two streams joined",
        'feed.join(other.withColumnRenamed("n", "m").drop("at"), "id")',
        _PAIRS,
    ),
    Stream(
        "two streams joined by time",
        'feed.withWatermark("at", "10 minutes").alias("a").join(other.withWatermark("at", "20 minutes").alias("b"), F.expr("a.id = b.id AND b.at BETWEEN a.at AND a.at + INTERVAL 5 MINUTES")).select("a.id", F.col("a.n"), F.col("b.n").alias("m"))',
        _PAIRS,
    ),
    Stream(
        "two streams joined, named by their frames",
        'feed.join(other, (feed.id == other.id) & (feed.n < other.n)).select(feed.id, feed.n, other.n.alias("m"))',
        _PAIRS,
    ),
]


def files_of(batch: str) -> dict[str, str]:
    """Give the JSON lines of a batch by stream."""
    parts = [part.strip() for part in batch.split("|")] + [""]
    return {"feed": _lines(parts[0]), "other": _lines(parts[1])}


def _lines(rows: str) -> str:
    text = ""
    for row in [r.split() for r in rows.split(",") if r.strip()]:
        at = "null" if row[1] == "-" else f'"2026-01-01T{row[1]}:00Z"'
        text += f'{{"id": {row[0]}, "at": {at}, "n": {row[2]}}}\n'
    return text
