"""Rows into a table by COPY, with the rows that Postgres rejects told apart from the rest."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # a class, in lower case

from dlt_ingest.metrics.postgres.row_encoding import csv_bytes

# The row's own fault: SQLSTATE classes 22 (data exception) and 23 (integrity constraint violation).
REJECTIONS = (psycopg2.DataError, psycopg2.IntegrityError)
# A batch with a bad row is cut to parts of this size first: then one bad row costs the repetition of a small
# part only.
_PART_ROWS = 2000
_COPY_LINE = re.compile(r"^COPY \S+, line (\d+)", re.MULTILINE)


def copy_batch(
    cursor: Cursor,
    table: sql.Composable,
    batch: pa.RecordBatch,
    encoded: bytes,
    reject: Callable[[int, psycopg2.Error], None],
) -> int:
    """COPY a prepared batch into `table`, leaving out the rows that it rejects.

    Args:
        cursor: Inside a transaction.
        table: The quoted name.
        batch: Prepared rows; the columns are addressed by name.
        encoded: The same rows as CSV.
        reject: Called with the row's index in the batch and the error, once for every row left out.

    Returns:
        The number of rows that went in.

    Raises:
        psycopg2.Error: Anything that is not a row's fault, and a unique violation when the table has unique
        indexes:
            then it is two rows that do not go together, which is for the caller to resolve.
    """
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(table, column_list(batch.schema.names))
    command = statement.as_string(cursor)
    todo = [(0, batch.num_rows)]
    copied = 0
    while todo:
        start, stop = todo.pop()
        if start == stop:
            continue
        cursor.execute("savepoint part")
        try:
            whole = stop - start == batch.num_rows
            data = encoded if whole else csv_bytes(batch.slice(start, stop - start))
            cursor.copy_expert(command, io.BytesIO(data), size=1 << 20)
        except psycopg2.errors.UniqueViolation:
            cursor.execute("rollback to savepoint part")
            raise
        except REJECTIONS as error:
            cursor.execute("rollback to savepoint part")
            if stop - start == 1:
                reject(start, error)
            else:
                todo.extend(_smaller(start, stop, error))
        else:
            copied += stop - start
        cursor.execute("release savepoint part")
    return copied


def column_list(names: Sequence[str], prefix: str | None = None) -> sql.Composable:
    """Quote column names and join them with commas, each after `prefix` and a dot if there is one."""
    return sql.SQL(", ").join(
        sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in names
    )


def _smaller(start: int, stop: int, error: psycopg2.Error) -> list[tuple[int, int]]:
    """Cut a range that holds a bad row, each part smaller than the whole."""
    if stop - start > _PART_ROWS:
        return [(at, min(at + _PART_ROWS, stop)) for at in range(start, stop, _PART_ROWS)]
    # COPY names the line. It counts lines, not rows, so a line break inside a value leads it astray: then the
    # cut is in the wrong place, and the parts are simply cut again.
    named = _COPY_LINE.search(error.diag.context or "")
    bad = start + int(named.group(1)) - 1 if named else stop
    if not start <= bad < stop:
        middle = (start + stop) // 2
        return [(middle, stop), (start, middle)]
    return [(bad + 1, stop), (bad, bad + 1), (start, bad)]
