"""A plugin of pytest: points the adapter's tests at a local warehouse, and writes down how each ended.

Loaded by ``-p`` before the tests' own conftest. The tests know the address of a warehouse by variables, and no variable
says that it listens on another port than 443: that is what is put in here. Nothing else of a test is changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

MARKERS = ("python", "dlt", "external")


def pytest_configure(config: pytest.Config) -> None:
    """Put the workspace in place of the tests' own profile."""
    from tests import profiles  # type: ignore[attr-defined]

    config.addinivalue_line("markers", "acl: needs users and groups of a workspace")
    config.addinivalue_line("markers", "flaky: may be run again")
    profiles._build_databricks_cluster_target = _target


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


def _errors(report: pytest.TestReport) -> list[str]:
    """What the warehouse said, of everything that dbt wrote meanwhile."""
    lines = [line.strip() for text in (report.capstdout, report.caplog) for line in text.splitlines()]
    return list(dict.fromkeys(line[-600:] for line in lines if "SQLSTATE" in line))[-4:]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write one line for each phase that tells something: what failed, what was left out, and what passed."""
    report = yield
    told = report.when == "call" or report.outcome != "passed"
    if told and "ADAPTER_TESTS_RESULTS" in os.environ:
        text = str(report.longrepr[-1]) if isinstance(report.longrepr, tuple) else report.longreprtext
        line = {
            "test": item.nodeid,
            "outcome": report.outcome,
            "phase": report.when,
            "markers": sorted({m.name for m in item.iter_markers()} & set(MARKERS)),
            "text": "\n".join([*_errors(report), text[-2000:]]),
            "seconds": round(report.duration, 1),
        }
        with Path(os.environ["ADAPTER_TESTS_RESULTS"]).open("a") as file:
            file.write(json.dumps(line) + "\n")
    return report
