"""Columns by the alias of their DataFrame, above an operator that keeps the alias in Spark and loses it in the engine.

Spark: a column that a projection, an aggregation or a join by names passes on still belongs to its DataFrame, so
`t.join(f, on="id").select("t.id")` is right. Sail 0.7.2 knows the plain name only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyspark.sql.connect.proto import expressions_pb2, relations_pb2

from local_workspace.dlt_runtime.plan.expression_text import attribute_parts
from local_workspace.sql.tokens import quote_identifier

Relation = relations_pb2.Relation
Expression = expressions_pb2.Expression

# The engine resolves the qualified name itself; the plain name is the same column; nobody knows the alias.
_VISIBLE, _PLAIN, _UNKNOWN = "visible", "plain", "unknown"
#: Relations that have the columns of their input.
SAME_COLUMNS = frozenset(
    {
        "filter",
        "sort",
        "limit",
        "offset",
        "tail",
        "sample",
        "hint",
        "repartition",
        "repartition_by_expression",
        "deduplicate",
        "with_watermark",
    }
)
_KEEP = SAME_COLUMNS | {"drop_na", "drop"}
_KEEP_LESS = frozenset({"with_columns", "with_columns_renamed", "fill_na"})
_Join = relations_pb2.Join


def requalified(attribute: Expression.UnresolvedAttribute, node: Any, kind: str) -> bool:
    """Leave the alias of a column's name out, where the engine has lost it and the plain name is the same column.

    Args:
        attribute: The column as an operator names it.
        node: The operator.
        kind: Its kind.
    """
    if attribute.HasField("plan_id") or attribute.is_metadata_column:
        return False
    parts = attribute_parts(attribute.unparsed_identifier)
    if parts is None or len(parts) < 2:
        return False
    inputs = [node.left, node.right] if kind == "join" else [node.input]
    found = [_found(relation, parts[0].lower(), parts[1].lower()) for relation in inputs]
    if _PLAIN not in found or _VISIBLE in found:
        return False
    attribute.unparsed_identifier = ".".join(quote_identifier(part) for part in parts[1:])
    return True


def _found(relation: Relation, alias: str, name: str) -> str:  # noqa: PLR0911  (one for each operator)
    kind = relation.WhichOneof("rel_type")
    node: Any = getattr(relation, str(kind), None)
    if kind == "subquery_alias":
        return _VISIBLE if node.alias.lower() == alias else _UNKNOWN
    if kind in _KEEP:
        return _found(node.input, alias, name)
    if kind in _KEEP_LESS:
        if kind == "with_columns" and name in [a.name[0].lower() for a in node.aliases]:
            return _UNKNOWN  # another column of that name
        below = _found(node.input, alias, name)
        return below if kind == "with_columns" else _passed_on(below)
    if kind == "join":
        return _joined(node, alias, name)
    if kind == "project":
        passes = any(_passes(e, alias, name) for e in node.expressions)
        return _passed_on(_found(node.input, alias, name)) if passes else _UNKNOWN
    if kind == "aggregate":
        passes = any(_passes(e, alias, name) for e in node.grouping_expressions)
        return _passed_on(_found(node.input, alias, name)) if passes else _UNKNOWN
    if kind == "set_op":
        return _passed_on(_found(node.left_input, alias, name))
    return _UNKNOWN


def _passed_on(below: str) -> str:
    return _UNKNOWN if below == _UNKNOWN else _PLAIN


def _joined(node: Any, alias: str, name: str) -> str:
    left, right = _found(node.left, alias, name), _found(node.right, alias, name)
    using = {column.lower() for column in node.using_columns}
    if name not in using:
        return left if left != _UNKNOWN else right
    # The merged column is the left side's; the right side's is the same where each row has both.
    if left != _UNKNOWN and node.join_type in (
        _Join.JOIN_TYPE_INNER,
        _Join.JOIN_TYPE_LEFT_OUTER,
        _Join.JOIN_TYPE_LEFT_SEMI,
        _Join.JOIN_TYPE_LEFT_ANTI,
    ):
        return _PLAIN
    if right != _UNKNOWN and node.join_type in (_Join.JOIN_TYPE_INNER, _Join.JOIN_TYPE_RIGHT_OUTER):
        return _PLAIN
    return _UNKNOWN


def _passes(expression: Expression, alias: str, name: str) -> bool:
    """Return whether an expression is that column, or a star."""
    kind = expression.WhichOneof("expr_type")
    if kind == "unresolved_star":
        return True
    if kind == "expression_string":
        return expression.expression_string.expression.strip() == "*"
    if kind != "unresolved_attribute":
        return False
    parts: Iterable[str] = attribute_parts(expression.unresolved_attribute.unparsed_identifier) or ()
    lowered = [part.lower() for part in parts]
    return lowered in ([alias, name], [name])
