"""Aggregates by Spark's rules: a sum of BIGINT does not wrap around, an average of decimals is rounded half up."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql.types import ArrayType, DecimalType, MapType, StructType
from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import call_of
from local_workspace.sql.render import piece, put
from local_workspace.sql.rewrites.ranges import range_of
from local_workspace.sql.rewrites.registry import Rewriting, on_call, on_node
from local_workspace.sql.sql_error import CHECKED

# As many rows of values that small cannot reach BIGINT's end.
_CANNOT_OVERFLOW = 2**40
_LEAVE_OUT_NULL = frozenset({"sum", "avg", "mean", "min", "max", "count"})
_MOST_DIGITS = "9" * types.MAX_PRECISION


def whole_call(node: Node) -> Node:
    """Return a call with all that belongs to it: FILTER, WITHIN GROUP, OVER."""
    while isinstance(
        node.parent, (exp.Filter, exp.WithinGroup, exp.Window, exp.IgnoreNulls, exp.RespectNulls)
    ):
        if node.arg_key != "this":
            break
        node = node.parent
    return node


def _with(node: Node, template: str) -> Node:
    """Return a copy of a whole call in which the call itself is put otherwise; ``{0}`` is its argument."""
    whole = whole_call(node)
    node.meta["chosen"] = True
    copied = whole.copy()
    node.meta.pop("chosen")
    inner = next(part for part in copied.walk() if part.meta.get("chosen"))
    inner.meta.pop("chosen")
    arguments = call_of(inner)[1]
    new = put(inner, template, *arguments)
    return new if inner is copied else copied


@on_call("sum")
def sum_(at: Rewriting, node: Node) -> None:
    """BIGINT and DECIMAL(38) overflow."""
    arguments = call_of(node)[1]
    if len(arguments) != 1:
        return
    value = arguments[0].expressions[0] if isinstance(arguments[0], exp.Distinct) else arguments[0]
    kind, result = at.type_of(value), at.type_of(node)
    whole = whole_call(node)
    at.typing.keep(whole)
    distinct = "DISTINCT " if isinstance(arguments[0], exp.Distinct) else ""
    if kind == types.BIGINT:
        found = range_of(value, at.typing)
        if found is not None and max(-found[0], found[1]) <= _CANNOT_OVERFLOW:
            return
        put(arguments[0], f"{distinct}CAST({{0}} AS DECIMAL(38,0))", value)
        at.replace(whole, f"CAST({{0}} {CHECKED} AS BIGINT)", whole)
    elif (
        isinstance(kind, DecimalType)
        and isinstance(result, DecimalType)
        and kind.precision + 10 > types.MAX_PRECISION
    ):
        most = (
            f"{_MOST_DIGITS[: types.MAX_PRECISION - kind.scale]}.{'9' * kind.scale}"
            if kind.scale
            else _MOST_DIGITS
        )
        at.replace(
            whole,
            f"CASE WHEN {{0}} > {most} OR {{0}} < -{most} THEN"
            f" CAST(raise_error('[ARITHMETIC_OVERFLOW] Overflow in sum of decimals.') AS {types.sql_name(result)})"
            " ELSE {0} END",
            whole,
        )


@on_node(exp.Window)
def collected(at: Rewriting, node: Node) -> None:
    """Of the rows of a window NULLs are left out, as of those of a group; Sail keeps them."""
    if call_of(node.this)[0] in ("collect_list", "collect_set", "array_agg"):
        at.replace(node, "array_compact({0})", node)


@on_node(exp.Window, first=True)
def filtered_window(_at: Rewriting, node: Node) -> None:
    """Sail takes no FILTER before OVER: what is filtered out is NULL, which aggregates leave out."""
    filtered = node.this
    if not isinstance(filtered, exp.Filter):
        return
    name, arguments = call_of(filtered.this)
    if name not in _LEAVE_OUT_NULL or len(arguments) != 1 or isinstance(arguments[0], exp.Distinct):
        return
    value, condition = arguments[0], filtered.expression.this
    put(value, "CASE WHEN {0} THEN {1} END", condition, piece("1") if isinstance(value, exp.Star) else value)
    put(filtered, "{0}", filtered.this)


@on_node(exp.WithinGroup)
def descending_percentile(at: Rewriting, node: Node) -> None:
    """From the other end; Sail adds a small number of its own in descending order."""
    name, arguments = call_of(node.this)
    keys = node.expression.expressions if isinstance(node.expression, exp.Order) else []
    if name != "percentile_cont" or len(arguments) != 1 or len(keys) != 1 or not keys[0].args.get("desc"):
        return
    place = arguments[0]
    if isinstance(place, exp.Literal) and not place.is_string:
        at.replace(
            node, f"percentile_cont({1 - Decimal(place.name)}) WITHIN GROUP (ORDER BY {{0}})", keys[0].this
        )


@on_call("max", "min")
def largest_struct(at: Rewriting, node: Node) -> None:
    """NULL is the smallest value of a field; Sail takes it for the largest."""
    name, parts = call_of(node)
    kind = at.type_of(parts[0]) if len(parts) == 1 else None
    if not isinstance(kind, StructType):
        return
    plain = not any(isinstance(f.dataType, (StructType, ArrayType, MapType)) for f in kind.fields)
    if whole_call(node) is not node or not plain:
        raise NotSupported(
            f"{name}() of a STRUCT over a window, with FILTER, or with nested fields",
            "Use max_by() or min_by() with one value to order by",
        )
    fields = [f.name.replace("`", "``").replace("{", "{{").replace("}", "}}") for f in kind.fields]
    keys = ", ".join(f"{{0}}.`{f}` IS NOT NULL AS k{n}, {{0}}.`{f}` AS v{n}" for n, f in enumerate(fields))
    found = f"{name}(CASE WHEN {{0}} IS NOT NULL THEN struct({keys}) END)"
    values = ", ".join(f"{found}.v{n} AS `{f}`" for n, f in enumerate(fields))
    at.replace(node, f"CASE WHEN {found} IS NOT NULL THEN struct({values}) END", *parts)


@on_call("avg", "mean")
def average(at: Rewriting, node: Node) -> None:
    """The sum by the number of values, rounded half up; Sail cuts off."""
    arguments = call_of(node)[1]
    result = at.type_of(node)
    if len(arguments) != 1 or not isinstance(result, DecimalType):
        return
    distinct = "DISTINCT " if isinstance(arguments[0], exp.Distinct) else ""
    value = arguments[0].expressions[0] if distinct else arguments[0]
    kind = at.type_of(value)
    if not isinstance(kind, DecimalType):
        return
    whole = whole_call(node)
    at.typing.keep(whole)
    inner = "{0}"
    if distinct:
        put(arguments[0], "{0}", value)
    total = _with(node, f"sum({distinct}{inner})")
    count = _with(node, f"count({distinct}{inner})")
    scale = min(result.scale + 1 - 4, types.MAX_PRECISION)
    at.replace(
        whole,
        f"CAST(CAST({{0}} AS DECIMAL(38,{max(scale, kind.scale)})) / nullif({{1}}, 0) AS {types.sql_name(result)})",
        total,
        count,
    )
