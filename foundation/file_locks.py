"""Locks between processes, which the kernel releases when their holder ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HELD = {errno.EAGAIN, errno.EACCES}
# A volume of Databricks knows no locks.
_NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1


class FileLock:
    """A `flock` lock on one file or folder, not inherited by child processes and not reentrant.

    Args:
        path: The file, created with mode 0600 if it does not exist, or a folder that does.
        optional: Whether to go on without a lock where the file system knows none.
    """

    def __init__(self, path: Path, *, optional: bool = False) -> None:
        self.path = path
        self._optional = optional
        self._descriptor: int | None = None

    def take(self, *, shared: bool = False, seconds: float = 0.0) -> bool:
        """Try to take the lock for so many seconds, `math.inf` for ever; return whether it is held.

        Raises:
            OSError: If the file cannot be opened, or the file system knows no locks.
        """
        flags = os.O_RDONLY if self.path.is_dir() else os.O_CREAT | os.O_RDWR
        descriptor = os.open(self.path, flags, 0o600)
        try:
            held = self._wait(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, seconds)
        except BaseException:
            os.close(descriptor)
            raise
        if held:
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return held

    def _wait(self, descriptor: int, operation: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        pause = _FIRST_PAUSE
        while True:
            try:
                fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            except OSError as error:
                if self._optional and error.errno in _NO_LOCKS:
                    return True
                if error.errno not in _HELD:
                    raise
                if time.monotonic() >= deadline:
                    return False
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def held(self, refusal: Callable[[str], Exception], *, seconds: float = 0.0) -> Iterator[None]:
        """Hold the lock for a block; the file then names the process, for those that wait for it.

        Args:
            refusal: Makes the error for a lock that another process holds, given what is known of that process.
            seconds: How long to wait, `math.inf` for ever.

        Raises:
            Exception: The refusal, when that time is over.
        """
        if not self.take(seconds=seconds):
            raise refusal(self._holder())
        try:
            self._name_process()
            yield
        finally:
            self.release()

    def _name_process(self) -> None:
        if self._descriptor is not None and not self.path.is_dir():
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def _holder(self) -> str:
        number = "" if self.path.is_dir() else self.path.read_text(encoding="utf-8").strip()
        return f"process {number or 'unknown'}"

    def still_there(self) -> bool:
        """Return whether the file is still the one that was locked: somebody may have deleted the whole folder."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def is_held(file: Path) -> bool:
    """Return whether somebody holds the lock for itself."""
    return file.exists() and not _can_take(file, shared=True)


def is_used(file: Path) -> bool:
    """Return whether somebody holds the lock at all, shared or not."""
    return file.exists() and not _can_take(file, shared=False)


def _can_take(file: Path, *, shared: bool) -> bool:
    probe = FileLock(file)
    if not probe.take(shared=shared):
        return False
    probe.release()
    return True
