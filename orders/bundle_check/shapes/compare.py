"""Compare a tree with a shape: what pydantic rejects, as findings at the lines and key paths of the files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.findings import Finding, finding

_KINDS = {"string": "a text", "boolean": "true or false", "integer": "a whole number", "number": "a number"}
_LIST = "a list (lines that start with `- `)"


class Comparison:
    """Compares trees with one shape.

    Args:
        shape: A TypedDict of this package.
    """

    def __init__(self, shape: Any) -> None:
        self._adapter = TypeAdapter[Any](shape)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The shape as JSON schema: which keys and words it allows, and where."""
        return self._adapter.json_schema()

    def findings(self, tree: Node) -> Iterator[Finding]:
        """Yield every difference.

        A text that still contains a `${...}` reference (the deployment sets its value) passes as any value.
        """
        try:
            self._adapter.validate_python(tree.plain())
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path, node = _place(tree, detail["loc"])
                if not (isinstance(node.value, str) and node.value.startswith("${")):
                    yield self._finding(detail, path, node)

    def at(self, path: KeyPath) -> Mapping[str, Any]:
        """Return the JSON schema of the values at a key path; empty where anything is allowed."""
        schema = self._resolved(self.schema)
        for part in path:
            inner = schema.get("properties", {}).get(part) or schema.get("items")
            schema = self._resolved(inner or schema.get("additionalProperties") or {})
        return schema

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        reference = schema.get("$ref", "") if isinstance(schema, Mapping) else ""
        if reference:
            return self._resolved(self.schema["$defs"][reference.rpartition("/")[2]])
        return schema if isinstance(schema, Mapping) else {}

    def _finding(self, detail: ErrorDetails, path: KeyPath, node: Node) -> Finding:
        kind, context = detail["type"], detail.get("ctx", {})
        if kind == "missing":
            key = detail["loc"][-1]
            return finding(
                node, (*path, key), "the key is missing", allowed="a value", remedy=f"Add {key!r} here."
            )
        if kind in ("extra_forbidden", "invalid_key"):
            return _unknown_key(node, path, list(self.at(path[:-1])["properties"]))
        if kind == "exactly_one":
            given = context["given"]
            return finding(
                node,
                path,
                f"has {', '.join(given)}" if given else "has none of the keys that determine its kind",
                allowed="exactly one of " + ", ".join(context["keys"]),
                remedy="Keep one, and move the others to separate elements." if given else "Add one.",
            )
        if kind == "elements":
            return finding(
                node,
                path,
                f"has {len(node.value)} elements",
                allowed=context["bounds"],
                remedy="Add or remove elements.",
            )
        schema = self.at(path)
        if kind == "literal_error" and isinstance(node.value, str):
            return _unknown_word(node, path, _words(schema))
        return finding(
            node, path, f"is {_shown(node)}", allowed=_allowed(schema), remedy="Use a value of this type."
        )


def _place(tree: Node, location: tuple[int | str, ...]) -> tuple[KeyPath, Node]:
    """Return the key path and the node of an error; of a missing key, those of the mapping that lacks it."""
    path: list[str | int] = []
    node = tree
    for part in location:
        inside = node.value
        if isinstance(inside, dict):
            # pydantic writes a key that is neither a text nor a whole number as text.
            key = next((key for key in inside if key == part or str(key) == part), None)
            if key is None:
                break
            node = inside[key]
            path.append(key)
        else:
            node = inside[part]
            path.append(part)
    return tuple(path), node


def _unknown_key(node: Node, path: KeyPath, known: list[str]) -> Finding:
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    return finding(
        node,
        path,
        "no such key",
        allowed=", ".join(known),
        remedy=f"Write {near[0]!r}."
        if near
        else "Remove it, or add it to orders/bundle_check/shapes if it is a new key of the platform.",
    )


def _unknown_word(node: Node, path: KeyPath, words: list[str]) -> Finding:
    near = difflib.get_close_matches(node.value.upper(), [word.upper() for word in words], n=1)
    word = next((word for word in words if near and word.upper() == near[0]), words[0])
    return finding(
        node,
        path,
        f"{node.value!r} is not a known value",
        allowed=", ".join(words),
        remedy=f"Write {word}.",
    )


def _words(schema: Mapping[str, Any]) -> list[str]:
    """Return the words of an enumeration; JSON schema has another form for a single one."""
    return schema.get("enum") or [schema["const"]]


def _allowed(schema: Mapping[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(_words(schema))
    if schema["type"] == "object":
        keys = schema.get("properties")
        return "a mapping with " + ", ".join(keys) if keys else "a mapping"
    return _KINDS.get(schema["type"], _LIST)


def _shown(node: Node) -> str:
    value = node.value
    if isinstance(value, str):
        return f"the text {value!r}"
    names = {dict: "a mapping", list: "a list", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), f"the {type(value).__name__} {value}")
