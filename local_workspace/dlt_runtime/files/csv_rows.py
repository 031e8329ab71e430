"""CSV as Spark reads it: quotes, escapes and lines by the rules of its parser (univocity), cells by those of its types.

Rules: Apache Spark's page "CSV Files", and `UnivocityParser`/`CSVInferSchema` of Spark 4. Where a text can be read in two
ways, a quote within a quoted cell that nothing escapes, the file is refused rather than guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from local_workspace.dlt_runtime.auto_loader.moments import day_of_text, local_time_of_text, moment_of_text
from local_workspace.errors import DataFault, PipelineCodeError

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[dDfF]?")
_SPECIAL = {"NaN": float("nan"), "Inf": float("inf"), "-Inf": float("-inf"), "+Inf": float("inf")}
_LIMITS = {pa.int8(): 7, pa.int16(): 15, pa.int32(): 31, pa.int64(): 63}
_JAVA_SPACE = "".join(map(chr, range(33)))


class Unfit(ValueError):  # noqa: N818  (says what the text is)
    """A cell that its column's type cannot hold."""


@dataclass(frozen=True)
class Dialect:
    """How a file is written."""

    separator: str = ","
    quote: str = '"'
    escape: str = "\\"
    header: bool = False
    multi_line: bool = False
    null: str = ""
    empty: str = ""
    comment: str = ""
    trim_left: bool = False
    trim_right: bool = False
    skip: int = 0

    @classmethod
    def of(cls, settings: Mapping[str, str], where: str) -> Dialect:
        """Read the options.

        Raises:
            PipelineCodeError: A separator or quote is longer than the parser takes.
        """
        flag = lambda key: settings.get(key, "false").lower() == "true"  # noqa: E731
        text = lambda key, default: settings.get(key, default).replace("\\t", "\t")  # noqa: E731
        found = cls(
            separator=text("sep", text("delimiter", ",")),
            quote=settings.get("quote", '"'),
            escape=settings.get("escape", "\\"),
            header=flag("header"),
            multi_line=flag("multiline"),
            null=settings.get("nullvalue", ""),
            empty=settings.get("emptyvalue", ""),
            comment=settings.get("comment", ""),
            trim_left=flag("ignoreleadingwhitespace"),
            trim_right=flag("ignoretrailingwhitespace"),
            skip=int(settings.get("skiprows", "0")),
        )
        for name, value, least in (
            ("sep", found.separator, 1),
            ("quote", found.quote, 0),
            ("escape", found.escape, 0),
        ):
            if not least <= len(value) <= 1:
                raise PipelineCodeError(f"{where}: option {name}", got=repr(value), allowed="one character")
        return found


def rows_of(text: str, dialect: Dialect, where: str) -> Iterator[list[str | None]]:
    """Yield the cells of each line that is neither blank nor a comment; None where a cell is the null value.

    Raises:
        DataFault: A quoted cell has a quote that is not escaped, which Spark reads in ways nobody means.
    """
    text = text.removeprefix("\ufeff")
    if not dialect.multi_line:
        # Not `splitlines`, which knows more ends of lines than a file of CSV has.
        lines = re.split(r"\r\n|\n|\r", text)
        records: Iterator[list[tuple[str, bool]]] = (
            record
            for line in lines[dialect.skip :]
            if _counts(line, dialect)
            for record in _records(line, dialect, where)
        )
    else:
        records = _records(text, dialect, where)
    for record in records:
        if dialect.multi_line and len(record) == 1 and not record[0][1] and not record[0][0].strip():
            continue
        yield [_cell(value, quoted=quoted, dialect=dialect) for value, quoted in record]


def _counts(line: str, dialect: Dialect) -> bool:
    return bool(line.strip()) and not (dialect.comment and line.startswith(dialect.comment))


def _cell(value: str, *, quoted: bool, dialect: Dialect) -> str | None:
    if not quoted:
        if dialect.trim_left:
            value = value.lstrip(_JAVA_SPACE)
        if dialect.trim_right:
            value = value.rstrip(_JAVA_SPACE)
    if quoted and not value:
        value = dialect.empty
    return None if value == dialect.null else value


def _records(text: str, dialect: Dialect, where: str) -> Iterator[list[tuple[str, bool]]]:
    if dialect.quote and dialect.quote in text:
        yield from _quoted_records(text, dialect, where)
        return
    for line in re.split(r"\r\n|\n|\r", text):
        if line:
            yield [(cell, False) for cell in line.split(dialect.separator)]


def _quoted_records(text: str, dialect: Dialect, where: str) -> Iterator[list[tuple[str, bool]]]:
    """Read cell by cell: a quote counts only at the beginning of a cell, an escape only within quotes."""
    quote, escape, separator = dialect.quote, dialect.escape, dialect.separator
    ends = (separator, "\n", "\r", "")
    at, size = 0, len(text)
    record: list[tuple[str, bool]] = []
    while at <= size:
        start = at
        # Blanks before a quote do not keep it from counting.
        while at < size and text[at] in " \t" and text[at] != separator:
            at += 1
        if text[at : at + 1] == quote:
            value, at = _quoted(text, at + 1, quote, escape)
            after = at
            while after < size and text[after] in " \t" and text[after] != separator:
                after += 1
            if text[after : after + 1] not in ends:
                raise DataFault(
                    f"A quoted cell has a quote that is not escaped ({where})",
                    got=repr(text[start : start + 60]),
                    consequence="It is uncertain where the cell ends, so no rows were loaded",
                    next_step="If quotes are doubled in the file, give escape='\"'; for cells over lines, multiLine=true",
                )
            at = after
            record.append((value, True))
        else:
            at = start
            while at < size and text[at] not in (separator, "\n", "\r"):
                at += 1
            record.append((text[start:at], False))
        if at >= size:
            if record != [("", False)]:
                yield record
            return
        if text[at] == separator:
            at += 1
            continue
        if record != [("", False)]:
            yield record
        record = []
        at += 2 if text[at : at + 2] == "\r\n" else 1
        if at >= size:
            return


def _quoted(text: str, at: int, quote: str, escape: str) -> tuple[str, int]:
    """Return the value of a cell whose opening quote is before `at`, and the place behind its closing one."""
    parts: list[str] = []
    size = len(text)
    while at < size:
        char = text[at]
        if (
            char == escape
            and text[at + 1 : at + 2] in (quote, escape)
            and (escape != quote or text[at + 1 : at + 2] == quote)
        ):
            parts.append(text[at + 1])
            at += 2
        elif char == quote:
            return "".join(parts), at + 1
        else:
            parts.append(char)
            at += 1
    return "".join(parts), size


def converter(  # noqa: PLR0911  (one a type)
    kind: pa.DataType,
) -> Callable[[str], Any]:
    """Return the function that turns a cell into a value of a type.

    Raises:
        PipelineCodeError: CSV cannot hold the type.
    """
    if pa.types.is_string(kind):
        return lambda text: text
    if kind in _LIMITS:
        return lambda text: _whole(text, _LIMITS[kind])
    if pa.types.is_floating(kind):
        return _double
    if pa.types.is_boolean(kind):
        return _boolean
    if pa.types.is_decimal(kind):
        return lambda text: _decimal(text, kind.precision, kind.scale)
    if pa.types.is_date(kind):
        return lambda text: _fit(day_of_text(text))
    if pa.types.is_timestamp(kind):
        return (
            (lambda text: _fit(moment_of_text(text)))
            if kind.tz
            else (lambda text: _fit(local_time_of_text(text)))
        )
    if pa.types.is_binary(kind):
        return lambda text: text.encode()
    raise PipelineCodeError(
        f"A CSV file cannot contain {kind}", next_step="Read the column as STRING and use from_json"
    )


def _fit(value: Any) -> Any:
    if value is None:
        raise Unfit
    return value


def _whole(text: str, bits: int) -> int:
    if not _INTEGER.fullmatch(text):
        raise Unfit
    value = int(text)
    if not -(1 << bits) <= value < 1 << bits:
        raise Unfit
    return value


def _double(text: str) -> float:
    if text in _SPECIAL:
        return _SPECIAL[text]
    bare = text.strip(_JAVA_SPACE)
    if not _DOUBLE.fullmatch(bare):
        raise Unfit
    return float(bare.rstrip("dDfF"))


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise Unfit
    return text.lower() == "true"


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    try:
        value = Decimal(text.replace(",", ""))
        if not value.is_finite() or "_" in text:
            raise Unfit
        value = value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    except InvalidOperation as error:
        raise Unfit from error
    if len(value.as_tuple().digits) > precision and value:
        raise Unfit
    return value


_LADDER: tuple[pa.DataType, ...] = (
    pa.int32(), pa.int64(), pa.float64(), pa.date32(), pa.timestamp("us", "UTC"), pa.bool_(), pa.string(),
)  # fmt: skip


def inferred(cells: Iterator[str | None]) -> pa.DataType:
    """Return the narrowest type that holds all cells; of a column without any value it is STRING."""
    found: pa.DataType | None = None
    for cell in cells:
        if cell is None:
            continue
        one = _type_of(cell)
        found = one if found is None else wider(found, one)
        if pa.types.is_string(found):
            return found
    return pa.string() if found is None else found


def _type_of(cell: str) -> pa.DataType:
    for kind in _LADDER:
        try:
            converter(kind)(cell)
        except Unfit:
            continue
        if kind == pa.date32() and len(cell.strip()) != 10:
            continue  # a date with a time is a timestamp
        if kind == pa.float64() and _INTEGER.fullmatch(cell) and len(cell.lstrip("+-")) <= 38:
            return pa.decimal128(max(len(cell.lstrip("+-")), 1), 0)  # a whole number beyond BIGINT
        return kind
    return pa.string()


def wider(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both."""
    if a == b:
        return a
    numbers = [pa.int32(), pa.int64(), pa.float64()]
    if a in numbers and b in numbers:
        return numbers[max(numbers.index(a), numbers.index(b))]
    if pa.types.is_decimal(a) or pa.types.is_decimal(b):
        others = [kind for kind in (a, b) if not pa.types.is_decimal(kind)]
        if not others:
            return a if a.precision >= b.precision else b
        return (
            (a if pa.types.is_decimal(a) else b)
            if others[0] in numbers[:2]
            else (pa.float64() if others[0] == pa.float64() else pa.string())
        )
    moments = {pa.date32(), pa.timestamp("us", "UTC")}
    return pa.timestamp("us", "UTC") if {a, b} == moments else pa.string()
