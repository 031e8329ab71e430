"""Keys and structure: no key misspelt, missing or defined twice, and every value of the right type."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from orders.bundle_check.document import Position
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject
from orders.bundle_check.shapes import BundleFile, Comparison


def check_keys(subject: Subject) -> Iterator[Finding]:
    """Compare the whole tree with the shapes, and find keys and resources that are defined twice."""
    for path, position in subject.composition.duplicates:
        yield finding(
            position,
            path,
            "is defined a second time; the last definition would silently win",
            allowed="one definition",
            remedy="Remove one of them, or rename it.",
        )
    yield from _bundle().findings(subject.tree)
    yield from _keys_across_kinds(subject)


@cache
def _bundle() -> Comparison:
    return Comparison(BundleFile)


def _keys_across_kinds(subject: Subject) -> Iterator[Finding]:
    """Check that `bundle run KEY` is unambiguous: the Databricks CLI refuses the same key for a job and a pipeline."""
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
                    allowed="keys that are unique across all kinds of resources",
                    remedy="Rename one of the two; its `name` can stay.",
                )
            seen.setdefault(key, (kind, node.position))
