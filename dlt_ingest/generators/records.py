"""Order records as lines of JSON, with money as exact numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any


def encode_record(record: Mapping[str, Any]) -> str:
    """Write one record as a line of JSON, without its line end.

    A Decimal becomes a JSON number digit by digit (`29.30`, where a float would be `29.3` or worse), a
    datetime is taken as UTC, and an aware one is not accepted: nothing in a record knows a second time zone.
    """
    return (
        "{"
        + ",".join([f"{encode_basestring(name)}:{_encode(value)}" for name, value in record.items()])
        + "}"
    )


def encode_lines(lines: Iterable[str]) -> bytes:
    """Join lines to the content of a file; every line, the last one too, ends with a newline."""
    return "".join(f"{line}\n" for line in lines).encode()


def _encode(value: Any) -> str:
    # A text is what a value is most often, and `dumps` would take four times as long to say the same.
    if isinstance(value, str):
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise ValueError(f"a datetime without time zone (UTC) is expected, not {value.isoformat()}")
        return f'"{value.isoformat()}Z"'
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    return json.dumps(value, ensure_ascii=False)
