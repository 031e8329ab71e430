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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the name of its group, and put the long groups first."""
    for item in items:
        shares = "built_workspace" in getattr(item, "fixturenames", ())
        group = "built_workspace" if shares else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_place)
