"""Finding the files that a source has not taken yet, and those that nobody can take."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_workspace.dlt_runtime.record.state import FAULT_MAY_PASS, FileRecord, storable_time
from local_workspace.errors import InputError, PipelineCodeError

_GLOB = frozenset("*?[{")
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class Identity:
    """What tells whether a name still stands for the same content.

    Args:
        size: Bytes.
        mtime_ns: Time of the last change, as the ledger can keep it.
        inode: Device and number of the file: another one was put in its place, even at the same moment.
    """

    size: int
    mtime_ns: int
    inode: tuple[int, int]

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """Take the identity from what `stat` says."""
        return cls(status.st_size, storable_time(status.st_mtime_ns), (status.st_dev, status.st_ino))


@dataclass(frozen=True)
class InputFile:
    """A file in landing.

    Args:
        uri: Its name as Databricks shows it, `dbfs:/Volumes/...`; the ledger knows it by this.
        path: Where it is on this machine.
        identity: What it was when it was listed.
    """

    uri: str
    path: Path
    identity: Identity

    @property
    def size(self) -> int:
        """Bytes."""
        return self.identity.size

    @property
    def mtime_ns(self) -> int:
        """Time of its last change."""
        return self.identity.mtime_ns


@dataclass(frozen=True)
class Listing:
    """What a listing found.

    Args:
        new: Files to take, oldest first, then by name.
        overwritten: Files that were taken before and have changed since; they are not taken again.
        unreadable: URI -> why there is nothing to open under this name.
        gone: URIs of files that could not be read before and are no longer there.
    """

    new: list[InputFile]
    overwritten: list[InputFile]
    unreadable: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    """A name in landing: a file with its identity, or the reason why it cannot be read.

    Args:
        is_folder: Whether the fault keeps more than one file from being seen, whatever they are called.
    """

    path: Path
    identity: Identity | None = None
    fault: str = ""
    is_folder: bool = False


def list_files(
    path: str,
    glob: str | None,
    to_local: Callable[[str], Path],
    to_uri: Callable[[Path], str],
    ledger: Mapping[str, FileRecord],
) -> Listing:
    """List a folder, a file or a glob, and compare it with the ledger.

    Files and folders whose name begins with a dot or an underscore are not read: writers use such names for
    what is not finished. A file that could not be read is tried again once it has changed, or in every update
    where the cause may pass without a change of the file. No name in the folder can make the listing fail.

    Raises:
        PipelineCodeError: The path is not one that a pipeline can read.
    """
    try:
        root = to_local(path)
    except InputError as error:
        raise PipelineCodeError(
            error.what, got=error.got, allowed=error.allowed, next_step=error.next_step
        ) from error
    new: list[InputFile] = []
    overwritten: list[InputFile] = []
    unreadable: dict[str, str] = {}
    seen: set[str] = set()
    for entry in _walk(root):
        if glob is not None and not entry.is_folder and not fnmatch.fnmatchcase(entry.path.name, glob):
            continue
        uri = to_uri(Path(shown_name(str(entry.path))))
        seen.add(uri)
        if entry.identity is None:
            unreadable[uri] = entry.fault
            continue
        found = InputFile(uri, entry.path, entry.identity)
        known = ledger.get(uri)
        # A file that was taken may itself be of the moment that marks a fault: the last nanosecond of 1969.
        if known is None or (known.fault is not None and known.mtime_ns == FAULT_MAY_PASS):
            new.append(found)
        elif (known.size, known.mtime_ns) != (found.size, found.mtime_ns):
            (overwritten if known.fault is None else new).append(found)
    new.sort(key=lambda f: (f.mtime_ns, f.uri))
    gone = [uri for uri, record in ledger.items() if record.fault is not None and uri not in seen]
    return Listing(new, overwritten, unreadable, gone)


def shown_name(name: str) -> str:
    r"""Write a file name that is not UTF-8 so that it can be printed and stored: `caf\xe9.json`."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _walk(root: Path) -> Iterator[_Entry]:
    parts = root.parts
    first = next((i for i, part in enumerate(parts) if _GLOB & set(part)), None)
    if first is None:
        yield from _below(root)
        return
    base, pattern = Path(*parts[:first]), parts[first:]
    found: dict[Path, _Entry] = {}
    for alternative in _alternatives("/".join(pattern)):
        for match in base.glob(alternative) if base.is_dir() else ():
            if not any(_hidden(part) for part in match.relative_to(base).parts):
                found.update({entry.path: entry for entry in _below(match)})
    yield from found.values()


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


def _below(root: Path) -> Iterator[_Entry]:
    """Look at a path and, if it is a folder, at everything below it."""
    try:
        is_folder = root.is_dir()
    except OSError:
        is_folder = False
    if not is_folder:
        entry = _looked_at(root)
        if entry is not None and (entry.identity is not None or entry.fault):
            yield entry
        return
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            inside = sorted(folder.iterdir())
        except FileNotFoundError:
            continue  # removed since its parent was read
        except OSError as error:
            yield _Entry(folder, fault=f"{_reason(error)}; nothing below it was read", is_folder=True)
            continue
        for path in inside:
            if _hidden(path.name):
                continue
            entry = _looked_at(path)
            if entry is None:
                pending.append(path)
            elif entry.identity is not None or entry.fault:
                yield entry


def _looked_at(path: Path) -> _Entry | None:
    """Describe a name; None for a folder, and an entry without anything for what is no longer there."""
    is_link = False
    try:
        own = path.lstat()
        is_link = stat.S_ISLNK(own.st_mode)
        status = path.stat() if is_link else own
    except FileNotFoundError:
        return _Entry(path, fault="a link to a file that does not exist" if is_link else "")
    except OSError as error:
        return _Entry(path, fault=_reason(error))
    if stat.S_ISDIR(status.st_mode):
        # Followed, a file could be reached, and taken, under two names, and a link to a parent without end.
        return (
            _Entry(path, fault="a link to a folder, which is not followed", is_folder=True)
            if is_link
            else None
        )
    kind = next((text for test, text in _KINDS if test(status.st_mode)), None)
    if kind is not None:
        return _Entry(path, fault=f"{kind}, not a file")
    if shown_name(str(path)) != str(path):
        return _Entry(path, fault="its name is not UTF-8; rename it")
    return _Entry(path, Identity.of(status))


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _hidden(name: str) -> bool:
    return name.startswith((".", "_"))
