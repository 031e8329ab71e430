"""The rules of :mod:`local_workspace.sql.rewrites`, each applied to the expressions that it is for."""

from __future__ import annotations

from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import call_of
from local_workspace.sql.render import Piece
from local_workspace.sql.rewrites import (  # noqa: F401  (each registers its rules)
    aggregates,
    arithmetic,
    calls,
    casts,
    common_types,
    comparisons,
    json_text,
    lambdas,
    lengths,
    mismatches,
    paths,
    windows,
)
from local_workspace.sql.rewrites.registry import CALL_RULES, NODE_RULES, Rewriting


def rewrite_expressions(tree: Node, at: Rewriting) -> None:
    """Apply every rule to every expression of a tree, from the inside outwards."""
    for node in reversed(list(tree.walk(bfs=False))):
        if isinstance(node, Piece):
            continue
        name = call_of(node)[0]
        for rule in NODE_RULES.get(type(node), ()):
            if not _is_gone(node, tree):
                rule(at, node)
        for rule in CALL_RULES.get(name, ()) if name else ():
            if not _is_gone(node, tree):
                rule(at, node)


def _is_gone(node: Node, tree: Node) -> bool:
    """Return whether an earlier rule took the node out of the tree."""
    return node.parent is None and node is not tree
