"""What Databricks' own packages say of our DLT calls and our resources."""

from __future__ import annotations

import copy
import inspect
import shutil
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from local_workspace.dlt_runtime import SERVED
from local_workspace.dlt_runtime.declare.api import namespace
from local_workspace.dlt_runtime.declare.datasets import KEYWORDS
from orders.bundle_check import Bundle
from orders.bundle_check.document import KeyPath
from orders.bundle_check.shapes import Comparison, Resources

PROJECT_ROOT = Path(__file__).resolve().parents[3]
Ask = Callable[[str, Any], Any]


def _question(files: list[Path]) -> dict[str, Any]:
    site_packages = {
        str(distribution("pyspark").locate_file("")),
        str(distribution("pydantic").locate_file("")),
    }
    return {
        "project_root": str(PROJECT_ROOT),
        "site_packages": sorted(site_packages),
        "files": [str(file) for file in files],
    }


@pytest.fixture(scope="module")
def dataset_files() -> list[Path]:
    return sorted((PROJECT_ROOT / "dlt_ingest" / "transformations").glob("[!_]*.py"))


def test_dlt_calls_bind_to_databricks_signatures(ask: Ask, dataset_files: list[Path]) -> None:
    """Guards that each decorator we use exists on Databricks and takes the arguments that we give it."""
    answer = ask("bind_dlt_calls.py", _question(dataset_files))
    assert answer["errors"] == {}
    assert answer["calls"].count("table") == len(dataset_files)
    assert "expect_all_or_drop" in answer["calls"]
    assert "contract" in answer["origin"] or "site-packages" in answer["origin"]


def test_a_misspelt_argument_would_be_seen(ask: Ask, tmp_path: Path) -> None:
    """Guards the test above against proving nothing: wrong argument, wrong arity, unknown decorator."""
    for number, text in enumerate(
        (
            "import dlt\n@dlt.table(nmae='x')\ndef x(): ...\n",
            "import dlt\n@dlt.expect('rule')\ndef x(): ...\n",
            "import dlt\n@dlt.expect_or_quarantine('rule', 'true')\ndef x(): ...\n",
        )
    ):
        (tmp_path / f"wrong_{number}.py").write_text(text, encoding="utf-8")
    answer = ask("bind_dlt_calls.py", _question(sorted(tmp_path.glob("*.py"))))
    assert len(answer["errors"]) == 3, answer


def test_the_runtime_takes_what_databricks_functions_take(ask: Ask, tmp_path: Path) -> None:
    """Guards code that names an argument: every function and every parameter of Databricks' stub is known to the runtime."""
    (tmp_path / "nothing.py").write_text("", encoding="utf-8")
    theirs: dict[str, list[str]] = ask("bind_dlt_calls.py", _question([tmp_path / "nothing.py"]))[
        "parameters"
    ]
    assert {"table", "apply_changes", "apply_changes_from_snapshot", "on_event_hook"} <= set(theirs)
    ours = namespace()
    helpers = {"deprecation_warn"}
    assert set(theirs) - helpers - set(ours) == set()
    decorated = {"table": "TABLE", "view": "VIEW"}
    for name in sorted(set(theirs) & set(SERVED)):
        takes = set(inspect.signature(ours[name]).parameters)
        if name in decorated:
            takes |= set(KEYWORDS[decorated[name]])
        assert set(theirs[name]) - takes - {"args", "kwargs"} == set(), name


@pytest.mark.parametrize("target", ["dev", "staging", "prod"])
def test_resources_are_accepted(ask: Ask, target: str) -> None:
    """Guards that every resource of every target is what Databricks' classes take."""
    bundle = Bundle.load(PROJECT_ROOT, target)
    resources = {kind: bundle.resources(kind) for kind in Resources.__annotations__ if bundle.resources(kind)}
    assert {"alerts", "dashboards", "jobs", "pipelines", "schemas", "secret_scopes", "volumes"} == set(
        resources
    )
    answer = ask("accept_resources.py", {"resources": resources, "shapes": {}})
    assert answer["refused"] == {}


def test_a_wrong_resource_would_be_refused(ask: Ask) -> None:
    """Guards the test above against proving nothing."""
    jobs = copy.deepcopy(Bundle.load(PROJECT_ROOT, "prod").resources("jobs"))
    jobs["orders"]["tasks"][0]["pipeline_task"]["pipline_id"] = "x"
    answer = ask("accept_resources.py", {"resources": {"jobs": jobs}, "shapes": {}})
    assert "pipline_id" in answer["refused"]["jobs.orders"]


def test_our_shapes_know_no_key_that_databricks_does_not(ask: Ask) -> None:
    """Guards the offline check itself: what it allows is what Databricks' classes have, names and words alike."""
    comparison = Comparison(Resources)
    shapes = {
        kind: _as_data(comparison, (kind, "any key"))
        for kind in Resources.__annotations__
        if kind != "sql_warehouses"
    }
    answer = ask("accept_resources.py", {"resources": {}, "shapes": shapes})
    assert answer["unknown"] == []
    shapes["jobs"]["keys"]["tasks"]["item"]["keys"]["retries"] = {}
    shapes["volumes"]["keys"]["volume_type"]["words"].append("SHARED")
    answer = ask("accept_resources.py", {"resources": {}, "shapes": shapes})
    assert answer["unknown"] == ["jobs.tasks[].retries", "volumes.volume_type: SHARED"]


def _as_data(comparison: Comparison, path: KeyPath) -> dict[str, Any]:
    schema = comparison.at(path)
    if "properties" in schema:
        return {"keys": {key: _as_data(comparison, (*path, key)) for key in schema["properties"]}}
    if schema.get("type") == "array":
        return {"item": _as_data(comparison, (*path, 0))}
    words = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    return {"words": words} if words else {}


def test_check_asks_the_classes_where_they_are_installed(ask: Ask, tmp_path: Path) -> None:
    """Guards the second opinion: a value that our own description leaves open is found when databricks-bundles is there."""
    for name in ("databricks.yml", "dbt_project.yml", "pyproject.toml"):
        shutil.copy2(PROJECT_ROOT / name, tmp_path / name)
    for name in (
        "resources",
        "dashboards",
        "dbt_project",
        "dlt_ingest",
        "macros",
        "profiles",
        "seeds",
        "tests/dbt",
    ):
        shutil.copytree(PROJECT_ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    question = {**_question([]), "bundle": str(tmp_path)}
    assert ask("check_with_classes.py", question)["findings"] == []
    file = tmp_path / "resources" / "orders.job.yml"
    text = file.read_text(encoding="utf-8")
    attributes = "is_single_node: true\n            aws_attributes: {availability: CHEAP}"
    file.write_text(text.replace("is_single_node: true", attributes, 1), encoding="utf-8")
    findings = ask("check_with_classes.py", question)["findings"]
    assert {finding["key"].rsplit(".", 1)[-1] for finding in findings} == {"availability"}, findings
    assert all("CHEAP" in finding["what"] for finding in findings)
    assert {finding["file"] for finding in findings} == {"resources/orders.job.yml"}
