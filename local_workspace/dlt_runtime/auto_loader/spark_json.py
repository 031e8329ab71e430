r"""JSON beyond the standard, which Spark's reader takes with Auto Loader's defaults.

Three things: texts in single quotes (`allowSingleQuotes`), with `\'` among the escapes; and the numbers `+Infinity`,
`-INF` and `+INF` (`allowNonNumericNumbers`). `strict_json` tries this reader on lines that are not JSON by the
standard, so it may be slow.
"""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])", re.ASCII)
_WORD = re.compile(r"true|false|null|NaN|[+-]Infinity|Infinity|[+-]INF", re.ASCII)
_WORD_ENDS = re.compile(r"(?!\w)", re.ASCII)
_WORDS: Final = {"true": True, "false": False, "null": None}
_TEXT = {
    '"': re.compile(r'"((?:[^"\\\x00-\x1f]|\\.)*)"'),
    "'": re.compile(r"'((?:[^'\\\x00-\x1f]|\\.)*)'"),
}
_PIECE = re.compile(r'\\.|"', re.DOTALL)


class Number(str):
    """A number of the file, as its text."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """The members of an object, in order, with repeated keys."""

    __slots__ = ()


def scan_value(text: str, at: int) -> tuple[Any, int]:
    """Read the value that begins at a place of the text.

    Returns:
        The value, and the place behind it.

    Raises:
        ValueError: There is no value that Spark would take.
        RecursionError: It is nested too deeply.
    """
    first = text[at : at + 1]
    if first in _TEXT:
        return scan_text(text, at)
    if first == "{":
        return _scan_members(text, at)
    if first == "[":
        return _scan_elements(text, at)
    number = _NUMBER.match(text, at)
    if number:
        return Number(number[0]), number.end()
    word = _WORD.match(text, at)
    if word and _WORD_ENDS.match(text, word.end()):
        return (_WORDS[word[0]] if word[0] in _WORDS else Number(word[0])), word.end()
    raise ValueError(f"no value at character {at}")


def scan_text(text: str, at: int) -> tuple[str, int]:
    """Read the text in single or double quotes that begins at a place.

    Raises:
        ValueError: There is none, or it has an escape that does not exist.
    """
    pattern = _TEXT.get(text[at : at + 1])
    match = pattern.match(text, at) if pattern else None
    if match is None:
        raise ValueError(f"no text at character {at}")
    standard = '"' + _PIECE.sub(_in_double_quotes, match[1]) + '"'
    value, _end = scanstring(standard, 1, True)
    return value, match.end()


def _in_double_quotes(piece: re.Match[str]) -> str:
    return {"\\'": "'", '"': '\\"'}.get(piece[0], piece[0])


def _scan_members(text: str, at: int) -> tuple[Pairs, int]:
    members = Pairs()
    at = skip_space(text, at + 1)
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        key, at = scan_text(text, at)
        at = skip_space(text, at)
        if text[at : at + 1] != ":":
            raise ValueError("no colon after a key")
        value, at = scan_value(text, skip_space(text, at + 1))
        members.append((key, value))
        at = skip_space(text, at)
        if text[at : at + 1] == "}":
            return members, at + 1
        if text[at : at + 1] != ",":
            raise ValueError("no comma between members")
        at = skip_space(text, at + 1)


def _scan_elements(text: str, at: int) -> tuple[list[Any], int]:
    elements: list[Any] = []
    at = skip_space(text, at + 1)
    if text[at : at + 1] == "]":
        return elements, at + 1
    while True:
        value, at = scan_value(text, at)
        elements.append(value)
        at = skip_space(text, at)
        if text[at : at + 1] == "]":
            return elements, at + 1
        if text[at : at + 1] != ",":
            raise ValueError("no comma between elements")
        at = skip_space(text, at + 1)


def skip_space(text: str, at: int) -> int:
    """Return the place of the next character that is not white space of JSON."""
    match = _SPACE.match(text, at)
    return match.end() if match else at
