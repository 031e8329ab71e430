"""`${...}` references of a bundle: resolved if its files decide the value, left unchanged if only a workspace can."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from orders.bundle_check.document import KeyPath, Node, Position

REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][\w-]*(\[\d+\])*(\.[A-Za-z_][\w-]*(\[\d+\])*)*")

# What the CLI learns from the workspace. Source: "Substitutions and variables", Databricks bundle
# documentation.
_FROM_WORKSPACE = re.compile(
    r"workspace\.(host|profile|root_path|file_path|artifact_path|state_path|resource_path"
    r"|current_user\.(userName|short_name|domain_friendly_name|displayName|id))"
    r"|bundle\.(git\.(branch|commit|origin_url|bundle_root_path)|environment|uuid|deployment\.\w+)"
)
# What a resource has only after it is deployed.
_AFTER_DEPLOYMENT = frozenset(
    {"id", "url", "etag", "warehouse_id", "dashboard_id", "alert_id", "create_time", "path"}
)

MAXIMUM_DEPTH = 20


@dataclass(frozen=True)
class Dangling:
    """A reference to nothing: its place, its text without `${}`, and the reason."""

    path: KeyPath
    position: Position
    reference: str
    reason: str


def resolve(tree: Node) -> tuple[Node, list[Dangling]]:
    """Replace every reference that the files alone can resolve.

    A string that is one reference becomes the value, with its type; a reference inside a longer string is inserted as
    text. References to the workspace, to what exists only after deployment, and to
    variables without a value stay unchanged.

    Returns:
        The resolved tree and the dangling references.
    """
    dangling: list[Dangling] = []

    def visit(node: Node, path: KeyPath) -> Node:
        if isinstance(node.value, dict):
            return Node({key: visit(child, (*path, key)) for key, child in node.value.items()}, node.position)
        if isinstance(node.value, list):
            return Node([visit(child, (*path, at)) for at, child in enumerate(node.value)], node.position)
        if not isinstance(node.value, str) or "${" not in node.value:
            return node

        def report(reference: str, reason: str) -> None:
            dangling.append(Dangling(path, node.position, reference, reason))

        return _resolve_text(tree, node, report, depth=0)

    return visit(tree, ()), dangling


def _resolve_text(tree: Node, node: Node, report: Callable[[str, str], None], depth: int) -> Node:
    text = str(node.value)
    if depth > MAXIMUM_DEPTH:
        report(text, f"refers to itself, or through more than {MAXIMUM_DEPTH} others")
        return node
    alone = REFERENCE.fullmatch(text)
    if alone is not None:
        target = _look_up(tree, alone.group(1), report)
        if target is None:
            return node
        return _resolve_below(tree, Node(target.value, node.position), report, depth + 1)

    def written(match: re.Match[str]) -> str:
        target = _look_up(tree, match.group(1), report)
        if target is None:
            return match.group(0)
        value = _resolve_below(tree, target, report, depth + 1).value
        if isinstance(value, (dict, list)):
            report(match.group(1), "is a mapping or list and cannot be part of a text")
            return match.group(0)
        return str(value).lower() if isinstance(value, bool) else str(value)

    return Node(REFERENCE.sub(written, text), node.position)


def _resolve_below(tree: Node, node: Node, report: Callable[[str, str], None], depth: int) -> Node:
    if isinstance(node.value, dict):
        return Node({k: _resolve_below(tree, n, report, depth) for k, n in node.value.items()}, node.position)
    if isinstance(node.value, list):
        return Node([_resolve_below(tree, n, report, depth) for n in node.value], node.position)
    if isinstance(node.value, str) and "${" in node.value:
        return _resolve_text(tree, node, report, depth)
    return node


def _look_up(tree: Node, reference: str, report: Callable[[str, str], None]) -> Node | None:
    """Return the node that a reference names; None if it must stay. Report a reference to nothing."""
    if not _NAME.fullmatch(reference):
        report(reference, "is not a reference, which is names separated by dots, e.g. ${var.catalog}")
        return None
    parts: list[str | int] = []
    for part in reference.split("."):
        name, *indices = part.replace("]", "").split("[")
        parts += [name, *(int(index) for index in indices)]
    if parts[0] == "var":
        declaration = tree.find("variables", *parts[1:2])
        if declaration is None:
            report(reference, "no such variable is declared in `variables`")
            return None
        value = declaration.find("value")
        found = value.find(*parts[2:]) if value is not None else None
        if value is not None and found is None:
            report(reference, "the variable has no such part")
        return found
    if parts[0] == "resources":
        resource = tree.find(*parts[:3])
        if len(parts) < 4 or resource is None:
            report(reference, "no such resource is defined in the bundle")
            return None
        found = tree.find(*parts)
        if found is None and (len(parts) > 4 or parts[3] not in _AFTER_DEPLOYMENT):
            report(reference, f"the resource has no {'.'.join(str(part) for part in parts[3:])}")
        return found
    found = tree.find(*parts)
    if found is None and not _FROM_WORKSPACE.fullmatch(reference):
        report(reference, "nothing in the bundle or the workspace has this name")
    return found
