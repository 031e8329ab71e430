"""The warehouse of one workspace: its catalog, its engine, and sessions on both."""

from __future__ import annotations

import getpass
from collections.abc import Mapping

from local_workspace.catalog import Catalog
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql.sql_error import catalog_not_found
from local_workspace.sql_warehouse.engine_pool import EnginePool
from local_workspace.sql_warehouse.services import Services
from local_workspace.sql_warehouse.statement_log import StatementLog
from local_workspace.sql_warehouse.statement_run import ClientSession
from local_workspace.sql_warehouse.statements.namespaces import check_setting


class Warehouse:
    """Runs SQL for any number of sessions at a time.

    Args:
        layout: Where the workspace lies.
        catalog: Its catalog.
        engine_address: Spark Connect address of its engine.

    Attributes:
        engine_address: Changes when the engine died and another one was started.
        catalog: The workspace's catalog.
        engines: Sessions on the engine, for the sessions of clients.
        services: What its sessions share.
    """

    def __init__(self, layout: WorkspaceLayout, catalog: Catalog, engine_address: str) -> None:
        self.catalog = catalog
        self.engine_address = engine_address
        self.engines = EnginePool(lambda: self.engine_address, layout.logs / "sail.log")
        log = StatementLog(layout.logs / "statements.jsonl")
        self.services = Services(catalog, self.engines, layout, log, _user())

    def open_session(
        self,
        catalog: str | None = None,
        schema: str | None = None,
        configuration: Mapping[str, str] | None = None,
    ) -> ClientSession:
        """Open a session.

        Args:
            catalog: The current catalog; by default the first one there is.
            schema: The current schema; ``default`` if not given. It need not exist yet: dbt creates it.
            configuration: Settings of the client.

        Raises:
            SqlError: There is no such catalog, or a setting is not supported.
        """
        for key, value in (configuration or {}).items():
            check_setting(key, value)
        names = {c.catalog.lower(): c.catalog for c in self.catalog.catalogs()}
        if catalog is None:
            catalog = next(iter(names.values()), "main")
        elif catalog.lower() not in names:
            raise catalog_not_found(catalog)
        return ClientSession(self.services, catalog, schema or "default", configuration or {})


def _user() -> str:
    try:
        return f"{getpass.getuser()}@localhost"
    except (KeyError, OSError):  # no name for this user id, as in some containers
        return "user@localhost"
