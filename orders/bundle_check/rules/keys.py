"""Keys and structure: nothing misspelt, missing or defined twice, every value of the right type."""

from __future__ import annotations

from collections.abc import Iterator

from orders.bundle_check.document import Position
from orders.bundle_check.rules.bundle_shapes import BUNDLE
from orders.bundle_check.rules.findings import Finding, finding
from orders.bundle_check.rules.shapes import compare
from orders.bundle_check.rules.subject import Subject


def check_keys(subject: Subject) -> Iterator[Finding]:
    """Compares the whole tree with the shapes, and looks for keys and resources that are defined twice."""
    for path, position in subject.composition.duplicates:
        yield finding(
            position,
            path,
            "is defined a second time; the last definition would silently win",
            allowed="one definition",
            remedy="Remove one of them, or give it another key.",
        )
    yield from compare(subject.tree, BUNDLE, ())
    yield from _keys_across_kinds(subject)


def _keys_across_kinds(subject: Subject) -> Iterator[Finding]:
    """`bundle run KEY` must mean one thing: the Databricks CLI refuses one key for a job and a pipeline."""
    seen: dict[str, tuple[str, Position]] = {}
    resources = subject.tree.find("resources")
    for kind, entries in resources.items() if resources is not None else []:
        for key, node in entries.items():
            if key in seen:
                other, position = seen[key]
                yield finding(
                    node,
                    ("resources", kind, key),
                    f"the key is also that of {other}.{key} ({position})",
                    allowed="keys that are unique over all kinds of resources",
                    remedy="Rename one of the two; its `name` may stay.",
                )
            seen.setdefault(key, (kind, node.position))
