"""The records of the files in landing, by the reading of Auto Loader: for who wants to count them again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from local_workspace.dlt_runtime.auto_loader.lines import Chunk, UnreadableFile
from local_workspace.dlt_runtime.auto_loader.listing import InputFile, list_files
from local_workspace.dlt_runtime.auto_loader.spark_json import Number
from local_workspace.dlt_runtime.auto_loader.strict_json import Unreadable, parse_members
from local_workspace.dlt_runtime.auto_loader.verified import Fault, chunks_of
from local_workspace.dlt_runtime.paths import Paths


class LandedField(NamedTuple):
    """One member of a record.

    Attributes:
        name: Its key.
        text: The string, or the JSON text of anything else; None for null.
        is_number: Whether it is a JSON number.
    """

    name: str
    text: str | None
    is_number: bool


class LandedFile:
    """A file in landing.

    Attributes:
        uri: Its name as `_metadata.file_path` has it.
        changed_at: When it was last written, UTC.
        fault: Why it could not be read to its end, known once `records` has ended; None if it could.
    """

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self.uri = file.uri
        self.changed_at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(
            microseconds=file.mtime_ns // 1000
        )
        self.fault: str | None = None

    def records(self) -> Iterator[list[LandedField]]:
        """Yield the members of each record that Auto Loader makes of the file; an unreadable line has none."""
        try:
            for chunk in chunks_of(self._file, multi_line=False):
                yield from _records(chunk)
        except UnreadableFile as error:
            self.fault = Fault.of(error).reason


def landed_files(paths: Paths, path: str) -> Iterator[LandedFile]:
    """List the files of a folder as Auto Loader does, whether or not they were taken.

    Raises:
        PipelineCodeError: The path is not one that a pipeline can read.
    """
    return map(LandedFile, list_files(path, None, paths.local, paths.uri, {}).new)


def _records(chunk: Chunk) -> Iterator[list[LandedField]]:
    for line in chunk.lines.to_pylist():
        try:
            members = parse_members(line)
        except Unreadable:
            yield []
            continue
        for record in members:
            yield [
                LandedField(
                    name,
                    None if value is None else str(value) if isinstance(value, str) else str(raw),
                    isinstance(value, Number),
                )
                for name, raw, value in record
            ]
    for _ in chunk.broken:
        yield []
