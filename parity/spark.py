"""Apache Spark answers: `python -m parity.spark` reads questions from a file and writes the answers to another.

A process of its own, because one process has one Spark. pyspark brings Spark along, and starts it as a Spark Connect server.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parity.answers import Answer

NEEDED = 17
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}


class NoJava(Exception):  # noqa: N818  (says what is missing)
    """There is no Java on which Apache Spark runs."""


def java_version() -> int:
    """Return the version of the Java that Spark would start.

    Raises:
        NoJava: There is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if command is None or not Path(command).exists():
        raise NoJava(
            f"no Java found; Apache Spark needs Java {NEEDED} or newer. Set JAVA_HOME, or put java on the PATH"
        )
    told = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)(?:\.(\d+))?', told)
    version = 0 if found is None else int(found[2] or 0) if found[1] == "1" else int(found[1])
    if version < NEEDED:
        raise NoJava(
            f"Java {version or '?'} found ({command}); Apache Spark needs {NEEDED} or newer. Set JAVA_HOME"
        )
    return version


def ask_spark(questions: Sequence[dict[str, str]]) -> list[Answer]:
    """Apache Spark's answers.

    Args:
        questions: ``kind`` is sql or frame, ``text`` the query or the Python code.

    Raises:
        NoJava: Spark cannot be started here.
    """
    java_version()
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        asked, answered = Path(folder) / "questions.json", Path(folder) / "answers.json"
        asked.write_text(json.dumps(list(questions)))
        environment = os.environ | {
            "TZ": "UTC",
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        environment.pop("SPARK_CONNECT_MODE_ENABLED", None)
        log = Path(folder) / "spark.log"
        with log.open("w") as lines:  # Java's words about every error that is an answer
            done = subprocess.run(
                [sys.executable, "-m", "parity.spark", str(asked), str(answered)],
                check=False,
                cwd=folder,
                env=environment | {"PYTHONPATH": str(Path(__file__).parents[1])},
                stderr=lines,
            )
        if done.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise NoJava(f"Apache Spark ended with {done.returncode}:\n{tail}")
        return [Answer(**answer) for answer in json.loads(answered.read_text())]


def frame_answer(code: str, names: dict[str, Any], ready: Any = None) -> Answer:
    """Return the answer of DataFrame code.

    Args:
        code: Python.
        names: What it may use.
        ready: Puts the DataFrame rightly before it is run.
    """
    frame = eval(code, dict(names))  # noqa: S307  (the code is this package's)
    if ready is not None:
        frame = ready(frame)
    schema = frame.schema
    return Answer.of(schema, (tuple(row) for row in frame.collect()), ordered=False)


def frame_names(spark: Any) -> dict[str, Any]:
    """Return what DataFrame code may use, on a session."""
    from decimal import Decimal  # noqa: PLC0415

    from pyspark.sql.connect import functions  # noqa: PLC0415
    from pyspark.sql.connect.window import Window  # noqa: PLC0415

    from parity.frames import TABLES  # noqa: PLC0415

    tables = {name: spark.sql(text) for name, text in TABLES.items()}
    return {
        "F": functions,
        "W": Window,
        "Decimal": Decimal,
        "spark": spark,
        "u2": tables["t"].filter("true"),
        **tables,
    }


def is_ordered(sql: str) -> bool:
    """Return whether the order of a query's rows is a part of its answer."""
    outer = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", sql))
    return "order by" in outer.lower()


def _answers(questions: Sequence[dict[str, str]]) -> Iterator[Answer]:
    from pyspark.sql import SparkSession  # noqa: PLC0415

    builder: Any = SparkSession.builder
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    logging.disable(logging.CRITICAL)  # every error is an answer here
    spark = builder.remote("local[2]").getOrCreate()
    names = frame_names(spark)
    for at, question in enumerate(questions):
        text = question["text"]
        if at % 500 == 499:
            sys.stdout.write(f"Spark: {at + 1} of {len(questions)}\n")
            sys.stdout.flush()

        def asked(text: str = text, kind: str = question["kind"]) -> Answer:
            if kind == "frame":
                return frame_answer(text, names)
            frame = spark.sql(text)
            return Answer.of(frame.schema, (tuple(row) for row in frame.collect()), ordered=is_ordered(text))

        yield Answer.asked(asked)


if __name__ == "__main__":
    all_questions = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([asdict(answer) for answer in _answers(all_questions)]))
    os._exit(0)  # Spark's threads need not be waited for
