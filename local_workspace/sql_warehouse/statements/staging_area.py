"""The folder beside a table in which statements stage rows: whoever holds the table's lock finds and leaves it empty."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local_workspace.catalog import Table
from local_workspace.delta.staging import STAGE_FOLDER
from local_workspace.delta.table_lock import table_lock
from local_workspace.sql_warehouse.statements.location import location_of

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session


@contextmanager
def held_for_change(session: Session, table: Table) -> Iterator[Table]:
    """Hold a table while its rows are changed, with an empty staging folder before and after.

    Args:
        session: The session that changes it.
        table: The table.

    Yields:
        The table as the catalog has it once it is held.

    Raises:
        WorkspaceBusy: Another writer held the table for too long.
    """
    with table_lock(session.warehouse.layout, table.name):
        held = session.catalog.get(table.name) or table
        location = location_of(held)
        clear_staging(location)
        try:
            yield held
        finally:
            clear_staging(location)


def clear_staging(location: Path) -> None:
    """Delete what a killed writer left; call it while holding the table's lock."""
    shutil.rmtree(location / STAGE_FOLDER, ignore_errors=True)
