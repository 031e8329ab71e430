"""Files that a reader finds whole: the old content or the new one, never a part, whoever is killed."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path


def write_whole(
    path: Path,
    content: str | bytes,
    *,
    mode: int | None = None,
    durable: bool = False,
    aside: str | None = None,
    like: os.stat_result | None = None,
) -> None:
    """Write a file aside and give it its name in one step.

    Args:
        path: The file; its folder exists. A file that is there is replaced.
        content: The content; text is written as UTF-8.
        mode: The permissions, in force before the first byte is written; by default those that the umask leaves.
        durable: Whether the content and the name must survive a loss of power.
        aside: The name of the unfinished file, where a later run looks for what a killed one left. By default a hidden
            one that no other writer uses.
        like: Whose permissions and times the file gets, as far as its file system keeps them.

    Raises:
        OSError: If it cannot be written; the former file is unchanged.
    """
    unfinished = path.with_name(aside or f".{path.name}.{uuid.uuid4().hex}")
    try:
        # A name of nobody else's is new; what a killed run left under a given name is written over.
        flags = os.O_CREAT | os.O_WRONLY | (os.O_EXCL if aside is None else os.O_TRUNC)
        descriptor = os.open(unfinished, flags, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        if like is not None:
            # A mounted volume of Unity Catalog keeps neither.
            with contextlib.suppress(OSError):
                unfinished.chmod(like.st_mode & 0o777)
                os.utime(unfinished, ns=(like.st_atime_ns, like.st_mtime_ns))
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; a file system that cannot do so is left alone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
