"""The job erase_customer of the bundle: what it runs, and who may start it. tests/integration/bundle runs it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from dlt_ingest.governance import erasure_statements as statements
from orders.bundle_check import Bundle
from orders.cli.deployed_erasure import STEPS
from orders.cli.main import main

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module", params=["dev", "staging", "prod"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return Bundle.load(PROJECT, request.param)


def tasks_of(bundle: Bundle) -> dict[str, dict[str, Any]]:
    return {task["task_key"]: task for task in bundle.resources("jobs")["erase_customer"]["tasks"]}


def test_the_tasks_are_the_steps_in_their_order(bundle: Bundle) -> None:
    """Guards against a step left out or too early: each task waits for the one before, and all steps are given once."""
    tasks = tasks_of(bundle)
    keys = list(tasks)
    assert [tasks[key].get("depends_on", []) for key in keys] == [[], *([{"task_key": k}] for k in keys[:-1])]
    words = [
        word
        for task in tasks.values()
        for word in task.get("python_wheel_task", {}).get("parameters", [])
        if word in STEPS
    ]
    assert words == list(STEPS)
    refreshed = [
        tuple(t["pipeline_task"]["refresh_selection"]) for t in tasks.values() if "pipeline_task" in t
    ]
    assert refreshed == [statements.STREAMS, statements.VIEWS]
    assert keys.index("streams") < keys.index("tables") < keys.index("customers") < keys.index("marts")


def test_the_marts_are_built_as_the_command_builds_them(bundle: Bundle) -> None:
    """Guards the marts on Databricks: the arguments are those with which the local erasure is tested."""
    [command] = bundle.dbt_commands("erase_customer", "marts", values={"job.run_id": "1"})
    words = shlex.split(command)
    assert tuple(words[1 : len(statements.DBT_ARGUMENTS) + 1]) == statements.DBT_ARGUMENTS
    assert words[len(statements.DBT_ARGUMENTS) + 1] == "--target"


def test_it_runs_on_request_alone(bundle: Bundle) -> None:
    """Guards against an erasure by the clock, by a file, twice at once, or of a customer that a default names."""
    job = bundle.resources("jobs")["erase_customer"]
    assert not {"schedule", "trigger", "continuous"} & set(job)
    assert job["max_concurrent_runs"] == 1
    assert job["parameters"] == [{"name": "customer_id", "default": ""}]


@pytest.mark.parametrize("target", ["staging", "prod"])
def test_few_may_start_it_and_see_its_runs(target: str) -> None:
    """Guards erasure, and the ids in its runs, against everybody who may run or see the rest."""
    bundle = Bundle.load(PROJECT, target)
    everywhere = bundle.tree.find("permissions")
    assert everywhere is not None
    assert [p.find("level").value for p in everywhere.elements()] == ["CAN_MANAGE"]
    officers, operators = (bundle.variable(name) for name in ("privacy_officers", "operators"))
    jobs = bundle.resources("jobs")
    assert jobs["erase_customer"]["permissions"] == [{"level": "CAN_MANAGE_RUN", "group_name": officers}]
    assert officers != operators
    for kind in ("jobs", "pipelines", "dashboards", "alerts"):
        for name, resource in bundle.resources(kind).items():
            groups = {permission["group_name"] for permission in resource.get("permissions", [])}
            assert name == "erase_customer" or groups == {operators, bundle.variable("readers")}, name


def test_the_default_parameter_erases_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a run without the parameter, and the command given by hand: both are refused before anything is asked."""
    monkeypatch.setenv("ORDERS_ENV", "prod")
    for arguments, said in (
        (["", "--yes", "--step", "source"], "not a customer id"),
        (["C-1", "--yes"], "job erase_customer"),
        (["C-1", "--step", "source"], "job erase_customer"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["erase", *arguments])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    monkeypatch.setenv("ORDERS_ENV", "local")
    with pytest.raises(SystemExit) as ended:
        main(["erase", "C-1", "--yes", "--step", "source"])
    assert ended.value.code == 2
