"""Expressions over no table: every form of every function, with NULLs and edges; operators and casts over all types."""

from __future__ import annotations

from collections.abc import Iterator

from local_workspace.sql import functions

# Values at the edge of each letter of a signature, see ``functions.SAMPLES``.
_EDGES = {
    "s": ["''", "' a-b  C '", "'Straße Ünï'"],
    "c": ["''", "'.'"],
    "n": ["'-0.5'", "'abc'"],
    "i": ["-7", "0", "2147483647"],
    "j": ["-1", "0", "3"],
    "b": ["-1L", "9223372036854775807"],
    "k": ["cast(-32768 as smallint)"],
    "d": ["cast(-12.345 as decimal(10,3))", "cast(0.5 as decimal(38,18))", "cast(99 as decimal(4,0))"],
    "f": ["-2.5D", "0D", "1e20D", "double('NaN')", "double('Infinity')"],
    "r": ["-0.1F", "float('NaN')"],
    "o": ["0D", "1D"],
    "D": ["date'1969-12-31'", "date'2023-01-01'", "date'0001-01-01'"],
    "E": ["date'2024-12-30'"],
    "T": ["timestamp'1969-12-31 23:59:59.999999'", "timestamp'2024-12-31 00:00:00'"],
    "U": ["timestamp'2024-03-31 02:30:00'"],
    "B": ["false"],
    "x": ["cast('' as binary)", "X'00FF'"],
    "a": ["array()", "array('a', 'a', '')"],
    "q": ["array()", "array(1, cast(null as int), 2)", "array(-1)"],
    "p": ["array(array(1), cast(null as array<int>))"],
    "m": ["map()", "map('a', cast(null as int))"],
    "t": ["named_struct('a', cast(null as int), 'b', '\"')"],
    "e": ["array()"],
    "J": ["'[1,2]'", '\'{"a": {"b":  1.50}}\'', "'not json'"],
    "v": ["parse_json('[1, null]')"],
}
_TYPES = {
    "s": "string", "c": "string", "n": "string", "i": "int", "j": "int", "b": "bigint", "k": "smallint",
    "d": "decimal(10,3)", "f": "double", "r": "float", "o": "double", "D": "date", "E": "date", "T": "timestamp",
    "U": "timestamp", "B": "boolean", "x": "binary", "a": "array<string>", "q": "array<int>", "p": "array<array<int>>",
    "m": "map<string,int>", "t": "struct<a:int,b:string>", "e": "array<struct<a:int,b:string>>", "J": "string",
    "v": "variant",
}  # fmt: skip
# One value of each type, and its edges, for operators and casts.
VALUES = {
    "tinyint": ["cast(5 as tinyint)", "cast(-128 as tinyint)"],
    "smallint": ["cast(3 as smallint)"],
    "int": ["7", "-2147483648"],
    "bigint": ["5000000000", "9223372036854775807"],
    "float": ["1.5F"],
    "double": ["2.5D", "550.435D", "1e-7D", "123456789012345680D"],
    "decimal": [
        "cast(12.345 as decimal(10,3))",
        "12.5",
        "cast(7 as decimal(38,0))",
        "cast(0.1 as decimal(38,18))",
    ],
    "string": ["'42'", "' 7.5 '", "'2024-02-29 10:20:30'", "'true'", "'1e3'"],
    "boolean": ["true"],
    "date": ["date'2024-02-29'"],
    "timestamp": ["timestamp'2024-02-29 10:20:30.123456'", "timestamp'1969-12-31 23:59:59.5'"],
    "timestamp_ntz": ["timestamp_ntz'2024-02-29 10:20:30.120'"],
    "interval": ["interval 36 hours", "interval 2 days"],
    "binary": ["cast('12' as binary)"],
    "array": ["array(1, null, 3)", "array(1.5D, 1e10D)", "array(array(0.1D))"],
    "map": ["map('a', 1.5D)", "map(1, null)"],
    "struct": ["named_struct('a', 1, 'b', 1e-5D)"],
    "null": ["null"],
}
_TARGETS = [
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "decimal(10,2)",
    "decimal(38,10)",
    "decimal(5,3)",
    "string",
    "boolean",
    "date",
    "timestamp",
    "timestamp_ntz",
    "binary",
]
_LARGEST = "2147483647"
# Give a text as long as an argument says.
_LENGTHS = frozenset({"lpad", "rpad", "repeat", "space"})
# Depend on chance, time, the user or the place of a row; iff, which Databricks alone has; year-month intervals, which
# Spark Connect does not bring to Python.
_NOT_COMPARED = frozenset(
    {
        "iff",
        "input_file_name",
        "java_method",
        "make_ym_interval",
        "reflect",
        "schema_of_variant_agg",
        "version",
        "count_min_sketch",
    }
)


def expressions() -> list[str]:
    """Every expression, once."""
    return list(dict.fromkeys([*_of_functions(), *_operators(), *_casts(), *_common_types()]))


def _of_functions() -> Iterator[str]:
    for function in functions.table().values():
        compared = function.deterministic or function.name in functions.ORDER_DEPENDENT
        if function.kind is not functions.Kind.ROW or not compared or function.name in _NOT_COMPARED:
            continue
        yield from _forms(function)


def _forms(function: functions.Function) -> Iterator[str]:
    yield from function.examples()
    for letters in function.signatures:
        parts = functions.ARGUMENT.findall(letters)
        plain = [functions.SAMPLES.get(part, part.strip("{}")) for part in parts]
        for at, part in enumerate(parts):
            others = [*_EDGES.get(part, ()), *([f"cast(null as {_TYPES[part]})"] if part in _TYPES else [])]
            for other in others:
                if function.name in _LENGTHS and other == _LARGEST:
                    continue
                yield f"{function.name}({', '.join([*plain[:at], other, *plain[at + 1 :]])})"


def _operators() -> Iterator[str]:
    singles = [(kind, values[0]) for kind, values in VALUES.items()]
    for operator in ("+", "-", "*", "/", "%", "div", "=", "<", "<=>", "||"):
        for _, left in singles:
            for _, right in singles:
                yield f"{left} {operator} {right}"
    for kind in ("tinyint", "int", "bigint", "decimal", "double", "string"):
        for value in VALUES[kind]:
            for other in ("3", "0.7", "-2.5D", "cast(0.003 as decimal(20,10))", "'2'"):
                yield from (f"{value} {operator} {other}" for operator in ("+", "-", "*", "/", "%"))
            yield f"-({value})"
            yield f"abs({value})"
            yield f"null / {value}"
            yield f"{value} / nullif(1, 1)"


def _casts() -> Iterator[str]:
    for values in VALUES.values():
        for value in values:
            for target in _TARGETS:
                yield f"cast({value} as {target})"
                yield f"try_cast({value} as {target})"


def _common_types() -> Iterator[str]:
    singles = [values[0] for kind, values in VALUES.items() if kind not in ("map", "struct", "interval")]
    for left in singles:
        for right in singles:
            yield f"coalesce({left}, {right})"
            yield f"if(true, {left}, {right})"
            yield f"array({left}, {right})"
            yield f"{left} in ({right}, {left})"
