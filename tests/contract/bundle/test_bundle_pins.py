"""Versions and workflows: what CI, pre-commit and the job install is what was tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from orders.bundle_check import Bundle

PROJECT_ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((PROJECT_ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    text = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))


def test_job_installs_the_tested_versions(locked: dict[str, str]) -> None:
    """Guards that dbt in production is the dbt of the tests."""
    seen = set()
    for job in Bundle.load(PROJECT_ROOT, "prod").resources("jobs").values():
        for task in job["tasks"]:
            for library in task.get("libraries", []):
                if "pypi" in library:
                    name, _, version = library["pypi"]["package"].partition("==")
                    assert locked[name] == version
                    seen.add(name)
    assert seen == {"dbt-core", "dbt-databricks"}


def test_pre_commit_runs_the_versions_of_make_lint(locked: dict[str, str]) -> None:
    """Guards against a commit hook that argues with CI."""
    config = yaml.safe_load((PROJECT_ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    pins = [
        requirement
        for repository in config["repos"]
        for hook in repository["hooks"]
        for requirement in hook.get("additional_dependencies", [])
    ]
    assert {pin.partition("==")[0] for pin in pins} == {"ruff", "sqlfluff"}
    for pin in pins:
        name, _, version = pin.partition("==")
        assert locked[name] == version


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_has_least_permissions(workflow: Path) -> None:
    """Guards the pipeline's own rights: read by default, an OIDC token only where it deploys, no stored secret."""
    text = workflow.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    assert "pull_request_target" not in text
    for name, job in content["jobs"].items():
        writes = {key for key, value in (job.get("permissions") or {}).items() if value == "write"}
        assert writes <= ({"id-token"} if workflow.name == "deploy.yml" else set()), name
        assert ("id-token" in writes) == ("environment" in job), name
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
            # Text of an event in a script is code: such values go through `env`.
            assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    """Guards against an action that becomes another one under the same tag; the version behind it is for the reader."""
    used = re.findall(r"uses: (.+)", workflow.read_text(encoding="utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action), action


def test_workflows_call_what_a_laptop_calls() -> None:
    """Guards that CI runs the documented commands, which exist."""
    targets = set(
        re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    called = set()
    for workflow in WORKFLOWS:
        called |= set(
            re.findall(r"\bmake ([a-z-]+)", re.sub(r"#.*", "", workflow.read_text(encoding="utf-8")))
        )
    assert called == {"audit", "coverage", "docs-site", "fmt", "lint", "test", "venv"}
    assert called <= targets
