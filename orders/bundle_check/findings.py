"""Findings at nodes of the bundle's tree."""

from __future__ import annotations

from foundation.findings import Finding
from orders.bundle_check.document import KeyPath, Node, Position, key_text

__all__ = ["Finding", "finding"]


def finding(place: Node | Position, path: KeyPath, what: str, *, allowed: str, remedy: str) -> Finding:
    """Return a finding at a node of the tree, its key path in the Databricks CLI's notation."""
    position = place.position if isinstance(place, Node) else place
    return Finding(position.file, key_text(path), what, remedy, line=position.line, allowed=allowed)
