"""Every `${...}` and `{{...}}` refers to something."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

_JOB_VALUE = re.compile(r"\{\{([^{}]*)\}\}")
# Source: "Supported value references", Databricks jobs documentation. The last part of task values and parameters is
# free.
_KNOWN_JOB_VALUE = re.compile(
    r"job\.(id|name|run_id|repair_count|start_time\.[\w.]+|trigger\.[\w.]+|parameters\.\w+)"
    r"|task\.(name|run_id|execution_count|notebook_path)"
    r"|tasks\.[\w-]+\.(run_id|result_state|error_code|execution_count|values\.\w+|output\..+)"
    r"|workspace\.(id|url)|backfill\.iso_\w+|input(\.\w+)?"
    r"|secrets/[\w.@-]+/[\w.@-]+"
)
# Source: "Alert notification templates", Databricks SQL documentation.
_KNOWN_ALERT_VALUE = re.compile(r"(ALERT_(STATUS|CONDITION|THRESHOLD|NAME|URL)|QUERY_(NAME|URL|RESULT_\w+))")


def check_references(subject: Subject) -> Iterator[Finding]:
    """Find dangling references, unclosed references and unknown dynamic values of a job."""
    for dangling in subject.dangling:
        yield finding(
            dangling.position,
            dangling.path,
            f"${{{dangling.reference}}}: {dangling.reason}",
            allowed="a declared variable, a key of the bundle, or a resource that is defined",
            remedy="Correct the reference, or define its target.",
        )
    declared = subject.tree.find("variables")
    for path, node in subject.composition.tree.walk():
        if not isinstance(node.value, str):
            continue
        if node.value.count("${") != len(re.findall(r"\$\{[^{}]*\}", node.value)):
            yield finding(
                node,
                path,
                f"a reference is not closed in {node.value!r}",
                allowed="${name.of.something}",
                remedy="Close it with }.",
            )
        if path[:1] == ("targets",):
            continue
        resolved = subject.tree.find(*path)
        for match in _JOB_VALUE.finditer(str(resolved.value if resolved is not None else node.value)):
            text = match.group(1).strip()
            known = _KNOWN_ALERT_VALUE if path[:2] == ("resources", "alerts") else _KNOWN_JOB_VALUE
            if "${" not in text and not known.fullmatch(text):
                yield finding(
                    node,
                    path,
                    f"{{{{{text}}}}} is not a value that the platform fills in here",
                    allowed="e.g. {{job.run_id}}, {{tasks.NAME.values.KEY}}, {{secrets/SCOPE/KEY}}",
                    remedy="Correct it; it would reach the task unchanged.",
                )
    used = {
        name
        for _, node in subject.composition.tree.walk()
        if isinstance(node.value, str)
        for name in re.findall(r"\$\{var\.([A-Za-z_]\w*)", node.value)
    }
    for name, node in declared.items() if declared is not None else []:
        if node.find("value") is None and node.find("lookup") is None:
            yield finding(
                node,
                ("variables", name),
                f"has no value in target {subject.target}; the Databricks CLI refuses every command",
                allowed="a default, a value in the target, or a lookup",
                remedy='Set one; use `default: ""` if only other targets use it.',
            )
        if name not in used:
            yield finding(
                node,
                ("variables", name),
                "nothing in the bundle uses this variable",
                allowed="variables that are used",
                remedy=f"Use ${{var.{name}}}, or remove it.",
            )
