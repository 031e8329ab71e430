"""RANGE frames over a DATE: Sail 0.7.2 takes no notice of their bounds. Over a TIMESTAMP it does."""

from __future__ import annotations

from pyspark.sql.types import DateType
from sqlglot import exp

from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.render import put
from local_workspace.sql.rewrites.registry import Rewriting, on_node


@on_node(exp.WindowSpec)
def range_over_dates(at: Rewriting, node: Node) -> None:
    """The rows are ordered by midnight of their day; a number of days becomes an interval."""
    window = node.parent
    order = window.args.get("order") if window is not None else None
    if str(node.args.get("kind", "")).upper() != "RANGE" or order is None or len(order.expressions) != 1:
        return
    bounds = [node.args.get(side) for side in ("start", "end")]
    moved = [bound for bound in bounds if isinstance(bound, exp.Expr)]
    ordered = order.expressions[0]
    key = ordered.this if isinstance(ordered, exp.Ordered) else ordered
    if not moved or not isinstance(at.type_of(key), DateType):
        return
    put(key, "CAST({0} AS TIMESTAMP)", key)
    for bound in moved:
        if types.is_integer(at.type_of(bound)):
            put(bound, "INTERVAL {0} DAY", bound)
