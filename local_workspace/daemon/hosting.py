"""The seam between the daemon and the SQL warehouse that it hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from local_workspace.catalog import Catalog
from local_workspace.endpoints import WarehouseEndpoint
from local_workspace.layout import WorkspaceLayout


class HostedWarehouse(Protocol):
    """A SQL warehouse that serves in threads of the daemon."""

    @property
    def endpoint(self) -> WarehouseEndpoint:
        """Where it is reached."""

    def engine_moved(self, address: str) -> None:
        """Use the engine at this address from now on: the one before died, with all its sessions."""

    def stop(self) -> None:
        """Take no more connections and end."""


# (layout, catalog, engine address, port to prefer or None) -> the running warehouse
StartWarehouse = Callable[[WorkspaceLayout, Catalog, str, "int | None"], HostedWarehouse]
