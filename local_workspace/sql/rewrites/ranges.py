"""Between which numbers an integer expression lies, so that only what can overflow is watched for it."""

from __future__ import annotations

from pyspark.sql.types import DataType
from sqlglot import exp

from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import Typing, call_of

Range = tuple[int, int]

# No table has more rows, no text more characters.
_COUNT = (0, 2**53)
_SMALL = {
    **dict.fromkeys(
        ("count", "count_if", "approx_count_distinct", "regr_count", "row_number", "rank", "dense_rank"),
        _COUNT,
    ),
    **dict.fromkeys(("length", "len", "char_length", "size", "cardinality", "array_size"), (-1, 2**31 - 1)),
    **dict.fromkeys(
        ("year", "quarter", "month", "day", "dayofmonth", "dayofweek", "dayofyear", "weekofyear"),
        (-300_000, 300_000),
    ),
    **dict.fromkeys(
        ("weekday", "hour", "minute", "second", "instr", "locate", "position", "ntile"), (-1, 2**31 - 1)
    ),
    **dict.fromkeys(("datediff", "date_diff"), (-(2**31), 2**31 - 1)),
    **dict.fromkeys(("unix_seconds", "unix_timestamp"), (-(2**50), 2**50)),
}


def of_type(kind: DataType) -> Range:
    """Return the numbers that an integer type holds."""
    bits = types.integer_bits(kind)
    return -(2**bits), 2**bits - 1


def range_of(node: Node, typing: Typing) -> Range | None:
    """Return the numbers between which an integer expression lies; None if it is none, or of unknown type."""
    kind = typing.type_of(node)
    if kind is None or not types.is_integer(kind):
        return None
    whole = of_type(kind)
    found = _found(node, typing)
    return whole if found is None else (max(whole[0], found[0]), min(whole[1], found[1]))


def _found(node: Node, typing: Typing) -> Range | None:
    if isinstance(node, exp.Paren):
        return range_of(node.this, typing)
    if isinstance(node, exp.Literal):
        number = int(node.name)
        return number, number
    if isinstance(node, exp.Neg):
        inner = (
            range_of(node.this, typing)
            if not isinstance(node.this, exp.Literal)
            else _found(node.this, typing)
        )
        return None if inner is None else (-inner[1], -inner[0])
    if isinstance(node, (exp.Window, exp.Filter)):
        return range_of(node.this, typing)
    if isinstance(node, exp.Cast) and types.is_integer(typing.type_of(node.this)):
        return range_of(node.this, typing)
    if isinstance(node, exp.Case):
        branches = [b.args["true"] for b in node.args["ifs"]]
        default = node.args.get("default")
        return _hull(
            [
                range_of(b, typing)
                for b in [*branches, *([default] if default is not None else [])]
                if not isinstance(b, exp.Null)
            ]
        )
    name, arguments = call_of(node)
    if name in ("coalesce", "ifnull", "nvl", "greatest", "least"):
        return _hull([range_of(a, typing) for a in arguments if not isinstance(a, exp.Null)])
    if name in ("min", "max", "any_value", "first", "last", "nullif", "abs") and arguments:
        inner = range_of(arguments[0], typing)
        return (
            None
            if inner is None
            else (min(inner[0], -inner[1]), max(inner[1], -inner[0]))
            if name == "abs"
            else inner
        )
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)):
        return arithmetic_range(node, typing)
    return _SMALL.get(name)


def _hull(ranges: list[Range | None]) -> Range | None:
    known = [r for r in ranges if r is not None]
    if not known or len(known) != len(ranges):
        return None
    return min(r[0] for r in known), max(r[1] for r in known)


def arithmetic_range(node: exp.Binary, typing: Typing) -> Range | None:
    """Return the range of a sum, difference or product before it is cut to its type."""
    left, right = range_of(node.left, typing), range_of(node.right, typing)
    if left is None or right is None:
        return None
    if isinstance(node, exp.Add):
        return left[0] + right[0], left[1] + right[1]
    if isinstance(node, exp.Sub):
        return left[0] - right[1], left[1] - right[0]
    products = [a * b for a in left for b in right]
    return min(products), max(products)
