"""From the files of a bundle to one tree per target: includes, target overrides, variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orders.bundle_check.document import KeyPath, Node, Position, key_text, read_document
from orders.bundle_check.errors import BundleError

BUNDLE_FILE = "databricks.yml"

# Lists whose elements are merged by a key; every other list of a target is appended to the base's list.
# Source: "Override resource settings with target settings", Databricks bundle documentation.
_MERGED_BY_KEY = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "environments": "environment_key",
    "parameters": "name",
    "clusters": "label",
}
_TARGET_OVERRIDES = (
    "artifacts",
    "bundle",
    "git",
    "permissions",
    "presets",
    "resources",
    "run_as",
    "sync",
    "workspace",
)


@dataclass(frozen=True)
class Composition:
    """A bundle's tree for one target, before references are resolved.

    Attributes:
        project_root: The folder of `databricks.yml`.
        target: The target's name.
        tree: The merged tree; `variables.<name>.value` is set if a value is known.
        files: The files it was read from, relative to the project root, in the order of reading.
        duplicates: Keys and resources that are defined twice.
        targets: All target names.
    """

    project_root: Path
    target: str
    tree: Node
    files: tuple[str, ...]
    duplicates: tuple[tuple[KeyPath, Position], ...]
    targets: tuple[str, ...]


def compose(
    project_root: Path, target: str | None, variables: Mapping[str, Any] | None = None
) -> Composition:
    """Read and merge the bundle for one target.

    Args:
        project_root: The folder of `databricks.yml`.
        target: A name in `targets`, or None for the default target.
        variables: Values that override everything in the files, like `--var` of the Databricks CLI.

    Raises:
        BundleError: A file cannot be read, an include matches nothing, the target or a given variable is
            unknown.
    """
    project_root = project_root.resolve()
    document = read_document(project_root / BUNDLE_FILE, project_root)
    tree, duplicates, files = document.root, list(document.duplicates), [BUNDLE_FILE]
    for include in (tree.find("include") or Node([], tree.position)).elements():
        matches = sorted(project_root.glob(str(include.value)))
        if not matches:
            raise BundleError(
                f"the include {include.value!r} matches no file",
                where=f"{include.position} include",
                allowed="a path or glob of existing YAML files, relative to databricks.yml",
                next_step="Correct the pattern or remove it.",
            )
        for file in matches:
            part = read_document(file, project_root)
            files.append(file.relative_to(project_root).as_posix())
            duplicates += [*part.duplicates, *_defined_twice(tree, part.root)]
            tree = merge(tree, part.root)

    targets = tree.find("targets") or Node({}, tree.position)
    names = tuple(name for name, _ in targets.items())
    chosen = target or next(
        (
            name
            for name, node in targets.items()
            if (default := node.find("default")) and default.value is True
        ),
        None,
    )
    if chosen not in names:
        raise BundleError(
            f"there is no target {target!r}" if target else "no target is marked `default: true`",
            where=f"{targets.position} targets",
            allowed=", ".join(names) or "at least one target",
            next_step="Use one of these targets, or add yours to databricks.yml.",
        )
    override = targets.find(chosen) or Node({}, targets.position)
    for key in _TARGET_OVERRIDES:
        change = override.find(key)
        if change is not None:
            tree = merge(tree, Node({key: change}, change.position))
    mode = override.find("mode")
    bundle = {"target": Node(chosen, override.position)}
    if mode is not None:
        bundle["mode"] = mode
    tree = merge(tree, Node({"bundle": Node(bundle, override.position)}, override.position))
    tree = merge(tree, Node({"variables": _variables(tree, override, variables or {})}, tree.position))
    return Composition(project_root, chosen, tree, tuple(files), tuple(duplicates), names)


def merge(base: Node, change: Node, key: str | int = "") -> Node:
    """Return `base` with `change` merged over it, by the rules of the Databricks CLI.

    Mappings merge key by key; lists merge by the key of their elements if they have one (tasks, job clusters,
    environments, parameters) and are appended otherwise; anything else is replaced.
    """
    if isinstance(base.value, dict) and isinstance(change.value, dict):
        merged = dict(base.value)
        for name, node in change.value.items():
            merged[name] = merge(merged[name], node, name) if name in merged else node
        return Node(merged, base.position)
    if isinstance(base.value, list) and isinstance(change.value, list):
        identity = _MERGED_BY_KEY.get(str(key))
        if identity is None:
            return Node([*base.value, *change.value], base.position)
        elements = list(base.value)
        for node in change.value:
            name = node.find(identity)
            at = next(
                (
                    index
                    for index, other in enumerate(elements)
                    if name is not None
                    and (own := other.find(identity)) is not None
                    and own.value == name.value
                ),
                None,
            )
            if at is None:
                elements.append(node)
            else:
                elements[at] = merge(elements[at], node)
        return Node(elements, base.position)
    return change


def _defined_twice(tree: Node, part: Node) -> list[tuple[KeyPath, Position]]:
    """Return resources and variables that an included file defines although an earlier file did."""
    found: list[tuple[KeyPath, Position]] = []
    for kind, resources in (part.find("resources") or part).items() if part.find("resources") else []:
        found += [
            (("resources", kind, name), node.position)
            for name, node in resources.items()
            if tree.find("resources", kind, name) is not None
        ]
    for name, node in (part.find("variables") or Node({}, part.position)).items():
        if tree.find("variables", name) is not None:
            found.append((("variables", name), node.position))
    return found


def _variables(tree: Node, override: Node, given: Mapping[str, Any]) -> Node:
    """`variables.<name>.value` for each variable with a known value: given, environment, target, default."""
    declared = tree.find("variables") or Node({}, tree.position)
    for name in given:
        if declared.find(name) is None:
            raise BundleError(
                f"there is no variable {name!r}",
                where=f"{declared.position} variables",
                allowed=", ".join(known for known, _ in declared.items()),
                next_step="Use one of these, or declare yours in `variables`.",
            )
    values: dict[str, Node] = {}
    for name, declaration in declared.items():
        in_target = override.find("variables", name)
        if in_target is not None and isinstance(in_target.value, dict):
            in_target = in_target.find("default") or in_target.find("value")
        if name in given:
            values[name] = Node(given[name], declaration.position)
        elif f"BUNDLE_VAR_{name}" in os.environ:
            values[name] = Node(os.environ[f"BUNDLE_VAR_{name}"], declaration.position)
        elif in_target is not None:
            values[name] = in_target
        elif (default := declaration.find("default")) is not None:
            values[name] = default
    for name, node in (override.find("variables") or Node({}, override.position)).items():
        if declared.find(name) is None:
            raise BundleError(
                f"the target sets {name!r}, which is not a variable of the bundle",
                where=f"{node.position} {key_text(('targets', '*', 'variables', name))}",
                allowed=", ".join(known for known, _ in declared.items()),
                next_step="Declare it in `variables`, or correct its name.",
            )
    return Node(
        {name: Node({"value": value}, value.position) for name, value in values.items()}, declared.position
    )
