"""A small language for the shape of YAML: which keys a mapping may have, and their values.

Written for this check. Databricks' own JSON schema and the classes of databricks-bundles are complete, but neither may
be copied into a repository, so a test compares these shapes with databricks-bundles.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.rules.findings import Finding, finding


@dataclass(frozen=True)
class Scalar:
    """A single value of one of several Python types; `words` limits a text to an enumeration."""

    name: str
    types: tuple[type, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListOf:
    """A list whose elements all have one shape."""

    item: Shape
    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class MapOf:
    """A mapping with any keys, whose values all have one shape."""

    item: Shape


@dataclass(frozen=True)
class Record:
    """A mapping with known keys.

    Attributes:
        keys: Keys that may occur.
        required: Keys that must occur.
        one_of: Groups of keys of which exactly one must occur.
    """

    keys: Mapping[str, Shape]
    required: Sequence[str] = ()
    one_of: Sequence[Sequence[str]] = field(default=())


@dataclass(frozen=True)
class Anything:
    """Not checked: a documented key that this project does not use."""


Shape = Scalar | ListOf | MapOf | Record | Anything

TEXT = Scalar("a text", (str,))
FLAG = Scalar("true or false", (bool,))
WHOLE = Scalar("a whole number", (int,))
NUMBER = Scalar("a number", (int, float))
ANYTHING = Anything()


def choice(*words: str) -> Scalar:
    """Return the shape of a text from an enumeration."""
    return Scalar("one of " + ", ".join(words), (str,), words)


def compare(node: Node, shape: Shape, path: KeyPath) -> Iterator[Finding]:
    """Compare a tree with a shape.

    A text that still contains a `${...}` reference (the deployment sets its value) passes as any single value.
    """
    if isinstance(shape, Anything) or (isinstance(node.value, str) and node.value.startswith("${")):
        return
    if isinstance(shape, Record):
        yield from _compare_record(node, shape, path)
    elif isinstance(shape, MapOf):
        if not isinstance(node.value, dict):
            yield _wrong_type(node, path, "a mapping")
            return
        for key, child in node.items():
            yield from compare(child, shape.item, (*path, key))
    elif isinstance(shape, ListOf):
        if not isinstance(node.value, list):
            yield _wrong_type(node, path, "a list (lines that start with `- `)")
            return
        if len(node.value) < shape.least or (shape.most is not None and len(node.value) > shape.most):
            bounds = f"{shape.least} to {shape.most}" if shape.most is not None else f"at least {shape.least}"
            yield finding(
                node,
                path,
                f"has {len(node.value)} elements",
                allowed=bounds,
                remedy="Add or remove elements.",
            )
        for index, child in enumerate(node.value):
            yield from compare(child, shape.item, (*path, index))
    else:
        yield from _compare_scalar(node, shape, path)


def _compare_record(node: Node, shape: Record, path: KeyPath) -> Iterator[Finding]:
    if not isinstance(node.value, dict):
        yield _wrong_type(node, path, "a mapping with " + ", ".join(shape.keys))
        return
    for key, child in node.items():
        if key in shape.keys:
            yield from compare(child, shape.keys[key], (*path, key))
            continue
        near = difflib.get_close_matches(str(key), shape.keys, n=1)
        yield finding(
            child,
            (*path, key),
            "no such key",
            allowed=", ".join(shape.keys),
            remedy=f"Write {near[0]!r}."
            if near
            else "Remove it, or add it to orders/bundle_check/rules if it is a new key of the platform.",
        )
    for key in shape.required:
        if key not in node.value:
            yield finding(
                node, (*path, key), "the key is missing", allowed="a value", remedy=f"Add {key!r} here."
            )
    for group in shape.one_of:
        given = [key for key in group if key in node.value]
        if len(given) != 1:
            yield finding(
                node,
                path,
                f"has {', '.join(given)}" if given else "has none of the keys that determine its kind",
                allowed="exactly one of " + ", ".join(group),
                remedy="Keep one, and move the others to separate elements." if given else "Add one.",
            )


def _compare_scalar(node: Node, shape: Scalar, path: KeyPath) -> Iterator[Finding]:
    value = node.value
    right = isinstance(value, shape.types) and not (isinstance(value, bool) and bool not in shape.types)
    if not right:
        yield _wrong_type(node, path, shape.name)
    elif shape.words and value not in shape.words:
        near = difflib.get_close_matches(value.upper(), [word.upper() for word in shape.words], n=1)
        word = next((word for word in shape.words if near and word.upper() == near[0]), shape.words[0])
        yield finding(
            node,
            path,
            f"{value!r} is not a known value",
            allowed=", ".join(shape.words),
            remedy=f"Write {word}.",
        )


def _wrong_type(node: Node, path: KeyPath, allowed: str) -> Finding:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    shown = names.get(type(node.value), f"the {type(node.value).__name__} {node.value}")
    if isinstance(node.value, str):
        shown = f"the text {node.value!r}"
    return finding(node, path, f"is {shown}", allowed=allowed, remedy="Use a value of this type.")
