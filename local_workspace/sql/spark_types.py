"""Spark's types and the rules by which they combine, in ANSI mode.

Sources: "Data type rules" of the Databricks SQL language reference (promotion, least common type, decimal arithmetic), and
``DecimalPrecisionTypeCoercion`` and ``AnsiTypeCoercion`` of Apache Spark, whose answers the tests have written down.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    NullType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
    VariantType,
    YearMonthIntervalType,
)
from sqlglot import exp
from sqlglot.errors import SqlglotError

MAX_PRECISION = 38
# Digits after the point that a decimal keeps when its precision has to be cut (Spark: MINIMUM_ADJUSTED_SCALE).
_KEPT_SCALE = 6

STRING, BINARY, BOOLEAN = StringType(), BinaryType(), BooleanType()
TINYINT, SMALLINT, INT, BIGINT = ByteType(), ShortType(), IntegerType(), LongType()
FLOAT, DOUBLE = FloatType(), DoubleType()
DATE, TIMESTAMP, TIMESTAMP_NTZ = DateType(), TimestampType(), TimestampNTZType()
VOID, VARIANT = NullType(), VariantType()

_INTEGERS: tuple[DataType, ...] = (TINYINT, SMALLINT, INT, BIGINT)
_BITS: dict[DataType, int] = {TINYINT: 7, SMALLINT: 15, INT: 31, BIGINT: 63}
_DIGITS: dict[DataType, int] = {TINYINT: 3, SMALLINT: 5, INT: 10, BIGINT: 20}

_BY_NAME: dict[exp.DType, DataType] = {
    exp.DType.TINYINT: TINYINT,
    exp.DType.SMALLINT: SMALLINT,
    exp.DType.INT: INT,
    exp.DType.BIGINT: BIGINT,
    exp.DType.FLOAT: FLOAT,
    exp.DType.DOUBLE: DOUBLE,
    exp.DType.BOOLEAN: BOOLEAN,
    exp.DType.TEXT: STRING,
    exp.DType.VARCHAR: STRING,
    exp.DType.CHAR: STRING,
    exp.DType.BINARY: BINARY,
    exp.DType.DATE: DATE,
    exp.DType.TIMESTAMP: TIMESTAMP,
    exp.DType.TIMESTAMPTZ: TIMESTAMP,
    exp.DType.TIMESTAMPLTZ: TIMESTAMP,
    exp.DType.TIMESTAMPNTZ: TIMESTAMP_NTZ,
    exp.DType.VARIANT: VARIANT,
    exp.DType.NULL: VOID,
}


def of_node(node: exp.Expr | None) -> DataType | None:
    """Return the type that a type's node of the grammar means; None for what is not known here."""
    if not isinstance(node, exp.DataType):
        return None
    kind = node.this
    if kind in (exp.DType.DECIMAL, exp.DType.UDECIMAL):
        numbers = [int(p.name) for p in node.expressions]
        return DecimalType(*(numbers or (10, 0)))
    if kind in (exp.DType.ARRAY, exp.DType.LIST) and len(node.expressions) == 1:
        element = of_node(node.expressions[0])
        return None if element is None else ArrayType(element)
    if kind == exp.DType.MAP and len(node.expressions) == 2:
        key, value = (of_node(e) for e in node.expressions)
        return None if key is None or value is None else MapType(key, value)
    if kind == exp.DType.STRUCT:
        fields = []
        for definition in node.expressions:
            inner = of_node(definition.args.get("kind")) if isinstance(definition, exp.ColumnDef) else None
            if inner is None:
                return None
            fields.append(StructField(definition.name, inner))
        return StructType(fields)
    return _BY_NAME.get(kind)


@functools.lru_cache(maxsize=4096)
def of_text(text: str) -> DataType | None:
    """Return the type that a text in Spark's DDL notation means; None for what is not known here."""
    try:
        return of_node(exp.DataType.build(text, dialect="databricks"))
    except (SqlglotError, ValueError):
        return None


def sql_name(kind: DataType) -> str:
    """Return the type as SQL names it."""
    if isinstance(kind, StructType):
        fields = ", ".join(f"`{f.name.replace('`', '``')}`: {sql_name(f.dataType)}" for f in kind.fields)
        return f"STRUCT<{fields}>"
    if isinstance(kind, ArrayType):
        return f"ARRAY<{sql_name(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"MAP<{sql_name(kind.keyType)}, {sql_name(kind.valueType)}>"
    return kind.simpleString().upper()


def is_integer(kind: DataType | None) -> bool:
    """Return whether it is TINYINT, SMALLINT, INT or BIGINT."""
    return kind in _INTEGERS


def is_fraction(kind: DataType | None) -> bool:
    """Return whether it is FLOAT or DOUBLE."""
    return isinstance(kind, (FloatType, DoubleType))


def is_number(kind: DataType | None) -> bool:
    """Return whether arithmetic takes it as it is."""
    return is_integer(kind) or is_fraction(kind) or isinstance(kind, DecimalType)


def integer_bits(kind: DataType) -> int:
    """Return how many bits an integer type has besides its sign."""
    return _BITS[kind]


def as_decimal(kind: DataType | None) -> DecimalType | None:
    """Return the decimal that holds every value of an integer or decimal type."""
    if isinstance(kind, DecimalType):
        return kind
    digits = _DIGITS.get(kind) if kind is not None else None
    return None if digits is None else DecimalType(digits, 0)


def adjusted(precision: int, scale: int) -> DecimalType:
    """Return a decimal whose precision may exceed 38: the scale gives way, down to six digits."""
    if precision <= MAX_PRECISION:
        return DecimalType(precision, scale)
    whole = precision - scale
    return DecimalType(MAX_PRECISION, max(MAX_PRECISION - whole, min(scale, _KEPT_SCALE)))


def bounded(precision: int, scale: int) -> DecimalType:
    """Return a decimal cut at 38 digits, of precision and of scale."""
    return DecimalType(min(precision, MAX_PRECISION), min(scale, MAX_PRECISION))


def wider_decimal(a: DecimalType, b: DecimalType) -> DecimalType:
    """Return the least decimal that holds the values of both."""
    scale = max(a.scale, b.scale)
    return bounded(max(a.precision - a.scale, b.precision - b.scale) + scale, scale)


def decimal_result(operator: str, a: DecimalType, b: DecimalType) -> DecimalType:
    """Return the type of decimal arithmetic.

    Args:
        operator: ``+``, ``-``, ``*``, ``/`` or ``%``.
        a: The left side.
        b: The right side.
    """
    p1, s1, p2, s2 = a.precision, a.scale, b.precision, b.scale
    if operator in "+-":
        scale = max(s1, s2)
        return adjusted(max(p1 - s1, p2 - s2) + scale + 1, scale)
    if operator == "*":
        return adjusted(p1 + p2 + 1, s1 + s2)
    if operator == "%":
        scale = max(s1, s2)
        return adjusted(min(p1 - s1, p2 - s2) + scale, scale)
    scale = max(_KEPT_SCALE, s1 + p2 + 1)
    return adjusted(p1 - s1 + s2 + scale, scale)


def _numeric(a: DataType, b: DataType) -> DataType | None:
    if is_integer(a) and is_integer(b):
        return max(a, b, key=lambda kind: _BITS[kind])
    if isinstance(a, FloatType) and isinstance(b, FloatType):
        return FLOAT
    if is_fraction(a) or is_fraction(b):
        # An integer or decimal beside a FLOAT makes a DOUBLE in ANSI mode.
        return DOUBLE
    left, right = as_decimal(a), as_decimal(b)
    return wider_decimal(left, right) if left and right else None


def common_type(a: DataType | None, b: DataType | None) -> DataType | None:
    """Return the least common type of two, as in CASE, COALESCE, UNION and comparisons; None if unknown or none."""
    if a is None or b is None:
        return None
    if a == b or isinstance(b, NullType):
        return a
    if isinstance(a, NullType):
        return b
    if is_number(a) and is_number(b):
        return _numeric(a, b)
    times = (DateType, TimestampNTZType, TimestampType)
    if isinstance(a, times) and isinstance(b, times):
        return max(a, b, key=lambda kind: times.index(type(kind)))
    for text, other in ((a, b), (b, a)):
        if isinstance(text, StringType):
            if is_integer(other):
                return BIGINT
            if is_number(other):
                return DOUBLE
            if isinstance(other, (*times, BooleanType, BinaryType)):
                return other
    return _nested(a, b)


def _nested(a: DataType, b: DataType) -> DataType | None:
    if isinstance(a, ArrayType) and isinstance(b, ArrayType):
        element = common_type(a.elementType, b.elementType)
        return None if element is None else ArrayType(element)
    if isinstance(a, MapType) and isinstance(b, MapType):
        key, value = common_type(a.keyType, b.keyType), common_type(a.valueType, b.valueType)
        return None if key is None or value is None else MapType(key, value)
    if isinstance(a, StructType) and isinstance(b, StructType) and len(a) == len(b):
        kinds = [common_type(x.dataType, y.dataType) for x, y in zip(a.fields, b.fields, strict=True)]
        if all(kind is not None for kind in kinds):
            return StructType(
                [StructField(f.name, kind) for f, kind in zip(a.fields, kinds, strict=True) if kind]
            )
    if isinstance(a, DayTimeIntervalType) and isinstance(b, DayTimeIntervalType):
        return DayTimeIntervalType(min(a.startField, b.startField), max(a.endField, b.endField))
    if isinstance(a, YearMonthIntervalType) and isinstance(b, YearMonthIntervalType):
        return YearMonthIntervalType(min(a.startField, b.startField), max(a.endField, b.endField))
    return None


def common_of(kinds: Sequence[DataType | None]) -> DataType | None:
    """Return the least common type of several."""
    if not kinds:
        return None
    # Strings give way to what they stand beside, whatever the order.
    ordered = sorted(kinds, key=lambda kind: isinstance(kind, StringType))
    found = ordered[0]
    for kind in ordered[1:]:
        found = common_type(found, kind)
    return found
