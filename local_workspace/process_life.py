"""A child process must not outlive its parent, not even when the parent is killed with `kill -9`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent_pid: int, signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to signal this process when its parent ends (Linux; elsewhere this does nothing).

    The kernel watches the *thread* that started this process (prctl(2), PR_SET_PDEATHSIG), so the parent must
    start it from a thread that lives as long as the parent. The setting survives `execve` of an ordinary
    program.

    Args:
        parent_pid: The process that started this one, as it knew itself: if it is gone already, this
        process ends here.
        signal_number: What the kernel sends.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def die_with_pipe(descriptor: int) -> None:
    """End this process when the other end of a pipe is closed, which the kernel does when its holder ends.

    Works on every system and for any thread of the parent, but needs this process to run Python.
    """

    def watch() -> None:
        while os.read(descriptor, 1024):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()
