"""Where a table's rows are, for statements that need some."""

from __future__ import annotations

from pathlib import Path

from local_workspace.catalog import Table
from local_workspace.sql.sql_error import SqlError


def location_of(table: Table) -> Path:
    """Return the Delta folder of a table.

    Raises:
        SqlError: It is a view (EXPECT_TABLE_NOT_VIEW).
    """
    if table.location is None:
        raise SqlError(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", f"{table.name.quoted} is a view, not a table.", "42809"
        )
    return table.location
