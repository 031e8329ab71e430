"""How a file gets into landing: written aside, then renamed, so that it appears whole and never changes afterwards.

Auto Loader takes a file once, by its name. So a name in landing stands for one content forever: the same
content again is not a new file, and another content under a name that is taken is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dlt_ingest.errors import InputError
from foundation.whole_files import sync_folder

SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")

# A name with a leading dot is invisible to Auto Loader.
_PART_PREFIX = "."
_PART_SUFFIX = ".part"
_ABANDONED_AFTER_SECONDS = 3600
_BLOCK = 1 << 20


@dataclass(frozen=True)
class LandedFile:
    """The outcome of one file.

    Attributes:
        file_name: Its name in landing.
        written: Whether it is new there; False if the same content was there already.
    """

    file_name: str
    written: bool


def land(paths: Iterable[Path], landing: Path) -> list[LandedFile]:
    """Copy files of order records into landing, each appearing whole.

    All paths are checked before the first one is copied.

    Args:
        paths: JSON files (one object per line, `.gz` or not), or folders of them.
        landing: The landing folder; created if missing.

    Returns:
        One entry for each file, in the order given.

    Raises:
        InputError: If a path is missing, no file or of another kind; if two have one name; or if the name is
            taken in landing by another content. In that case, nothing has been copied.
    """
    files = [file for path in paths for file in _files(Path(path))]
    by_name: dict[str, Path] = {}
    for file in files:
        if file.name in by_name:
            raise InputError(
                "Two of the files have the same name",
                got=f"{by_name[file.name]} and {file}",
                consequence="Nothing was landed, because a name in landing means one content",
                next_step="Rename one of them",
            )
        by_name[file.name] = file
        if (landing / file.name).exists() and not _same_content(file, landing / file.name):
            raise _name_taken(file.name, landing)
    landed = []
    for file in files:
        with file.open("rb") as source:
            landed.append(_place(source.read, file.name, landing))
    return landed


def keep_original(path: Path, originals: Path) -> LandedFile:
    """Copy a file that was turned into batches into the folder of originals, under its own name.

    Raises:
        InputError: If the name is taken there by another content.
    """
    with path.open("rb") as source:
        return _place(source.read, path.name, originals)


def land_bytes(content: bytes, file_name: str, landing: Path) -> LandedFile:
    """Write one file into landing, appearing whole.

    Raises:
        InputError: If the name is taken by another content.
    """
    rest = memoryview(content)

    def read(size: int) -> bytes:
        nonlocal rest
        block, rest = rest[:size], rest[size:]
        return bytes(block)

    return _place(read, file_name, landing)


def _place(read: Callable[[int], bytes], file_name: str, landing: Path) -> LandedFile:
    landing.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(landing)
    target = landing / file_name
    descriptor, name = tempfile.mkstemp(
        prefix=f"{_PART_PREFIX}{file_name}.", suffix=_PART_SUFFIX, dir=landing
    )
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            while block := read(_BLOCK):
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        part.chmod(0o644)  # mkstemp gives 0600, and the ingest may run as another user
        written = publish(part, target)
    finally:
        part.unlink(missing_ok=True)
    return LandedFile(file_name, written)


def publish(part: Path, target: Path) -> bool:
    """Return a finished file its name in landing, in one step, and never over another file.

    Args:
        part: The file, complete and durable, on the file system of landing. It is gone afterwards.
        target: Its path in landing.

    Returns:
        Whether the file is new there; False if the same content was there already.

    Raises:
        InputError: If the name is taken by another content; `part` stays.
    """
    if not _link(part, target):
        if not _same_content(part, target):
            raise _name_taken(target.name, target.parent)
        part.unlink()
        return False
    part.unlink(missing_ok=True)
    sync_folder(target.parent)
    return True


def _link(part: Path, target: Path) -> bool:
    """Name the file, unless the name is taken. A link refuses a taken name in the same step; a rename would not."""
    try:
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError:
        # A volume of Databricks knows no hard links.
        if target.exists():
            return False
        part.replace(target)
    return True


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(SUFFIXES))
        found = [file for file in found if not file.name.startswith((".", "_"))]
        if not found:
            raise InputError(
                "The folder has no file of orders",
                got=path,
                allowed=", ".join(SUFFIXES),
                consequence="Nothing was landed",
            )
        return found
    if not path.is_file():
        raise InputError(
            "This is not a file" if path.exists() else "There is no such file",
            got=path,
            consequence="Nothing was landed",
            next_step="Check the path",
        )
    if not path.name.endswith(SUFFIXES):
        raise InputError(
            "The name of the file is not that of JSON records",
            got=path,
            allowed=", ".join(SUFFIXES),
            consequence="Nothing was landed",
            next_step="Rename it if it has one JSON object per line; convert it otherwise",
        )
    if path.name.startswith((".", "_")):
        raise InputError(
            "Auto Loader ignores files whose names begin with a dot or an underscore",
            got=path,
            consequence="Nothing was landed",
            next_step="Rename it",
        )
    return [path]


def _name_taken(file_name: str, landing: Path) -> InputError:
    return InputError(
        f"{landing.name} has a file of this name with other content",
        got=file_name,
        consequence=f"It was not landed: {landing} keeps the existing file, which may already be ingested",
        next_step="Land it under another name",
    )


def _same_content(left: Path, right: Path) -> bool:
    return left.stat().st_size == right.stat().st_size and _digest(left) == _digest(right)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def _remove_abandoned(landing: Path) -> None:
    """Remove what a killed process left; the age spares a file that another one is writing now."""
    horizon = time.time() - _ABANDONED_AFTER_SECONDS
    for part in landing.glob(f"{_PART_PREFIX}*{_PART_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            if part.stat().st_mtime < horizon:
                part.unlink()
