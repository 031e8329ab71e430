"""A JSON array, or objects over several lines, as records one a line, each as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from dlt_ingest.errors import InputError

_ROWS = 10_000
_LARGEST_ELEMENT = 256 * 1024 * 1024


def elements(path: Path) -> Iterator[bytes]:
    """Give the elements of a file, each as one line with its end.

    Numbers, escapes and the order of keys stay as they are; only line ends between tokens become blanks. Within a text no
    line end can stand.

    Raises:
        InputError: The file is no JSON, at the place that the error names.
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
            "The file cannot be split: it is no JSON",
            got=f"{path}: {str(error).splitlines()[0]}",
            consequence="Nothing was landed",
            next_step="Correct the file at that place",
        ) from error
    finally:
        connection.close()
