"""Corrected rows as a person gives them: a file of JSON lines, or a value for a field.

Only types are checked here; what is a good value is for the rules to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from dlt_ingest.errors import InputError
from dlt_ingest.quality.order_record import ORDER_FIELDS
from dlt_ingest.quarantine.moments import moment_of_text


@dataclass(frozen=True)
class Correction:
    """One corrected row.

    Attributes:
        quarantine_id: The row in quarantine that it corrects.
        record: The fields of the order record, each in its type; None where there is no value.
    """

    quarantine_id: str
    record: Mapping[str, Any]


def read_corrections(path: Path) -> list[Correction]:
    """Read corrected rows from a file, as `orders quarantine show --format jsonl` writes it.

    Args:
        path: File of JSON objects, one per line, each with its quarantine_id and the fields of the record. Names with an
            underscore in front are skipped.

    Raises:
        InputError: If the file cannot be read, or with the line and field that is not acceptable.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "The file of corrected rows cannot be read",
            got=f"{path}: {(isinstance(error, OSError) and error.strerror) or error}",
            consequence="Nothing was replayed",
        ) from None
    # Not splitlines(), which ends a line at U+2028 and the like, inside of a value.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return [_correction(line, f"{path.name}, line {number}") for number, line in lines]


def parse_changes(changes: Mapping[str, str]) -> dict[str, Any]:
    """Read new values by field, as a person types them.

    Raises:
        InputError: If there is no such field, or the text is no value of its type.
    """
    types = {field.name: field.type for field in ORDER_FIELDS}
    values = {}
    for name, text in changes.items():
        if name not in types:
            raise _no_such_field(name, "--set")
        try:
            values[name] = _FROM_TEXT[types[name]](text)
        except (ValueError, InvalidOperation):
            raise _wrong_type(name, repr(text), types[name], "--set") from None
    return values


def _correction(line: str, place: str) -> Correction:
    try:
        row = json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise InputError("No JSON", got=f"{place}: {error}", consequence="Nothing was replayed") from None
    if not isinstance(row, dict) or not isinstance(row.get("quarantine_id"), str):
        raise InputError(
            "A corrected row is a JSON object with its quarantine_id",
            got=place,
            consequence="Nothing was replayed",
        )
    given = {
        name: value for name, value in row.items() if name != "quarantine_id" and not name.startswith("_")
    }
    record = {}
    for field in ORDER_FIELDS:
        value = given.pop(field.name, None)
        try:
            record[field.name] = None if value is None else _from_json(value, field.type)
        except (ValueError, TypeError, InvalidOperation):
            raise _wrong_type(field.name, json.dumps(value, default=str), field.type, place) from None
    for name in given:
        raise _no_such_field(name, place)
    return Correction(row["quarantine_id"], record)


def _from_json(value: Any, sql_type: str) -> Any:
    expected = {"DECIMAL(38,10)": (Decimal, int), "BIGINT": (int,)}.get(sql_type, (str,))
    if not isinstance(value, expected) or isinstance(value, bool):
        raise TypeError(sql_type)
    return _FROM_TEXT[sql_type](str(value))


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or abs(value) >= Decimal(10) ** 28 or value != round(value, 10):
        raise ValueError(text)
    return value


def _bigint(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def _timestamp(text: str) -> datetime:
    moment = moment_of_text(text)
    return moment if moment.tzinfo is None else moment.astimezone(timezone.utc).replace(tzinfo=None)


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "STRING": str,
    "DECIMAL(38,10)": _decimal,
    "BIGINT": _bigint,
    "DATE": date.fromisoformat,
    "TIMESTAMP": _timestamp,
}


def _no_such_field(name: str, place: str) -> InputError:
    return InputError(
        "The order record has no such field",
        got=f"{name} ({place})",
        allowed=", ".join(field.name for field in ORDER_FIELDS),
        consequence="Nothing was replayed",
    )


def _wrong_type(name: str, value: str, sql_type: str, place: str) -> InputError:
    examples = {
        "DECIMAL(38,10)": "a number such as 12.50",
        "BIGINT": "a whole number",
        "DATE": "a date such as 2026-03-01",
        "TIMESTAMP": "a timestamp such as 2026-03-01T09:30:00Z",
        "STRING": "a text",
    }
    return InputError(
        f"The value does not fit the field {name}",
        got=f"{value} ({place})",
        allowed=examples[sql_type],
        consequence="Nothing was replayed",
    )
