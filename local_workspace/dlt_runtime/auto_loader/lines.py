"""Files into lines: decompression, byte order mark, line ends, broken UTF-8."""

from __future__ import annotations

import bz2
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 32 * 1024 * 1024
_ENDS = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"
_UNSUPPORTED = {
    ".zst": "zstd",
    ".zstd": "zstd",
    ".lz4": "lz4",
    ".snappy": "snappy",
    ".xz": "xz",
    ".zip": "zip",
}


class UnreadableFile(Exception):  # noqa: N818
    """The file as a whole cannot be read; nothing of it is taken."""


@dataclass
class Chunk:
    r"""A part of one file.

    Attributes:
        lines: Lines of valid UTF-8, without blank ones. They may end in `\r` or `\n`, which JSON takes for
            white space.
        broken: Lines that are no UTF-8, with U+FFFD in place of what cannot be read.
    """

    lines: pa.LargeStringArray
    broken: list[str] = field(default_factory=list)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading, decompressed by its ending as Spark does.

    Raises:
        UnreadableFile: The compression is not supported, or the file cannot be opened.
    """
    ending = path.suffix.lower()
    if ending in _UNSUPPORTED:
        raise UnreadableFile(
            f"compression {_UNSUPPORTED[ending]} is not supported here; use .gz, .bz2 or none"
        )
    try:
        if ending == ".gz":
            return gzip.open(path, "rb")  # type: ignore[return-value]
        if ending == ".bz2":
            return bz2.open(path, "rb")  # type: ignore[return-value]
        return path.open("rb")
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error


def read_chunks(path: Path, block: int = BLOCK) -> Iterator[Chunk]:
    """Cut a file into chunks of whole lines of about `block` bytes; a longer line makes a longer chunk.

    Raises:
        UnreadableFile: The file ends within its compressed data, or cannot be read.
    """
    try:
        with open_file(path) as file:
            rest: bytes | bytearray = b""
            data = file.read(max(block, len(_BOM))).removeprefix(_BOM) or file.read(block)
            while data:
                # Without its last byte a block can end between \r and \n.
                cut = data.rfind(b"\n") + 1
                if cut:
                    yield cut_lines(bytes(rest) + data[:cut])
                    rest = data[cut:]
                else:
                    rest = _longer(rest, data)
                data = file.read(block)
            if rest:
                yield cut_lines(bytes(rest))
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        raise UnreadableFile(f"{type(error).__name__}: {error}") from error


def _longer(rest: bytes | bytearray, data: bytes) -> bytearray:
    # A bytearray grows in place, so a line of many blocks is not copied once a block.
    grown = rest if isinstance(rest, bytearray) else bytearray(rest)
    grown += data
    return grown


def read_text(path: Path) -> str:
    """Read a whole file as text.

    Raises:
        UnreadableFile: It cannot be read or is no UTF-8.
    """
    try:
        with open_file(path) as file:
            return file.read().removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"not UTF-8 at byte {error.start}") from error
    except (EOFError, zlib.error, OSError) as error:
        raise UnreadableFile(f"{type(error).__name__}: {error}") from error


def cut_lines(data: bytes) -> Chunk:
    r"""Cut text into lines at `\n`, `\r\n` and `\r`, as Spark does; blank lines are left out."""
    returns = data.count(b"\r")
    if returns and returns != data.count(b"\r\n"):
        data = _ENDS.sub(b"\n", data)
    if _is_utf8(data):
        return Chunk(_without_blank(_array(data)))
    good, broken = [], []
    for line in io.BytesIO(data):
        if _is_utf8(line):
            good.append(line)
        else:
            broken.append(line.rstrip(b"\r\n").decode("utf-8", errors="replace"))
    return Chunk(_without_blank(_array(b"".join(good))), broken)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _array(data: bytes) -> pa.LargeStringArray:
    """Make an array of the lines that shares the memory of the text."""
    if not data:
        return pa.array([], pa.large_string())
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 0x0A) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    offsets = np.concatenate(([0], ends)).astype(np.int64)
    return pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))


def _without_blank(lines: pa.LargeStringArray) -> pa.LargeStringArray:
    short = pc.less_equal(pc.binary_length(lines), 2)
    if not pc.any(short).as_py() and not _may_have_blank(lines):
        return lines
    blank = pc.equal(pc.utf8_trim(lines, " \t\r\n"), "")
    return lines.filter(pc.invert(blank)) if pc.any(blank).as_py() else lines


def _may_have_blank(lines: pa.LargeStringArray) -> bool:
    return bool(
        pc.any(
            pc.is_in(
                pc.binary_slice(lines.cast(pa.large_binary()), 0, 1),
                pa.array([b" ", b"\t"], pa.large_binary()),
            )
        ).as_py()
    )
