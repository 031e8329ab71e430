"""Where a fork server is found, and by what it is known to have imported what is installed now."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.file_locks import FileLock
from local_workspace.layout import WorkspaceLayout


def server_lock(layout: WorkspaceLayout, name: str) -> FileLock:
    """Return the lock that the server holds while it lives."""
    return FileLock(layout.run / f"{name}.lock")


@contextmanager
def socket_address(layout: WorkspaceLayout, name: str) -> Iterator[str]:
    """Yield the path of the server's socket, good within the block.

    Through a descriptor of its folder: a socket's path may have 107 bytes only (unix(7)), and a workspace may lie deep.
    """
    folder = os.open(layout.run, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{name}.sock"
    finally:
        os.close(folder)


def installed_mark() -> str:
    """Return a mark that changes when a package is installed or removed, or when this package changes."""
    marks = [sys.executable, os.environ.get("PYTHONPATH", "")]
    for entry in sys.path:
        folder = Path(entry)
        if folder.name in {"site-packages", "dist-packages"} and folder.is_dir():
            marks.append(f"{entry}:{folder.stat().st_mtime_ns}")
    marks += [str(file.stat().st_mtime_ns) for file in sorted(Path(__file__).parent.glob("*.py"))]
    return "|".join(marks)
