"""Values that come together in one column get one type: Spark's least common type, said with a cast.

Sail 0.7.2 fails for a DATE beside a TIMESTAMP, gives ``nvl(INT, DECIMAL)`` as DOUBLE, and tells another type than the one
that the values have for ``if`` and CASE.
"""

from __future__ import annotations

from pyspark.sql.types import ArrayType, DataType, DecimalType, NullType
from sqlglot import exp

from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import Columns, call_of
from local_workspace.sql.render import Piece, put
from local_workspace.sql.rewrites import casts, texts
from local_workspace.sql.rewrites.registry import Rewriting, on_call, on_node


def brought_to(at: Rewriting, node: Node, result: DataType | None) -> None:
    """Cast an expression to a type, unless it has it or its type is not known."""
    kind = at.type_of(node)
    if (
        result is None
        or kind is None
        or kind == result
        or isinstance(kind, NullType)
        or isinstance(result, NullType)
    ):
        return
    template = cast_template(kind, result)
    new = put(node, template, node)
    new.meta["type"] = result


def cast_template(kind: DataType, result: DataType) -> str:
    """SQL that casts ``{0}`` from one type to another as Spark does."""
    name = types.sql_name(result)
    if types.is_fraction(kind) and isinstance(result, DecimalType):
        return casts.fraction_to_decimal("{0}", "CAST", name)
    if result == types.STRING and texts.needs_care(kind):
        return texts.as_template(texts.as_text("{0}", kind))
    return f"CAST({{0}} AS {name})"


@on_call("coalesce", "greatest", "least", "array")
def same_type(at: Rewriting, node: Node) -> None:
    """Every argument gets the type of the result."""
    parts = call_of(node)[1]
    result = types.common_of([at.type_of(part) for part in parts])
    at.typing.keep(node)
    for part in parts:
        brought_to(at, part, result)


@on_call("concat")
def concat(at: Rewriting, node: Node) -> None:
    """Arrays of several types are put together as arrays of one."""
    kinds = [at.type_of(part) for part in call_of(node)[1]]
    if kinds and all(isinstance(kind, ArrayType) for kind in kinds) and len(set(map(repr, kinds))) > 1:
        same_type(at, node)


@on_call("ifnull", "nvl")
def nvl(at: Rewriting, node: Node) -> None:
    """Sail makes DOUBLE of an INT beside a DECIMAL."""
    same_type(at, node)
    if len(call_of(node)[1]) == 2:
        at.replace(node, "coalesce({0}, {1})", *call_of(node)[1])


@on_call("if", "iff")
def if_(at: Rewriting, node: Node) -> None:
    """Both values get the type of the result; Sail has no ``iff``."""
    parts = call_of(node)[1]
    if len(parts) != 3:
        return
    result = at.typing.keep(node)
    for part in parts[1:]:
        brought_to(at, part, result)
    if call_of(node)[0] == "iff":
        at.replace(node, "if({0}, {1}, {2})", *call_of(node)[1])


@on_call("nvl2")
def nvl2(at: Rewriting, node: Node) -> None:
    """Sail makes texts of two numbers."""
    parts = call_of(node)[1]
    if len(parts) == 3:
        result = at.typing.keep(node)
        for part in parts[1:]:
            brought_to(at, part, result)
        at.replace(node, "CASE WHEN {0} IS NOT NULL THEN {1} ELSE {2} END", *call_of(node)[1])


@on_node(exp.Case)
def case(at: Rewriting, node: Node) -> None:
    """Every branch gets the type of the result."""
    result = at.typing.keep(node)
    for branch in node.args["ifs"]:
        brought_to(at, branch.args["true"], result)
    default = node.args.get("default")
    if default is not None:
        brought_to(at, default, result)


@on_node(exp.Values)
def values(at: Rewriting, node: Node) -> None:
    """Every row has the same types."""
    columns = at.typing.columns_of(node)
    if columns is None:
        return
    for row in node.expressions:
        cells = list(row.expressions) if isinstance(row, exp.Tuple) else [row]
        for cell, (_, kind) in zip(cells, columns, strict=True):
            if matters(at.type_of(cell), kind):
                brought_to(at, cell, kind)


@on_node(exp.Union, exp.Except, exp.Intersect)
def set_operation(at: Rewriting, node: Node) -> None:
    """Both sides have the same types."""
    columns = at.typing.columns_of(node)
    if columns is None:
        return
    for side in (node.args["this"], node.args["expression"]):
        given = at.typing.columns_of(side)
        if given is not None and any(matters(a, b) for (_, a), (_, b) in zip(given, columns, strict=True)):
            _cast_side(at, side, given, columns)


def matters(given: DataType | None, wanted: DataType | None) -> bool:
    """Whether the engine may choose otherwise: among integers it chooses as Spark does."""
    if given is None or wanted is None or given == wanted or isinstance(given, NullType):
        return False
    return not (types.is_integer(given) and types.is_integer(wanted))


def _cast_side(at: Rewriting, side: Node, given: Columns, wanted: Columns) -> None:
    columns = []
    for place, ((_, a), (name, b)) in enumerate(zip(given, wanted, strict=True), 1):
        quoted = "`" + name.replace("`", "``").replace("{", "{{").replace("}", "}}") + "`"
        value = f"c_{place}"
        if matters(a, b) and a is not None and b is not None:
            value = cast_template(a, b).replace("{0}", value)
        columns.append(f"{value} AS {quoted}")
    inner = ", ".join(f"c_{place}" for place in range(1, len(given) + 1))
    new = put(side, f"(SELECT {', '.join(columns)} FROM ({{0}}) AS u_({inner}))", side)
    assert isinstance(new, Piece)  # noqa: S101
    at.typing.remember(new, wanted)
