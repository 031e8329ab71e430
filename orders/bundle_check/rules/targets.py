"""Targets: one default, and a protected production that does not point at development."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orders.bundle_check.document import Node
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

PRODUCTION = "production"
_SECRET_KEY = re.compile(r"(password|token|secret|api_key|private_key)$", re.IGNORECASE)


def check_targets(subject: Subject) -> Iterator[Finding]:
    """Check what makes a target safe: principal, protection of data, its own catalog, no secret."""
    targets = subject.tree.find("targets") or Node({}, subject.tree.position)
    defaults = [(name, node) for name, node in targets.items() if node.plain().get("default") is True]
    if len(defaults) > 1:
        name, node = defaults[1]
        yield finding(
            node.find("default") or node,
            ("targets", name, "default"),
            f"{defaults[0][0]} is also the default",
            allowed="one default target",
            remedy="Remove one `default: true`.",
        )
    target = targets.find(subject.target)
    mode = None if target is None else target.find("mode")
    if target is not None and mode is not None and mode.value == PRODUCTION:
        yield from _production(subject, target)
    yield from _inline_secrets(subject)


def _production(subject: Subject, target: Node) -> Iterator[Finding]:
    path = ("targets", subject.target)
    run_as = target.find("run_as")
    if run_as is None or run_as.find("service_principal_name") is None:
        yield finding(
            run_as or target,
            (*path, "run_as", "service_principal_name"),
            "production would run as the user who deploys it",
            allowed="a service principal",
            remedy="Add run_as with service_principal_name.",
        )
    if target.find("permissions") is None:
        yield finding(
            target,
            (*path, "permissions"),
            "only the deployer could see or run what is deployed",
            allowed="permissions for operators and readers",
            remedy="Add permissions.",
        )
    for kind in ("schemas", "volumes", "pipelines"):
        for where, resource in subject.resources(kind):
            keep = resource.find("lifecycle", "prevent_destroy")
            if keep is None or keep.value is not True:
                yield finding(
                    resource,
                    (*where, "lifecycle", "prevent_destroy"),
                    "`bundle destroy` would remove its tables or files",
                    allowed="true",
                    remedy="Set lifecycle.prevent_destroy in the target.",
                )
            cascade = resource.find("cascade_on_destroy")
            if kind == "pipelines" and (cascade is None or cascade.value is not False):
                yield finding(
                    cascade or resource,
                    (*where, "cascade_on_destroy"),
                    "removing the pipeline would remove its tables",
                    allowed="false",
                    remedy="Set it to false in the target.",
                )
            development = resource.find("development")
            if development is not None and development.value is True:
                yield finding(
                    development,
                    (*where, "development"),
                    "a pipeline in development mode does not retry and keeps its cluster",
                    allowed="false",
                    remedy="Remove it.",
                )
    catalog = subject.tree.find("variables", "catalog", "value")
    others = [
        name
        for name in subject.composition.targets
        if name != subject.target
        and (other := subject.tree.find("targets", name, "variables", "catalog")) is not None
        and catalog is not None
        and other.value == catalog.value
    ]
    if catalog is not None and others:
        yield finding(
            catalog,
            (*path, "variables", "catalog"),
            f"{catalog.value!r} is also the catalog of {', '.join(others)}",
            allowed="its own catalog",
            remedy="Give production its own catalog.",
        )


def _inline_secrets(subject: Subject) -> Iterator[Finding]:
    for path, node in subject.tree.walk():
        key = str(path[-1]) if path else ""
        if (
            isinstance(node.value, str)
            and _SECRET_KEY.search(key)
            and node.value
            and not node.value.startswith(("{{secrets/", "${"))
        ):
            yield finding(
                node,
                path,
                "a secret is in the file",
                allowed="{{secrets/SCOPE/KEY}}",
                remedy="Change the secret, because it has leaked, and put the new one into the secret scope.",
            )
