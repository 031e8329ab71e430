"""SQL text as an expression of a plan.

An expression may be SQL text in a plan as it is. Only where the text names what is in the plan alone (see
:mod:`local_workspace.dlt_runtime.plan.expression_text`) is it built from messages, down to the parts that are plain text.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql.connect.proto import expressions_pb2
from sqlglot import exp

from local_workspace.dlt_runtime.plan.expression_text import KEPT
from local_workspace.sql.dialect import Node, peek
from local_workspace.sql.inference import call_of
from local_workspace.sql.render import render

Expression = expressions_pb2.Expression

_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.IntDiv: "div",
    exp.EQ: "==",
    exp.NEQ: "!=",
    exp.NullSafeEQ: "<=>",
    exp.LT: "<",
    exp.GT: ">",
    exp.LTE: "<=",
    exp.GTE: ">=",
    exp.And: "and",
    exp.Or: "or",
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseXor: "^",
    exp.DPipe: "concat",
    exp.Like: "like",
    exp.ILike: "ilike",
    exp.RegexpLike: "rlike",
    exp.Not: "not",
    exp.Neg: "negative",
    exp.BitwiseNot: "~",
}


class NoMessage(Exception):  # noqa: N818  (says what is missing)
    """SQL that has no form in a plan."""


class ExpressionMessage:
    """Makes messages of one text.

    Args:
        sql: The text.
        kept: What names in it stand for.
    """

    def __init__(self, sql: str, kept: Mapping[str, Expression]) -> None:
        self._sql, self._kept = sql, kept

    def make(self) -> Expression:
        """Return the expression.

        Raises:
            NoMessage: There is none.
        """
        return self._of(peek(self._sql), frozenset())

    def _of(self, node: Node, variables: frozenset[str]) -> Expression:  # noqa: PLR0912  (one for each form)
        made = Expression()
        if not self._is_special(node, variables):
            made.expression_string.expression = render(node, self._sql)
            return made
        if isinstance(node, (exp.Column, exp.Identifier)):
            self._named(made, node, variables)
        elif isinstance(node, (exp.Paren, exp.Alias)):
            return self._of(node.this, variables)
        elif isinstance(node, (exp.Cast, exp.TryCast)):
            made.cast.expr.CopyFrom(self._of(node.this, variables))
            made.cast.type_str = node.args["to"].sql(dialect="databricks")
            modes = Expression.Cast
            made.cast.eval_mode = (
                modes.EVAL_MODE_TRY if isinstance(node, exp.TryCast) else modes.EVAL_MODE_ANSI
            )
        elif isinstance(node, exp.Case):
            parts = [part for branch in node.args["ifs"] for part in (branch.this, branch.args["true"])]
            default = node.args.get("default")
            if node.this is not None:
                raise NoMessage("CASE with a value")
            self._call(made, "when", [*parts, *([default] if default is not None else [])], variables)
        elif isinstance(node, exp.Lambda):
            names = [v.name for v in node.expressions]
            inner = self._of(node.this, variables | {name.lower() for name in names})
            made.lambda_function.function.CopyFrom(inner)
            for name in names:
                made.lambda_function.arguments.add().name_parts.append(name)
        elif isinstance(node, exp.Window):
            self._window(made, node, variables)
        elif isinstance(node, exp.In) and node.expressions:
            self._call(made, "in", [node.this, *node.expressions], variables)
        elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            self._call(made, "isnull", [node.this], variables)
        elif isinstance(node, exp.Between):
            raise NoMessage("BETWEEN")
        elif isinstance(node, (exp.Dot, exp.Bracket)):
            self._extract(made, node, variables)
        elif type(node) in _FUNCTIONS:
            parts = (
                [node.this] if isinstance(node, exp.Unary) else [node.args["this"], node.args["expression"]]
            )
            self._call(made, _FUNCTIONS[type(node)], parts, variables)
        else:
            name, arguments = call_of(node)
            if not name or isinstance(node, (exp.Trim, exp.Overlay)):
                raise NoMessage(type(node).__name__)
            self._call(made, name, arguments, variables)
        return made

    def _is_special(self, node: Node, variables: frozenset[str]) -> bool:
        """Return whether a node holds what text alone does not say."""
        for part in node.walk():
            if isinstance(part, exp.Identifier):
                name = part.name.lower()
                if name.startswith(KEPT) or name in variables:
                    return True
        return False

    def _named(self, made: Expression, node: Node, variables: frozenset[str]) -> None:
        names = [part.name for part in node.parts] if isinstance(node, exp.Column) else [node.name]
        if names[0] in self._kept:
            current = self._kept[names[0]]
        elif names[0].lower() in variables:
            current = Expression()
            current.unresolved_named_lambda_variable.name_parts.append(names[0])
        else:
            raise NoMessage(".".join(names))
        for name in names[1:]:
            outer = Expression()
            outer.unresolved_extract_value.child.CopyFrom(current)
            outer.unresolved_extract_value.extraction.literal.string = name
            current = outer
        made.CopyFrom(current)

    def _extract(self, made: Expression, node: Node, variables: frozenset[str]) -> None:
        made.unresolved_extract_value.child.CopyFrom(self._of(node.this, variables))
        if isinstance(node, exp.Dot):
            made.unresolved_extract_value.extraction.literal.string = node.expression.name
        else:
            made.unresolved_extract_value.extraction.CopyFrom(self._of(node.expressions[0], variables))

    def _call(self, made: Expression, name: str, arguments: list[Node], variables: frozenset[str]) -> None:
        made.unresolved_function.function_name = name
        for argument in arguments:
            if isinstance(argument, exp.Distinct):
                made.unresolved_function.is_distinct = True
                parts = argument.expressions
            else:
                parts = [argument]
            for part in parts:
                inner = self._of(part, variables)
                if isinstance(part, exp.Alias):
                    new = made.unresolved_function.arguments.add()
                    new.alias.expr.CopyFrom(inner)
                    new.alias.name.append(part.alias)
                else:
                    made.unresolved_function.arguments.append(inner)

    def _window(self, made: Expression, node: exp.Window, variables: frozenset[str]) -> None:
        made.window.window_function.CopyFrom(self._of(node.this, variables))
        for part in node.args.get("partition_by") or ():
            made.window.partition_spec.append(self._of(part, variables))
        order = node.args.get("order")
        for ordered in order.expressions if order is not None else ():
            key = made.window.order_spec.add()
            key.child.CopyFrom(self._of(ordered.this, variables))
            descending, first = bool(ordered.args.get("desc")), ordered.args.get("nulls_first")
            kind = Expression.SortOrder
            key.direction = kind.SORT_DIRECTION_DESCENDING if descending else kind.SORT_DIRECTION_ASCENDING
            nulls_first = (not descending) if first is None else bool(first)
            key.null_ordering = kind.SORT_NULLS_FIRST if nulls_first else kind.SORT_NULLS_LAST
        spec = node.args.get("spec")
        if spec is not None:
            frames = Expression.Window.WindowFrame
            rows = str(spec.args.get("kind", "")).upper() == "ROWS"
            made.window.frame_spec.frame_type = frames.FRAME_TYPE_ROW if rows else frames.FRAME_TYPE_RANGE
            for bound, side in (
                (made.window.frame_spec.lower, "start"),
                (made.window.frame_spec.upper, "end"),
            ):
                self._bound(bound, spec.args.get(side), str(spec.args.get(f"{side}_side") or ""))

    def _bound(self, bound: Expression.Window.WindowFrame.FrameBoundary, value: object, side: str) -> None:
        if value == "CURRENT ROW":
            bound.current_row = True
        elif value == "UNBOUNDED":
            bound.unbounded = True
        elif isinstance(value, exp.Expr):
            text = render(value, self._sql)
            bound.value.expression_string.expression = f"-({text})" if side.upper() == "PRECEDING" else text
        else:
            raise NoMessage("a window's frame")
