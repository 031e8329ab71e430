"""Values bound to ``:name`` and ``?`` markers of a statement.

They are put into the text as typed, quoted literals before anything else looks at it, so that every statement takes
them, also those that the engine never sees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from local_workspace.sql.edits import Edit, edited
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.tokens import quote_string, tokenize

_TYPE = re.compile(r"[A-Za-z_]+(\s*\(\s*\d+\s*(,\s*\d+\s*)?\))?")


@dataclass(frozen=True)
class Parameter:
    """One bound value.

    Attributes:
        name: Without the colon; None for a ``?``.
        type: SQL type as the client names it, such as ``INT``, ``DECIMAL(10,2)``, ``ARRAY`` or ``VOID``.
        value: The value as text; None is NULL.
        items: The elements of an ARRAY, or keys and values in turn of a MAP.
    """

    name: str | None
    type: str
    value: str | None
    items: tuple[Parameter, ...] = ()

    def literal(self) -> str:
        """Return the value as an SQL expression.

        Raises:
            SqlError: The type is not a type name.
        """
        kind = self.type.upper()
        if kind in ("ARRAY", "MAP"):
            return f"{kind}({', '.join(item.literal() for item in self.items)})"
        if self.value is None or kind == "VOID":
            return "NULL"
        if kind == "STRING":
            return quote_string(self.value)
        if not _TYPE.fullmatch(kind):
            raise SqlError(
                "INVALID_PARAMETER_MARKER_VALUE.INVALID_VALUE_FOR_DATA_TYPE",
                f"{kind!r} is not a SQL type.",
                "22023",
            )
        return f"CAST({quote_string(self.value)} AS {kind})"


def bind(sql: str, parameters: Sequence[Parameter]) -> str:
    """Put the values in place of their markers.

    Args:
        sql: A statement.
        parameters: Named or positional ones, not mixed.

    Raises:
        SqlError: A marker has no value (UNBOUND_SQL_PARAMETER).
    """
    if not parameters:
        return sql
    named = {p.name.lower(): p for p in parameters if p.name}
    positional = [p for p in parameters if not p.name]
    tokens = tokenize(sql)
    edits: list[Edit] = []
    for i, token in enumerate(tokens):
        if token.text == "?" and positional:
            edits.append((token.start, token.end, positional.pop(0).literal()))
        elif token.text == ":" and named and i + 1 < len(tokens) and tokens[i + 1].start == token.end:
            marker = tokens[i + 1]
            before = tokens[i - 1] if i else None
            # SQLAlchemy puts its names in backticks.
            is_path = before is not None and before.end == token.start and before.is_name
            if marker.kind not in ("word", "quoted") or is_path:
                continue  # a path in a JSON value, `payload:field`
            if marker.value.lower() not in named:
                raise SqlError(
                    "UNBOUND_SQL_PARAMETER",
                    f"Found the unbound parameter: {marker.value}. Provide a value for it.",
                    "42P02",
                )
            edits.append((token.start, marker.end, named[marker.value.lower()].literal()))
    return edited(sql, edits)


def named_identifiers(sql: str) -> str:
    """Put names in place of ``IDENTIFIER('a.b')``, whose text is known once values are bound.

    Args:
        sql: A statement without markers.

    Raises:
        SqlError: The parentheses contain no text, or the text is not a name (INVALID_IDENTIFIER, PARSE_SYNTAX_ERROR).
    """
    if "IDENTIFIER" not in sql.upper():
        return sql
    tokens = tokenize(sql)
    edits: list[Edit] = []
    for i, token in enumerate(tokens[:-2]):
        if token.kind != "word" or token.upper != "IDENTIFIER" or tokens[i + 1].text != "(":
            continue
        text, j = "", i + 2
        while j < len(tokens) and (tokens[j].kind == "string" or tokens[j].text == "||"):
            text += tokens[j].value if tokens[j].kind == "string" else ""
            j += 1
        if j == i + 2 or j >= len(tokens) or tokens[j].text != ")":
            raise SqlError(
                "NOT_A_CONSTANT_STRING.NOT_CONSTANT",
                "The expression in IDENTIFIER must be a constant string here: literals joined by ||.",
                "42601",
            )
        if not all(part.is_name or part.text == "." for part in tokenize(text)) or not text.strip():
            raise SqlError("PARSE_SYNTAX_ERROR", f"{text!r} is not an identifier.", "42601")
        edits.append((token.start, tokens[j].end, text))
    return edited(sql, edits)
