"""Files into lines: decompression, byte order mark, line ends, broken UTF-8."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 32 * 1024 * 1024
#: Longer lines are held to be no record (a bomb, a file of zeros): reading one would take all memory.
LONGEST_LINE = 256 * 1024 * 1024
_COMPRESSED = frozenset({".gz", ".bz2"})
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


class MayPass(UnreadableFile):
    """It cannot be read for a reason that may go while the file stays unchanged: a right, a disk, a writer."""


@dataclass
class Chunk:
    r"""A part of one file.

    Attributes:
        lines: Lines of valid UTF-8, without blank ones. They may end in `\r` or `\n`, which JSON takes for
            white space.
        broken: Lines that are not UTF-8, with U+FFFD in place of what cannot be read.
    """

    lines: pa.LargeStringArray
    broken: list[str] = field(default_factory=list)


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    """Yield the content of a file in blocks, decompressed by its ending as Spark does.

    Raises:
        UnreadableFile: The compression is not supported, or the content is not what the ending says.
        OSError: It cannot be opened or read.
    """
    ending = path.suffix.lower()
    if ending in _UNSUPPORTED:
        raise UnreadableFile(f"compression {_UNSUPPORTED[ending]} is not supported; use .gz, .bz2 or none")
    with _open(path) as file:
        if ending in _COMPRESSED and not os.fstat(file.fileno()).st_size:
            raise UnreadableFile(
                f"it is empty, and an empty file is not a valid {ending} file: its writer did not finish"
            )
        if ending == ".gz":
            with gzip.GzipFile(fileobj=file, mode="rb") as content:
                while block := content.read(size):
                    yield block
        elif ending == ".bz2":
            yield from _unpacked(file, size)
        else:
            # Asked for a block, Python reserves one, and most files are far smaller.
            whole = min(size, os.fstat(file.fileno()).st_size + 1)
            while block := file.read(whole):
                yield block


def _open(path: Path) -> BinaryIO:
    # Without O_NONBLOCK a named pipe that has taken the file's place would hold the update up forever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFile("it is no longer a file")
    return open(descriptor, "rb")  # noqa: PTH123  (a descriptor has no path)


def _unpacked(file: BinaryIO, size: int) -> Iterator[bytes]:
    # Not `bz2.open`, which takes whatever follows a stream and is not one for the end of the file.
    data = file.read(size)
    while data:
        unpacker = bz2.BZ2Decompressor()
        while not unpacker.eof:
            if unpacker.needs_input and not data:
                data = file.read(size)
                if not data:
                    raise EOFError("the file ends inside its compressed data")
            block = unpacker.decompress(data, size)
            data = b""
            if block:
                yield block
        data = unpacker.unused_data or file.read(size)


def read_chunks(path: Path, block: int = BLOCK) -> Iterator[Chunk]:
    """Cut a file into chunks of whole lines of about `block` bytes; a longer line makes a longer chunk.

    Raises:
        UnreadableFile: The file cannot be read to its end, whatever the reason, or has a line that is too long.
    """
    try:
        rest: bytes | bytearray = b""
        for number, read in enumerate(_blocks(path, max(block, len(_BOM)))):
            data = read.removeprefix(_BOM) if number == 0 else read
            # Without its last byte a block can end between \r and \n.
            cut = data.rfind(b"\n") + 1
            if cut:
                yield cut_lines(bytes(rest) + data[:cut])
                rest = data[cut:]
            else:
                rest = _longer(rest, data)
            if len(rest) > LONGEST_LINE:
                raise UnreadableFile(f"it has a line of more than {LONGEST_LINE:,} bytes")
        if rest:
            yield cut_lines(bytes(rest))
    except (OSError, EOFError, zlib.error) as error:
        raise _fault(error) from error


def _fault(error: Exception) -> UnreadableFile:
    # The libraries of gzip and bzip2 raise OSError for bad content, but only the system gives it a number.
    if isinstance(error, OSError) and error.errno is not None:
        return MayPass(error.strerror or str(error))
    return UnreadableFile(f"{type(error).__name__}: {error}")


def _longer(rest: bytes | bytearray, data: bytes) -> bytearray:
    # A bytearray grows in place, so a line of many blocks is not copied once a block.
    grown = rest if isinstance(rest, bytearray) else bytearray(rest)
    grown += data
    return grown


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Read a whole file as text.

    Args:
        path: The file.
        encoding: As Python names it; in another one than UTF-8, bytes that mean nothing are replaced, as Spark does.

    Raises:
        UnreadableFile: It cannot be read, is too long to be held in memory, or is not UTF-8.
    """
    content = bytearray()
    try:
        for block in _blocks(path, BLOCK):
            content += block
            if len(content) > LONGEST_LINE:
                raise UnreadableFile(f"it has more than {LONGEST_LINE:,} bytes, too many for multiLine")
        if encoding == "utf-8":
            return bytes(content).removeprefix(_BOM).decode("utf-8")
        return bytes(content).decode(encoding, errors="replace")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"not UTF-8 at byte {error.start}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise _fault(error) from error


def cut_lines(data: bytes) -> Chunk:
    r"""Cut text into lines at `\n`, `\r\n` and `\r`, as Spark does; blank lines are omitted."""
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
