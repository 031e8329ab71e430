"""dbt's unit tests: a formula, its rows and what must come of them, run by the engine without any table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]


def test_every_unit_test_holds(built_workspace: Any, tmp_path: Path) -> None:
    """Guards the formulas of the marts (RFM, lifetime value, refunds, cohorts, anomalies); the job leaves these tests out."""
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "test", "--select", "test_type:unit", "--target-path", tmp_path],
        cwd=PROJECT,
        env={**built_workspace.shell_environment(), "DBT_LOG_LEVEL_FILE": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    written = json.loads((tmp_path / "manifest.json").read_text())["unit_tests"]
    results = json.loads((tmp_path / "run_results.json").read_text())["results"]
    assert {result["unique_id"]: result["status"] for result in results} == dict.fromkeys(written, "pass")
    assert written
