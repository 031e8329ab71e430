"""The warehouse of one workspace: its catalog, its engine, and sessions on both."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Mapping
from dataclasses import replace

from local_workspace.catalog import Catalog, Column, Table
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.session import Session
from local_workspace.sql_warehouse.sql_error import SqlError, catalog_not_found
from local_workspace.sql_warehouse.statement_log import StatementLog
from local_workspace.sql_warehouse.views import engine_columns


class Warehouse:
    """Runs SQL for any number of sessions at a time.

    Args:
        layout: Where the workspace lies.
        catalog: Its catalog.
        engine_address: Spark Connect address of its engine.

    Attributes:
        user: Whom ``current_user()`` names.
        statement_log: Every statement, as JSON lines.
    """

    def __init__(self, layout: WorkspaceLayout, catalog: Catalog, engine_address: str) -> None:
        self.layout = layout
        self.catalog = catalog
        self.engine_address = engine_address
        self.user = _user()
        self._lock = threading.Lock()
        self._columns: dict[int, list[Column]] = {}
        self._columns_at = -1
        self.statement_log = StatementLog(layout.logs / "statements.jsonl")

    def open_session(
        self,
        catalog: str | None = None,
        schema: str | None = None,
        configuration: Mapping[str, str] | None = None,
    ) -> Session:
        """Opens a session.

        Args:
            catalog: The current catalog; by default the first one there is.
            schema: The current schema; ``default`` if not given. It need not exist yet: dbt creates it.
            configuration: Settings of the client.

        Raises:
            SqlError: There is no such catalog.
        """
        names = {c.catalog.lower(): c.catalog for c in self.catalog.catalogs()}
        if catalog is None:
            catalog = next(iter(names.values()), "main")
        elif catalog.lower() not in names:
            raise catalog_not_found(catalog)
        return Session(self, catalog, schema or "default", configuration or {})

    def view_columns(self, session: Session, table: Table) -> list[Column]:
        """The columns of a view's text as it is planned now; kept until the catalog changes.

        Args:
            session: Plans the text.
            table: A view.
        """
        revision = self.catalog.revision()
        with self._lock:
            if self._columns_at != revision:
                self._columns.clear()
                self._columns_at = revision
            known = self._columns.get(table.object_id)
        if known is not None:
            return known
        try:
            frame = session.engine.frame(session.engine_sql(f"SELECT * FROM {table.name.quoted}"))
        except SqlError:
            return self.catalog.columns(table)
        comments = table.column_comments
        columns = [replace(c, comment=comments.get(c.name.lower())) for c in engine_columns(frame.schema)]
        with self._lock:
            if self._columns_at == revision:
                self._columns[table.object_id] = columns
        return columns


def _user() -> str:
    try:
        return f"{getpass.getuser()}@localhost"
    except (KeyError, OSError):  # no name for this user id, as in some containers
        return "user@localhost"
