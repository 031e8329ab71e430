"""Databricks' own classes as a second opinion, if the user has installed databricks-bundles.

The package's licence allows use with Databricks' services only, so this project neither ships nor requires it. It knows
every key of every resource; our own description covers what the project uses.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator

from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

_CLASSES = {
    "alerts": "Alert",
    "dashboards": "Dashboard",
    "jobs": "Job",
    "pipelines": "Pipeline",
    "schemas": "Schema",
    "secret_scopes": "SecretScope",
    "volumes": "Volume",
}


def check_databricks_classes(subject: Subject) -> Iterator[Finding]:
    """Pass every resource to its class of databricks-bundles; find nothing if the package is not installed."""
    if (
        importlib.util.find_spec("databricks") is None
        or importlib.util.find_spec("databricks.bundles") is None
    ):
        return
    for kind, name in _CLASSES.items():
        resource_class = getattr(importlib.import_module(f"databricks.bundles.{kind}"), name)
        for path, resource in subject.resources(kind):
            problem = _refusal(resource_class, resource)
            if problem is not None:
                yield finding(
                    *_place(path, resource, problem),
                    f"databricks-bundles rejects it: {problem}",
                    allowed=f"what its class {name} accepts",
                    remedy="Correct the named key or value.",
                )


def _refusal(resource_class: type, resource: Node) -> str | None:
    try:
        resource_class.from_dict(resource.plain())  # type: ignore[attr-defined]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return str(error) or type(error).__name__
    return None


def _place(path: KeyPath, resource: Node, problem: str) -> tuple[Node, KeyPath]:
    """Return the value that the message quotes if there is exactly one, otherwise the resource."""
    quoted = set(re.findall(r"'([^']+)'", problem))
    places = [
        (node, where)
        for where, node in resource.walk(path)
        if where[-1] in quoted or (isinstance(node.value, str) and node.value in quoted)
    ]
    return places[0] if len(places) == 1 else (resource, path)
