"""``column:path`` on JSON texts and on VARIANT, which Sail 0.7.2 does not read."""

from __future__ import annotations

from pyspark.sql.types import VariantType
from sqlglot import exp

from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import call_of
from local_workspace.sql.rewrites.registry import Rewriting, on_call, on_node
from local_workspace.sql.tokens import quote_string

_SCALAR_NAMES = """
    tinyint byte smallint short int integer bigint long float real double decimal dec numeric date timestamp boolean
"""
_SCALARS = frozenset(_SCALAR_NAMES.split())


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
    at.replace(outer, _typed(word, literal, name), node.this)


@on_call("variant_get", "try_variant_get")
def variant_get(at: Rewriting, node: Node) -> None:
    """The value of a VARIANT as a type."""
    name, parts = call_of(node)
    if len(parts) == 3 and isinstance(parts[2], exp.Literal):
        at.replace(node, _typed(name, "{1}", parts[2].name.lower()), *parts)


def _typed(word: str, path: str, name: str) -> str:
    """Return SQL of the value at a path of the VARIANT ``{0}``.

    Sail 0.7.2 gives NULL for a text that is asked for as another type, and for anything else that is asked for as a text.
    """
    call = f"{word}({{0}}, {path}, {quote_string(name)})"
    cast = "TRY_CAST" if word.startswith("try_") else "CAST"
    if name == "string":
        return f"coalesce({call}, nullif(to_json(variant_get({{0}}, {path})), 'null'))"
    if name.partition("(")[0] in _SCALARS:
        return f"coalesce({call}, {cast}(variant_get({{0}}, {path}, 'string') AS {name}))"
    return call


def _step(step: Node) -> str:
    if isinstance(step, exp.JSONPathRoot):
        return ""
    if isinstance(step, exp.JSONPathSubscript):
        return f"[{step.this}]"
    if isinstance(step, exp.JSONPathWildcard):
        return "[*]"
    name = str(step.this)
    return f".{name}" if name.replace("_", "").isalnum() else f"['{name}']"
