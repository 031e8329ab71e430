"""NOT NULL columns of a declared schema, compared with the rows of a batch before they become part of the table.

Source: "Constraints on Databricks", Databricks documentation, section on enforced constraints.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.parquet as pq
from deltalake import Schema

from local_workspace.delta.commit import StagedFile
from local_workspace.errors import DataFault


class NotNullViolated(DataFault):
    """A row has NULL where the schema of its table allows none; nothing of its batch was committed."""

    @classmethod
    def check(cls, flow: str, files: Sequence[StagedFile], schema: Schema) -> None:
        """Raise if a staged row lacks a value that its column must have."""
        for column in schema.fields:
            missing = 0 if column.nullable else sum(_nulls(file, column.name) for file in files)
            if missing:
                raise cls(
                    f"[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: {column.name}",
                    got=f"{missing:,} rows of flow {flow}",
                    consequence="Nothing of this flow was committed",
                    next_step="Drop such rows with an expectation, or declare the column without NOT NULL and key",
                )


def _nulls(file: StagedFile, column: str) -> int:
    if column in file.partition_values:
        return pq.read_metadata(file.path).num_rows if file.partition_values[column] is None else 0
    return int(pq.read_table(file.path, columns=[column]).column(0).null_count)
