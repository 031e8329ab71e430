"""Types that Spark does not let stand together in ANSI mode, where Sail 0.7.2 finds some answer.

Sources: "Data type rules" and ``cast`` of the Databricks SQL language reference, and Apache Spark's refusals.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DayTimeIntervalType,
    MapType,
    NullType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
    VariantType,
    YearMonthIntervalType,
)
from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node, span
from local_workspace.sql.inference import call_of
from local_workspace.sql.rewrites.registry import Rewriting, on_call, on_node
from local_workspace.sql.sql_error import SqlError

_TIMES = (DateType, TimestampType, TimestampNTZType)
_INTERVALS = (DayTimeIntervalType, YearMonthIntervalType)
_NO_ARITHMETIC = (BooleanType, BinaryType, ArrayType, MapType, StructType, VariantType)
_NO_TEXT = (MapType, StructType)


def mismatch(
    at: Rewriting, node: Node, kinds: Sequence[DataType], kind_of_fault: str = "BINARY_OP_DIFF_TYPES"
) -> SqlError:
    """The error for types that do not go together.

    Args:
        at: The text.
        node: Where.
        kinds: The types.
        kind_of_fault: The subclass of DATATYPE_MISMATCH.
    """
    where = span(node)
    place = None
    if where is not None:
        before = at.sql[: where[0]]
        place = (before.count("\n") + 1, where[0] - (before.rfind("\n") + 1))
    written = " ".join((at.text(node) or type(node).__name__).split())
    names = ", ".join(f'"{types.sql_name(kind)}"' for kind in kinds)
    return SqlError(
        f"DATATYPE_MISMATCH.{kind_of_fault}",
        f'Cannot resolve "{written}" due to data type mismatch: {names} do not go together. Cast one of them.',
        "42K09",
        place=place,
    )


@on_node(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv, first=True)
def arithmetic(at: Rewriting, node: Node) -> None:
    """Two texts, truth values, collections; times and intervals but for sums and differences."""
    assert isinstance(node, exp.Binary)  # noqa: S101
    left, right = at.type_of(node.left), at.type_of(node.right)
    if left is None or right is None:
        return
    sides = (left, right)
    two_texts = all(isinstance(kind, (StringType, NullType)) for kind in sides) and StringType() in sides
    has_time = any(isinstance(kind, _TIMES) for kind in sides)
    is_sum = isinstance(node, (exp.Add, exp.Sub))
    by_interval = isinstance(right, _INTERVALS) and not isinstance(node, (exp.Mul, exp.IntDiv)) and not is_sum
    if (
        two_texts
        or any(isinstance(kind, _NO_ARITHMETIC) for kind in sides)
        or (has_time and not is_sum)
        or by_interval
        or (isinstance(node, exp.IntDiv) and _is_no_whole_division(left, right))
    ):
        raise mismatch(at, node, sides)


@on_node(exp.Mul, exp.Div, first=True)
def interval_times_number(at: Rewriting, node: Node) -> None:
    """The engine computes them in BIGINT, which wraps around, or in FLOAT."""
    assert isinstance(node, exp.Binary)  # noqa: S101
    sides = [at.type_of(node.left), at.type_of(node.right)]
    if any(isinstance(kind, _INTERVALS) for kind in sides) and any(
        kind in (types.BIGINT, types.FLOAT) for kind in sides
    ):
        raise NotSupported(
            "an interval multiplied or divided by BIGINT or FLOAT", "Cast the number to INT or DOUBLE"
        )


def _is_no_whole_division(left: DataType, right: DataType) -> bool:
    sides = (left, right)
    has_text = StringType() in sides
    return any(types.is_fraction(kind) for kind in sides) or (
        has_text and not all(types.is_integer(kind) or isinstance(kind, StringType) for kind in sides)
    )


@on_node(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, first=True)
def comparison(at: Rewriting, node: Node) -> None:
    """A number and a time; maps."""
    if isinstance(node.parent, exp.Update):
        return
    left, right = at.type_of(node.args["this"]), at.type_of(node.args["expression"])
    if left is None or right is None:
        return
    if isinstance(left, MapType) or isinstance(right, MapType):
        raise mismatch(at, node, (left, right), "INVALID_ORDERING_TYPE")
    for kind, other in ((left, right), (right, left)):
        if types.is_number(kind) and isinstance(other, _TIMES):
            raise mismatch(at, node, (left, right))


@on_node(exp.DPipe, first=True)
def concatenation(at: Rewriting, node: Node) -> None:
    """A map or struct is no text."""
    sides = [at.type_of(node.args["this"]), at.type_of(node.args["expression"])]
    known = [kind for kind in sides if kind is not None]
    if any(isinstance(kind, _NO_TEXT) for kind in known):
        raise mismatch(at, node, known, "UNEXPECTED_INPUT_TYPE")


@on_node(exp.Cast, exp.TryCast, first=True)
def cast(at: Rewriting, node: Node) -> None:
    """Numbers and times that have no value in common; an interval in another unit."""
    given, wanted = at.type_of(node.this), types.of_node(node.args["to"])
    if given is None or wanted is None:
        return
    to_time = types.is_number(given) and isinstance(wanted, (DateType, TimestampNTZType, BinaryType))
    from_time = isinstance(given, (DateType, TimestampNTZType)) and (
        types.is_number(wanted) or isinstance(wanted, BooleanType)
    )
    of_interval = isinstance(given, _INTERVALS) and types.is_fraction(wanted)
    if to_time or from_time or of_interval:
        raise mismatch(at, node, (given, wanted), "CAST_WITHOUT_SUGGESTION")
    if isinstance(given, _INTERVALS) and types.is_number(wanted):
        raise NotSupported(
            f"a cast of an interval to {types.sql_name(wanted)}",
            "It counts seconds here, not the interval's own unit. Use timestampdiff, or extract(DAY FROM interval)",
        )


def together(at: Rewriting, node: Node, kinds: Sequence[DataType | None]) -> None:
    """Refuse values of one column that have no type in common.

    Args:
        at: The text.
        node: Where they come together.
        kinds: Their types.

    Raises:
        SqlError: DATATYPE_MISMATCH.
    """
    known = [kind for kind in kinds if kind is not None]
    if len(known) != len(kinds) or any(isinstance(kind, (*_INTERVALS, VariantType)) for kind in known):
        return
    if known and types.common_of(known) is None:
        raise mismatch(at, node, known, "DATA_DIFF_TYPES")


@on_call("coalesce", "ifnull", "nvl", "greatest", "least", "array", first=True)
def of_one_type(at: Rewriting, node: Node) -> None:
    """Arguments of which one is the result."""
    together(at, node, [at.type_of(part) for part in call_of(node)[1]])


@on_call("if", "iff", "nvl2", first=True)
def of_two_values(at: Rewriting, node: Node) -> None:
    """The two values of a condition."""
    together(at, node, [at.type_of(part) for part in call_of(node)[1][1:]])


@on_node(exp.Case, first=True)
def of_branches(at: Rewriting, node: Node) -> None:
    """The values of CASE."""
    default = node.args.get("default")
    values = [branch.args["true"] for branch in node.args["ifs"]]
    together(at, node, [at.type_of(v) for v in [*values, *([default] if default is not None else [])]])


@on_node(exp.In, first=True)
def of_a_list(at: Rewriting, node: Node) -> None:
    """A value and those of a list."""
    if node.expressions and not isinstance(node.this, exp.Tuple):
        together(at, node, [at.type_of(part) for part in (node.this, *node.expressions)])


@on_node(exp.Union, exp.Except, exp.Intersect, first=True)
def of_queries(at: Rewriting, node: Node) -> None:
    """Two columns of a set operation."""
    sides = [at.typing.columns_of(node.args[side]) for side in ("this", "expression")]
    left, right = sides
    if left is None or right is None or node.args.get("by_name") or len(left) != len(right):
        return
    for (_, a), (_, b) in zip(left, right, strict=True):
        together(at, node, [a, b])
