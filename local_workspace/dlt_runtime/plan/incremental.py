"""Whether a materialized view can be refreshed by its new rows alone, provably with the same result.

The rule is an allow-list: every operator works on one row at a time (or is a UNION ALL), every function is a
known deterministic one of its row. Then query(old + new) = query(old) + query(new), so new rows of
append-only sources can be appended. Anything that is not on the list, or not understood, is recomputed,
which is always right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from pyspark.sql.connect.proto import relations_pb2
from sqlglot import exp

from local_workspace.dlt_runtime.declare.registry import Expectation
from local_workspace.dlt_runtime.plan.plans import Relation, walk
from local_workspace.errors import PipelineCodeError
from local_workspace.sql import functions, pipeline_sql
from local_workspace.sql.inference import call_of

_RELATIONS = frozenset(
    {
        "read",
        "project",
        "filter",
        "with_columns",
        "with_columns_renamed",
        "drop",
        "subquery_alias",
        "to_df",
        "to_schema",
        "set_op",
    }
)
_EXPRESSIONS = frozenset(
    {
        "Alias",
        "Cast",
        "ExpressionString",
        "Literal",
        "UnresolvedAttribute",
        "UnresolvedStar",
        "UnresolvedFunction",
        "UnresolvedExtractValue",
        "LambdaFunction",
        "UnresolvedNamedLambdaVariable",
        "Expression",
        "ExpressionCommon",
    }
)
_OF_THE_MOMENT = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentUser, exp.SessionUser)
_SQL_REFUSED: tuple[Any, ...] = (
    exp.Query,
    exp.Subquery,
    exp.Window,
    exp.Exists,
    exp.Star,
    exp.Lateral,
    exp.UDTF,
)


def why_not(plan: Relation, where: str) -> str | None:
    """Return the first part of a plan that prevents a refresh by new rows alone.

    None if there is none.
    """
    for message in walk(plan):
        if isinstance(message, Relation):
            kind = message.WhichOneof("rel_type") or "nothing"
            if kind not in _RELATIONS:
                return f"PLAN_NOT_INCREMENTALIZABLE: {kind}"
            problem = _why_not_relation(message, kind)
        elif message.DESCRIPTOR.full_name.startswith("spark.connect.Expression"):
            problem = why_not_expression(message, where)
        else:
            problem = None
        if problem is not None:
            return problem
    return None


def _why_not_relation(relation: Relation, kind: str) -> str | None:
    if kind == "read" and not relation.read.HasField("named_table"):
        return "PLAN_NOT_INCREMENTALIZABLE: a source that is not a table"
    if kind == "set_op":
        union = relations_pb2.SetOperation.SET_OP_TYPE_UNION
        if relation.set_op.set_op_type != union or not relation.set_op.is_all:
            return "PLAN_NOT_INCREMENTALIZABLE: a set operation other than UNION ALL"
    return None


def no_function(_name: str) -> bool:
    """Allow none."""
    return False


def why_not_expression(
    message: Message, where: str, *, also: Callable[[str], bool] = no_function
) -> str | None:
    """Do for one part of an expression what :func:`why_not` does for a plan.

    Args:
        message: The part.
        where: For messages.
        also: Says of functions whether they are allowed here beside those of one row.
    """
    kind = message.DESCRIPTOR.name
    if "Expression.Literal" in message.DESCRIPTOR.full_name:
        return None
    if kind not in _EXPRESSIONS:
        return f"EXPRESSION_NOT_INCREMENTALIZABLE: {kind}"
    if kind == "UnresolvedFunction":
        name: str = message.function_name.lower()
        if also(name) and not message.is_user_defined_function:
            return None
        if not functions.is_incremental(name) or message.is_distinct or message.is_user_defined_function:
            return f"EXPRESSION_NOT_INCREMENTALIZABLE: {name}()"
    if kind == "ExpressionString":
        return _why_not_text(message.expression, where)
    return None


def _why_not_text(text: str, where: str) -> str | None:
    if text.strip() == "*":
        return None
    try:
        tree = pipeline_sql.parse(text, where)
    except PipelineCodeError:
        return f"EXPRESSION_NOT_INCREMENTALIZABLE: {text[:60]}"
    for node in tree.walk():
        if isinstance(node, _SQL_REFUSED):
            return f"EXPRESSION_NOT_INCREMENTALIZABLE: {type(node).__name__} in {text[:60]}"
        name = call_of(node)[0]
        if isinstance(node, _OF_THE_MOMENT) or (name and not functions.is_incremental(name)):
            return f"EXPRESSION_NOT_INCREMENTALIZABLE: {name or type(node).__name__}()"
    return None


def why_not_rules(rules: tuple[Expectation, ...], where: str) -> str | None:
    """Do for expectations what :func:`why_not` does for a plan."""
    return next((problem for rule in rules if (problem := _why_not_text(rule.condition, where))), None)
