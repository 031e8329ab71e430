"""Arithmetic by Spark's rules in ANSI mode: no integer wraps around, decimals have Spark's precision and scale.

Sources: "Data type rules" and the operators' pages of the Databricks SQL language reference, and Apache Spark's answers.
Sail 0.7.2 wraps integers, divides decimals to four digits more than the numerator has, cuts the rest off instead of
rounding it, and fails for NULL divided by zero.
"""

from __future__ import annotations

from pyspark.sql.types import (
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    FloatType,
    NullType,
    StringType,
    TimestampType,
)
from sqlglot import exp

from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.function_types import beside_decimal
from local_workspace.sql.inference import call_of
from local_workspace.sql.rewrites.ranges import arithmetic_range, of_type, range_of
from local_workspace.sql.rewrites.registry import Rewriting, on_call, on_node
from local_workspace.sql.sql_error import CHECKED

_OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.IntDiv: "div",
}
# Sail gives the quotient of decimals this many digits more than the numerator has, and cuts off what follows.
_QUOTIENT_DIGITS = 4


@on_node(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv)
def arithmetic(at: Rewriting, node: Node) -> None:
    """Overflow, decimal types, dates, and strings beside numbers."""
    assert isinstance(node, exp.Binary)  # noqa: S101
    operator = _OPERATORS[type(node)]
    left, right = at.type_of(node.left), at.type_of(node.right)
    result = at.type_of(node)
    if left is None or right is None or result is None:
        if operator in ("/", "%", "div"):
            _null_by_zero(at, node, operator)
        return
    if isinstance(left, (DateType, TimestampType)) or isinstance(right, (DateType, TimestampType)):
        _dates(at, node, operator, left, right)
        return
    if isinstance(left, NullType) or isinstance(right, NullType):
        if types.is_number(result):
            at.replace(node, f"CAST(NULL AS {types.sql_name(result)})")
        return
    first, second = _as_number(left, right), _as_number(right, left)
    if result == types.DOUBLE and (isinstance(left, FloatType) or isinstance(right, FloatType)):
        first = second = "DOUBLE"
    if operator in ("/", "%", "div") and not isinstance(result, DecimalType):
        _null_by_zero(at, node, operator, first, second)
    elif isinstance(result, DecimalType):
        _decimal(at, node, operator, result)
    elif types.is_integer(result):
        _integer(at, node, operator, result, first, second)
    elif (isinstance(left, FloatType) or isinstance(right, FloatType)) and result == types.DOUBLE:
        at.replace(node, f"CAST({{0}} AS DOUBLE) {operator} CAST({{1}} AS DOUBLE)", node.left, node.right)
    elif first or second:
        at.replace(node, f"({_cast(first, 0)} {operator} {_cast(second, 1)})", node.left, node.right)


def _as_number(kind: DataType, beside: DataType) -> str:
    """Return the type that a string is cast to beside a number; "" for what is not a string."""
    if not isinstance(kind, StringType):
        return ""
    return "BIGINT" if types.is_integer(beside) else "DOUBLE"


def _cast(kind: str, place: int) -> str:
    return f"CAST({{{place}}} AS {kind})" if kind else f"{{{place}}}"


def _integer(  # noqa: PLR0917
    at: Rewriting, node: exp.Binary, operator: str, result: DataType, first: str, second: str
) -> None:
    found = arithmetic_range(node, at.typing)
    low, high = of_type(result)
    if found is not None and low <= found[0] and found[1] <= high and not first and not second:
        return
    wide = "BIGINT" if result != types.BIGINT else "DECIMAL(19,0)" if operator == "*" else "DECIMAL(20,0)"
    left, right = _cast(first, 0), _cast(second, 1)
    template = f"CAST(CAST({left} AS {wide}) {operator} CAST({right} AS {wide}) {CHECKED} AS {types.sql_name(result)})"
    at.replace(node, template, node.left, node.right)


def _decimal(at: Rewriting, node: exp.Binary, operator: str, result: DecimalType) -> None:
    name = types.sql_name(result)
    left_kind, right_kind = at.type_of(node.left), at.type_of(node.right)
    left = beside_decimal(left_kind, node.left) if left_kind else None
    right = beside_decimal(right_kind, node.right) if right_kind else None
    if left is None or right is None:
        return
    if operator in ("+", "-", "*"):
        value = f"CAST({{0}} {operator} {{1}} AS {name})"
        if _may_exceed(operator, left, right):
            # Sail keeps a 39th digit.
            most = "9" * (types.MAX_PRECISION - result.scale) + (
                "." + "9" * result.scale if result.scale else ""
            )
            error = f"CAST(raise_error('[NUMERIC_VALUE_OUT_OF_RANGE] {operator} of decimals') AS {name})"
            value = f"CASE WHEN abs({value}) > CAST('{most}' AS {name}) THEN {error} ELSE {value} END"
        at.replace(node, value, node.left, node.right)
        return
    divisor = f"CAST({{1}} AS {types.sql_name(right)})"
    if not _is_never_zero(node.right):
        # In the divisor, so that the quotient's type stays.
        divisor = f"CASE WHEN {{0}} IS NOT NULL THEN {divisor} END"
    if operator == "%":
        at.replace(node, f"CAST({{0}} % {divisor} AS {name})", node.left, node.right)
        return
    # One digit more than the result keeps, of which the last cast rounds half up, as Spark does.
    scale = min(max(left.scale, result.scale + 1 - _QUOTIENT_DIGITS), types.MAX_PRECISION)
    whole = left.precision - left.scale
    numerator = f"CAST({{0}} AS DECIMAL({min(whole + scale, types.MAX_PRECISION)},{scale}))"
    at.replace(node, f"CAST({numerator} / {divisor} AS {name})", node.left, node.right)


def _may_exceed(operator: str, left: DecimalType, right: DecimalType) -> bool:
    """Whether a result may have more digits before the point than there are places for."""
    whole_left, whole_right = left.precision - left.scale, right.precision - right.scale
    if operator == "*":
        return whole_left + whole_right + left.scale + right.scale > types.MAX_PRECISION
    return max(whole_left, whole_right) + 1 + max(left.scale, right.scale) > types.MAX_PRECISION


def _null_by_zero(
    at: Rewriting,
    node: exp.Binary,
    operator: str,
    first: str = "",
    second: str = "",
) -> None:
    """NULL divided by zero is NULL; Sail fails."""
    if (_is_never_zero(node.right) or _is_never_null(node.left)) and not first and not second:
        return
    left, right = _cast(first, 0), _cast(second, 1)
    if not _is_never_zero(node.right):
        right = f"CASE WHEN {{0}} IS NOT NULL THEN {right} END"
    at.replace(node, f"({left} {operator} {right})", node.left, node.right)


def _is_never_zero(node: Node) -> bool:
    if isinstance(node, exp.Paren):
        return _is_never_zero(node.this)
    if isinstance(node, exp.Literal):
        return not node.is_string and float(node.name) != 0
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        return _is_number(node.this.name) and float(node.this.name) != 0
    name, parts = call_of(node)
    return (
        name == "nullif" and len(parts) == 2 and isinstance(parts[1], exp.Literal) and _is_zero(parts[1].name)
    )


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _is_zero(text: str) -> bool:
    return _is_number(text) and float(text) == 0


def _is_never_null(node: Node) -> bool:
    if isinstance(node, (exp.Paren, exp.Neg)):
        return _is_never_null(node.this)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal)
    return isinstance(node, exp.Literal) or call_of(node)[0] in ("count", "count_if")


def _dates(at: Rewriting, node: exp.Binary, operator: str, left: DataType, right: DataType) -> None:
    if operator == "-" and (isinstance(left, NullType) or isinstance(right, NullType)):
        if at.type_of(node) == DayTimeIntervalType(0, 0):
            at.replace(node, "CAST(NULL AS INTERVAL DAY)")
    elif operator == "-" and isinstance(left, DateType) and isinstance(right, DateType):
        difference = "CAST({0} AS TIMESTAMP) - CAST({1} AS TIMESTAMP)"
        at.replace(node, f"CAST({difference} AS INTERVAL DAY)", node.left, node.right)
    elif operator == "-" and isinstance(left, DateType) and isinstance(right, TimestampType):
        at.replace(node, "(CAST({0} AS TIMESTAMP) - {1})", node.left, node.right)
    elif operator == "-" and isinstance(left, TimestampType) and isinstance(right, DateType):
        at.replace(node, "({0} - CAST({1} AS TIMESTAMP))", node.left, node.right)
    elif (
        at.type_of(node) == types.TIMESTAMP
        and isinstance(left, DateType)
        and isinstance(right, DayTimeIntervalType)
    ):
        at.replace(node, f"(CAST({{0}} AS TIMESTAMP) {operator} {{1}})", node.left, node.right)
    elif (
        at.type_of(node) == types.TIMESTAMP
        and isinstance(right, DateType)
        and isinstance(left, DayTimeIntervalType)
    ):
        at.replace(node, f"({{0}} {operator} CAST({{1}} AS TIMESTAMP))", node.left, node.right)


@on_node(exp.Neg)
def negation(at: Rewriting, node: Node) -> None:
    """The smallest integer has no positive one."""
    kind = at.type_of(node)
    if kind is None or not types.is_integer(kind):
        return
    if isinstance(node.this, exp.Literal):
        if node.this.name == str(2**31):
            at.replace(node, "CAST(-{0} AS INT)", node.this)
        return
    found = range_of(node.this, at.typing)
    if found is None or -found[0] > of_type(kind)[1]:
        wide = "BIGINT" if kind != types.BIGINT else "DECIMAL(20,0)"
        at.replace(node, f"CAST(-CAST({{0}} AS {wide}) {CHECKED} AS {types.sql_name(kind)})", node.this)


@on_call("abs")
def absolute(at: Rewriting, node: Node) -> None:
    """The smallest integer has no positive one."""
    kind = at.type_of(node)
    parts = call_of(node)[1]
    if kind is None or not types.is_integer(kind) or len(parts) != 1:
        return
    found = range_of(parts[0], at.typing)
    if found is None or -found[0] > of_type(kind)[1]:
        wide = "BIGINT" if kind != types.BIGINT else "DECIMAL(20,0)"
        at.replace(node, f"CAST(abs(CAST({{0}} AS {wide})) {CHECKED} AS {types.sql_name(kind)})", parts[0])
