"""A tree as text again: as it was written, except for the parts that were put otherwise."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.generators.databricks import DatabricksGenerator

from local_workspace.sql.dialect import Node, Span, Written, span
from local_workspace.sql.edits import Edit

_SLOT, _EDITS, _REBUILT, _DIRTY = "slot", "edits", "rebuilt", "dirty"


class Piece(exp.Expression, exp.Condition):
    """Text with nodes in it: what takes the place of a node that the engine would answer wrongly.

    ``this`` is the text, in which ``{0}``, ``{1}`` .. stand for ``expressions``.
    """

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


def piece(template: str, *nodes: Node) -> Piece:
    """Return a piece from its text and the nodes within; braces of the text's own are doubled, as in ``str.format``.

    Each node may occur at several places; it is part of the tree only once.
    """
    return Piece(this=template, expressions=list(nodes))


def put(old: Node, template: str, *nodes: Node) -> Piece:
    """Put a piece in place of a node, of which ``nodes`` may be parts; what the node meant is kept with it."""
    new = Piece(this=template)
    where = span(old)
    kept = {key: old.meta[key] for key in ("type", _SLOT) if key in old.meta}
    parent, key, index = old.parent, old.arg_key, old.index
    new.meta.update(kept)
    if where is not None and _SLOT not in new.meta:
        new.meta[_SLOT] = where
    if parent is not None and key is not None:
        if index is None:
            parent.args[key] = new
        else:
            parent.args[key][index] = new
        new.parent, new.arg_key, new.index = parent, key, index
    old.parent = None
    for node in nodes:
        if node is not old:
            node.meta.pop(_SLOT, None) if isinstance(node, Piece) else None
    new.set("expressions", list(nodes))
    _mark(new, where is not None)
    return new


def edit(node: Node, start: int, end: int, text: str) -> None:
    """Replace a part of the text that a node was read from."""
    node.meta.setdefault(_EDITS, []).append((start, end, text))
    _mark(node, True)


def rebuilt(node: Node) -> None:
    """Note that a node was changed in place, so that its text has to be created again from its parts."""
    node.meta[_REBUILT] = True
    _mark(node, span(node) is not None)


def _mark(node: Node, has_place: bool) -> None:
    current: Node | None = node
    while current is not None:
        current.meta[_DIRTY] = True
        current = current.parent
        if not has_place and current is not None and not isinstance(current, Piece):
            # Nobody knows where in the text the node stood: the nearest one around it of which that is known is created
            # again.
            current.meta[_REBUILT] = True
            has_place = span(current) is not None


def is_changed(tree: Node) -> bool:
    """Return whether anything in a tree was put otherwise."""
    return bool(tree.meta.get(_DIRTY))


class _Generator(DatabricksGenerator):
    def __init__(self, source: str, **kwargs: Any) -> None:
        super().__init__(dialect=Written, comments=False, **kwargs)
        self._source = source

    def sql(self, expression: Any, key: str | None = None, comment: bool = True) -> str:
        if key is None and isinstance(expression, exp.Expr):
            text = _written(expression, self._source)
            if text is not None:
                return text
        return str(super().sql(expression, key, comment))


def render(tree: Node, sql: str) -> str:
    """Return the text of a tree.

    Args:
        tree: What was read from ``sql``, or a part of it, changed or not.
        sql: The text.
    """
    text = _written(tree, sql)
    return _Generator(sql).sql(tree) if text is None else text


def _written(node: Node, sql: str) -> str | None:
    if isinstance(node, Piece):
        parts = [render(part, sql) for part in node.expressions]
        return str(node.this).format(*parts)
    where = span(node)
    if where is None or node.meta.get(_REBUILT):
        return None
    if not node.meta.get(_DIRTY):
        return sql[where[0] : where[1]]
    edits: list[Edit] = []
    _collect(node, sql, edits)
    text, at = [], where[0]
    for start, end, new in sorted(edits):
        text.append(sql[at:start])
        text.append(new)
        at = end
    text.append(sql[at : where[1]])
    return "".join(text)


def _collect(node: Node, sql: str, edits: list[Edit]) -> None:
    edits.extend(node.meta.get(_EDITS, ()))
    for child in node.iter_expressions():
        if not child.meta.get(_DIRTY):
            continue
        slot: Span | None = child.meta.get(_SLOT) if isinstance(child, Piece) else None
        if slot is None and child.meta.get(_REBUILT):
            slot = span(child)
        if slot is not None:
            edits.append((*slot, render(child, sql)))
        else:
            _collect(child, sql, edits)
