"""Ask Apache Spark again what it makes of the values and lines of `spark_json.json`, and write its answers there.

Run by hand, where Java 17 is: `PYSPARK_PYTHON=.venv/bin/python .venv/bin/python tests/unit/runtime/ask_spark_json.py`.
To add values, write them into the file as `["<JSON>", ""]` first. Our own answers where they are apart stay as they are.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812  # the name that all of Spark uses

FILE = Path(__file__).parent / "spark_json.json"


def rows_of(spark: SparkSession, lines: list[str], schema: str, value: str) -> list[list[Any]]:
    """Give the rows of each line; each line is a file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for at, line in enumerate(lines):
            (Path(folder) / f"{at:05}.json").write_text(line + "\n", encoding="utf-8", newline="")
        read = spark.read.schema(schema + ", _corrupt_record STRING").json(folder)
        name = F.regexp_extract(F.input_file_name(), r"(\d+)\.json$", 1).cast("int").alias("at")
        cached = read.select("*", name).cache()
        cached.count()  # without the cache Spark refuses a query of _corrupt_record alone
        found: list[list[Any]] = [[] for _ in lines]
        for row in cached.select("at", "k", F.expr(f"{value} AS v"), "_corrupt_record").collect():
            found[row["at"]].append(row)
        return found


def answer(rows: list[Any], nested: bool) -> list[Any]:
    """Give the answer for one value."""
    (row,) = rows
    if row["_corrupt_record"] is None:
        return ["value", json.loads(row["v"]).get("v") if nested else row["v"]]
    return ["misfit"] if row["k"] == "k" else ["unreadable"]


def main() -> None:
    """Ask, and write the file."""
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
        .getOrCreate()
    )
    content = json.loads(FILE.read_text(encoding="utf-8"))
    content["spark"] = spark.version
    for kind, entries in content["values"].items():
        nested = kind.startswith(("STRUCT", "ARRAY", "MAP"))
        shown = "to_json(struct(v))" if nested else "CAST(v AS STRING)"
        lines = ['{"k":"k","v":' + entry[0] + ',"z":"z"}' for entry in entries]
        for entry, rows in zip(
            entries, rows_of(spark, lines, f"k STRING, v {kind}, z STRING", shown), strict=True
        ):
            spark_says = answer(rows, nested)
            apart = entry[3:]
            if apart and apart[-1] == "clock":
                spark_says[1] = "on the day of the update"
            entry[1:] = [*spark_says, *([None] if apart and len(spark_says) == 1 else []), *apart]
    lines = [entry[0] for entry in content["lines"]]
    for entry, rows in zip(content["lines"], rows_of(spark, lines, "k STRING, v STRING", "v"), strict=True):
        bad = len(rows) == 1 and rows[0]["_corrupt_record"] is not None
        entry[1:2] = ["unreadable" if bad else [[row["k"], row["v"]] for row in rows]]
    FILE.write_text(text_of(content), encoding="utf-8")


def text_of(content: dict[str, Any]) -> str:
    """Write the file with one entry a line."""
    apart = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in content["apart"].items())
    values = ",\n".join(
        f"{json.dumps(kind)}: [\n" + ",\n".join(map(json.dumps, entries)) + "\n]"
        for kind, entries in content["values"].items()
    )
    lines = ",\n".join(map(json.dumps, content["lines"]))
    return (
        f'{{\n"spark": {json.dumps(content["spark"])},\n"apart": {{\n{apart}\n}},\n'
        f'"values": {{\n{values}\n}},\n"lines": [\n{lines}\n]\n}}\n'
    )


if __name__ == "__main__":
    main()
