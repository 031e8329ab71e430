"""Conditions with a lambda, which Sail 0.7.2 cannot push into the scan of a Delta table: it resolves no column there."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from local_workspace.sql.dialect import Node
from local_workspace.sql.rewrites.registry import Rewriting, on_node


@on_node(exp.Where)
def condition_with_a_lambda(at: Rewriting, node: Node) -> None:
    """``WHERE exists(a, x -> x = 1)``: a condition that looks volatile stays above the scan."""
    if not isinstance(node.parent, exp.Select):
        return
    for condition in list(_conjuncts(node.this)):
        if condition.find(exp.Lambda) is not None:
            at.replace(condition, "CASE WHEN rand() >= 0 THEN {0} END", condition)


def _conjuncts(condition: Node) -> Iterator[Node]:
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.this)
        yield from _conjuncts(condition.expression)
    else:
        yield condition
