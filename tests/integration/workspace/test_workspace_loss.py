"""A daemon that goes under a command: the command ends within seconds, and says so."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from local_workspace.daemon.state import DaemonState
from local_workspace.errors import EngineError
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.postgres import ensure_database
from local_workspace.workspace import Workspace


def test_work_ends_with_the_daemon_that_it_needs(layout: WorkspaceLayout, options: WorkspaceOptions) -> None:
    """Guards against minutes of retries, node by node, on a warehouse that is gone; and against an end without a word."""
    with Workspace.attach(layout, options) as workspace:
        ended = threading.Event()
        with workspace.watched(ended.set):
            time.sleep(1.5)
        assert not ended.is_set(), "a daemon that lives was taken for gone"
        state = DaemonState.read(layout)
        assert state is not None
        began = time.monotonic()
        with (  # noqa: PT012  (what raises is the end of the block)
            pytest.raises(EngineError, match=r"daemon is gone.*Run the command again"),
            workspace.watched(ended.set),
        ):
            os.kill(state.pid, signal.SIGKILL)
            assert ended.wait(10)
        assert time.monotonic() - began < 10


def test_work_that_waits_is_interrupted_until_it_ends(
    layout: WorkspaceLayout, options: WorkspaceOptions
) -> None:
    """Guards commands that only ask: a wait, and the wait of a library that cleans up, both end with the daemon."""
    with Workspace.attach(layout, options) as workspace:
        state = DaemonState.read(layout)
        assert state is not None
        began = time.monotonic()
        with pytest.raises(EngineError, match="daemon is gone"), workspace.watched():  # noqa: PT012
            os.kill(state.pid, signal.SIGKILL)
            try:
                time.sleep(60)
            finally:
                time.sleep(60)
        assert time.monotonic() - began < 20
        postgres = workspace.postgres
        assert postgres is not None
        with pytest.raises(EngineError, match="Postgres with it"):
            ensure_database(postgres, is_lost=lambda: True)
        assert time.monotonic() - began < 20


def test_a_daemon_that_took_the_place_is_another(layout: WorkspaceLayout, options: WorkspaceOptions) -> None:
    """Guards sessions: a new daemon on the same port knows none of them, so the work on the former one ends too."""
    with Workspace.attach(layout, options) as workspace:
        ended = threading.Event()
        with pytest.raises(EngineError, match="daemon is gone"), workspace.watched(ended.set):  # noqa: PT012
            Workspace.down(layout, force=True)
            with Workspace.attach(layout, options):
                assert ended.wait(10)
