"""Split a JSON array, or objects over several lines, into one record per line, each unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from dlt_ingest.errors import InputError

_ROWS = 10_000
_LARGEST_ELEMENT = 256 * 1024 * 1024


def elements(path: Path) -> Iterator[bytes]:
    """Yield the elements of a file, each as one line with its line end.

    Numbers, escapes and the order of keys stay unchanged; only line ends between tokens become spaces. A JSON string
    cannot contain a line end.

    Raises:
        InputError: The file is not JSON; the error names the place.
    """
    connection = duckdb.connect(config={"threads": 1})
    try:
        name = str(path).replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
        query = connection.execute(
            "SELECT json FROM read_json_objects(?, format = 'auto', maximum_object_size = ?)",
            [name, _LARGEST_ELEMENT],
        )
        while rows := query.fetchmany(_ROWS):
            for (text,) in rows:
                yield text.replace("\r", " ").replace("\n", " ").encode() + b"\n"
    except duckdb.Error as error:
        raise InputError(
            "The file cannot be split: it is not JSON",
            got=f"{path}: {str(error).splitlines()[0]}",
            consequence="Nothing was landed",
            next_step="Correct the file at that place",
        ) from error
    finally:
        connection.close()
