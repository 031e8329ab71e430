"""``column:path`` on JSON texts and on VARIANT, which Sail 0.7.2 does not read."""

from __future__ import annotations

from pyspark.sql.types import VariantType
from sqlglot import exp

from local_workspace.sql.dialect import Node
from local_workspace.sql.rewrites.registry import Rewriting, on_node
from local_workspace.sql.tokens import quote_string


@on_node(exp.JSONExtract)
def path(at: Rewriting, node: Node) -> None:
    """The value at the path: of a text the text there, of a VARIANT the value that a cast asks for."""
    if not node.args.get("variant_extract"):
        return
    steps = "".join(_step(step) for step in node.expression.expressions)
    literal = quote_string(f"${steps}").replace("{", "{{").replace("}", "}}")
    if not isinstance(at.type_of(node.this), VariantType):
        at.replace(node, f"get_json_object({{0}}, {literal})", node.this)
        return
    outer = node.parent
    if not isinstance(outer, (exp.Cast, exp.TryCast)):
        # Without a type the engine's function gives a VARIANT.
        at.replace(node, f"variant_get({{0}}, {literal})", node.this)
        return
    word = "try_variant_get" if isinstance(outer, exp.TryCast) else "variant_get"
    name = outer.args["to"].sql(dialect="databricks").lower()
    at.replace(outer, f"{word}({{0}}, {literal}, {quote_string(name)})", node.this)


def _step(step: Node) -> str:
    if isinstance(step, exp.JSONPathRoot):
        return ""
    if isinstance(step, exp.JSONPathSubscript):
        return f"[{step.this}]"
    if isinstance(step, exp.JSONPathWildcard):
        return "[*]"
    name = str(step.this)
    return f".{name}" if name.replace("_", "").isalnum() else f"['{name}']"
