"""What a statement gives back: a schema, batches of rows as they come, and how many rows it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass
class Result:
    """The outcome of one statement.

    Attributes:
        schema: Columns of the result; without columns for a statement that returns nothing.
        batches: Row batches with exactly this schema. They may come from the engine while they are read, so read them once.
        affected_rows: Rows that a data change inserted, updated or deleted; None if it is not known or nothing was changed.
        note: ``recorded`` if the statement only changed what the catalog says, ``no effect`` if Databricks would act on it
            and there is nothing to act on here, "" otherwise. The statement log shows it.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    affected_rows: int | None = None
    note: str = field(default="")

    @classmethod
    def empty(cls, *, affected_rows: int | None = None, note: str = "") -> Result:
        """Return a result without columns and rows."""
        return cls(pa.schema([]), iter(()), affected_rows, note)

    @classmethod
    def of_table(cls, table: pa.Table) -> Result:
        """Return a result with the rows of an Arrow table."""
        return cls(table.schema, iter(table.to_batches()))

    @classmethod
    def of_rows(cls, columns: Sequence[tuple[str, pa.DataType]], rows: Iterable[Sequence[Any]]) -> Result:
        """Return a result from Python values.

        Args:
            columns: Name and type of each column.
            rows: One sequence a row, in the order of the columns.
        """
        return cls.of_table(arrow_table(columns, rows))

    @classmethod
    def of_affected(cls, affected_rows: int | None, *, inserted: int | None = None) -> Result:
        """Return the result of INSERT, UPDATE and DELETE, which Databricks answers with a row of counts.

        Args:
            affected_rows: The first of them.
            inserted: The second, which INSERT has.
        """
        if affected_rows is None:
            return cls.empty()
        counts = {"num_affected_rows": affected_rows}
        if inserted is not None:
            counts["num_inserted_rows"] = inserted
        result = cls.of_rows([(name, pa.int64()) for name in counts], [tuple(counts.values())])
        result.affected_rows = affected_rows
        return result

    def table(self) -> pa.Table:
        """Read all rows into one table."""
        return pa.Table.from_batches(list(self.batches), schema=self.schema)


def arrow_table(columns: Sequence[tuple[str, pa.DataType]], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Return an Arrow table from Python values, row by row.

    Args:
        columns: Name and type of each column.
        rows: One sequence a row, in the order of the columns.
    """
    values = list(rows)
    schema = pa.schema([pa.field(name, kind) for name, kind in columns])
    if not values:
        return schema.empty_table()
    return pa.Table.from_arrays(
        [pa.array([row[i] for row in values], kind) for i, (_, kind) in enumerate(columns)], schema=schema
    )
