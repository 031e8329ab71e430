"""SQL text as tokens. Lexical rules: "Databricks SQL language reference", pages *Identifiers*, *STRING type*, *Comment*."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<string>[rR]?'(?:[^'\\]|\\.|'')*'|[rR]?"(?:[^"\\]|\\.|"")*")
    | (?P<quoted>`(?:[^`]|``)*`)
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?:[lsydfLSYDF]|bd|BD)?(?!\w))
    | (?P<word>\w+)
    | (?P<symbol><=>|==|<>|!=|<=|>=|\|\||\|>|->|=>|::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}


class Token(NamedTuple):
    """One word, quoted identifier, string, number or symbol, with its place in the text.

    Attributes:
        kind: ``word``, ``quoted``, ``string``, ``number`` or ``symbol``.
        text: The characters as written.
        start: Offset of the first character.
        end: Offset after the last character.
    """

    kind: str
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """The text in upper case, for comparison with keywords (never equal for quoted identifiers and strings)."""
        return self.text.upper() if self.kind in ("word", "symbol", "number") else self.text

    @property
    def is_name(self) -> bool:
        """Whether the token can be (a part of) an identifier."""
        return self.kind in ("word", "quoted")

    @property
    def value(self) -> str:
        """The identifier without its backticks, the string without quotes and escapes, or the text."""
        if self.kind == "quoted":
            return self.text[1:-1].replace("``", "`")
        if self.kind == "string":
            return string_value(self.text)
        return self.text


def string_value(literal: str) -> str:
    r"""Return the characters that a string literal stands for.

    Args:
        literal: The literal with its quotes, for example ``'it\'s'``, ``'it''s'`` or ``r'a\b'``.
    """
    raw = literal[0] in "rR"
    body = literal[2:-1] if raw else literal[1:-1]
    quote = literal[-1]
    if raw:
        return body
    body = body.replace(quote * 2, quote)
    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|.)",
        lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 5 else _ESCAPES.get(m[1], m[1]),
        body,
        flags=re.DOTALL,
    )


@functools.lru_cache(maxsize=256)
def tokenize(sql: str) -> tuple[Token, ...]:
    """Split a statement into tokens, without white space and comments.

    Args:
        sql: Any text; a character that belongs to no token becomes a symbol of its own.
    """
    return tuple(
        Token(match.lastgroup or "symbol", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(sql)
        if match.lastgroup not in ("space", "comment")
    )


def quote_identifier(name: str) -> str:
    """Return the name in backticks, safe for any character."""
    return "`" + name.replace("`", "``") + "`"


def quote_string(value: str) -> str:
    """Return the value as a string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
