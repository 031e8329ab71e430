"""The project as dbt itself reads it: one `dbt parse` for all tests of this folder."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

# pytest's importlib mode adds no test folder to sys.path, and the integration tests run dbt in the same process.
sys.path.insert(0, str(Path(__file__).parents[2] / "integration"))

from dbt_process import dbt_process

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Folder with dbt_project.yml."""
    return PROJECT


@pytest.fixture(scope="session")
def manifest(run_folder: Path) -> dict[str, Any]:
    """manifest.json of target prod, parsed with nothing in the environment but that target's three variables.

    Parsed by the first process that wants it, for all. Under the key freshness_slas, which is not dbt's, are the rows of the
    seed of that name.
    """
    target = run_folder / "dbt_manifest"
    target.mkdir(exist_ok=True)
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "manifest.json").exists():
            _parse(target)
    document: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    with (PROJECT / "seeds" / "freshness_slas.csv").open(newline="") as seed:
        document["freshness_slas"] = list(csv.DictReader(seed))
    return document


def _parse(target: Path) -> None:
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }
    environment |= {
        "ORDERS_WAREHOUSE_HOST": "warehouse.example.com",
        "ORDERS_WAREHOUSE_HTTP_PATH": "/sql/1.0/warehouses/none",
        "ORDERS_WAREHOUSE_TOKEN": "none",
    }
    parsed = dbt_process().run(
        [
            "parse",
            "--target",
            "prod",
            "--no-use-colors",
            "--log-level-file",
            "none",
            "--target-path",
            str(target),
        ],
        folder=PROJECT,
        environment={**environment, "DBT_PROFILES_DIR": str(PROJECT / "profiles")},
    )
    if not parsed.success:
        pytest.fail(f"dbt parse --target prod failed:\n{parsed.said[-4000:]}")
