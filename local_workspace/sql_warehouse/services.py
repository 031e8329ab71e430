"""What all sessions of a warehouse share."""

from __future__ import annotations

from dataclasses import dataclass, field

from local_workspace.catalog import Catalog
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.engine_pool import EnginePool
from local_workspace.sql_warehouse.remembered import Memory
from local_workspace.sql_warehouse.statement_log import StatementLog


@dataclass(frozen=True)
class Services:
    """What a session works with.

    Attributes:
        catalog: The workspace's catalog.
        engines: Sessions on the engine, for the sessions of clients.
        layout: Where the workspace lies.
        statement_log: Every statement, as JSON lines.
        user: Whom ``current_user()`` names.
        memory: What was worked out for texts, see :mod:`remembered`.
    """

    catalog: Catalog
    engines: EnginePool
    layout: WorkspaceLayout
    statement_log: StatementLog
    user: str
    memory: Memory = field(default_factory=Memory)
