"""Functions that Sail 0.7.2 computes otherwise than Spark, or does not know, said with others that it computes rightly."""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    DoubleType,
    MapType,
    NullType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)
from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import call_of
from local_workspace.sql.render import put
from local_workspace.sql.rewrites import casts
from local_workspace.sql.rewrites.registry import Rewriting, on_call, on_node


@on_call("initcap")
def initcap(at: Rewriting, node: Node) -> None:
    """Only a blank begins a word; Sail capitalises after any character that is no letter."""
    words = "transform(split({0}, ' '), w_ -> concat(upper(left(w_, 1)), lower(substring(w_, 2))))"
    at.replace(node, f"array_join({words}, ' ')", *call_of(node)[1][:1])


@on_call("get")
def get(at: Rewriting, node: Node) -> None:
    """A negative place is NULL; Sail counts from the end."""
    parts = call_of(node)[1]
    if len(parts) == 2 and not isinstance(parts[1], exp.Literal):
        at.replace(node, "CASE WHEN {1} >= 0 THEN get({0}, {1}) END", *parts)


@on_call("left", "right")
def left(at: Rewriting, node: Node) -> None:
    """A negative length gives nothing, NULL is NULL; Sail counts from the end, or takes no notice."""
    name, parts = call_of(node)
    if len(parts) == 2 and not isinstance(parts[1], exp.Literal):
        at.replace(node, f"CASE WHEN {{1}} IS NOT NULL THEN {name}({{0}}, greatest({{1}}, 0)) END", *parts)


@on_call("substring", "substr")
def substring(at: Rewriting, node: Node) -> None:
    """NULL where a place or length is NULL; Sail takes no notice of it, nor of places before the first."""
    parts = call_of(node)[1]
    start = _integer_literal(parts[1]) if len(parts) == 3 else 0
    if start is None or start < 0:
        # From before the text on, a length counts what is not there.
        lacking = "length({0}) + {1}"
        at.replace(
            node,
            f"CASE WHEN {{1}} IS NULL OR {{2}} IS NULL THEN NULL WHEN {{1}} < 0 AND {lacking} < 0"
            f" THEN substring({{0}}, 1, greatest({lacking} + greatest({{2}}, 0), 0))"
            " ELSE substring({0}, {1}, greatest({2}, 0)) END",
            *parts,
        )
        return
    moving = [at_ for at_, part in enumerate(parts) if at_ > 0 and not _is_plain_number(part)]
    if not moving or len(parts) < 2:
        return
    places = ", ".join(f"{{{n}}}" for n in range(len(parts)))
    known = " AND ".join(f"{{{n}}} IS NOT NULL" for n in moving)
    at.replace(node, f"CASE WHEN {known} THEN substring({places}) END", *parts)


def _is_plain_number(node: Node) -> bool:
    return isinstance(node.this if isinstance(node, exp.Neg) else node, exp.Literal)


@on_call("array_except")
def array_except(at: Rewriting, node: Node) -> None:
    """Sail wants both arrays to have NULLs, or both none; a cast makes that alike."""
    parts = call_of(node)[1]
    common = types.common_of([at.type_of(part) for part in parts])
    if len(parts) == 2 and isinstance(common, ArrayType) and not isinstance(common.elementType, NullType):
        name = types.sql_name(common)
        at.replace(node, f"array_except(CAST({{0}} AS {name}), CAST({{1}} AS {name}))", *parts)


@on_call("array_join")
def array_join(at: Rewriting, node: Node) -> None:
    """NULL where what stands for NULL is NULL."""
    parts = call_of(node)[1]
    if len(parts) == 3 and not isinstance(parts[2], exp.Literal):
        at.replace(node, "CASE WHEN {2} IS NOT NULL THEN array_join({0}, {1}, {2}) END", *parts)


@on_call("isnan")
def isnan(at: Rewriting, node: Node) -> None:
    """NULL is a number, in that it is not NaN."""
    parts = call_of(node)[1]
    if len(parts) == 1:
        at.replace(node, "coalesce(isnan({0}), false)", *parts)


@on_call("unix_seconds", "unix_millis")
def unix_seconds(at: Rewriting, node: Node) -> None:
    """Before 1970 a part of a second counts downwards."""
    name, parts = call_of(node)
    unit = 1_000_000 if name == "unix_seconds" else 1_000
    if len(parts) == 1:
        micros = "unix_micros({0})"
        at.replace(node, f"(({micros} - pmod({micros}, {unit})) DIV {unit})", *parts)


@on_call("slice")
def slice_(at: Rewriting, node: Node) -> None:
    """A negative start counts from the end; there is no place 0, and no negative length."""
    parts = call_of(node)[1]
    if len(parts) != 3 or ((_integer_literal(parts[1]) or 0) > 0 and (_integer_literal(parts[2]) or -1) >= 0):
        return
    result = at.type_of(parts[0])
    if result is None:
        return
    name = types.sql_name(result)
    error = (
        "CAST(raise_error('[INVALID_PARAMETER_VALUE] slice() counts from 1, and takes no negative length')"
    )
    at.replace(
        node,
        f"CASE WHEN {{1}} = 0 OR {{2}} < 0 THEN {error} AS {name})"
        " WHEN {1} < 0 AND size({0}) + {1} < 0 THEN slice({0}, 1, 0)"
        " WHEN {1} < 0 THEN slice({0}, size({0}) + 1 + {1}, {2}) ELSE slice({0}, {1}, {2}) END",
        *parts,
    )


@on_call("elt")
def elt(at: Rewriting, node: Node) -> None:
    """A place that is none is an error in ANSI mode."""
    parts = call_of(node)[1]
    if len(parts) < 2:
        return
    places = ", ".join(f"{{{n}}}" for n in range(len(parts)))
    error = "raise_error('[INVALID_ARRAY_INDEX] elt() has no value of that place')"
    at.replace(
        node,
        f"CASE WHEN {{0}} < 1 OR {{0}} > {len(parts) - 1} THEN CAST({error} AS STRING) ELSE elt({places}) END",
        *parts,
    )


@on_call("to_binary")
def to_binary(at: Rewriting, node: Node) -> None:
    """A text that is no hexadecimal number is an error."""
    parts = call_of(node)[1]
    if len(parts) == 1:
        error = "raise_error('[CONVERSION_INVALID_INPUT] to_binary() of a text that is not hexadecimal')"
        at.replace(
            node,
            f"CASE WHEN {{0}} IS NOT NULL AND to_binary({{0}}) IS NULL THEN CAST({error} AS BINARY)"
            " ELSE to_binary({0}) END",
            *parts,
        )


@on_call("assert_true")
def assert_true(at: Rewriting, node: Node) -> None:
    """NULL is not true."""
    parts = call_of(node)[1]
    if parts:
        more = ", {1}" if len(parts) == 2 else ""
        at.replace(node, f"assert_true(coalesce({{0}}, false){more})", *parts)


@on_call("timestamp_seconds", "timestamp_millis")
def timestamp_of_number(at: Rewriting, node: Node) -> None:
    """Beyond the microseconds that a BIGINT holds it is an error; Sail wraps around."""
    name, parts = call_of(node)
    most = 2**63 // (1_000_000 if name == "timestamp_seconds" else 1_000)
    kind = at.type_of(parts[0]) if len(parts) == 1 else None
    if name == "timestamp_seconds" and (types.is_fraction(kind) or isinstance(kind, DecimalType)):
        # Sail leaves out the parts of a second.
        at.replace(node, "timestamp_micros(CAST(({0}) * 1000000 AS BIGINT))", *parts)
    elif kind == types.BIGINT:
        error = f"CAST(raise_error('[ARITHMETIC_OVERFLOW] long overflow in {name}') AS TIMESTAMP)"
        at.replace(node, f"CASE WHEN abs({{0}}) > {most} THEN {error} ELSE {name}({{0}}) END", *parts)


@on_call("corr")
def corr(_at: Rewriting, node: Node) -> None:
    """Of values that are all the same Spark divides by zero, which is an error in ANSI mode; Sail gives NULL."""
    parts = call_of(node)[1]
    query = node.find_ancestor(exp.Select)
    over_rows = query is not None and query.args.get("from_") is not None
    if over_rows and len(parts) == 2 and all(not part.find(exp.Column) for part in parts):
        raise NotSupported("corr() of constants", "It divides by zero in Spark. Leave it out")


@on_call("array_contains")
def array_contains(at: Rewriting, node: Node) -> None:
    """NULL where the element is NULL, or where a NULL in the array may be it.

    Without a lambda: Sail 0.7.2 resolves no column in one that it pushes down into the scan of a Delta table.
    """
    parts = call_of(node)[1]
    if len(parts) != 2:
        return
    if isinstance(parts[1], exp.Null):
        at.replace(node, "CAST(NULL AS BOOLEAN)")
        return
    known = "" if isinstance(parts[1], exp.Literal) else " OR {1} IS NULL"
    at.replace(
        node,
        f"CASE WHEN {{0}} IS NULL{known} THEN NULL WHEN array_contains({{0}}, {{1}}) THEN true"
        " WHEN size(array_compact({0})) < size({0}) THEN NULL ELSE false END",
        *parts,
    )


@on_call("arrays_overlap")
def arrays_overlap(at: Rewriting, node: Node) -> None:
    """False where one has no element, even if the other has a NULL."""
    parts = call_of(node)[1]
    if len(parts) == 2:
        at.replace(
            node,
            "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL AND (size({0}) = 0 OR size({1}) = 0) THEN false"
            " ELSE arrays_overlap({0}, {1}) END",
            *parts,
        )


@on_call("conv")
def conv(at: Rewriting, node: Node) -> None:
    """A negative number is one without sign, of 64 bits; Sail keeps the sign."""
    parts = call_of(node)[1]
    bases = [_integer_literal(part) for part in parts[1:]]
    if len(parts) != 3:
        return
    if bases[1] is not None and bases[1] < 0:
        raise NotSupported("conv() to a negative base", "Use a positive one, of which the result has no sign")
    negative = "raise_error('[UNSUPPORTED] conv() of a negative number. Use hex() of a BIGINT')"
    if bases == [10, 16]:
        negative = "hex(CAST(trim(CAST({0} AS STRING)) AS BIGINT))"
    at.replace(
        node,
        f"CASE WHEN trim(CAST({{0}} AS STRING)) LIKE '-%' THEN CAST({negative} AS STRING)"
        " ELSE coalesce(conv({0}, {1}, {2}), CASE WHEN trim(CAST({0} AS STRING)) <> ''"
        " AND {1} BETWEEN 2 AND 36 AND {2} BETWEEN 2 AND 36 THEN '0' END) END",
        *parts,
    )


@on_call("get_json_object")
def get_json_object(at: Rewriting, node: Node) -> None:
    """An object or array comes without white space between its parts, and without zeros at the end of a fraction."""
    parts = call_of(node)[1]
    if len(parts) == 2 and isinstance(parts[1], exp.Literal) and "*" in parts[1].name:
        raise NotSupported(
            "A path with * in get_json_object(), for which this engine gives NULL,",
            "Use from_json() with the type of the value, and transform() for a field of each element",
        )
    if len(parts) == 2:
        text = r"""("(?:[^"\\\\]|\\\\.)*")|(\\d+\\.(?:\\d*[1-9]|0))0+\\s*([,\\}\\]])|\\s+"""
        text = f"regexp_replace({{0}}, '{text.replace('}', '}}')}', '$1$2$3')"
        at.replace(node, f"get_json_object({text}, {{1}})", *parts)


@on_call("sentences")
def sentences(at: Rewriting, node: Node) -> None:
    """Java keeps a word with a hyphen together; Sail parts it."""
    parts = call_of(node)[1]
    result = "ARRAY<ARRAY<STRING>>"
    error = f"CAST(raise_error('[UNSUPPORTED] sentences() of a text with hyphens. Use split()') AS {result})"
    more = "".join(f", {{{n}}}" for n in range(1, len(parts)))
    at.replace(node, f"CASE WHEN contains({{0}}, '-') THEN {error} ELSE sentences({{0}}{more}) END", *parts)


@on_call("try_add", "try_subtract", "try_multiply", "try_divide", "try_mod")
def try_arithmetic(at: Rewriting, node: Node) -> None:
    """Integers of two types; the quotient of two integers is a DOUBLE."""
    name, parts = call_of(node)
    kinds = [at.type_of(part) for part in parts]
    if len(parts) != 2 or not all(types.is_integer(kind) for kind in kinds):
        return
    if name == "try_divide":
        at.replace(node, "(CAST({0} AS DOUBLE) / nullif(CAST({1} AS DOUBLE), 0D))", *parts)
        return
    common = types.common_of(kinds)
    if common is not None and kinds[0] != kinds[1]:
        text = f"{name}(CAST({{0}} AS {types.sql_name(common)}), CAST({{1}} AS {types.sql_name(common)}))"
        at.replace(node, text, *parts)


@on_call("json_array_length")
def json_array_length(at: Rewriting, node: Node) -> None:
    """NULL for what is no array; Sail counts the keys of an object."""
    parts = call_of(node)[1]
    if len(parts) == 1:
        at.replace(
            node,
            "CASE WHEN ltrim(CAST({0} AS STRING)) LIKE '[%' THEN json_array_length(CAST({0} AS STRING)) END",
            *parts,
        )


@on_call("regexp_count")
def as_int(at: Rewriting, node: Node) -> None:
    """Sail gives a BIGINT."""
    name, parts = call_of(node)
    at.replace(node, f"CAST({name}({', '.join(f'{{{n}}}' for n in range(len(parts)))}) AS INT)", *parts)


@on_call("weekday")
def weekday(at: Rewriting, node: Node) -> None:
    """Sail gives -1 for a Sunday."""
    at.replace(node, "((dayofweek({0}) + 5) % 7)", *call_of(node)[1][:1])


@on_call("rint")
def rint(at: Rewriting, node: Node) -> None:
    """Half to even; Sail rounds half up."""
    at.replace(node, _half_to_even("CAST({0} AS DOUBLE)", "0.5D"), *call_of(node)[1][:1])


@on_call("round", "ceil", "ceiling", "floor")
def decimal_digits(at: Rewriting, node: Node) -> None:
    """The precision of a rounded decimal; a double is rounded by its shortest decimal form."""
    name, parts = call_of(node)
    result = at.type_of(node)
    kind = at.type_of(parts[0]) if parts else None
    if isinstance(kind, DecimalType) and isinstance(result, DecimalType):
        places = ", ".join(f"{{{n}}}" for n in range(len(parts)))
        at.replace(node, f"CAST({name}({places}) AS {types.sql_name(result)})", *parts)
    elif name == "round" and len(parts) == 2 and kind is not None and types.is_fraction(kind):
        _rounded_fraction(at, node, parts, types.sql_name(kind))


def _rounded_fraction(at: Rewriting, node: Node, parts: list[Node], name: str) -> None:
    digits = _integer_literal(parts[1])
    if digits is None or digits == 0 or digits > 18:
        return
    # Of 16 digits and more before the point there is nothing behind it. The text of a decimal makes the nearest double.
    double = "CAST({0} AS DOUBLE)"
    exact = f"round({casts.fraction_to_decimal(double, 'CAST', 'DECIMAL(38,20)')}, {digits})"
    text = f"CAST(CAST({exact} AS DECIMAL(38,{max(digits, 0)})) AS STRING)"
    at.replace(
        node,
        f"CASE WHEN abs({{0}}) < 1e16D THEN CAST({text} AS {name}) ELSE round({{0}}, {digits}) END",
        parts[0],
    )


@on_call("bround")
def bround(at: Rewriting, node: Node) -> None:
    """Half to even; Sail rounds half up."""
    parts = call_of(node)[1]
    kind, result = at.type_of(parts[0]), at.type_of(node)
    digits = 0 if len(parts) == 1 else _integer_literal(parts[1])
    if types.is_integer(kind) and digits is not None and digits >= 0:
        at.replace(node, "{0}", parts[0])
    elif (
        isinstance(kind, DecimalType)
        and isinstance(result, DecimalType)
        and digits is not None
        and digits >= 0
    ):
        if digits >= kind.scale:
            at.replace(node, f"CAST({{0}} AS {types.sql_name(result)})", parts[0])
            return
        wide = f"CAST({{0}} AS DECIMAL({min(38, kind.precision + 1)},{kind.scale}))"
        moved = f"({wide} * {10**digits})" if digits else wide
        step = f"CAST(1 AS DECIMAL(38,{digits})) / {10**digits}" if digits else "1"
        at.replace(
            node,
            f"CAST({_half_to_even(moved)} * CAST({step} AS DECIMAL({digits + 1},{digits})) AS {types.sql_name(result)})",
            parts[0],
        )
    else:
        raise NotSupported(
            "bround() of a value that is no DECIMAL",
            "It rounds half up here, not half to even. Use round(), or cast the value to DECIMAL",
        )


def _half_to_even(x: str, half: str = "0.5") -> str:
    return f"(CASE WHEN abs({x} - floor({x})) = {half} THEN 2 * round({x} / 2) ELSE round({x}) END)"


def _integer_literal(node: Node) -> int | None:
    sign = 1
    if isinstance(node, exp.Neg):
        node, sign = node.this, -1
    return sign * int(node.name) if isinstance(node, exp.Literal) and node.name.isdigit() else None


@on_call("format_number")
def format_number(at: Rewriting, node: Node) -> None:
    """Java formats half to even; Sail rounds half up."""
    parts = call_of(node)[1]
    digits = _integer_literal(parts[1]) if len(parts) == 2 else None
    kind = at.type_of(parts[0])
    if types.is_fraction(kind):
        text = "format_number({0}, {1})"
        infinite = (
            "WHEN {0} = CAST('Infinity' AS DOUBLE) THEN '∞' WHEN {0} = CAST('-Infinity' AS DOUBLE) THEN '-∞'"
        )
        at.replace(node, f"CASE {infinite} ELSE {text} END", *parts)
        return
    if digits is None or not isinstance(kind, DecimalType) or digits >= kind.scale:
        return
    wide = f"CAST({{0}} AS DECIMAL({min(38, kind.precision + 1)},{kind.scale}))"
    moved = f"({wide} * {10**digits})" if digits else wide
    text = f"format_number(CAST({_half_to_even(moved)} AS DECIMAL(38,{digits})) / {10**digits}, {digits})"
    # What is rounded to zero keeps its sign.
    at.replace(
        node,
        f"CASE WHEN {{0}} < 0 AND {text} NOT LIKE '-%' THEN concat('-', {text}) ELSE {text} END",
        parts[0],
    )


@on_call("log")
def log(at: Rewriting, node: Node) -> None:
    """Without a base it is the natural logarithm; of what is not positive it is NULL."""
    parts = call_of(node)[1]
    if len(parts) == 1:
        at.replace(node, "ln({0})", *parts)
    elif len(parts) == 2:
        at.replace(node, "CASE WHEN {0} > 0 AND {1} > 0 THEN log({0}, {1}) END", *parts)


@on_call("date_trunc")
def date_trunc(at: Rewriting, node: Node) -> None:
    """A DATE is a TIMESTAMP here; Sail makes it one without time zone."""
    parts = call_of(node)[1]
    if len(parts) == 2 and isinstance(at.type_of(parts[1]), DateType):
        at.replace(node, "date_trunc({0}, CAST({1} AS TIMESTAMP))", *parts)


#: Formats of date_trunc() and trunc(); any other gives NULL.
_OF_DATES = frozenset({"YEAR", "YYYY", "YY", "QUARTER", "MONTH", "MM", "MON", "WEEK"})
_OF_TIMES = _OF_DATES | {"DAY", "DD", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"}


@on_call("date_trunc", "trunc", first=True)
def unknown_format(at: Rewriting, node: Node) -> None:
    """NULL for a format that is none; Sail fails, or takes one of the other function."""
    name, parts = call_of(node)
    if len(parts) != 2:
        return
    given, known, result = (
        (parts[0], _OF_TIMES, "TIMESTAMP") if name == "date_trunc" else (parts[1], _OF_DATES, "DATE")
    )
    if isinstance(given, exp.Literal) and given.is_string and given.name.upper() not in known:
        at.replace(node, f"CAST(NULL AS {result})")


@on_call("chr", "char")
def character(at: Rewriting, node: Node) -> None:
    """One of 256 characters: Spark takes the last byte of the number."""
    parts = call_of(node)[1]
    if len(parts) == 1 and not 0 < (_integer_literal(parts[0]) or 0) < 256:
        at.replace(node, "CASE WHEN {0} < 0 THEN '' ELSE chr(CAST({0} & 255 AS INT)) END", *parts)


@on_call("split")
def split(at: Rewriting, node: Node) -> None:
    """An empty pattern parts the characters; Sail adds an empty text before and after them."""
    parts = call_of(node)[1]
    if len(parts) == 2 and isinstance(parts[1], exp.Literal) and not parts[1].name:
        every = "regexp_extract_all({0}, '(?s).', 0)"
        at.replace(node, f"CASE WHEN {{0}} = '' THEN array('') ELSE {every} END", parts[0])


@on_call("hash", "xxhash64")
def hashed(at: Rewriting, node: Node) -> None:
    """Of a DECIMAL of up to 18 digits Spark takes the digits as a BIGINT; Sail the bytes."""
    name, parts = call_of(node)
    for part in parts:
        kind = at.type_of(part)
        if isinstance(kind, DecimalType) and kind.precision <= 18:
            at.typing.keep(node)
            put(part, f"CAST(CAST({{0}} AS DECIMAL(38,{kind.scale})) * {10**kind.scale} AS BIGINT)", part)
        elif isinstance(kind, DecimalType):
            raise NotSupported(
                f"{name}() of a DECIMAL with more than 18 digits",
                "Cast the value to STRING, on Databricks, too",
            )


_INTERVAL_UNITS = {"HOUR": 24, "MINUTE": 60}


@on_node(exp.Extract)
def extract(at: Rewriting, node: Node) -> None:
    """``dow`` counts from Sunday = 1, Sail from 0. Of an interval the hours of its day count, not all of its hours."""
    unit = node.name.upper().removesuffix("S")
    if unit in _INTERVAL_UNITS and isinstance(at.type_of(node.expression), DayTimeIntervalType):
        part = f"extract({unit} FROM {{0}})"
        at.replace(node, f"CAST({part} % {_INTERVAL_UNITS[unit]} AS TINYINT)", node.expression)
        return
    if node.name.upper() in ("DOW", "DAYOFWEEK"):
        at.replace(node, "dayofweek({0})", node.expression)


@on_call("from_unixtime")
def from_unixtime(at: Rewriting, node: Node) -> None:
    """A text of seconds is a number."""
    parts = call_of(node)[1]
    if parts and isinstance(at.type_of(parts[0]), StringType):
        more = "".join(f", {{{n}}}" for n in range(1, len(parts)))
        at.replace(node, f"from_unixtime(CAST({{0}} AS BIGINT){more})", *parts)


@on_call("decode")
def decode(at: Rewriting, node: Node) -> None:
    """With more than two arguments it is a CASE in which NULL equals NULL."""
    parts = call_of(node)[1]
    if len(parts) < 3:
        return
    result = at.type_of(node)
    cases = [f"WHEN {{0}} <=> {{{n}}} THEN {{{n + 1}}}" for n in range(1, len(parts) - 1, 2)]
    default = f" ELSE {{{len(parts) - 1}}}" if len(parts) % 2 == 0 else ""
    text = f"CASE {' '.join(cases)}{default} END"
    at.replace(node, text if result is None else f"CAST({text} AS {types.sql_name(result)})", *parts)


@on_call("size", "cardinality", "array_size")
def size(at: Rewriting, node: Node) -> None:
    """Sail fails for a NULL without a type."""
    parts = call_of(node)[1]
    if len(parts) == 1 and isinstance(parts[0], exp.Null):
        at.replace(node, "CAST(NULL AS INT)")


@on_call("nullif")
def nullif(at: Rewriting, node: Node) -> None:
    """The type is the first argument's."""
    parts = call_of(node)[1]
    kinds = [at.type_of(p) for p in parts]
    if len(parts) == 2 and None not in kinds and kinds[0] != kinds[1] and not isinstance(kinds[1], NullType):
        at.replace(node, "CASE WHEN {0} = {1} THEN NULL ELSE {0} END", *parts)


# Functions of functions that Sail does not know


def _with_variables(node: Node, values: list[str]) -> Node | None:
    """The body of a lambda with other SQL for its variables."""
    if not isinstance(node, exp.Lambda) or len(node.expressions) != len(values):
        return None
    named = {variable.name.lower(): value for variable, value in zip(node.expressions, values, strict=True)}
    for variable in list(node.this.find_all(exp.Identifier)):
        # A variable is an identifier by itself; those of columns belong to a column.
        value = named.get(variable.name.lower())
        if (
            value is not None
            and not isinstance(variable.parent, (exp.Column, exp.TableAlias, exp.Alias))
            and variable.arg_key != "expression"
        ):
            put(variable, value)
    body = node.this
    return body if isinstance(body, exp.Expr) else None


@on_call("zip_with")
def zip_with(at: Rewriting, node: Node) -> None:
    """By place; the shorter array goes on with NULL."""
    parts = call_of(node)[1]
    if len(parts) != 3 or not isinstance(parts[2], exp.Lambda):
        return
    at.typing.keep(node)
    first, second = (at.text(part) for part in parts[:2])
    if not first or not second:
        return
    body = _with_variables(parts[2], [f"get({first}, i_)", f"get({second}, i_)"])
    if body is None:
        return
    longest = "greatest(size({0}), size({1}))"
    places = f"filter(sequence(0, greatest({longest}, 1) - 1), i_ -> i_ < {longest})"
    at.replace(
        node,
        f"CASE WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN transform({places}, i_ -> {{2}}) END",
        *parts[:2],
        body,
    )


@on_call("transform_values", "transform_keys")
def transform_map(at: Rewriting, node: Node) -> None:
    """By way of the map's entries."""
    name, parts = call_of(node)
    if len(parts) != 2:
        return
    at.typing.keep(node)
    body = _with_variables(parts[1], ["e_.key", "e_.value"])
    if body is None:
        return
    entry = "struct(e_.key, {1})" if name == "transform_values" else "struct({1}, e_.value)"
    at.replace(node, f"map_from_entries(transform(map_entries({{0}}), e_ -> {entry}))", parts[0], body)


@on_call("explode", "explode_outer")
def explode_map(at: Rewriting, node: Node) -> None:
    """Of a map: Sail breaks down."""
    name, parts = call_of(node)
    if len(parts) == 1 and isinstance(at.type_of(parts[0]), MapType):
        other = "inline_outer" if name.endswith("_outer") else "inline"
        put(node, f"{other}(map_entries({{0}}))", *parts)


@on_call("mod", "pmod")
def modulo(at: Rewriting, node: Node) -> None:
    """The precision of a decimal remainder."""
    name, parts = call_of(node)
    result = at.type_of(node)
    if isinstance(result, DecimalType):
        at.replace(node, f"CAST({name}({{0}}, {{1}}) AS {types.sql_name(result)})", *parts)


@on_call("regr_count")
def regr_count(at: Rewriting, node: Node) -> None:
    """Sail gives a number without sign."""
    parts = call_of(node)[1]
    if len(parts) == 2:
        at.replace(node, "count(CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN 1 END)", *parts)


# Differences of times

_MICROSECONDS = {
    "MICROSECOND": 1,
    "MILLISECOND": 1_000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
    "WEEK": 604_800_000_000,
}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}


@on_call("datediff", "date_diff", "timestampdiff")
def datediff(at: Rewriting, node: Node) -> None:
    """With a unit it counts whole units that have passed, from the first time to the second; without one, days as INT."""
    name, parts = call_of(node)
    if len(parts) == 2:
        at.replace(node, f"CAST({name}({{0}}, {{1}}) AS INT)", *parts)
        return
    if len(parts) != 3:
        return
    unit = (
        parts[0].name.upper().rstrip("S") if not isinstance(parts[0], exp.Literal) else parts[0].name.upper()
    )
    unit = {"MICROSECONDS": "MICROSECOND"}.get(unit, unit)
    start, end = "CAST({1} AS TIMESTAMP)", "CAST({2} AS TIMESTAMP)"
    if unit in _MICROSECONDS:
        passed = f"(unix_micros({end}) - unix_micros({start}))"
        at.replace(node, f"CAST({passed} DIV {_MICROSECONDS[unit]} AS BIGINT)", *parts)
    elif unit in _MONTHS:
        # java.time.LocalDateTime.until: the last day counts once the time of day has been reached.
        time = "date_format({0}, 'HH:mm:ss.SSSSSS')"
        later = f"{end} > {start} AND {time.format(end)} < {time.format(start)}"
        earlier = f"{end} < {start} AND {time.format(end)} > {time.format(start)}"
        day = f"CAST({end} AS DATE)"
        moved = f"CASE WHEN {later} THEN date_add({day}, -1) WHEN {earlier} THEN date_add({day}, 1) ELSE {day} END"
        days = "((year({0}) * 12 + month({0}) - 1) * 32 + day({0}))"
        months = f"(({days.format(moved)} - {days.format(f'CAST({start} AS DATE)')}) DIV 32)"
        at.replace(node, f"CAST({months} DIV {_MONTHS[unit]} AS BIGINT)", *parts)


# JSON

# Around a number that is written as text: no character of a JSON text is escaped for it, nor is it in anybody's data.
_MARK = "\u2063\u2064"


@on_call("to_json")
def to_json(at: Rewriting, node: Node) -> None:
    """Times with milliseconds, decimals with all their digits, doubles as Java writes them."""
    parts = call_of(node)[1]
    kind = at.type_of(parts[0]) if len(parts) == 1 else None
    if kind is None or not _has_special(kind):
        return
    value = _json_value("{0}", kind, 0)
    text = f"to_json({value.replace('{0}', chr(0)).replace('{', '{{').replace('}', '}}').replace(chr(0), '{0}')})"
    at.replace(node, f"regexp_replace({text}, '\"{_MARK}([^\"]*){_MARK}\"', '$1')", parts[0])


def _has_special(kind: DataType) -> bool:
    if isinstance(kind, ArrayType):
        return _has_special(kind.elementType)
    if isinstance(kind, MapType):
        return _has_special(kind.valueType)
    if isinstance(kind, StructType):
        return any(_has_special(f.dataType) for f in kind.fields)
    return isinstance(kind, (TimestampType, TimestampNTZType, DecimalType)) or types.is_fraction(kind)


def _json_value(value: str, kind: DataType, depth: int) -> str:
    if not _has_special(kind):
        return value
    if isinstance(kind, StructType):
        fields = []
        for field in kind.fields:
            name = field.name.replace("`", "``")
            literal = field.name.replace("\\", "\\\\").replace("'", "\\'")
            fields.append(f"'{literal}', {_json_value(f'{value}.`{name}`', field.dataType, depth)}")
        made = f"named_struct({', '.join(fields)})"
        return f"CASE WHEN {value} IS NOT NULL THEN {made} END"
    if isinstance(kind, ArrayType):
        variable = f"j{depth}_"
        return f"transform({value}, {variable} -> {_json_value(variable, kind.elementType, depth + 1)})"
    if isinstance(kind, MapType):
        variable = f"j{depth}_"
        entry = _json_value(f"{variable}.value", kind.valueType, depth + 1)
        return f"map_from_entries(transform(map_entries({value}), {variable} -> struct({variable}.key, {entry})))"
    if isinstance(kind, TimestampType):
        return f"date_format({value}, \"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\")"
    if isinstance(kind, TimestampNTZType):
        return f"date_format({value}, \"yyyy-MM-dd'T'HH:mm:ss.SSS\")"
    from local_workspace.sql.rewrites import texts  # noqa: PLC0415

    text = (
        texts.as_text(value, kind)
        if isinstance(kind, DoubleType) or types.is_fraction(kind)
        else f"CAST({value} AS STRING)"
    )
    return f"concat('{_MARK}', {text}, '{_MARK}')"
