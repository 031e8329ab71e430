"""Content of files that are compressed as their endings say: those that Auto Loader decompresses, and no others."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

COMPRESSED = frozenset({".gz", ".bz2"})


def unpacked(path: Path) -> bytes | None:
    """Return the content of a file, decompressed if its ending says so; None if it is no such archive, or a broken one."""
    content = path.read_bytes()
    try:
        match path.suffix.lower():
            case ".gz":
                return gzip.decompress(content)
            case ".bz2":
                return bz2.decompress(content)
            case _:
                return content
    except (OSError, EOFError, ValueError):
        return None


def packed(path: Path, content: bytes) -> bytes:
    """Return what has to be in a file so that :func:`unpacked` gives `content`."""
    match path.suffix.lower():
        case ".gz":
            return gzip.compress(content, mtime=0)
        case ".bz2":
            return bz2.compress(content)
        case _:
            return content
