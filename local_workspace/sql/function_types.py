"""The type that a call gives, by the rules that :mod:`local_workspace.sql.functions` names.

Each rule takes the types of the arguments; what depends on a literal's value takes the literal from the call's nodes. A
rule answers None where the type is not known: nothing is then concluded from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    MapType,
    NullType,
    StringType,
    StructField,
    StructType,
)
from sqlglot import exp

from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.spark_types import BIGINT, DOUBLE, INT, STRING

Types = Sequence["DataType | None"]
Rule = Callable[[Types, Sequence[Node]], "DataType | None"]


def _first(kinds: Types) -> DataType | None:
    return kinds[0] if kinds else None


def _literal_int(nodes: Sequence[Node], at: int, default: int) -> int | None:
    if len(nodes) <= at:
        return default
    node, sign = nodes[at], 1
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Null):
        return 0
    if isinstance(node, exp.Neg):
        node, sign = node.this, -1
    return sign * int(node.name) if isinstance(node, exp.Literal) and node.name.isdigit() else None


def _element(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    if isinstance(kind, ArrayType):
        return kind.elementType
    return kind.valueType if isinstance(kind, MapType) else None


def _sum(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    if types.is_integer(kind):
        return BIGINT
    if isinstance(kind, DecimalType):
        return types.bounded(kind.precision + 10, kind.scale)
    return DOUBLE if types.is_fraction(kind) or isinstance(kind, (StringType, NullType)) else None


def _average(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    if isinstance(kind, DecimalType):
        return types.bounded(kind.precision + 4, kind.scale + 4)
    return DOUBLE if types.is_number(kind) or isinstance(kind, (StringType, NullType)) else None


def _ceil(kinds: Types, nodes: Sequence[Node]) -> DataType | None:
    kind = types.as_decimal(_first(kinds))
    if len(nodes) == 1:
        if isinstance(_first(kinds), DecimalType) and kind is not None:
            if kind.scale == 0:
                return kind
            return types.bounded(max(kind.precision - kind.scale + 1, 1), 0)
        return BIGINT if types.is_number(_first(kinds)) else None
    digits = _literal_int(nodes, 1, 0)
    if kind is None or digits is None:
        return None
    return types.bounded(max(kind.precision - kind.scale + 1, -digits + 1) + max(digits, 0), max(digits, 0))


def _round(kinds: Types, nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    if not isinstance(kind, DecimalType):
        return DOUBLE if isinstance(kind, StringType) else kind if types.is_number(kind) else None
    digits = _literal_int(nodes, 1, 0)
    if digits is None:
        return None
    whole = kind.precision - kind.scale + 1
    if digits < 0:
        return types.bounded(max(whole, -digits + 1), 0)
    scale = min(kind.scale, digits)
    return types.bounded(whole + scale, scale)


def _modulo(kinds: Types, nodes: Sequence[Node]) -> DataType | None:
    return arithmetic("%", kinds[0], kinds[1], nodes[0], nodes[1]) if len(kinds) == 2 else None


def arithmetic(
    operator: str, left: DataType | None, right: DataType | None, left_node: Node, right_node: Node
) -> DataType | None:
    """Return the type of ``left operator right`` for numbers and strings; None for dates and intervals.

    Args:
        operator: ``+ - * / %``.
        left: Its type.
        right: Its type.
        left_node: A literal beside a decimal counts with its own digits.
        right_node: The same.
    """
    if operator == "/" and isinstance(left, NullType):
        return DOUBLE
    a, b = _number(left, right), _number(right, left)
    if a is None or b is None:
        return None
    if types.is_fraction(a) or types.is_fraction(b):
        return DOUBLE if operator == "/" or a != b else a
    if isinstance(a, DecimalType) or isinstance(b, DecimalType):
        x, y = beside_decimal(a, left_node), beside_decimal(b, right_node)
        return types.decimal_result(operator, x, y) if x and y else None
    return DOUBLE if operator == "/" else types.common_type(a, b)


def beside_decimal(kind: DataType, node: Node) -> DecimalType | None:
    """Return the decimal type of an operand of decimal arithmetic: an integer literal counts with its own digits."""
    if isinstance(node, (exp.Neg, exp.Paren)):
        return beside_decimal(kind, node.this)
    if types.is_integer(kind) and isinstance(node, exp.Literal) and not node.is_string:
        return DecimalType(max(1, len(node.name.lstrip("0"))), 0)
    return types.as_decimal(kind)


def _number(kind: DataType | None, beside: DataType | None) -> DataType | None:
    if isinstance(kind, NullType):
        return _number(beside, None) if beside is not None and not isinstance(beside, NullType) else DOUBLE
    if isinstance(kind, StringType):
        # A string beside an integer is BIGINT, beside anything else DOUBLE.
        return BIGINT if types.is_integer(beside) else DOUBLE
    return kind if types.is_number(kind) else None


def _try_arithmetic(_kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    return None  # the name tells the operator: see `of_call`


_TRY = {"try_add": "+", "try_subtract": "-", "try_multiply": "*", "try_divide": "/", "try_mod": "%"}


def _array(kind: DataType | None) -> DataType | None:
    return None if kind is None else ArrayType(kind)


def _keys(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    return ArrayType(kind.keyType) if isinstance(kind, MapType) else None


def _values(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    return ArrayType(kind.valueType) if isinstance(kind, MapType) else None


def _map(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    if not kinds:
        return MapType(types.VOID, types.VOID)
    key, value = types.common_of(kinds[::2]), types.common_of(kinds[1::2])
    return None if key is None or value is None else MapType(key, value)


def _map_entries(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    if not isinstance(kind, MapType):
        return None
    return ArrayType(StructType([StructField("key", kind.keyType), StructField("value", kind.valueType)]))


def _map_from_entries(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    if (
        isinstance(kind, ArrayType)
        and isinstance(kind.elementType, StructType)
        and len(kind.elementType) == 2
    ):
        key, value = kind.elementType.fields
        return MapType(key.dataType, value.dataType)
    return None


def _map_from_arrays(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    key, value = kinds if len(kinds) == 2 else (None, None)
    if isinstance(key, ArrayType) and isinstance(value, ArrayType):
        return MapType(key.elementType, value.elementType)
    return None


def _named_struct(kinds: Types, nodes: Sequence[Node]) -> DataType | None:
    names = [node.name for node in nodes[::2] if isinstance(node, exp.Literal)]
    values = kinds[1::2]
    if len(names) != len(values) or not all(values):
        return None
    return StructType([StructField(n, v) for n, v in zip(names, values, strict=True) if v is not None])


def _struct(kinds: Types, nodes: Sequence[Node]) -> DataType | None:
    fields = []
    for at, (kind, node) in enumerate(zip(kinds, nodes, strict=True), 1):
        if kind is None:
            return None
        name = node.alias_or_name if isinstance(node, (exp.Alias, exp.Column)) else f"col{at}"
        fields.append(StructField(name, kind))
    return StructType(fields)


def _concat(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    if kinds and all(isinstance(kind, ArrayType) for kind in kinds):
        return types.common_of(kinds)
    if kinds and all(kind == types.BINARY for kind in kinds):
        return types.BINARY
    return None if any(isinstance(kind, ArrayType) or kind is None for kind in kinds) else STRING


def _decode(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    if len(kinds) == 2:
        return STRING
    results = list(kinds[2::2])
    return types.common_of([*results, kinds[-1]] if len(kinds) % 2 == 0 else results)


def _date_part(_kinds: Types, nodes: Sequence[Node]) -> DataType | None:
    unit = nodes[0].name.upper() if nodes else ""
    if unit in ("SECOND", "S", "SEC", "SECONDS", "SECS"):
        return DecimalType(8, 6)
    return INT


def _lambda(_kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    return None


def _sequence(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    return _array(types.common_of(kinds[:2]))


def _flatten(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    return (
        kind.elementType if isinstance(kind, ArrayType) and isinstance(kind.elementType, ArrayType) else None
    )


def _append(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    if not isinstance(kind, ArrayType) or len(kinds) < 2:
        return None
    return _array(types.common_type(kind.elementType, kinds[1]))


def _same(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    return _first(kinds)


def _absolute(kinds: Types, _nodes: Sequence[Node]) -> DataType | None:
    kind = _first(kinds)
    return DOUBLE if isinstance(kind, StringType) else kind if types.is_number(kind) else None


def _is_always(kind: DataType) -> Rule:
    return lambda _kinds, _nodes: kind


_RULES: dict[str, Rule] = {
    **{
        name: _is_always(kind)
        for name, kind in {
            "string": STRING,
            "int": INT,
            "bigint": BIGINT,
            "double": DOUBLE,
            "boolean": types.BOOLEAN,
            "date": types.DATE,
            "timestamp": types.TIMESTAMP,
            "timestamp_ntz": types.TIMESTAMP_NTZ,
            "binary": types.BINARY,
            "variant": types.VARIANT,
            "array_string": ArrayType(STRING),
        }.items()
    },
    "unknown": lambda _kinds, _nodes: None,
    "common": lambda kinds, _nodes: types.common_of(kinds),
    "common_from_2": lambda kinds, _nodes: types.common_of(kinds[1:]),
    "same": _same,
    "abs": _absolute,
    "ceil": _ceil,
    "round": _round,
    "modulo": _modulo,
    "try_arithmetic": _try_arithmetic,
    "array_of_common": lambda kinds, _nodes: _array(types.common_of(kinds) if kinds else types.VOID),
    "array_union": lambda kinds, _nodes: types.common_of(kinds),
    "array_append": _append,
    "array_of_first": lambda kinds, _nodes: _array(_first(kinds)),
    "sequence": _sequence,
    "element": _element,
    "flatten": _flatten,
    "keys": _keys,
    "values": _values,
    "map_of": _map,
    "map_from_arrays": _map_from_arrays,
    "map_from_entries": _map_from_entries,
    "map_entries": _map_entries,
    "named_struct": _named_struct,
    "struct": _struct,
    "concat": _concat,
    "decode": _decode,
    "date_part": _date_part,
    "lambda": _lambda,
    "sum": _sum,
    "avg": _average,
}
#: Names of types that are called as functions: ``int(x)`` is ``CAST(x AS INT)``.
CASTS: dict[str, DataType] = {
    "int": INT,
    "bigint": BIGINT,
    "smallint": types.SMALLINT,
    "tinyint": types.TINYINT,
    "float": types.FLOAT,
    "double": DOUBLE,
    "decimal": DecimalType(10, 0),
    "string": STRING,
    "boolean": types.BOOLEAN,
    "binary": types.BINARY,
    "date": types.DATE,
    "timestamp": types.TIMESTAMP,
}


def of_call(name: str, result: str, kinds: Types, nodes: Sequence[Node]) -> DataType | None:
    """Return the type of a call.

    Args:
        name: The function, in lower case.
        result: Its rule, as the table of functions names it.
        kinds: The types of the arguments.
        nodes: The arguments.
    """
    if name in ("datediff", "date_diff", "timestampdiff") and len(nodes) == 3:
        return BIGINT
    if name in ("date_add", "dateadd", "timestampadd") and len(nodes) == 3:
        unit = nodes[0].name.upper()
        whole = unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR") and isinstance(kinds[2], DateType)
        return None if name == "date_add" and whole else types.TIMESTAMP
    if name in ("reverse", "sort_array", "array_sort") and isinstance(_first(kinds), StringType):
        return STRING
    if name in _TRY and len(nodes) == 2:
        return arithmetic(_TRY[name], kinds[0], kinds[1], nodes[0], nodes[1])
    if name in ("percentile", "median") and len(kinds) > 1 and isinstance(kinds[1], ArrayType):
        return ArrayType(DOUBLE)
    if name in ("ceil", "ceiling", "floor", "sign", "negative", "positive") and isinstance(
        _first(kinds), StringType
    ):
        return None
    rule = _RULES.get(result)
    return rule(kinds, nodes) if rule is not None else None


def is_double(kind: DataType | None) -> bool:
    """Return whether the type is DOUBLE."""
    return isinstance(kind, DoubleType)
