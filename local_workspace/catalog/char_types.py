"""VARCHAR(n) and CHAR(n): STRING in a Delta table, with the declared type in the column's metadata, as Spark keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Spark's key (``CharVarcharUtils.CHAR_VARCHAR_TYPE_STRING_METADATA_KEY``).
DECLARED_TYPE = "__CHAR_VARCHAR_TYPE_STRING"
_DECLARED = re.compile(r"\s*(var)?char(?:acter)?\s*\(\s*(\d+)\s*\)\s*", re.IGNORECASE)


def declared_type(text: str) -> str | None:
    """``varchar(n)`` or ``char(n)`` as Spark writes it, or None for any other type.

    Args:
        text: A type as written in a statement.
    """
    found = _DECLARED.fullmatch(text)
    return None if found is None else f"{(found[1] or '').lower()}char({int(found[2])})"


def limit_of(field: Mapping[str, Any]) -> tuple[bool, int] | None:
    """Return whether a column is padded (CHAR), and how many characters it takes; None if it has no limit.

    Args:
        field: A field of a Delta schema.
    """
    found = _DECLARED.fullmatch(str((field.get("metadata") or {}).get(DECLARED_TYPE, "")))
    return None if found is None else (found[1] is None, int(found[2]))


def fitted(value: str, field: Mapping[str, Any]) -> str:
    """Return SQL for a text as the column keeps it: blanks beyond the limit go, CHAR is filled up with blanks.

    Args:
        value: SQL of the text.
        field: The column's field.
    """
    limit = limit_of(field)
    if limit is None:
        return value
    padded, length = limit
    cut = f"CASE WHEN length(rtrim({value})) <= {length} THEN left({value}, {length}) ELSE {value} END"
    return (
        f"CASE WHEN length({value}) < {length} THEN rpad({value}, {length}, ' ') ELSE {cut} END"
        if padded
        else cut
    )
