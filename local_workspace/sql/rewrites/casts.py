"""Casts that Sail 0.7.2 does otherwise than Spark, and literals that it reads otherwise."""

from __future__ import annotations

import re

from pyspark.sql.types import (
    BooleanType,
    DataType,
    DayTimeIntervalType,
    DecimalType,
    StringType,
    TimestampNTZType,
    TimestampType,
)
from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node, span
from local_workspace.sql.inference import call_of
from local_workspace.sql.render import edit
from local_workspace.sql.rewrites import texts
from local_workspace.sql.rewrites.registry import Rewriting, on_call, on_node

# "2024-01-01 00:00:00 -0", "…+1", "…+01": Sail wants hours and minutes of a time zone, two digits each.
_SHORT_ZONE = re.compile(r"^(.*\d\d?:\d\d?(?::\d\d?(?:\.\d+)?)?)\s*([+-])(\d{1,2})(?::?(\d{1,2}))?$")
# Sail writes doubles from 1e16 on and below 1e-5 with an exponent, which it cannot read again as a decimal.
_EXPONENT = r"'^(-?)(\\d)\\.?(\\d*)e(-?)(\\d+)$'"


@on_node(exp.Literal)
def string_literal(at: Rewriting, node: Node) -> None:
    """A doubled quote within a string is one quote; Sail reads two strings side by side, and loses it."""
    if not node.is_string:
        return
    where = span(node)
    written = at.text(node)
    if where is None or len(written) < 2 or written[0] not in "'\"":
        return
    quote = written[0]
    body = written[1:-1]
    if quote * 2 in body and written[-1] == quote:
        edit(
            node,
            *where,
            quote
            + re.sub(rf"(\\.)|{quote}{quote}", lambda m: m[1] or "\\" + quote, body, flags=re.S)
            + quote,
        )


@on_node(exp.Cast, exp.TryCast)
def cast(at: Rewriting, node: Node) -> None:
    """Doubles, times, texts and intervals."""
    to, value = node.args["to"], node.this
    result = types.of_node(to)
    word = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
    if result is None:
        _interval(at, node, to, value)
        return
    if isinstance(value, exp.Literal) and value.is_string and not isinstance(value, exp.TryCast):
        if result == types.TIMESTAMP:
            _timestamp_literal(value)
        elif result == types.DATE:
            _date(at, node, word)
        if word == "CAST" or not isinstance(result, DecimalType):
            return
    convert(at, node, word, result)


def convert(at: Rewriting, node: Node, word: str, result: DataType) -> None:
    """Put a cast of ``node.this`` to a type so that its value is Spark's.

    Args:
        at: The text.
        node: The cast.
        word: ``CAST`` or ``TRY_CAST``.
        result: What to.
    """
    value = node.this
    kind = at.type_of(value)
    if isinstance(kind, BooleanType) and isinstance(result, DecimalType):
        at.replace(node, f"{word}(CAST({{0}} AS INT) AS {types.sql_name(result)})", value)
    elif isinstance(kind, DecimalType) and isinstance(result, BooleanType):
        at.replace(node, "({0} <> 0)", value)
    elif types.is_fraction(kind) and isinstance(result, DecimalType):
        at.replace(node, fraction_to_decimal("{0}", word, types.sql_name(result)), value)
    elif isinstance(result, StringType) and texts.needs_care(kind) and kind is not None:
        at.replace(node, texts.as_template(texts.as_text("{0}", kind)), value)
    elif kind == types.BIGINT and result == types.TIMESTAMP:
        error = "CAST(raise_error('[ARITHMETIC_OVERFLOW] long overflow in a cast to TIMESTAMP') AS TIMESTAMP)"
        most = 2**63 // 1_000_000
        at.replace(
            node, f"CASE WHEN abs({{0}}) > {most} THEN {error} ELSE {word}({{0}} AS TIMESTAMP) END", value
        )
    elif isinstance(kind, TimestampType) and types.is_integer(result):
        # Before 1970 a part of a second counts downwards.
        micros = "unix_micros({0})"
        at.replace(
            node,
            f"{word}(({micros} - pmod({micros}, 1000000)) DIV 1000000 AS {types.sql_name(result)})",
            value,
        )
    elif isinstance(kind, TimestampType) and isinstance(result, DecimalType):
        exact = "CAST(unix_micros({0}) AS DECIMAL(20,0)) * CAST('0.000001' AS DECIMAL(7,6))"
        at.replace(node, f"{word}({exact} AS {types.sql_name(result)})", value)
    elif isinstance(kind, StringType) and isinstance(result, DecimalType) and word == "TRY_CAST":
        name = types.sql_name(result)
        power = fraction_to_decimal("TRY_CAST({0} AS DOUBLE)", word, name)
        at.replace(
            node, f"CASE WHEN lower({{0}}) LIKE '%e%' THEN {power} ELSE TRY_CAST({{0}} AS {name}) END", value
        )
    elif result == types.DATE and isinstance(kind, StringType):
        _date(at, node, word)


def fraction_to_decimal(value: str, word: str, to: str) -> str:
    """SQL that makes a decimal of a double by its shortest decimal form, rounded half up, as Spark does."""
    text = f"CAST({value} AS STRING)"

    def part(number: int) -> str:
        return f"regexp_extract({text}, {_EXPONENT}, {number})"

    # TRY_CAST, since the engine computes what several branches share before it looks at them.
    digits, power = f"concat({part(2)}, {part(3)})", f"TRY_CAST({part(5)} AS INT)"
    large = f"concat({part(1)}, rpad({digits}, {power} + 1, '0'))"
    small = f"concat({part(1)}, '0.', repeat('0', {power} - 1), {digits})"
    return (
        f"CASE WHEN NOT contains({text}, 'e') THEN {word}({text} AS {to})"
        f" WHEN {part(4)} = '-' THEN {word}({small} AS {to}) ELSE {word}({large} AS {to}) END"
    )


def _date(at: Rewriting, node: Node, word: str) -> None:
    value = node.this
    if isinstance(value, exp.Literal):
        day = re.match(r"^\s*([+-]?\d+-\d{1,2}-\d{1,2})[ T].*$", value.name)
        where = span(value)
        if day and where:
            edit(value, *where, f"'{day[1]}'")
        return
    at.replace(node, date_of_text("{0}", word), value)


def date_of_text(value: str, word: str = "CAST") -> str:
    """SQL for the date of a text; what follows a blank or T is left out, as Spark does."""
    return rf"{word}(regexp_replace({value}, '^(\\s*[+-]?\\d+-\\d+-\\d+)[ T].*$', '$1') AS DATE)".replace(
        "{1,2}", "+"
    )


def _timestamp_literal(value: exp.Literal) -> None:
    found = _SHORT_ZONE.match(value.name.strip())
    where = span(value)
    if found and where and (len(found[3]) < 2 or found[4] is None or len(found[4]) < 2):
        edit(value, *where, f"'{found[1]}{found[2]}{int(found[3]):02d}:{int(found[4] or 0):02d}'")


def _interval(at: Rewriting, node: Node, to: Node, value: Node) -> None:
    kind = at.type_of(value)
    text = " ".join(at.text(to).upper().split())
    if text in ("INTERVAL YEAR", "INTERVAL YEARS") and types.is_number(kind):
        at.replace(node, "CAST({0} * 12 AS INTERVAL MONTH)", value)
    elif text in ("INTERVAL YEAR", "INTERVAL YEARS") and kind is None and not isinstance(value, exp.Literal):
        raise NotSupported(
            "a cast to INTERVAL YEAR of a value of unknown type",
            "Multiply by INTERVAL '1' YEAR, or cast the value to INT first",
        )


@on_call("to_date", "date")
def to_date(at: Rewriting, node: Node) -> None:
    """``to_date`` of a text that has a time."""
    parts = call_of(node)[1]
    if len(parts) == 1 and isinstance(at.type_of(parts[0]), StringType):
        at.replace(node, date_of_text("{0}"), parts[0])


@on_call("string")
def string(at: Rewriting, node: Node) -> None:
    """``string(x)`` is a cast."""
    parts = call_of(node)[1]
    kind = at.type_of(parts[0]) if len(parts) == 1 else None
    if kind is not None and texts.needs_care(kind):
        at.replace(node, texts.as_template(texts.as_text("{0}", kind)), parts[0])


@on_call("decimal")
def decimal(at: Rewriting, node: Node) -> None:
    """``decimal(x)`` is a cast to DECIMAL(10,0)."""
    parts = call_of(node)[1]
    if len(parts) == 1 and types.is_fraction(at.type_of(parts[0])):
        at.replace(node, fraction_to_decimal("{0}", "CAST", "DECIMAL(10,0)"), parts[0])


# Functions whose arguments are texts: a double among them is cast, which nobody wrote.
_TAKE_TEXT = """
    concat concat_ws upper lower ucase lcase trim ltrim rtrim btrim substr substring left right lpad rpad replace length
    char_length contains startswith endswith split md5 sha sha1 sha2 regexp_replace regexp_extract initcap reverse base64
    translate split_part instr
"""


@on_call(*_TAKE_TEXT.split())
def text_of_fraction(at: Rewriting, node: Node) -> None:
    """A double where a text is wanted."""
    if not isinstance(node, exp.Anonymous):
        return
    for part in list(node.expressions):
        kind = at.type_of(part)
        if kind is not None and _is_written_otherwise(kind) and not isinstance(part, exp.Distinct):
            at.replace(part, texts.as_template(texts.as_text("{0}", kind)), part)


@on_node(exp.DPipe)
def concatenated_fraction(at: Rewriting, node: Node) -> None:
    """As :func:`text_of_fraction`, for ``||``."""
    for part in (node.args["this"], node.args["expression"]):
        kind = at.type_of(part)
        if kind is not None and _is_written_otherwise(kind):
            at.replace(part, texts.as_template(texts.as_text("{0}", kind)), part)


def _is_written_otherwise(kind: DataType) -> bool:
    """Whether a value beside a text is written otherwise than a cast writes it."""
    return types.is_fraction(kind) or isinstance(kind, (TimestampNTZType, DayTimeIntervalType))
