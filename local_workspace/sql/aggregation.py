"""Where a query makes one row of many: aggregate functions that are no window functions, and SELECTs over all rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from local_workspace.sql import functions
from local_workspace.sql.dialect import Node, SqlSyntaxError, peek
from local_workspace.sql.inference import call_of

_AROUND_A_CALL = (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)


def is_aggregation(node: Node) -> bool:
    """Return whether a node is a call of an aggregate function that is not a window function."""
    name = call_of(node)[0]
    if not name or not functions.is_aggregate(name):
        return False
    parent = node.parent
    while isinstance(parent, _AROUND_A_CALL):
        parent = parent.parent
    return not isinstance(parent, exp.Window)


def aggregates(tree: Node) -> bool:
    """Return whether an expression aggregates; queries within it are queries of their own."""
    return any(is_aggregation(part) and not _within_query(part, tree) for part in tree.walk())


def text_aggregates(expression: str) -> bool:
    """Return whether the text of an expression aggregates; not if it cannot be read."""
    try:
        return aggregates(peek(expression))
    except SqlSyntaxError:
        return False


def gives_one_row(select: exp.Select) -> bool:
    """Return whether a SELECT aggregates all rows, without GROUP BY: it has a row even without input."""
    if select.args.get("group") is not None:
        return False
    return select.args.get("having") is not None or any(map(aggregates, select.expressions))


def branches(query: Node) -> Iterator[exp.Select]:
    """Yield the SELECTs of a query: one, or those of its set operations, within parentheses, too."""
    if isinstance(query, exp.Select):
        yield query
    elif isinstance(query, exp.SetOperation):
        yield from branches(query.left)
        yield from branches(query.right)
    elif isinstance(query, (exp.Subquery, exp.Paren)):
        yield from branches(query.this)


def _within_query(inner: Node, outer: Node) -> bool:
    node: Node | None = inner
    while node is not None and node is not outer:
        if isinstance(node, exp.Query):
            return True
        node = node.parent
    return False
