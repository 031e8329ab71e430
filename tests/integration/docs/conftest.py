"""The reader's clone, up, with the metrics exported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# pytest's importlib mode adds no test folder to sys.path.
sys.path.insert(0, str(Path(__file__).parent))

from readers_clone import ReadersClone


@pytest.fixture(scope="module")
def clone(
    built_workspace, copy_built_workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReadersClone]:
    """A clone whose workspace is a copy of the built one, so that commands may change it."""
    environment = {
        k: v for k, v in built_workspace.environment.items() if k not in ("ORDERS_HOME", "DBT_TARGET_PATH")
    }
    made = ReadersClone.make(tmp_path_factory.mktemp("reader") / "clone", copy_built_workspace, environment)
    for outcome in made.shell(["orders up", "orders export"]):
        assert outcome.exit_code == 0, outcome.printed
    yield made
    made.shell(["orders down --force"])
