"""Finding the files that a source has not taken yet."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_workspace.dlt_runtime.record.state import FileRecord
from local_workspace.errors import InputError, PipelineCodeError

_GLOB = frozenset("*?[{")


@dataclass(frozen=True)
class InputFile:
    """A file in landing.

    Args:
        uri: Its name as Databricks shows it, `dbfs:/Volumes/...`; the ledger knows it by this.
        path: Where it is on this machine.
        size: Bytes.
        mtime_ns: Time of its last change.
    """

    uri: str
    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Listing:
    """What a listing found.

    Args:
        new: Files to take, oldest first, then by name.
        overwritten: Files that were taken before and have changed since; they are not taken again.
    """

    new: list[InputFile]
    overwritten: list[InputFile]


def list_files(
    path: str,
    glob: str | None,
    to_local: Callable[[str], Path],
    to_uri: Callable[[Path], str],
    ledger: Mapping[str, FileRecord],
) -> Listing:
    """List a folder, a file or a glob, and compare it with the ledger.

    Files and folders whose name begins with a dot or an underscore are not read: writers use such names for
    what is not finished. A file that could not be read is tried again once it has changed.

    Raises:
        PipelineCodeError: The path is not one that a pipeline can read.
    """
    new: list[InputFile] = []
    overwritten: list[InputFile] = []
    try:
        root = to_local(path)
    except InputError as error:
        raise PipelineCodeError(
            error.what, got=error.got, allowed=error.allowed, next_step=error.next_step
        ) from error
    for file in _walk(root):
        if glob is not None and not fnmatch.fnmatchcase(file.name, glob):
            continue
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        found = InputFile(to_uri(file), file, status.st_size, status.st_mtime_ns)
        known = ledger.get(found.uri)
        if known is None:
            new.append(found)
        elif (known.size, known.mtime_ns) != (found.size, found.mtime_ns):
            (overwritten if known.fault is None else new).append(found)
    new.sort(key=lambda f: (f.mtime_ns, f.uri))
    return Listing(new, overwritten)


def _walk(root: Path) -> list[Path]:
    parts = root.parts
    first = next((i for i, part in enumerate(parts) if _GLOB & set(part)), None)
    if first is None:
        return _below(root)
    base, pattern = Path(*parts[:first]), parts[first:]
    found: dict[Path, None] = {}
    for alternative in _alternatives("/".join(pattern)):
        for match in base.glob(alternative) if base.is_dir() else ():
            if not any(_hidden(part) for part in match.relative_to(base).parts):
                found.update(dict.fromkeys(_below(match)))
    return sorted(found)


def _alternatives(pattern: str) -> list[str]:
    """Write out `{a,b}` of Hadoop's globs, which pathlib does not know."""
    start = pattern.find("{")
    end = pattern.find("}", start)
    if start < 0 or end < 0:
        return [pattern]
    return [
        rest
        for choice in pattern[start + 1 : end].split(",")
        for rest in _alternatives(pattern[:start] + choice + pattern[end + 1 :])
    ]


def _below(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _hidden(name)]
        found.extend(Path(folder) / name for name in names if not _hidden(name))
    return found


def _hidden(name: str) -> bool:
    return name.startswith((".", "_"))
