"""Conditions with a lambda, which Sail 0.7.2 cannot push into the scan of a Delta table: it resolves no column there.

A column with a lambda becomes such a condition when a query above filters on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from local_workspace.sql.dialect import Node
from local_workspace.sql.functions import Kind, function
from local_workspace.sql.inference import call_of
from local_workspace.sql.rewrites.registry import Rewriting, on_node


@on_node(exp.Where)
def condition_with_a_lambda(at: Rewriting, node: Node) -> None:
    """``WHERE exists(a, x -> x = 1)``: a condition that looks volatile stays above the scan."""
    if not isinstance(node.parent, exp.Select):
        return
    for condition in list(_conjuncts(node.this)):
        if condition.find(exp.Lambda) is not None:
            at.replace(condition, "CASE WHEN rand() >= 0 THEN {0} END", condition)


@on_node(exp.Select)
def column_with_a_lambda(at: Rewriting, node: Node) -> None:
    """``SELECT * FROM (SELECT filter(a, ..) AS b ..) WHERE size(b) > 0``: a column that looks volatile stays where it is."""
    is_inner = at.nested or node.find_ancestor(exp.Select, exp.SetOperation) is not None
    if not is_inner or node.args.get("from_") is None or node.args.get("group") is not None:
        return
    for projection in list(node.expressions):
        value = projection.this if isinstance(projection, exp.Alias) else projection
        if value.find(exp.Lambda) is not None and not _is_over_many_rows(value):
            at.replace(value, "CASE WHEN rand() >= 0 THEN {0} END", value)


def _is_over_many_rows(value: Node) -> bool:
    """Whether an expression aggregates, or gives several rows, so that it can be no part of a CASE."""
    for part in value.walk():
        known = function(call_of(part)[0]) if not isinstance(part, exp.Window) else None
        if known is not None and known.kind is not Kind.ROW:
            return True
    return False


def _conjuncts(condition: Node) -> Iterator[Node]:
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.this)
        yield from _conjuncts(condition.expression)
    else:
        yield condition
