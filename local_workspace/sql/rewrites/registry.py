"""Who puts which construct in another way: rules by the form of an expression, and by the function that is called.

A rule sees a node whose parts have been through their own rules already. It leaves the node as it is, or puts a piece of
SQL in its place that the engine answers as Spark would answer the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pyspark.sql.types import DataType
from sqlglot import exp

from local_workspace.sql.dialect import Node, span
from local_workspace.sql.inference import Typing, call_of
from local_workspace.sql.render import Piece, put

N = TypeVar("N", bound=Node)


@dataclass
class Rewriting:
    """One text that is being put so that the engine answers it rightly.

    Attributes:
        sql: The text.
        typing: Types of its expressions.
        nested: The text becomes a part of a query, as that of a view does.
    """

    sql: str
    typing: Typing
    nested: bool = False

    def type_of(self, node: Node | None) -> DataType | None:
        """Return the type of an expression by Spark's rules, or None where it is not known."""
        return self.typing.type_of(node)

    def replace(self, node: Node, template: str, *parts: Node) -> Piece:
        """Put SQL in place of a node, see :func:`local_workspace.sql.render.put`; its type stays known."""
        self.typing.keep(node)
        name = _column_name(node, self.sql) if _needs_name(node) else None
        parent = node.parent
        written = self.text(node)
        new = put(node, template, *parts)
        new.meta["name_of"] = " ".join(written.split())
        if name is not None and parent is not None:
            new.set("this", f"{new.this} AS `{name}`")
        return new

    def text(self, node: Node) -> str:
        """Return a node's text as it was written, or "" where that is not known."""
        where = span(node)
        return self.sql[where[0] : where[1]] if where else ""


Rule = Callable[[Rewriting, Node], None]
NODE_RULES: dict[type[exp.Expr], list[Rule]] = {}
CALL_RULES: dict[str, list[Rule]] = {}


def on_node(*kinds: type[exp.Expr], first: bool = False) -> Callable[[Rule], Rule]:
    """Register a rule for forms of expressions.

    Args:
        kinds: The forms.
        first: It refuses, so it comes before those that put something in another way.
    """

    def register(rule: Rule) -> Rule:
        for kind in kinds:
            rules = NODE_RULES.setdefault(kind, [])
            rules.insert(0 if first else len(rules), rule)
        return rule

    return register


def on_call(*names: str, first: bool = False) -> Callable[[Rule], Rule]:
    """Register a rule for calls of functions; see :func:`on_node`."""

    def register(rule: Rule) -> Rule:
        for name in names:
            rules = CALL_RULES.setdefault(name, [])
            rules.insert(0 if first else len(rules), rule)
        return rule

    return register


def arguments(node: Node) -> list[Node]:
    """Return the arguments of a call."""
    return call_of(node)[1]


def _needs_name(node: Node) -> bool:
    """Return whether the name of a result's column comes from this node."""
    return (
        isinstance(node.parent, exp.Select)
        and node.arg_key == "expressions"
        and not isinstance(node, exp.Alias)
    )


def _column_name(node: Node, sql: str) -> str:
    text = spark_name(node, sql)
    return text.replace("`", "``").replace("{", "{{").replace("}", "}}")


def spark_name(node: Node, sql: str) -> str:
    """Return the name that Spark gives a column without alias, for the forms of expressions that are rewritten."""
    if isinstance(node, exp.Paren):
        return spark_name(node.this, sql)
    if isinstance(node, exp.Column):
        return node.name
    if isinstance(node, exp.Neg):
        inner = spark_name(node.this, sql)
        return f"-{inner}" if isinstance(node.this, exp.Literal) else f"(- {inner})"
    if isinstance(node, exp.Literal):
        return node.name
    if isinstance(node, exp.JSONExtract):
        keys = [step.name for step in node.expression.expressions if isinstance(step, exp.JSONPathKey)]
        return keys[-1] if keys else spark_name(node.this, sql)
    if isinstance(node, (exp.Cast, exp.TryCast)) and isinstance(node.this, exp.Expr):
        where = span(node)
        written = sql[where[0] : where[1]] if where else ""
        if written[:4].lower() in ("cast", "try_") or "::" in written:
            word = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
            return f"{word}({spark_name(node.this, sql)} AS {node.args['to'].sql(dialect='databricks')})"
    name, parts = call_of(node)
    if name and isinstance(node, exp.Anonymous):
        return f"{name}({', '.join(spark_name(part, sql) for part in parts)})"
    if isinstance(node, exp.Binary) and not isinstance(node, exp.Dot):
        operator = {
            exp.Div: "/",
            exp.Mul: "*",
            exp.Add: "+",
            exp.Sub: "-",
            exp.Mod: "%",
            exp.IntDiv: "div",
        }.get(type(node))
        if operator:
            return f"({spark_name(node.left, sql)} {operator} {spark_name(node.right, sql)})"
    source = node.meta.get("name_of")
    if isinstance(source, str):
        return source
    where = span(node) or node.meta.get("slot")
    return " ".join(sql[where[0] : where[1]].split()) if where else "expression"
