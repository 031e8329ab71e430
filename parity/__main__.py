"""Ask the workspace and Apache Spark the same, and tell where they differ.

Apache Spark comes with pyspark and needs Java 17 or newer. Exit code 0: no silent difference; 1: at least one; 2: no Java.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from parity.answers import Answer, same_but_last_digit
from parity.expressions import expressions
from parity.frames import frames
from parity.queries import queries
from parity.spark import NoJava, ask_spark, java_version
from parity.workspace import ask_workspace

PARTS: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "expressions": ("sql", lambda: [f"select {expression} as x" for expression in expressions()]),
    "queries": ("sql", queries),
    "dataframes": ("frame", frames),
}
SAME, LAST_DIGIT, REFUSED, BOTH_REFUSE = "same", "last digit", "refused here", "refused by both"
DIFFERENT, ONLY_HERE = "different", "only here"
#: What nobody is told of when it happens.
SILENT = (DIFFERENT, ONLY_HERE)


@dataclass(frozen=True)
class Compared:
    """One question with both answers."""

    part: str
    text: str
    spark: Answer
    here: Answer

    @property
    def outcome(self) -> str:
        """How the answers differ."""
        if self.spark.error is not None:
            return BOTH_REFUSE if self.here.error is not None else ONLY_HERE
        if self.here.error is not None:
            return REFUSED
        if self.spark.types == self.here.types and self.spark.rows == self.here.rows:
            return SAME
        return LAST_DIGIT if same_but_last_digit(self.spark.types, self.spark.rows, self.here) else DIFFERENT


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison.

    Args:
        arguments: Of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated")
    parser.add_argument("--like", default="", help="only questions with this text in them")
    parser.add_argument(
        "--report", type=Path, help="write every question with both answers to this file, as JSON"
    )
    parser.add_argument("--limit", type=int, help="every n-th question only, so that a part has this many")
    given = parser.parse_args(arguments)
    try:
        sys.stderr.write(f"Java {java_version()}\n")
    except NoJava as error:
        sys.stderr.write(f"make parity: {error}. Nothing was compared.\n")
        return 2
    questions = [
        {"part": part, "kind": PARTS[part][0], "text": text}
        for part in given.only or PARTS
        for text in _some([t for t in PARTS[part][1]() if given.like in t], given.limit)
    ]
    sys.stderr.write(f"{len(questions)} questions to Apache Spark, then to the workspace\n")
    spark = ask_spark(questions)
    here = ask_workspace(questions)
    compared = [Compared(q["part"], q["text"], a, b) for q, a, b in zip(questions, spark, here, strict=True)]
    if given.report is not None:
        rows = [{**asdict(one), "outcome": one.outcome} for one in compared]
        given.report.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    silent = [one for one in compared if one.outcome in SILENT]
    for one in silent:
        sys.stdout.write(
            f"{one.outcome}: {one.text[-400:]}\n  Spark {_told(one.spark)}\n  here  {_told(one.here)}\n"
        )
    sys.stdout.write(table(compared))
    sys.stdout.write(f"silent differences: {len(silent)}\n")
    return 1 if silent else 0


def table(compared: list[Compared]) -> str:
    """Return the outcomes of each part, as a table for the documentation."""
    outcomes = (SAME, LAST_DIGIT, BOTH_REFUSE, REFUSED, *SILENT)
    lines = [f"| part | asked | {' | '.join(outcomes)} |", f"|---|---:|{'---:|' * len(outcomes)}"]
    for part in dict.fromkeys(one.part for one in compared):
        counts = Counter(one.outcome for one in compared if one.part == part)
        numbers = " | ".join(f"{counts[outcome]:,}" for outcome in outcomes)
        lines.append(f"| {part} | {counts.total():,} | {numbers} |")
    return "\n".join(lines) + "\n"


def _some(texts: list[str], limit: int | None) -> list[str]:
    return texts if limit is None or len(texts) <= limit else texts[:: -(-len(texts) // limit)]


def _told(answer: Answer) -> str:
    return answer.error or f"{', '.join(answer.types)} {answer.rows[:4]}"


if __name__ == "__main__":
    sys.exit(main())
