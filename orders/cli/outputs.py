"""Files and folders that a user names for a command's output: checked before the work, written atomically."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dlt_ingest.errors import InputError
from foundation.whole_files import write_whole


def usable_folder(folder: Path, option: str) -> Path:
    """Create a folder and test it, before minutes of work go into output that could not be written.

    Args:
        folder: The folder.
        option: The option, for the error.

    Raises:
        InputError: If it cannot be created, or no file can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable(folder, option, error) from None
    return folder


def write_output(file: Path, text: str, option: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part.

    A target that is not a regular file (/dev/stdout, a pipe) is written to, not replaced.

    Args:
        file: The file; its folder is created.
        text: The text to write.
        option: The option, for the error.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        if file.exists() and (not file.is_file() or file.is_relative_to("/dev")):
            with file.open("w", encoding="utf-8") as stream:
                stream.write(text)
            return
        target = file.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        # node_exporter reads every *.prom in the folder, so the half-written file needs a name with another ending.
        write_whole(target, text)
    except (OSError, RuntimeError) as error:  # resolve() raises RuntimeError for a loop of links
        raise _unusable(file, option, error) from None


def _unusable(path: Path, option: str, error: OSError | RuntimeError) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(
        f"{option} cannot be written",
        got=f"{path}: {reason}",
        consequence="Nothing was written",
        next_step="Name another place, or get the right to write there",
    )
