"""SQL that gives a value's text as Spark writes it; Sail writes doubles and NULLs within arrays in its own way."""

from __future__ import annotations

from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, MapType, StructType

# Spark writes a double as Java does: plain from 0.001 to 10 million, otherwise with one digit before the point and an
# exponent.
_PLAIN = "({x} = 0D OR (abs({x}) >= 0.001D AND abs({x}) < 1e7D))"
_LARGE = (
    r"concat(regexp_replace(regexp_replace(regexp_replace({s}, '^(-?\\d)(\\d*)\\.(\\d+)$', '$1.$2$3'), '0+$', ''),"
    r" '\\.$', '.0'),"
    r" 'E', CAST(length(regexp_extract({s}, '^-?(\\d+)', 1)) - 1 AS STRING))"
)
_SMALL = (
    r"concat(regexp_replace(regexp_replace({s}, '^(-?)0\\.0*(\\d)(\\d*)$', '$1$2.$3'), '\\.$', '.0'),"
    r" 'E-', CAST(length(regexp_extract({s}, '^-?0\\.(0*)', 1)) + 1 AS STRING))"
)


def needs_care(kind: DataType | None) -> bool:
    """Return whether the engine writes values of this type otherwise than Spark does."""
    return isinstance(kind, (DoubleType, FloatType, ArrayType, MapType, StructType))


def as_text(value: str, kind: DataType) -> str:
    """SQL for the text of a value.

    Args:
        value: SQL of the value.
        kind: Its type.
    """
    if isinstance(kind, (DoubleType, FloatType)):
        return _fraction(value)
    if isinstance(kind, ArrayType):
        inner = as_text("e_", kind.elementType)
        return f"concat('[', array_join(transform({value}, e_ -> coalesce({inner}, 'null')), ', '), ']')"
    if isinstance(kind, MapType):
        key, inner = as_text("e_.key", kind.keyType), as_text("e_.value", kind.valueType)
        entry = f"concat({key}, ' -> ', coalesce({inner}, 'null'))"
        return f"concat('{{', array_join(transform(map_entries({value}), e_ -> {entry}), ', '), '}}')"
    if isinstance(kind, StructType):
        names = ["`" + f.name.replace("`", "``") + "`" for f in kind.fields]
        fields = [as_text(f"{value}.{n}", f.dataType) for n, f in zip(names, kind.fields, strict=True)]
        inside = ", ', ', ".join(f"coalesce({text}, 'null')" for text in fields)
        return f"CASE WHEN {value} IS NOT NULL THEN concat('{{', {inside}, '}}') END" if fields else "'{}'"
    return f"CAST({value} AS STRING)"


def _fraction(x: str) -> str:
    s = f"CAST({x} AS STRING)"
    return (
        f"CASE WHEN {x} IS NULL THEN NULL WHEN isnan({x}) THEN 'NaN' WHEN {_PLAIN.format(x=x)} THEN {s}"
        f" WHEN {s} = 'inf' THEN 'Infinity' WHEN {s} = '-inf' THEN '-Infinity'"
        rf" WHEN contains({s}, 'e') THEN replace(regexp_replace({s}, '^(-?\\d)e', '$1.0e'), 'e', 'E')"
        f" WHEN abs({x}) >= 1D THEN {_LARGE.format(s=s)} ELSE {_SMALL.format(s=s)} END"
    )


def as_template(text: str, value: str = "{0}") -> str:
    """SQL as a template: braces doubled, but for the value's own."""
    mark = "\x00"
    return text.replace(value, mark).replace("{", "{{").replace("}", "}}").replace(mark, value)
