"""YAML files as trees in which every value knows its file and line, so that a finding can name the place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dlt_ingest.yaml_files import LOADER
from orders.bundle_check.errors import BundleError

KeyPath = tuple[str | int, ...]
"""The path to a value: mapping keys and list positions, e.g. `("resources", "jobs", "orders", "tasks", 0)`."""


@dataclass(frozen=True)
class Position:
    """Where a value is: a file (relative to the project root, with `/`) and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Node:
    """A YAML value with its position.

    Attributes:
        value: A dict of key to `Node`, a list of `Node`, or a plain scalar.
        position: Where the value is; for an entry of a mapping, where its key is.
    """

    value: Any
    position: Position

    def plain(self) -> Any:
        """Return the same value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def find(self, *path: str | int) -> Node | None:
        """Return the node at a key path below this one, or None."""
        node = self
        for part in path:
            try:
                node = node.value[part]
            except (KeyError, IndexError, TypeError):
                return None
            if not isinstance(node, Node):  # a letter of a text
                return None
        return node

    def items(self) -> list[tuple[str, Node]]:
        """Return the entries of a mapping; empty for anything else."""
        return list(self.value.items()) if isinstance(self.value, dict) else []

    def elements(self) -> list[Node]:
        """Return the elements of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def walk(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """Yield this node and all nodes below it, each with its key path, in the order of the file."""
        yield path, self
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.walk((*path, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                yield from node.walk((*path, index))


@dataclass(frozen=True)
class Document:
    """One YAML file: its tree, and the keys that occur twice in one mapping (the last one would win)."""

    root: Node
    duplicates: list[tuple[KeyPath, Position]] = field(default_factory=list)


def key_text(path: KeyPath) -> str:
    """Format a key path as the Databricks CLI does: `resources.jobs.orders.tasks[0].task_key`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_document(file: Path, project_root: Path) -> Document:
    """Read one YAML file with positions.

    Args:
        file: The file to read.
        project_root: The folder that `Position.file` is relative to.

    Returns:
        The document; an empty file gives an empty mapping.

    Raises:
        BundleError: The file is missing, not UTF-8, not YAML, or not a mapping at the top level.
    """
    shown = file.relative_to(project_root).as_posix() if file.is_relative_to(project_root) else file.name
    try:
        top = yaml.compose(file.read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError as error:
        raise BundleError(
            "the file does not exist",
            where=shown,
            allowed="a bundle's YAML file",
            next_step="Restore the file, or remove the include.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise BundleError(
            f"cannot be read as YAML ({getattr(error, 'problem', None) or error})",
            where=f"{shown}:{mark.line + 1}" if mark is not None else shown,
            allowed="YAML 1.1 in UTF-8",
            next_step="Correct the line. Usual causes are indentation, a missing quote or a tab.",
        ) from error
    document = Document(Node({}, Position(shown, 1)))
    if top is None:
        return document
    root = _node(top, (), Position(shown, 1), document.duplicates)
    if not isinstance(root.value, dict):
        raise BundleError(
            f"the top of the file is a {type(root.value).__name__}",
            where=shown,
            allowed="a mapping with keys such as bundle, targets, resources",
            next_step="Put the content under one of these keys.",
        )
    return Document(root, document.duplicates)


def _node(
    source: yaml.Node, path: KeyPath, position: Position, duplicates: list[tuple[KeyPath, Position]]
) -> Node:
    construct = yaml.SafeLoader("")
    if isinstance(source, yaml.MappingNode):
        # Before `<<` is merged: a key from there may be set again.
        seen: set[str] = set()
        for key_node, _ in source.value:
            if key_node.value in seen:
                place = Position(position.file, key_node.start_mark.line + 1)
                duplicates.append(((*path, key_node.value), place))
            seen.add(key_node.value)
        construct.flatten_mapping(source)
        values: dict[Any, Node] = {}
        for key_node, value_node in source.value:
            key = construct.construct_object(key_node, deep=True)
            place = Position(position.file, key_node.start_mark.line + 1)
            values[key] = _node(value_node, (*path, key), place, duplicates)
        return Node(values, position)
    if isinstance(source, yaml.SequenceNode):
        return Node(
            [
                _node(item, (*path, index), Position(position.file, item.start_mark.line + 1), duplicates)
                for index, item in enumerate(source.value)
            ],
            position,
        )
    return Node(construct.construct_object(source, deep=True), position)
