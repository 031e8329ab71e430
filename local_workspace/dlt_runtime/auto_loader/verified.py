"""The lines of one input file, given to the end only if the file was one and the same all the while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from local_workspace.dlt_runtime.auto_loader.lines import (
    Chunk,
    MayPass,
    UnreadableFile,
    read_chunks,
    read_text,
)
from local_workspace.dlt_runtime.auto_loader.listing import Identity, InputFile

_LONGEST_REASON = 300


@dataclass(frozen=True)
class Fault:
    """Why nothing of a file was taken.

    Args:
        reason: For people.
        may_pass: Whether it may be readable later though it stays unchanged.
    """

    reason: str
    may_pass: bool = False

    @classmethod
    def of(cls, error: UnreadableFile) -> Fault:
        """Describe the error."""
        return cls(str(error)[:_LONGEST_REASON], isinstance(error, MayPass))


def chunks_of(file: InputFile, *, multi_line: bool) -> Iterator[Chunk]:
    """Yield the lines of a file. What was given before an error must not be used.

    Raises:
        UnreadableFile: Whatever went wrong, a file that is no longer the one that was listed included.
    """
    try:
        yield from _whole(file) if multi_line else read_chunks(file.path)
        check_unchanged(file)
    except UnreadableFile:
        raise
    except Exception as error:
        raise unforeseen(error) from error


def unforeseen(error: Exception) -> UnreadableFile:
    """Turn an error that nobody reckoned with into a fault of the file that it was met in."""
    return MayPass(f"{type(error).__name__}: {error}")


def _whole(file: InputFile) -> Iterator[Chunk]:
    text = read_text(file.path)
    yield Chunk(pa.array([text] if text.strip() else [], pa.large_string()))


def check_unchanged(file: InputFile) -> None:
    """Make sure that a file is still the one that was listed.

    Raises:
        MayPass: It is not.
    """
    try:
        now = Identity.of(file.path.stat())
    except FileNotFoundError as error:
        raise MayPass("it was removed during reading") from error
    if now != file.identity:
        raise MayPass("it changed during reading")
