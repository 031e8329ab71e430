"""The order of the tests, which `make test` spreads over two processes file by file."""

from __future__ import annotations

import pytest

# Long ones first, so that the two processes end together.
_FIRST = (
    "tests/integration/main_job",
    "tests/integration/bundle",
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
