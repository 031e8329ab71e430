"""Delimited text (CSV and its kin) as records: encoding, delimiter, header and rows."""

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
# A field may hold a whole description; the default of 128 KB is a limit of Python's, not of the format.
csv.field_size_limit(64 * 1024 * 1024)


@dataclass(frozen=True)
class Delimited:
    """A delimited file and how it is written.

    Attributes:
        path: The file.
        encoding: How its text is encoded.
        guessed: Whether the encoding is a guess from the bytes.
        delimiter: What separates its columns.
        header: Names of its columns.
    """

    path: Path
    encoding: str
    guessed: bool
    delimiter: str
    header: tuple[str, ...]

    @classmethod
    def open(cls, path: Path, field_map: FieldMap | None = None) -> Delimited:
        """Find out how a file is written; what the map says is taken as said.

        Raises:
            InputError: The file cannot be decoded, is empty, or its header is none.
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
                allowed="a name for each column, each once",
                consequence="Nothing was landed",
                next_step="Write the names of the columns into the first line",
            )
        return cls(path, encoding, guessed, delimiter, names)

    def rows(self) -> Iterator[list[str]]:
        """Give the rows behind the header; blank lines are left out.

        Raises:
            InputError: The file is no text in its encoding, or has a quote that never ends.
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
                next_step="Correct that place, or say encoding and delimiter in the map",
            ) from error

    def lines(self, field_map: FieldMap) -> Iterator[bytes]:
        """Give the record of each row as a line of JSON.

        A row with more or fewer columns than the header is given as one text: no record, so it is in quarantine as it came.

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
                "The encoding of the file cannot be found out",
                got=path,
                consequence="Nothing was landed",
                next_step="Say it in the map, for example `encoding: cp1252`",
            ) from None
        return best.encoding, True
    return "utf-8", False


def _delimiter(sample: str, path: Path) -> str:
    if path.name.lower().endswith(".tsv"):
        return "\t"
    # Names of columns hold no delimiters of another kind; the texts in the rows do.
    first = sample.partition("\n")[0]
    return max(_DELIMITERS, key=first.count)
