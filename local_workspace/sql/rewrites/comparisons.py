"""Comparisons that Sail 0.7.2 answers wrongly: rows of values in a list, LIKE ANY and LIKE ALL."""

from __future__ import annotations

from pyspark.sql.types import DecimalType
from sqlglot import exp

from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.rewrites import common_types
from local_workspace.sql.rewrites.registry import Rewriting, on_node


@on_node(exp.In)
def rows_in_a_list(at: Rewriting, node: Node) -> None:
    """``(a, b) IN ((1, 2), (3, 4))``: Sail finds nothing, or fails."""
    left = node.this
    if not isinstance(left, exp.Tuple) or not node.expressions or node.args.get("query") is not None:
        return
    width = len(left.expressions)
    rows = node.expressions
    if not all(isinstance(row, exp.Tuple) and len(row.expressions) == width for row in rows):
        return
    parts: list[Node] = list(left.expressions)
    alternatives = []
    for row in rows:
        pairs = []
        for at_column, cell in enumerate(row.expressions):
            pairs.append(f"{{{at_column}}} = {{{len(parts)}}}")
            parts.append(cell)
        alternatives.append("(" + " AND ".join(pairs) + ")")
    negated = isinstance(node.parent, exp.Not)
    outer = node.parent if negated and node.parent is not None else node
    text = f"({' OR '.join(alternatives)})"
    at.replace(outer, f"(NOT {text})" if negated else text, *parts)


@on_node(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ)
def fraction_beside_decimal(at: Rewriting, node: Node) -> None:
    """Compared as doubles; Sail makes a decimal of fifteen digits of the double, or fails."""
    if isinstance(node.parent, exp.Update):
        _assigned(at, node)
        return
    left, right = at.type_of(node.args["this"]), at.type_of(node.args["expression"])
    for side, kind, other in ((node.args["this"], left, right), (node.args["expression"], right, left)):
        if isinstance(kind, DecimalType) and types.is_fraction(other):
            at.replace(side, "CAST({0} AS DOUBLE)", side).meta["type"] = types.DOUBLE


def _assigned(at: Rewriting, node: Node) -> None:
    """``SET d = x``: a double goes into a column as Spark puts it."""
    column, value = node.args["this"], node.args["expression"]
    if types.is_fraction(at.type_of(value)):
        common_types.brought_to(at, value, at.type_of(column))


@on_node(exp.Between)
def between_fraction_and_decimal(at: Rewriting, node: Node) -> None:
    """As :func:`fraction_beside_decimal`."""
    sides = [node.this, node.args["low"], node.args["high"]]
    kinds = [at.type_of(side) for side in sides]
    if any(types.is_fraction(kind) for kind in kinds):
        for side, kind in zip(sides, kinds, strict=True):
            if isinstance(kind, DecimalType):
                at.replace(side, "CAST({0} AS DOUBLE)", side).meta["type"] = types.DOUBLE


@on_node(exp.Like, exp.ILike)
def like_any(at: Rewriting, node: Node) -> None:
    """``LIKE ANY (..)`` and ``LIKE ALL (..)``, which Sail does not know."""
    right = node.expression
    if not isinstance(right, (exp.Any, exp.All)):
        return
    patterns = right.this
    values = (
        list(patterns.expressions)
        if isinstance(patterns, exp.Tuple)
        else [patterns.this if isinstance(patterns, exp.Paren) else patterns]
    )
    word = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
    joined = (" OR " if isinstance(right, exp.Any) else " AND ").join(
        f"{{0}} {word} {{{n}}}" for n in range(1, len(values) + 1)
    )
    negated = isinstance(node.parent, exp.Not)
    outer = node.parent if negated and node.parent is not None else node
    at.replace(outer, f"(NOT ({joined}))" if negated else f"({joined})", node.this, *values)
