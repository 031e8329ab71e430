"""The project as dbt itself reads it: one `dbt parse` for all tests of this folder."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
        "DBT_HOST": "warehouse.example.com",
        "DBT_HTTP_PATH": "/sql/1.0/warehouses/none",
        "DBT_ACCESS_TOKEN": "none",
    }
    parsed = subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")),
            *(
                "parse",
                "--target",
                "prod",
                "--project-dir",
                str(PROJECT),
                "--profiles-dir",
                str(PROJECT / "profiles"),
            ),
            *("--target-path", str(target), "--log-path", str(target / "logs")),
        ],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if parsed.returncode != 0:
        pytest.fail(f"dbt parse --target prod failed:\n{parsed.stdout[-4000:]}{parsed.stderr[-2000:]}")
