"""Files and folders that only their owner may enter, from the moment they are there."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import BinaryIO


def write_private(file: Path, text: str) -> None:
    """Write a file of mode 0600 so that a reader finds the old text or the new one, never a part."""
    fresh = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


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
