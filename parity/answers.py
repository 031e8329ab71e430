"""What an engine answers: types, names and rows, or an error, in one form for both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql.types import DayTimeIntervalType, StructType, VariantVal

# Arrow has one type for all intervals of days and seconds.
_INTERVAL = DayTimeIntervalType().simpleString()


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        types: Of the columns.
        names: Of the columns.
        rows: The values, as Python writes them; sorted where the question has no order.
        error: The first line of the error, if it is one.
    """

    types: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    error: str | None = None

    @classmethod
    def of(cls, schema: StructType, rows: Iterable[Sequence[Any]], *, ordered: bool) -> Answer:
        """Return the answer of a schema and rows."""
        kinds = [
            _INTERVAL if isinstance(f.dataType, DayTimeIntervalType) else f.dataType.simpleString()
            for f in schema
        ]
        # Of a variant its JSON: the same value may be put in bytes in several ways.
        written = [[str(v) if isinstance(v, VariantVal) else repr(v) for v in row] for row in rows]
        return cls(kinds, list(schema.names), written if ordered else sorted(written))

    @classmethod
    def asked(cls, ask: Callable[[], Answer]) -> Answer:
        """Return what asking gives, an error included."""
        try:
            return ask()
        except Exception as error:  # noqa: BLE001  (whatever it is, it is the answer)
            text = str(error).strip().splitlines() or [""]
            return cls(error=f"{type(error).__name__}: {text[0][:400]}")


def same_but_last_digit(types: list[str], rows: list[list[str]], here: Answer) -> bool:
    """Return whether an answer is that of Spark, but for the last binary digit of doubles.

    Args:
        types: Spark's.
        rows: Spark's.
        here: The other answer.
    """
    if types != here.types or len(rows) != len(here.rows):
        return False
    return all(
        len(a) == len(b) and all(_close(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(rows, here.rows, strict=True)
    )


def _close(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    # Engines call other libraries for exp, sin and cbrt, and add up doubles in another order.
    return math.isclose(x, y, rel_tol=2e-15, abs_tol=5e-16)
