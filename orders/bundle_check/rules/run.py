"""Run every family of rules on every target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orders.bundle_check.compose import BUNDLE_FILE, compose
from orders.bundle_check.document import read_document
from orders.bundle_check.errors import BundleError
from orders.bundle_check.findings import Finding
from orders.bundle_check.references import resolve
from orders.bundle_check.rules.configuration import check_configuration
from orders.bundle_check.rules.databricks_classes import check_databricks_classes
from orders.bundle_check.rules.dbt_variables import check_dbt_variables
from orders.bundle_check.rules.deployed_code import check_deployed_code
from orders.bundle_check.rules.freshness import check_freshness
from orders.bundle_check.rules.jobs import check_jobs
from orders.bundle_check.rules.keys import check_keys
from orders.bundle_check.rules.paths import check_paths, check_upload
from orders.bundle_check.rules.pipelines import check_pipelines
from orders.bundle_check.rules.reference_rules import check_references
from orders.bundle_check.rules.schedules import check_schedules
from orders.bundle_check.rules.sql import check_sql
from orders.bundle_check.rules.subject import Subject
from orders.bundle_check.rules.targets import check_targets


def check_bundle(
    project_root: Path,
    targets: Sequence[str] | None = None,
    *,
    local_files: Mapping[Path, str] | None = None,
) -> list[Finding]:
    """Check the bundle offline.

    Args:
        project_root: The folder of `databricks.yml`.
        targets: The targets to check; all by default.
        local_files: Files that the local runtime loads and their SHA-256, to compare with what is deployed.

    Returns:
        The findings of all targets, each once, in the order of the files; empty for a correct bundle.
    """
    project_root = Path(project_root).resolve()
    found: set[Finding] = set()
    try:
        document = read_document(project_root / BUNDLE_FILE, project_root)
        declared = [name for name, _ in (document.root.find("targets") or document.root).items()]
        chosen: Sequence[str | None] = targets or declared or [None]
        for target in chosen:
            composition = compose(project_root, target)
            tree, dangling = resolve(composition.tree)
            found |= set(_check_target(Subject(composition, tree, tuple(dangling)), local_files))
    except BundleError as error:
        found.add(_as_finding(error))
    return sorted(found, key=lambda finding: finding.place)


def _check_target(subject: Subject, local_files: Mapping[Path, str] | None) -> list[Finding]:
    return [
        *check_keys(subject),
        *check_references(subject),
        *check_paths(subject),
        *check_upload(subject),
        *check_schedules(subject),
        *check_jobs(subject),
        *check_pipelines(subject),
        *check_targets(subject),
        *check_sql(subject),
        *check_deployed_code(subject, local_files),
        *check_configuration(subject),
        *check_freshness(subject),
        *check_dbt_variables(subject),
        *check_databricks_classes(subject),
    ]


def _as_finding(error: BundleError) -> Finding:
    """Return one finding for a bundle that cannot be composed: no other rule can be checked."""
    place, _, key = error.where.partition(" ")
    file, _, line = place.partition(":")
    return Finding(
        file=file,
        line=int(line) if line.isdigit() else 1,
        key=key,
        what=error.what.removeprefix(f"{error.where}: "),
        allowed=error.allowed,
        remedy=error.next_step or "",
    )
