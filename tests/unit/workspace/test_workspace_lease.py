"""Guards who may stop a workspace: nobody under a command that uses it, and everybody else, whatever the daemon does."""

from __future__ import annotations

import threading
from pathlib import Path

from foundation.file_locks import FileLock
from local_workspace.daemon.client import _is_leased
from local_workspace.daemon.locks import LEASE
from local_workspace.layout import WorkspaceLayout


def test_a_command_keeps_the_workspace_and_a_daemon_that_changes_its_engine_does_not(tmp_path: Path) -> None:
    """Guards `orders down` while the daemon holds the whole lease for the moment in which it changes its engine."""
    layout = WorkspaceLayout(tmp_path / "home").create()
    layout.run.mkdir(exist_ok=True)
    command, daemon = FileLock(layout.run / LEASE), FileLock(layout.run / LEASE)
    assert not _is_leased(layout)
    assert command.take(shared=True)
    assert _is_leased(layout)
    command.release()
    assert daemon.take()
    timer = threading.Timer(0.3, daemon.release)
    timer.start()
    assert not _is_leased(layout)
    timer.join()
