"""Whether a materialized view can be refreshed by its new rows alone, provably with the same result.

The rule is an allow-list: every operator works on one row at a time (or is a UNION ALL), every function is a
known deterministic one of its row. Then query(old + new) = query(old) + query(new), so new rows of
append-only sources can be appended. Anything that is not on the list, or not understood, is computed anew,
which is always right.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from pyspark.sql.connect.proto import relations_pb2
from sqlglot import exp

from local_workspace.dlt_runtime.declare.registry import Expectation
from local_workspace.dlt_runtime.plan.plans import Relation, walk
from local_workspace.errors import PipelineCodeError
from local_workspace.sql import pipeline_sql

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
_FUNCTIONS = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "=",
        "<=>",
        "!=",
        "<>",
        "<",
        ">",
        "<=",
        ">=",
        "!",
        "and",
        "or",
        "not",
        "&",
        "|",
        "^",
        "~",
        "negative",
        "positive",
        "abs",
        "sign",
        "signum",
        "mod",
        "pmod",
        "div",
        "isnull",
        "isnotnull",
        "isnan",
        "coalesce",
        "nvl",
        "nvl2",
        "ifnull",
        "nullif",
        "when",
        "case",
        "if",
        "in",
        "between",
        "nanvl",
        "greatest",
        "least",
        "concat",
        "concat_ws",
        "contains",
        "startswith",
        "endswith",
        "like",
        "ilike",
        "rlike",
        "regexp_like",
        "regexp_extract",
        "regexp_replace",
        "replace",
        "translate",
        "substring",
        "substr",
        "left",
        "right",
        "upper",
        "ucase",
        "lower",
        "lcase",
        "initcap",
        "trim",
        "ltrim",
        "rtrim",
        "lpad",
        "rpad",
        "repeat",
        "reverse",
        "length",
        "char_length",
        "character_length",
        "len",
        "split",
        "split_part",
        "instr",
        "locate",
        "position",
        "ascii",
        "chr",
        "char",
        "format_number",
        "round",
        "floor",
        "ceil",
        "ceiling",
        "sqrt",
        "cbrt",
        "pow",
        "power",
        "exp",
        "ln",
        "log",
        "log10",
        "log2",
        "year",
        "month",
        "day",
        "dayofmonth",
        "dayofweek",
        "dayofyear",
        "hour",
        "minute",
        "second",
        "quarter",
        "weekofyear",
        "weekday",
        "date_trunc",
        "trunc",
        "to_date",
        "to_timestamp",
        "date_format",
        "date_add",
        "date_sub",
        "dateadd",
        "datediff",
        "date_diff",
        "add_months",
        "months_between",
        "last_day",
        "next_day",
        "make_date",
        "unix_micros",
        "unix_millis",
        "unix_seconds",
        "timestamp_micros",
        "timestamp_millis",
        "timestamp_seconds",
        "struct",
        "named_struct",
        "array",
        "map",
        "create_map",
        "map_from_entries",
        "map_keys",
        "map_values",
        "size",
        "cardinality",
        "array_contains",
        "array_distinct",
        "array_except",
        "array_intersect",
        "array_join",
        "array_max",
        "array_min",
        "array_position",
        "array_remove",
        "array_size",
        "array_sort",
        "array_union",
        "arrays_overlap",
        "element_at",
        "get",
        "flatten",
        "slice",
        "sort_array",
        "transform",
        "filter",
        "exists",
        "forall",
        "any_match",
        "get_json_object",
        "from_json",
        "to_json",
        "sha",
        "sha1",
        "sha2",
        "md5",
        "crc32",
        "hash",
        "xxhash64",
        "hex",
        "unhex",
        "base64",
        "unbase64",
        "cast",
        "try_cast",
    ]
)
_SQL_NODES: tuple[Any, ...] = (
    exp.Cast,
    exp.TryCast,
    exp.Case,
    exp.If,
    exp.Connector,
    exp.Coalesce,
)
_SQL_REFUSED: tuple[Any, ...] = (
    exp.Query,
    exp.Subquery,
    exp.Window,
    exp.AggFunc,
    exp.Exists,
    exp.Star,
    exp.Lateral,
    exp.UDTF,
)


def why_not(plan: Relation, where: str) -> str | None:
    """Give the first thing in a plan that keeps it from being refreshed by new rows alone.

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


def why_not_expression(message: Message, where: str, *, also: frozenset[str] = frozenset()) -> str | None:
    """Do for one part of an expression what :func:`why_not` does for a plan.

    Args:
        message: The part.
        where: For messages.
        also: Functions that are allowed here beside those of one row.
    """
    kind = message.DESCRIPTOR.name
    if "Expression.Literal" in message.DESCRIPTOR.full_name:
        return None
    if kind not in _EXPRESSIONS:
        return f"EXPRESSION_NOT_INCREMENTALIZABLE: {kind}"
    if kind == "UnresolvedFunction":
        name: str = message.function_name.lower()
        if name in also and not message.is_user_defined_function:
            return None
        if name not in _FUNCTIONS or message.is_distinct or message.is_user_defined_function:
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
        if isinstance(node, exp.Func) and not isinstance(node, _SQL_NODES):
            name = str(node.this).lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower()
            if name not in _FUNCTIONS:
                return f"EXPRESSION_NOT_INCREMENTALIZABLE: {name}()"
    return None


def why_not_rules(rules: tuple[Expectation, ...], where: str) -> str | None:
    """Do for expectations what :func:`why_not` does for a plan."""
    return next((problem for rule in rules if (problem := _why_not_text(rule.condition, where))), None)
