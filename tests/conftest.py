"""The order of the tests, which `make test` spreads over two processes file by file."""

from __future__ import annotations

import pytest

# Long ones first, so that the two processes end together; and while one builds the workspace that the others share, the
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
