"""The fixture `local_workspace` for tests of pipelines, which pytest finds by itself where this package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local_workspace.temporary import TemporaryWorkspace


@pytest.fixture
def local_workspace() -> Iterator[TemporaryWorkspace]:
    """Return an empty workspace for one test: run a pipeline in it, then look at its tables.

    All tests of a process share one engine, so a further test costs no start.
    """
    from local_workspace.workspace import Workspace  # noqa: PLC0415  (pytest loads this file in every run)

    with Workspace.temporary() as workspace:
        yield workspace
