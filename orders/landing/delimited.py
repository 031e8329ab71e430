"""Delimited text (CSV and similar) as records: encoding, delimiter, header and rows."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from dlt_ingest.errors import InputError
from orders.landing.field_map import FieldMap

_SAMPLE = 256 * 1024
_DELIMITERS = ",;\t|"
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# A field may contain a long description; the default limit of 128 KB is Python's, not the format's.
csv.field_size_limit(64 * 1024 * 1024)


@dataclass(frozen=True)
class Delimited:
    """A delimited file with its encoding, delimiter and header.

    Attributes:
        path: The file.
        encoding: Its encoding.
        guessed: Whether the encoding is guessed from the bytes.
        delimiter: Its column separator.
        header: The names of its columns.
    """

    path: Path
    encoding: str
    guessed: bool
    delimiter: str
    header: tuple[str, ...]

    @classmethod
    def open(cls, path: Path, field_map: FieldMap | None = None) -> Delimited:
        """Detect how a file is written; use what the map says.

        Raises:
            InputError: The file cannot be decoded, is empty, or has no header.
        """
        encoding, guessed = _encoding(path, field_map.encoding if field_map else None)
        with _text(path, encoding) as text:
            sample = text.read(_SAMPLE)
        delimiter = (field_map.delimiter if field_map else None) or _delimiter(sample, path)
        header = next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), [])
        names = tuple(name.strip() for name in header)
        if not names or "" in names or len(set(names)) < len(names):
            raise InputError(
                "The first line of the file does not name its columns",
                got=f"{path}: {', '.join(map(repr, names)) or 'nothing'}",
                allowed="a unique name for each column",
                consequence="Nothing was landed",
                next_step="Write the column names into the first line",
            )
        return cls(path, encoding, guessed, delimiter, names)

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows after the header, without blank lines.

        Raises:
            InputError: The file is not text in its encoding, or has an unclosed quote.
        """
        try:
            with _text(self.path, self.encoding) as text:
                reader = csv.reader(text, delimiter=self.delimiter, strict=True)
                next(reader, None)
                yield from (row for row in reader if row)
        except (csv.Error, UnicodeError) as error:
            raise InputError(
                "The file cannot be read to its end",
                got=f"{self.path}: {error}",
                consequence="Nothing was landed",
                next_step="Correct that place, or set encoding and delimiter in the map",
            ) from error

    def lines(self, field_map: FieldMap) -> Iterator[bytes]:
        """Yield the record of each row as a line of JSON.

        A row with more or fewer columns than the header is yielded as one text. It is not a record, so it is
        quarantined unchanged.

        Raises:
            InputError: As `rows`, or the file lacks a column of the map.
        """
        field_map.check(self.header, str(self.path))
        records = field_map.records(self.header)
        for row in self.rows():
            fits = len(row) == len(self.header)
            content = records.of(row) if fits else self.delimiter.join(row)
            yield json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[io.TextIOBase]:
    with path.open(encoding=encoding, newline="") as file:
        yield file


def _encoding(path: Path, said: str | None) -> tuple[str, bool]:
    if said is not None:
        try:
            return codecs.lookup(said).name, False
        except LookupError as error:
            raise InputError(
                "There is no such encoding", got=said, consequence="Nothing was landed"
            ) from error
    with path.open("rb") as file:
        head = file.read(4)
    for bom, name in _BOMS.items():
        if head.startswith(bom):
            return name, False
    try:
        with path.open(encoding="utf-8", newline="") as text:
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        best = charset_normalizer.from_path(path).best()
        if best is None:
            raise InputError(
                "The encoding of the file cannot be detected",
                got=path,
                consequence="Nothing was landed",
                next_step="Set it in the map, for example `encoding: cp1252`",
            ) from None
        return best.encoding, True
    return "utf-8", False


def _delimiter(sample: str, path: Path) -> str:
    if path.name.lower().endswith(".tsv"):
        return "\t"
    # Column names rarely contain other delimiters; the texts in the rows do.
    first = sample.partition("\n")[0]
    return max(_DELIMITERS, key=first.count)
