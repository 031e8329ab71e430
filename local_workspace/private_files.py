"""Files and folders that only their owner may enter, from the moment they are there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from foundation.whole_files import write_whole


def write_private(file: Path, content: str | bytes) -> None:
    """Write a file of mode 0600, whole."""
    write_whole(file, content, mode=0o600)


def make_private(folder: Path) -> None:
    """Make a folder of mode 0700 with the folders above it, or close one that is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def append_private(file: Path) -> BinaryIO:
    """Open a file of mode 0600 to append to it, or close one that is there to others."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    stream = os.fdopen(descriptor, "ab")
    if os.fstat(descriptor).st_mode & 0o077:
        os.fchmod(descriptor, 0o600)
    return stream
