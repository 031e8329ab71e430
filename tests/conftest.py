"""How the tests are spread over two processes: a file stays together, and so does all that shares the built workspace."""

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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give each test the name of its group.

    Here and not when all are collected: pytest-xdist reads the groups at that moment, before a conftest's turn.
    """
    shares = "built_workspace" in getattr(item, "fixturenames", ())
    group = "built_workspace" if shares else item.nodeid.split("::")[0]
    item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long groups first."""
    items.sort(key=_place)
