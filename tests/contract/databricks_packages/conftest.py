"""An environment with Databricks' own packages: they may be neither vendored nor installed beside pyspark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT_ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
# databricks-dlt without its dependency databricks-connect, which would bring a pyspark package of its own.
PACKAGES = ("databricks-bundles==1.22.1", "databricks-dlt==0.3.0")


@pytest.fixture(scope="session")
def contract_python() -> Path:
    """The Python of an environment with Databricks' packages, made once and kept outside the checkout.

    Skips when the package index cannot be reached; with ORDERS_CONTRACT=required (the pipeline sets it) that is an
    error instead.
    """
    base = os.environ.get("ORDERS_CONTRACT_ENVS")
    folder = Path(base) if base else Path.home() / ".cache" / "orders-lakehouse" / "contract-environments"
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    home = folder / "-".join([version, *(package.replace("==", "-") for package in PACKAGES)])
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    finished = home / "finished"
    if finished.is_file():
        return python
    try:
        venv.create(home, with_pip=True, clear=True)
        subprocess.run(
            [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--retries",
                "1",
                "--timeout",
                "10",
                *PACKAGES,
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"Databricks' packages could not be installed: {getattr(error, 'stderr', None) or error}"
        if os.environ.get("ORDERS_CONTRACT") == "required":
            pytest.fail(reason)
        pytest.skip(reason.strip().splitlines()[-1])
    finished.touch()
    return python


@pytest.fixture(scope="session")
def ask(contract_python: Path) -> Callable[[str, Any], Any]:
    """Runs a script of this folder in that environment: JSON goes in on standard input, JSON comes out."""

    def run(script: str, question: Any) -> Any:
        done = subprocess.run(
            [contract_python, HERE / script],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
