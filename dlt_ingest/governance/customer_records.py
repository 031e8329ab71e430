"""Which records are a customer's: one rule for lines of files, for rows of tables and for text.

A record is a customer's when its `customer_id` is theirs. A record whose customer cannot be read (a damaged line, a
misnamed field) is theirs when their id is in its text as a word. Another customer's record that mentions the id
stays: it is somebody else's order, and the search for traces names the place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dlt_ingest.errors import InputError
from dlt_ingest.quality.visible_text import trimmed

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}")
# Shorter ids and bare numbers stand in any text by chance, so there they count only where they are marked as an id.
_TELLING = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9_.:@/+-]).{4,}")


@dataclass(frozen=True)
class CustomerId:
    """The id of the customer to be erased.

    Attributes:
        value: The id as it is in `customer_id`, without spaces around it.
        other_names: What the shop's files call the field `customer_id` too (the setting FIELD_NAMES).

    Raises:
        InputError: It is empty or has characters that no id of this project has.
    """

    value: str
    other_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ALLOWED.fullmatch(self.value):
            raise InputError(
                "This is not a customer id",
                got=repr(self.value),
                allowed="letters, digits and . _ : @ / + - (1 to 200, a letter or digit first)",
                consequence="Nothing was erased",
            )

    @cached_property
    def pattern(self) -> str:
        """A regular expression that finds the id in text, in the syntax that Python, Spark, Sail and Postgres share."""
        escaped = re.sub(r"([.+])", r"[\1]", self.value)
        if _TELLING.fullmatch(self.value):
            return f"(^|[^A-Za-z0-9_-]){escaped}([^A-Za-z0-9_-]|$)"
        return f'"{escaped}"|customer_id[^A-Za-z0-9]{{1,6}}{escaped}([^A-Za-z0-9_]|$)'

    @cached_property
    def _in_bytes(self) -> re.Pattern[bytes]:
        return re.compile(self.pattern.encode())

    @cached_property
    def _in_text(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @cached_property
    def trace(self) -> re.Pattern[bytes]:
        """Finds the id in any bytes, of a file in a binary format too, where a length may stand right before it."""
        if _TELLING.fullmatch(self.value):
            return re.compile(re.escape(self.value.encode()) + rb"(?![A-Za-z0-9])")
        return self._in_bytes

    def stands_in(self, text: str | bytes) -> bool:
        """Return whether the id is in a text as a word."""
        if isinstance(text, str):
            return self._in_text.search(text) is not None
        return self._in_bytes.search(text) is not None

    def masked(self, content: bytes) -> bytes:
        """Return the content with the id replaced by asterisks, byte for byte as long as before.

        The length stays, so that a process that has the file open goes on writing at the right place.
        """
        own = self.value.encode()
        return self.trace.sub(lambda found: found[0].replace(own, b"*" * len(own)), content)

    def owns_line(self, line: bytes) -> bool:
        """Return whether a line of a landing file is a record of this customer."""
        if not line.strip():
            return False
        try:
            record = json.loads(line.decode("utf-8-sig"), parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            # Of UTF-16, which nobody can read as records, every other byte is a NUL.
            return self.stands_in(line.replace(b"\x00", b""))
        named = self._named_in(record) if isinstance(record, dict) else ""
        return named == self.value if named else self.stands_in(line)

    def without_records(self, line: bytes) -> tuple[bytes, int]:
        """Return a line of a landing file without the records of this customer, and how many there were.

        A line may be an array of records, of which the others stay as they are written. Nothing is left of a line whose
        records are all the customer's.
        """
        elements = _elements(line)
        if elements is None:
            return (b"", 1) if self.owns_line(line) else (line, 0)
        kept = [element for element in elements if not self.owns_line(element)]
        removed = len(elements) - len(kept)
        if not removed:
            return line, 0
        end = line[len(line.rstrip(b"\r\n")) :]
        return (b"[" + b", ".join(kept) + b"]" + end if kept else b""), removed

    def _named_in(self, record: dict[str, Any]) -> str:
        """Return the customer that a record names, as Bronze finds it: under our name of the field, or the shop's."""
        if (own := _text(record.get("customer_id"))) or not self.other_names:
            return own
        wanted = {name.lower() for name in self.other_names}
        return next(
            (text for key, value in record.items() if key.lower() in wanted and (text := _text(value))), ""
        )


def _elements(line: bytes) -> list[bytes] | None:
    """Return the records of a line that is an array of objects, each as it is written; None for any other line."""
    if not line.lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
        return None
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    elements = []
    try:
        text = line.decode("utf-8-sig")
        at = _past_space(text, text.index("[") + 1)
        while text[at] != "]":
            value, end = decoder.raw_decode(text, at)
            if not isinstance(value, dict):
                return None
            elements.append(text[at:end].encode())
            at = _past_space(text, end)
            if text[at] == ",":
                at = _past_space(text, at + 1)
            elif text[at] != "]":
                return None
    except (ValueError, IndexError, RecursionError):
        return None
    return elements if not text[at + 1 :].strip() else None


def _past_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _text(value: Any) -> str:
    """Return a value as Bronze reads it into a STRING: a scalar by its digits or letters, anything else as JSON."""
    if value is None:
        return ""
    return trimmed(value) if isinstance(value, str) else json.dumps(value)
