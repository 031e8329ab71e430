"""A copy of the project's deployment files, which a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).resolve().parents[3]
_FILES = ("databricks.yml", "dbt_project.yml", "pyproject.toml")
_FOLDERS = (
    "resources",
    "dashboards",
    "dbt_project",
    "dlt_ingest",
    "macros",
    "profiles",
    "seeds",
    "tests/dbt",
)


@pytest.fixture(scope="session")
def project_root() -> Path:
    return PROJECT_ROOT


@pytest.fixture
def bundle_copy(tmp_path: Path) -> Path:
    """The files that the check looks at, in a folder of the test's own."""
    for name in _FILES:
        shutil.copy2(PROJECT_ROOT / name, tmp_path / name)
    for name in _FOLDERS:
        if (PROJECT_ROOT / name).is_dir():
            shutil.copytree(
                PROJECT_ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    return tmp_path
