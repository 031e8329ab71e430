"""A plugin of pytest: points the adapter's tests at a local warehouse, and writes down how each ended.

Loaded by ``-p`` before the tests' own conftest. The tests know the address of a warehouse by variables, and no variable
says that it listens on another port than 443: that is what is put in here. Nothing else of a test is changed, but that
dbt does not search the whole stack for the module that each flag of the adapter comes from (two thirds of all time here).

What was run before is left out, class by class: the tests of a class share a project and build on each other.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from dbt_common.behavior_flags import BehaviorFlagRendered
from scope import BY_MARK, out_of_scope

RESULTS = Path(os.environ["ADAPTER_TESTS_RESULTS"])


def pytest_configure(config: pytest.Config) -> None:
    """Put the workspace in place of the tests' own profile."""
    from tests import profiles  # type: ignore[attr-defined]

    config.addinivalue_line("markers", "acl: needs users and groups of a workspace")
    config.addinivalue_line("markers", "flaky: may be run again")
    profiles._build_databricks_cluster_target = _target
    BehaviorFlagRendered._default_source = staticmethod(_source)  # type: ignore[method-assign]


def _source() -> str:
    return "dbt.adapters.databricks.impl"


def _target(
    http_path: str,
    catalog: str | None = None,
    schema: str | None = None,
    session_properties: dict[str, str] | None = None,
) -> dict[str, Any]:
    profile: dict[str, Any] = {
        "type": "databricks",
        "host": os.environ["ORDERS_WAREHOUSE_HOST"],
        "http_path": http_path,
        "token": os.environ["ORDERS_WAREHOUSE_TOKEN"],
        "catalog": catalog,
        "schema": schema,
        "session_properties": session_properties,
        "connect_retries": 0,
        "threads": 4,
        "connection_parameters": {
            "_connection_uri": os.environ["ORDERS_WAREHOUSE_URI"],
            "_tls_trusted_ca_file": os.environ["ORDERS_WAREHOUSE_CA"],
            "enable_telemetry": False,
            "use_cloud_fetch": False,
        },
    }
    return {key: value for key, value in profile.items() if value is not None}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the classes that are wanted and not done; write down which tests there are, and what is out of scope."""
    RESULTS.with_name("collected.json").write_text(json.dumps([item.nodeid for item in items]))
    recorded = {json.loads(line)["test"] for line in RESULTS.read_text().splitlines()}
    left_out: set[str] = set()
    for item in items:
        if out_of_scope(item.nodeid, _marks(item)) is not None:
            left_out.add(item.nodeid)
            if item.nodeid not in recorded:
                _write({"test": item.nodeid, "outcome": "left out", "marks": _marks(item), "text": ""})
    only = re.compile(os.environ.get("ADAPTER_TESTS_ONLY", ""))
    undone = {_class(item) for item in items if item.nodeid not in recorded | left_out}
    wanted = [i for i in items if _class(i) in undone and i.nodeid not in left_out and only.search(i.nodeid)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(wanted)])
    items[:] = wanted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Stop between two classes when the time that was given is over."""
    outcome = yield
    over = time.time() > float(os.environ.get("ADAPTER_TESTS_UNTIL", "inf"))
    if over and nextitem is not None and _class(nextitem) != _class(item):
        item.session.shouldstop = "the time that was given is over"
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write one line for each phase that tells something: what failed, what was skipped, and what passed."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        text = str(report.longrepr[-1]) if isinstance(report.longrepr, tuple) else report.longreprtext
        _write(
            {
                "test": item.nodeid,
                "outcome": report.outcome,
                "phase": report.when,
                "marks": _marks(item),
                "text": "\n".join([*_errors(report), text[-2000:]]),
                "seconds": round(report.duration, 1),
            }
        )
    return report


def _write(line: dict[str, Any]) -> None:
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _class(item: pytest.Item) -> str:
    return item.nodeid.rpartition("::")[0]


def _marks(item: pytest.Item) -> list[str]:
    return sorted({mark.name for mark in item.iter_markers()} & set(BY_MARK))


def _errors(report: pytest.TestReport) -> list[str]:
    """What the warehouse said, of everything that dbt wrote meanwhile."""
    lines = [line.strip() for text in (report.capstdout, report.caplog) for line in text.splitlines()]
    return list(dict.fromkeys(line[-600:] for line in lines if "SQLSTATE" in line))[-4:]
