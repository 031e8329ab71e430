"""The SQL warehouse inside the daemon's process."""

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

    def engine_moved(self, address: str, *, retired: str | None = None) -> None:
        """Use the engine at this address from now on.

        Args:
            address: Of the engine for new sessions.
            retired: Of the one before, if it goes on for those that are open; else it has died, with all its sessions.
        """

    def forget_engine(self, address: str) -> None:
        """Note that a retired engine is gone."""

    def has_clients_on(self, address: str) -> bool:
        """Return whether a client has anything on the engine at an address."""

    def stop(self) -> None:
        """Take no more connections and end."""


# (layout, catalog, engine address, port to prefer or None) -> the running warehouse
StartWarehouse = Callable[[WorkspaceLayout, Catalog, str, "int | None"], HostedWarehouse]


class _Hosted:
    """The local SQL warehouse, served by threads of this process."""

    def __init__(self, layout: WorkspaceLayout, catalog: Catalog, address: str, port: int | None) -> None:
        # Imported here, while the engine starts beside: it takes a good part of a second.
        from local_workspace.sql_warehouse.protocol.server import serve  # noqa: PLC0415
        from local_workspace.sql_warehouse.warehouse import Warehouse  # noqa: PLC0415

        self._warehouse = Warehouse(layout, catalog, address)
        try:
            self._server = serve(self._warehouse, port=port or 0)
        except OSError:  # somebody has the port that it had before
            self._server = serve(self._warehouse, port=0)

    @property
    def endpoint(self) -> WarehouseEndpoint:
        return self._server.endpoint

    def engine_moved(self, address: str, *, retired: str | None = None) -> None:
        if retired is not None:
            # Before the address changes: a session that is open must not follow it.
            self._warehouse.engines.retire(retired)
        self._warehouse.engine_address = address

    def forget_engine(self, address: str) -> None:
        self._warehouse.engines.forget(address)

    def has_clients_on(self, address: str) -> bool:
        return self._warehouse.engines.has_clients_on(address)

    def stop(self) -> None:
        self._server.stop()


def host_warehouse(
    layout: WorkspaceLayout, catalog: Catalog, engine_address: str, port: int | None
) -> HostedWarehouse:
    """Serve the SQL warehouse of a workspace from threads of this process.

    Args:
        layout: The workspace.
        catalog: Its catalog.
        engine_address: The engine's Spark Connect address.
        port: To prefer, so that a client's settings stay good over a restart; None takes any.
    """
    return _Hosted(layout, catalog, engine_address, port)
