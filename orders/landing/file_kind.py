"""The kind of a file, from its name and beginning: one record per line, as Auto Loader reads them, or something else."""

from __future__ import annotations

import enum
import gzip
import zlib
from pathlib import Path

from local_workspace.dlt_runtime.auto_loader.strict_json import Unreadable, parse_members

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt")
_HEAD = 1 << 20


class FileKind(enum.Enum):
    """The kind of a file; the value is its description."""

    RECORDS = "JSON records, one per line"
    ARRAY = "one JSON array over several lines"
    OBJECTS = "JSON objects, each over several lines"
    DELIMITED = "delimited text"


def kind_of(path: Path) -> FileKind:
    """Return the kind of a file.

    A file that begins neither as an array nor as an object over several lines counts as records: the rules report what
    is wrong with its lines.
    """
    if path.name.lower().endswith(DELIMITED_SUFFIXES):
        return FileKind.DELIMITED
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
            head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").lstrip()
    except (OSError, EOFError, zlib.error):
        return FileKind.RECORDS
    first, newline, rest = head.partition("\n")
    if not head.startswith(("[", "{")) or not newline or not rest.strip() or _is_whole(first):
        return FileKind.RECORDS
    if head.startswith("["):
        return FileKind.ARRAY
    # An object that continues on the next line; a damaged first line is followed by complete lines.
    second = next(line for line in rest.split("\n") if line.strip())
    return FileKind.RECORDS if _is_whole(second) else FileKind.OBJECTS


def _is_whole(line: str) -> bool:
    try:
        parse_members(line)
    except Unreadable:
        return False
    return True
