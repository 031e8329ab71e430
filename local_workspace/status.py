"""What runs in a workspace and what it holds, without starting or changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from foundation.file_locks import is_held
from local_workspace.catalog import Anomaly, Catalog
from local_workspace.daemon import requests
from local_workspace.daemon.locks import DAEMON
from local_workspace.daemon.state import DaemonState
from local_workspace.layout import WorkspaceLayout
from local_workspace.postgres.process import memory_bytes

# Sail 0.7.2 keeps some 100 kB of each statement for as long as it runs; a build of the marts has hundreds.
_MUCH_MEMORY = 2_000_000_000
_ENGINE = "engine (Sail)"


@dataclass(frozen=True)
class ServerStatus:
    """One server of the workspace.

    Attributes:
        pid: None if it does not run.
        address: Where it is reached, without any secret.
        memory_bytes: Resident memory; None where it is part of the daemon's.
    """

    name: str
    pid: int | None
    address: str | None
    memory_bytes: int | None


@dataclass(frozen=True)
class WorkspaceStatus:
    """The state of a workspace at one moment.

    Attributes:
        running: Whether its daemon runs.
        persistent: Whether it is kept up without users.
        since: When the daemon started, in ISO format, UTC.
        phase: `stopped`, or what the daemon says of itself: `starting`, `ready`, `ending`, `failed`.
        engine_restarts: How often the engine died and was started again.
        tables: Number of tables and views by `catalog.schema`.
        anomalies: Differences between the catalog and the folders, and an engine that has grown large.
    """

    home: Path
    running: bool
    persistent: bool
    phase: str
    since: str | None = None
    engine_restarts: int = 0
    servers: tuple[ServerStatus, ...] = ()
    tables: dict[str, int] = field(default_factory=dict)
    anomalies: tuple[Anomaly, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the status as plain values for JSON."""
        return {**asdict(self), "home": str(self.home)}

    def render(self) -> str:
        """Return the status as lines of text."""
        kept = "runs until `orders down`" if self.persistent else "stops with the last command that uses it"
        lines = [f"Workspace {self.home}: {self.phase}" + (f", {kept}" if self.running else "")]
        if self.since and self.running:
            restarts = f"; the engine died {self.engine_restarts} times" if self.engine_restarts else ""
            lines.append(f"Running since {self.since}{restarts}")
        for server in self.servers:
            memory = f"{server.memory_bytes / 1_000_000:,.0f} MB" if server.memory_bytes is not None else ""
            process = f"process {server.pid}" if server.pid is not None else "not running"
            lines.append(f"  {server.name:<14} {process:<16} {server.address or '':<44} {memory}".rstrip())
        if self.tables:
            lines.append("Tables and views")
            lines += [f"  {schema:<30} {count:>4}" for schema, count in self.tables.items()]
        if self.anomalies:
            lines.append("To look at")
            lines += [f"  {found.problem}: {found.subject}. {found.next_step}." for found in self.anomalies]
        return "\n".join(lines)


def read_status(layout: WorkspaceLayout) -> WorkspaceStatus:
    """Read the status of a workspace, which may not even exist yet."""
    running = is_held(layout.run / DAEMON)
    state = DaemonState.read(layout) if running else None
    tables: dict[str, int] = {}
    anomalies: list[Anomaly] = []
    if layout.catalog_file.exists():
        catalog = Catalog.open(layout)
        try:
            for info in catalog.catalogs():
                for schema in catalog.schemas(info.catalog):
                    count = len(catalog.tables(info.catalog, schema.schema))
                    tables[f"{schema.catalog}.{schema.schema}"] = count
            anomalies = catalog.rescan()
        finally:
            catalog.close()
    servers = tuple(_servers(state)) if state is not None else ()
    return WorkspaceStatus(
        home=layout.home,
        running=running,
        persistent=requests.is_persistent(layout),
        phase=state.phase if state is not None else "stopped",
        since=state.started_at if state is not None else None,
        engine_restarts=max(0, state.engine_starts - 1) if state is not None else 0,
        servers=servers,
        tables=tables,
        anomalies=(*anomalies, *grown(servers)),
    )


def grown(servers: Sequence[ServerStatus]) -> list[Anomaly]:
    """Name the engine if it holds more memory than its work can need, with the way to get it back."""
    return [
        Anomaly(
            "much memory",
            f"the engine holds {(server.memory_bytes or 0) / 1_000_000:,.0f} MB, because it keeps some for each statement",
            "Stop the workspace and start it again when nothing runs: orders down, orders up",
        )
        for server in servers
        if server.name == _ENGINE and (server.memory_bytes or 0) > _MUCH_MEMORY
    ]


def _servers(state: DaemonState) -> list[ServerStatus]:
    warehouse = state.warehouse_endpoint
    warehouse_address = (
        f"https://{warehouse.host}:{warehouse.port}{warehouse.http_path}" if warehouse is not None else None
    )
    postgres = f"127.0.0.1:{state.postgres_port}" if state.postgres_port is not None else None
    return [
        ServerStatus("daemon", state.pid, None, _resident(state.pid)),
        ServerStatus(_ENGINE, state.engine_pid, state.engine_address, _resident(state.engine_pid)),
        ServerStatus("SQL warehouse", state.pid if warehouse is not None else None, warehouse_address, None),
        ServerStatus(
            "Postgres",
            state.postgres_pid,
            postgres,
            memory_bytes(state.postgres_pid) if state.postgres_pid is not None else None,
        ),
    ]


def _resident(pid: int | None) -> int | None:
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid is not None else None
    except psutil.Error:
        return None
