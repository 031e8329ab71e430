"""Ask Apache Spark what the expressions of `text_values` make of texts, and write its answers to `text_values.json`.

Run by hand, where Java 17 is: `PYTHONPATH=. PYSPARK_PYTHON=.venv/bin/python .venv/bin/python <this file>`.
The texts are those of `tests/unit/runtime/spark_json.json`, the ones added below, and what the file has already.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlt_ingest.quality.text_values import day_sql, is_number_sql, moment_sql, price_sql

FILE = Path(__file__).parent / "text_values.json"
VALUES = Path(__file__).parents[2] / "unit" / "runtime" / "spark_json.json"
EXPRESSIONS = {
    "price": [price_sql("t")],
    "date_ordered": [day_sql("t"), is_number_sql("t")],
    "order_timestamp": [moment_sql("t"), moment_sql("t", "Asia/Tokyo"), is_number_sql("t")],
}
TYPES = {"price": "DECIMAL(38,10)", "date_ordered": "DATE", "order_timestamp": "TIMESTAMP"}
MORE = {
    "price": ["12.5\n", "1.0E7", "1.5E-05", "1e+03", "99999.99", "1" * 79, "1" * 81, "0." + "1" * 70, "1e9", "1e10"],
    "date_ordered": ["2026-03-01T09:30Z", "2026-03-01 9", "2026-03-01\n", "20513", "0000-01-01"],
    "order_timestamp": ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-03-01T09:30:00Z\n"],
}  # fmt: skip


def answers(session: Any, field: str, texts: list[str]) -> list[list[str | None]]:
    """Give the answers of an engine to each text, as text."""
    frame = session.createDataFrame([(at, text) for at, text in enumerate(texts)], "at INT, t STRING")
    columns = [f"CAST({value} AS STRING) AS v{at}" for at, value in enumerate(EXPRESSIONS[field])]
    rows = frame.selectExpr("at", *columns).orderBy("at").collect()
    return [list(row)[1:] for row in rows]


def _texts(field: str, known: dict[str, Any]) -> list[str]:
    found = []
    for value, *_ in json.loads(VALUES.read_text(encoding="utf-8"))["values"][TYPES[field]]:
        if value.startswith('"'):
            found.append(json.loads(value))
        elif value[0] not in "'[{n":
            found.append(value)
    return list(dict.fromkeys([*found, *MORE[field], *known]))


def main() -> None:
    """Ask, and write the file."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = (
        builder.config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "true")
        .getOrCreate()
    )
    before = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    parts = []
    for field in EXPRESSIONS:
        texts = _texts(field, before.get(field, {}))
        found = dict(zip(texts, answers(session, field, texts), strict=True))
        entries = ",\n".join(f"{json.dumps(text)}: {json.dumps(answer)}" for text, answer in found.items())
        parts.append(f"{json.dumps(field)}: {{\n{entries}\n}}")
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
