"""CSV as Spark reads it: quotes, escapes and lines by the rules of its parser (univocity), cells by those of its types.

Rules: Apache Spark's page "CSV Files", and `UnivocityParser`/`CSVInferSchema` of Spark 4; `spark_csv.json` in the tests
holds the answers of Apache Spark 4.2.1. A quoted cell with a quote that nothing escapes is, as there, no quoted cell: it
ends at the next separator, quotes included.

Deliberately absent: times without a date, which Spark takes for timestamps of the day of the update; they are text here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from local_workspace.dlt_runtime.auto_loader.moments import day_of_text, local_time_of_text, moment_of_text
from local_workspace.dlt_runtime.auto_loader.patterns import pattern
from local_workspace.errors import PipelineCodeError

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[dDfF]?")
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
    line_end: str = ""
    nan: str = "NaN"
    positive_infinity: str = "Inf"
    negative_infinity: str = "-Inf"
    date_format: str = ""
    timestamp_format: str = ""
    local_format: str = ""

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
            line_end=text("linesep", "").replace("\\n", "\n").replace("\\r", "\r"),
            nan=settings.get("nanvalue", "NaN"),
            positive_infinity=settings.get("positiveinf", "Inf"),
            negative_infinity=settings.get("negativeinf", "-Inf"),
            date_format=settings.get("dateformat", ""),
            timestamp_format=settings.get("timestampformat", ""),
            local_format=settings.get("timestampntzformat", ""),
        )
        for name, value, least, most in (
            ("sep", found.separator, 1, 9),
            ("quote", found.quote, 0, 1),
            ("escape", found.escape, 0, 1),
            ("comment", found.comment, 0, 1),
        ):
            if not least <= len(value) <= most:
                raise PipelineCodeError(f"{where}: option {name}", got=repr(value), allowed="one character")
        for name, value in (
            ("dateFormat", found.date_format),
            ("timestampFormat", found.timestamp_format),
            ("timestampNTZFormat", found.local_format),
        ):
            if value:
                pattern(value, name)
        return found

    @property
    def specials(self) -> dict[str, float]:
        """The texts that are doubles without being numbers."""
        return {
            "NaN": float("nan"),
            "Infinity": float("inf"),
            "+Infinity": float("inf"),
            "-Infinity": float("-inf"),
            self.nan: float("nan"),
            self.positive_infinity: float("inf"),
            self.negative_infinity: float("-inf"),
        }


def rows_of(text: str, dialect: Dialect) -> Iterator[tuple[list[str | None], str]]:
    """Yield the cells of each line that is neither blank nor a comment, and the line; a cell with the null value is None."""
    text = text.removeprefix("\ufeff")
    if not dialect.multi_line:
        # Not `splitlines`, which knows more ends of lines than a file of CSV has.
        lines = text.split(dialect.line_end) if dialect.line_end else re.split(r"\r\n|\n|\r", text)
        records: Iterator[tuple[list[tuple[str, bool]], str]] = (
            record
            for line in lines[dialect.skip :]
            if _counts(line, dialect)
            for record in _records(line, dialect)
        )
    else:
        if "\r\n" in text:
            text = text.replace("\r\n", "\n")
        for _ in range(dialect.skip):
            text = text.partition("\n")[2]
        records = _records(text, dialect)
    for record, raw in records:
        if dialect.multi_line and len(record) == 1 and not record[0][1] and not record[0][0].strip():
            continue
        yield [_cell(value, quoted=quoted, dialect=dialect) for value, quoted in record], raw


def _counts(line: str, dialect: Dialect) -> bool:
    return bool(line.strip()) and not (dialect.comment and line.startswith(dialect.comment))


def _cell(value: str, *, quoted: bool, dialect: Dialect) -> str | None:
    if not quoted:
        if dialect.trim_left:
            value = value.lstrip(_JAVA_SPACE)
        if dialect.trim_right:
            value = value.rstrip(_JAVA_SPACE)
        if not value:
            return None
    elif not value:
        value = dialect.empty
    return None if value == dialect.null else value


def _records(text: str, dialect: Dialect) -> Iterator[tuple[list[tuple[str, bool]], str]]:
    if dialect.quote and dialect.quote in text:
        yield from _quoted_records(text, dialect)
        return
    for line in re.split(r"\r\n|\n|\r", text) if dialect.multi_line else [text]:
        if line and not (dialect.comment and line.startswith(dialect.comment)):
            yield [(cell, False) for cell in line.split(dialect.separator)], line


def _quoted_records(  # noqa: PLR0912  (one an end of a cell)
    text: str, dialect: Dialect
) -> Iterator[tuple[list[tuple[str, bool]], str]]:
    """Read cell by cell: a quote counts only at the beginning of a cell, an escape only within quotes."""
    quote, escape, separator = dialect.quote, dialect.escape, dialect.separator
    width, ends = len(separator), ("\n", "\r")
    at, size, began = 0, len(text), 0
    record: list[tuple[str, bool]] = []
    while at <= size:
        start = at
        if not record and dialect.multi_line and dialect.comment and text.startswith(dialect.comment, at):
            end = text.find("\n", at)
            at = began = size + 1 if end < 0 else end + 1
            continue
        if dialect.trim_left:
            while at < size and text[at] in " \t" and not text.startswith(separator, at):
                at += 1
        if text[at : at + 1] == quote:
            value, at = _quoted(text, at + 1, quote, escape)
            while at < size and text[at] in " \t" and not text.startswith(separator, at):
                at += 1
            quoted = at >= size or text[at] in ends or text.startswith(separator, at)
        else:
            value, quoted = "", False
        if not quoted:
            at = start
            while at < size and text[at] not in ends and not text.startswith(separator, at):
                at += 1
            value = text[start:at]
        record.append((value, quoted))
        if at < size and text.startswith(separator, at):
            at += width
            continue
        if record != [("", False)]:
            yield record, text[began:at]
        record = []
        if at >= size:
            return
        at += 2 if text[at : at + 2] == "\r\n" else 1
        began = at
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
    kind: pa.DataType, dialect: Dialect
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
        specials = dialect.specials
        return lambda text: specials[text] if text in specials else _double(text)
    if pa.types.is_boolean(kind):
        return _boolean
    if pa.types.is_decimal(kind):
        return lambda text: _decimal(text, kind.precision, kind.scale)
    if pa.types.is_date(kind):
        if dialect.date_format:
            days = pattern(dialect.date_format, "dateFormat")
            return lambda text: _fit(days.local(text))[0].date()
        return lambda text: _fit(day_of_text(text))
    if pa.types.is_timestamp(kind):
        return _moments(dialect) if kind.tz else _local_times(dialect)
    if pa.types.is_binary(kind):
        return lambda text: text.encode()
    raise PipelineCodeError(
        f"A CSV file cannot contain {kind}", next_step="Read the column as STRING and use from_json"
    )


def _moments(dialect: Dialect) -> Callable[[str], Any]:
    if dialect.timestamp_format:
        moments = pattern(dialect.timestamp_format, "timestampFormat")
        return lambda text: _fit(moments.moment(text))
    return lambda text: _fit(moment_of_text(text))


def _local_times(dialect: Dialect) -> Callable[[str], Any]:
    if dialect.local_format:
        times = pattern(dialect.local_format, "timestampNTZFormat")
        return lambda text: _fit(times.local(text))[0]
    return lambda text: _fit(local_time_of_text(text))


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


def inferred(cells: Iterator[str | None], dialect: Dialect) -> pa.DataType:
    """Return the narrowest type that holds all cells; of a column without any value it is STRING."""
    found: pa.DataType | None = None
    for cell in cells:
        if cell is None:
            continue
        one = _type_of(cell, dialect)
        found = one if found is None else wider(found, one, dialect)
        if pa.types.is_string(found):
            return found
    return pa.string() if found is None else found


def _type_of(cell: str, dialect: Dialect) -> pa.DataType:
    for kind in _LADDER:
        try:
            converter(kind, dialect)(cell)
        except Unfit:
            continue
        if kind == pa.date32() and not dialect.date_format and len(cell.strip()) != 10:
            continue  # a date with a time is a timestamp
        if kind == pa.float64() and _INTEGER.fullmatch(cell) and len(cell.lstrip("+-")) <= 38:
            return pa.decimal128(max(len(cell.lstrip("+-")), 1), 0)  # a whole number beyond BIGINT
        return kind
    return pa.string()


def wider(a: pa.DataType, b: pa.DataType, dialect: Dialect) -> pa.DataType:
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
    # A timestamp with a pattern of its own cannot be read out of a date.
    moments = {pa.date32(), pa.timestamp("us", "UTC")} if not dialect.timestamp_format else set()
    return pa.timestamp("us", "UTC") if {a, b} == moments else pa.string()
