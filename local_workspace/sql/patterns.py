"""The three pattern languages of metadata statements, as functions that say whether a name fits."""

from __future__ import annotations

import re
from collections.abc import Callable

Fits = Callable[[str], bool]


def show_pattern(pattern: str | None) -> Fits:
    """Return the patterns of SHOW .. LIKE: ``*`` for any characters, ``|`` between alternatives, case does not matter.

    ``%`` is taken as ``*`` too, as Databricks does for SHOW SCHEMAS.

    Args:
        pattern: None fits every name.
    """
    if pattern is None:
        return lambda _: True
    alternatives = [
        ".*".join(re.escape(piece) for piece in re.split(r"[*%]", part.strip()))
        for part in pattern.split("|")
    ]
    expression = re.compile("|".join(f"(?:{a})" for a in alternatives), re.IGNORECASE)
    return lambda name: expression.fullmatch(name) is not None


def like_pattern(pattern: str | None) -> Fits:
    """Match names as the metadata calls do: ``%`` is any characters, ``_`` is one, and a backslash makes either a letter.

    Args:
        pattern: None fits every name.
    """
    if pattern is None:
        return lambda _: True
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    text = "".join(
        re.escape(p[1]) if len(p) == 2 else ".*" if p == "%" else "." if p == "_" else re.escape(p)
        for p in pieces
    )
    expression = re.compile(text, re.IGNORECASE)
    return lambda name: expression.fullmatch(name) is not None
