"""Asks Apache Spark how it reads the files of `corpus_of_csv.py`; needs Java.

Run it where Java is: `python tests/unit/runtime/ask_spark_csv.py`. It writes `spark_csv.json` beside it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from corpus_of_csv import CASES, Csv, shown  # noqa: E402


def main() -> None:
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    answers = {case.name: _ask(spark, case) for case in CASES}
    text = json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False)
    (HERE / "spark_csv.json").write_text(text + "\n", encoding="utf-8")


def _ask(spark: Any, case: Csv) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.csv"
        path.write_bytes(case.text.encode())
        reader = spark.read.options(**case.options)
        if case.schema:
            reader = reader.schema(case.schema)
        try:
            frame = reader.csv(str(path))
            # A column of timestamps with a zone is read as text, since Python's local zone would come in between.
            types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
            rows = [[_value(row[name], kind) for name, kind in types.items()] for row in frame.collect()]
        except Exception as error:  # noqa: BLE001  (the answer is that there is none)
            return {"error": str(error).splitlines()[0][:100]}
    return {"schema": types, "rows": rows}


def _value(value: Any, kind: str) -> Any:
    from datetime import timezone

    if kind == "timestamp" and value is not None:
        value = value.astimezone(timezone.utc)
    return shown(value)


if __name__ == "__main__":
    main()
