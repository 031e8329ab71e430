"""Fixtures of the workspace's fault tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_workspace.daemon import client
from local_workspace.layout import WorkspaceLayout


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkspaceLayout]:
    """A workspace folder that root's Postgres can reach, whose processes are stopped after the test."""
    monkeypatch.delenv("POSTGRES_HOST", raising=False)
    with tempfile.TemporaryDirectory(prefix="workspace-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        made = WorkspaceLayout(folder / "home")
        yield made
        client.stop(made, force=True)
