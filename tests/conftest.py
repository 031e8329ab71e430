"""The order of the tests, which `make test` spreads over three processes file by file, and what these share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Long ones first, so that the processes end together; and while one builds the workspace that the others share, the
# other one must have something to do that does not wait for it.
_FIRST = (
    "tests/integration/bundle",
    "tests/integration/main_job/test_main_job_cdnow.py",
    "tests/integration/main_job",
    "tests/integration/marts/test_incremental",
    "tests/integration",
    "tests/faults",
    "tests/contract",
)


def _place(item: pytest.Item) -> int:
    name = item.nodeid
    return next((place for place, folder in enumerate(_FIRST) if name.startswith(folder)), len(_FIRST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long groups first."""
    items.sort(key=_place)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the whole run, the same for all its processes."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
