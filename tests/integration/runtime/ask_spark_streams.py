"""Asks Apache Spark what the streaming queries of `corpus_of_streams.py` give, update by update; needs Java.

Run it where Java is: `python tests/integration/runtime/ask_spark_streams.py`. It writes `spark_streams.json` beside it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from corpus_of_streams import SCHEMA, STREAMS, Stream, files_of  # noqa: E402


def main() -> None:
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.streaming.statefulOperator.checkCorrectness.enabled", "true")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    answers = {stream.name: _ask(spark, stream) for stream in STREAMS}
    text = json.dumps(answers, indent=1, sort_keys=True)
    (HERE / "spark_streams.json").write_text(text + "\n", encoding="utf-8")


def _ask(spark: Any, stream: Stream) -> list[list[str]]:
    from pyspark.sql import functions as F  # noqa: N812

    given: list[list[str]] = []
    with tempfile.TemporaryDirectory() as home:
        folders = {name: Path(home) / name for name in ("feed", "other")}
        for folder in folders.values():
            folder.mkdir()
        for at, batch in enumerate(stream.batches):
            for name, lines in files_of(batch).items():
                if lines:
                    (folders[name] / f"{at}.json").write_text(lines, encoding="utf-8")
            names = {
                name: spark.readStream.schema(SCHEMA).json(str(folder)) for name, folder in folders.items()
            }
            frame = eval(stream.query, {**names, "F": F})  # noqa: S307
            rows: list[str] = []

            def take(part: Any, _number: int, rows: list[str] = rows) -> None:
                rows += part.toJSON().collect()

            (
                frame.writeStream.foreachBatch(take)
                .option("checkpointLocation", f"{home}/checkpoint")
                .trigger(availableNow=True)
                .start()
                .awaitTermination()
            )
            given.append(sorted(rows))
    return given


if __name__ == "__main__":
    main()
