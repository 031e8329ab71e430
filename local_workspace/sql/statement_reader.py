"""The statement reader: clauses of the statements that the warehouse itself answers, read word by word.

This is deliberately no grammar of queries. What sqlglot does not know of DDL is read here; every query and expression is
read by :mod:`local_workspace.sql.dialect`.
"""

from __future__ import annotations

import re

from local_workspace.sql.sql_error import parse_error
from local_workspace.sql.tokens import Token, tokenize


class StatementReader:
    """Reads a statement's clauses from left to right.

    Args:
        sql: The statement's text, without a trailing semicolon.
    """

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = tokenize(sql)
        self.position = 0

    @property
    def at_end(self) -> bool:
        """Whether every token has been read."""
        return self.position >= len(self.tokens)

    def peek(self, ahead: int = 0) -> Token | None:
        """Return the next token, or the one after ``ahead`` others, without reading it."""
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def next(self) -> Token:
        """Read one token.

        Raises:
            SqlError: At the end of the statement (PARSE_SYNTAX_ERROR).
        """
        token = self.peek()
        if token is None:
            raise parse_error("end of input", self.sql)
        self.position += 1
        return token

    def sees(self, *words: str) -> bool:
        """Return whether the next tokens are these words."""
        return all(
            (token := self.peek(i)) is not None and token.upper == word for i, word in enumerate(words)
        )

    def accept(self, *words: str) -> bool:
        """Read the words if they are next."""
        if not self.sees(*words):
            return False
        self.position += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Read the words.

        Raises:
            SqlError: If something else comes next (PARSE_SYNTAX_ERROR).
        """
        if not self.accept(*words):
            token = self.peek()
            raise parse_error(
                repr(token.text) if token else "end of input", self.sql, expected=" ".join(words)
            )

    def name(self) -> str:
        """Read one identifier."""
        token = self.next()
        if not token.is_name:
            raise parse_error(repr(token.text), self.sql, expected="an identifier")
        return token.value

    def dotted_name(self) -> tuple[str, ...]:
        """Read a chain of identifiers."""
        parts = [self.name()]
        while self.sees("."):
            self.position += 1
            parts.append(self.name())
        return tuple(parts)

    def string(self) -> str:
        """Read a string; adjacent literals are one string."""
        token = self.next()
        if token.kind != "string":
            raise parse_error(repr(token.text), self.sql, expected="a string")
        value = token.value
        while (following := self.peek()) is not None and following.kind == "string":
            value += self.next().value
        return value

    def parenthesised(self) -> str:
        """Read ``( ... )`` and return the text between, as written."""
        self.expect("(")
        start = self.tokens[self.position - 1].end
        depth = 1
        while depth:
            token = self.next()
            depth += {"(": 1, ")": -1}.get(token.text if token.kind == "symbol" else "", 0)
        return self.sql[start : self.tokens[self.position - 1].start]

    def rest(self) -> str:
        """Return the unread text, read now; "" at the end."""
        if self.at_end:
            return ""
        text = self.sql[self.tokens[self.position].start : self.tokens[-1].end]
        self.position = len(self.tokens)
        return text

    def end(self) -> None:
        """Check that everything was read.

        Raises:
            SqlError: If a clause is left that nobody knows (PARSE_SYNTAX_ERROR).
        """
        token = self.peek()
        if token is not None:
            raise parse_error(repr(token.text), self.sql)


_BEFORE_STATEMENT = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
_CLOSED_BY = {"(": ")", "[": "]", "{": "}", "<": ">"}
# Only after these is < a bracket; elsewhere it compares.
_GENERIC_TYPES = frozenset({"ARRAY", "MAP", "STRUCT"})


def split_items(text: str, separator: str = ",") -> list[str]:
    """Split ``a, b(c, d), e<f, g>`` at the separators outside brackets.

    Args:
        text: The inner text of a list.
        separator: One symbol.
    """
    items: list[str] = []
    start = 0
    opened: list[str] = []
    tokens = tokenize(text)
    for i, token in enumerate(tokens):
        if token.kind != "symbol":
            continue
        if token.text in _CLOSED_BY and (token.text != "<" or (i and tokens[i - 1].upper in _GENERIC_TYPES)):
            opened.append(_CLOSED_BY[token.text])
        elif opened and token.text == opened[-1]:
            opened.pop()
        elif token.text == separator and not opened:
            items.append(text[start : token.start].strip())
            start = token.end
    items.append(text[start:].strip())
    return [item for item in items if item]


def property_pairs(text: str) -> dict[str, str]:
    """Read ``'key' = 'value', key.part = 3`` as of TBLPROPERTIES, OPTIONS and SET TAGS.

    Args:
        text: The inner text of the parentheses.

    Raises:
        SqlError: If an item has no key, or no equals sign after it (PARSE_SYNTAX_ERROR).
    """
    pairs: dict[str, str] = {}
    for item in split_items(text):
        reader = StatementReader(item)
        first = reader.peek()
        key = (
            reader.string()
            if first is not None and first.kind == "string"
            else ".".join(reader.dotted_name())
        )
        if reader.at_end:
            pairs[key] = ""
            continue
        reader.expect("=")
        following = reader.peek()
        pairs[key] = (
            reader.string() if following is not None and following.kind == "string" else reader.rest()
        )
    return pairs


def strip_statement(sql: str) -> str:
    """Return the statement without surrounding comments, white space and closing semicolons."""
    # dbt's comment is another one in each run: without it, the tokens may be those of a text that was read before.
    before = _BEFORE_STATEMENT.match(sql)
    sql = sql[before.end() if before else 0 :]
    tokens = tokenize(sql)
    last = len(tokens)
    while last and tokens[last - 1].text == ";":
        last -= 1
    return sql[tokens[0].start : tokens[last - 1].end] if last else ""
