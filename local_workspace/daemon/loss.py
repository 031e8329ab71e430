"""Noticing that the daemon is gone, for work that would otherwise find out statement by statement."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from local_workspace.daemon.locks import DAEMON, is_held
from local_workspace.daemon.state import DaemonState
from local_workspace.errors import EngineError
from local_workspace.layout import WorkspaceLayout

LOOK_SECONDS = 0.5


class LossWatch:
    """Watches the daemon of a workspace while a block runs, and ends the work of the block when it goes.

    What the block raises or returns after that means nothing: the error is then that the daemon is gone.

    Args:
        layout: The workspace, which has a daemon.
        end: Ends the work, from a thread of its own.
    """

    def __init__(self, layout: WorkspaceLayout, end: Callable[[], None]) -> None:
        self._layout = layout
        self._end = end
        self._done = threading.Event()
        self._lost = False
        self._pid = _pid(layout)
        self._thread = threading.Thread(target=self._watch, name="watch-daemon", daemon=True)

    def __enter__(self) -> LossWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._lost and not isinstance(error, KeyboardInterrupt):
            raise EngineError(
                "The workspace's daemon is gone: it was killed, or stopped under this command",
                consequence="What was finished by then is there, the rest is not",
                next_step="Run the command again, which starts a new one; "
                f"{self._layout.shown(self._layout.logs / 'daemon.log')} says more",
            ) from error

    def _watch(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            if not is_held(self._layout.run / DAEMON) or _pid(self._layout) != self._pid:
                self._lost = True
                self._end()
                return


def _pid(layout: WorkspaceLayout) -> int | None:
    state = DaemonState.read(layout)
    return None if state is None else state.pid
