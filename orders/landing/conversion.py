"""Convert files that are not one record per line into batches that are; keep the original under its name."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from dlt_ingest.errors import InputError
from dlt_ingest.generators.landing import SUFFIXES, LandedFile, keep_original, land, land_bytes
from orders.landing.delimited import Delimited
from orders.landing.field_map import FieldMap
from orders.landing.file_kind import DELIMITED_SUFFIXES, FileKind, kind_of
from orders.landing.json_splitting import elements

RECORDS_A_BATCH = 50_000
# Beside an original: how it was read, so that an erasure can read it again.
MAP_SUFFIX = ".map.json"


@dataclass(frozen=True)
class Source:
    """One file that a user wants to land.

    Attributes:
        path: The file.
        kind: Its kind.
        delimited: Its encoding, delimiter and header, if it is delimited text.
    """

    path: Path
    kind: FileKind
    delimited: Delimited | None = None

    @property
    def is_converted(self) -> bool:
        """Whether it lands as batches."""
        return self.kind is not FileKind.RECORDS

    def lines(self, field_map: FieldMap | None) -> Iterator[bytes]:
        """Yield its records, one per line."""
        if self.delimited is not None and field_map is not None:
            return self.delimited.lines(field_map)
        return elements(self.path)


def read_sources(paths: Iterable[Path], field_map: FieldMap | None, *, split: bool) -> list[Source]:
    """Inspect files before anything lands.

    Args:
        paths: Files of JSON or delimited text, or folders.
        field_map: Which column of delimited text is which field.
        split: Whether to split arrays and objects that span several lines.

    Raises:
        InputError: A file is not one record per line, and neither a map nor `split` says what to do with it.
    """
    sources = [source_of(path, field_map) for path in files_of(paths)]
    for source in sources:
        if source.kind in (FileKind.ARRAY, FileKind.OBJECTS) and not split:
            raise InputError(
                f"The file is {source.kind.value}, but Auto Loader reads one record per line",
                got=source.path,
                consequence="Nothing was landed: each line would be quarantined as unreadable",
                next_step=f"Run orders land --split {source.path}: it lands one record per line and keeps the original",
            )
        if source.delimited is not None and field_map is None:
            raise InputError(
                f"The file is delimited text with the columns {', '.join(source.delimited.header)}",
                got=source.path,
                consequence="Nothing was landed: it is unknown which column is which field",
                next_step=f"Run orders land --profile {source.path}, which prints a map to start from; then "
                f"orders land {source.path} --map FILE",
            )
    if field_map is not None and not any(source.delimited for source in sources):
        raise InputError(
            "A map is for delimited text, but none of the files is",
            got=", ".join(str(source.path) for source in sources),
            consequence="Nothing was landed",
            next_step="Omit --map; to rename JSON fields, use the setting FIELD_NAMES",
        )
    return sources


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Return the files that paths name; for a folder, all that can be landed.

    Raises:
        InputError: A path does not exist, or a folder has no such file.
    """
    files = []
    for path in paths:
        if not path.exists():
            raise InputError(
                "There is no such file",
                got=path,
                consequence="Nothing was landed",
                next_step="Check the path",
            )
        found = sorted(file for file in path.iterdir() if _can_land(file)) if path.is_dir() else [path]
        if not found:
            raise InputError(
                "The folder has no file of orders",
                got=path,
                allowed=", ".join((*SUFFIXES, *DELIMITED_SUFFIXES)),
                consequence="Nothing was landed",
            )
        files += found
    return files


def _can_land(path: Path) -> bool:
    name = path.name.lower()
    return (
        path.is_file() and name.endswith((*DELIMITED_SUFFIXES, *SUFFIXES)) and not name.startswith((".", "_"))
    )


def source_of(path: Path, field_map: FieldMap | None) -> Source:
    """Inspect one file; a file whose name has another extension is left to `land`, which refuses it."""
    if not _can_land(path):
        return Source(path, FileKind.RECORDS)
    kind = kind_of(path)
    delimited = Delimited.open(path, field_map) if kind is FileKind.DELIMITED else None
    return Source(path, kind, delimited)


def land_sources(
    sources: Sequence[Source], field_map: FieldMap | None, landing: Path, originals: Path
) -> list[LandedFile]:
    """Land files; convert those that are not one record per line into batches. Landing the same files again adds nothing.

    Everything is converted and checked before the first file appears in landing.

    Raises:
        InputError: A file cannot be read, or its name exists with other content. In that case, nothing has landed.
    """
    with tempfile.TemporaryDirectory(prefix="orders-land-") as folder:
        ready: list[Path] = []
        for number, source in enumerate(sources):
            if source.is_converted:
                ready += write_batches(source, field_map, Path(folder) / str(number))
            else:
                ready.append(source.path)
        # Before their batches: after a crash there may be an extra original, never a missing one.
        _keep_originals(sources, field_map, originals)
        return land(ready, landing)


def write_batches(source: Source, field_map: FieldMap | None, folder: Path) -> list[Path]:
    """Write the records of a file as batches named after it."""
    folder.mkdir(parents=True)
    lines = source.lines(field_map)
    stem = source.path.name.removesuffix(".gz").removesuffix(".bz2").rpartition(".")[0]
    batches: list[Path] = []
    while batch := list(islice(lines, RECORDS_A_BATCH)):
        path = folder / f"{stem}-{len(batches) + 1:04}.json"
        path.write_bytes(b"".join(batch))
        batches.append(path)
    if not batches:
        raise InputError("The file has no record", got=source.path, consequence="Nothing was landed")
    return batches


def _keep_originals(sources: Sequence[Source], field_map: FieldMap | None, originals: Path) -> None:
    for source in sources:
        if source.is_converted:
            keep_original(source.path, originals)
            if source.delimited is not None and field_map is not None:
                read = _how_it_was_read(source.delimited, field_map)
                land_bytes(read, source.path.name + MAP_SUFFIX, originals)


def _how_it_was_read(delimited: Delimited, field_map: FieldMap) -> bytes:
    fields = {name: origin.model_dump(exclude_none=True) for name, origin in field_map.fields.items()}
    content = {
        "fields": fields,
        **{k: v for k, v in asdict(delimited).items() if k in ("encoding", "delimiter")},
    }
    return json.dumps(content, indent=2).encode() + b"\n"
