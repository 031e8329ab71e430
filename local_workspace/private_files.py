"""Small files that appear whole and that only their owner may read."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


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
