"""Noticing that the daemon is gone, for work that would otherwise find out statement by statement."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import TracebackType

from foundation.file_locks import is_held
from local_workspace.daemon.locks import DAEMON
from local_workspace.daemon.state import DaemonState
from local_workspace.errors import EngineError
from local_workspace.layout import WorkspaceLayout

LOOK_SECONDS = 0.5


class LossWatch:
    """Watches the daemon of a workspace while a block runs, and ends the work of the block when it goes.

    What the block raises or returns after that means nothing: the error is then that the daemon is gone.

    Args:
        layout: The workspace, which has a daemon.
        end: Ends the work, from a thread of its own, and does no harm when it is called again. Without one, the block is
            interrupted as by Ctrl-C, again and again until it ends, because libraries retry and clean up on a server that
            is gone. Only the main thread can be interrupted.
    """

    def __init__(self, layout: WorkspaceLayout, end: Callable[[], None] | None = None) -> None:
        self._layout = layout
        self._interrupts = end is None
        self._end = interrupt_main_thread if end is None else end
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
        try:
            self._done.set()
            self._thread.join()
        except KeyboardInterrupt:
            if not (self._interrupts and self._lost):
                raise
        if self._lost and (self._interrupts or not isinstance(error, KeyboardInterrupt)):
            raise EngineError(
                "The workspace's daemon is gone: it was killed or stopped while this command ran",
                consequence="Finished work is kept, the rest is lost",
                next_step="Run the command again, which starts a new one; "
                f"{self._layout.shown(self._layout.logs / 'daemon.log')} says more",
            ) from error

    def _watch(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self._lost = self._lost or is_gone(self._layout, self._pid)
            if self._lost:
                self._end()


def interrupt_main_thread() -> None:
    """Do as Ctrl-C does; a wait of the main thread ends too."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)


def is_gone(layout: WorkspaceLayout, pid: int | None) -> bool:
    """Return whether the daemon of a workspace is no longer the one that had this process id."""
    return not is_held(layout.run / DAEMON) or _pid(layout) != pid


def _pid(layout: WorkspaceLayout) -> int | None:
    state = DaemonState.read(layout)
    return None if state is None else state.pid
