"""What the daemon tells its clients: one JSON file of mode 0600 in the run folder, replaced as a whole."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from local_workspace.endpoints import WarehouseEndpoint
from local_workspace.layout import WorkspaceLayout
from local_workspace.private_files import write_private

FILE, PREVIOUS = "state.json", "state.previous.json"
STARTING, READY, ENDING, FAILED = "starting", "ready", "ending", "failed"


@dataclass
class DaemonState:
    """The state of one daemon.

    Attributes:
        pid: Of the daemon.
        started_at: When it started, in ISO format, UTC.
        phase: `starting` (also while the engine is started again), `ready`, `ending`, or `failed` with
        `error`.
        catalogs: The catalogs that the engine has.
        engine_starts: How often the engine was started; more than once means that it died.
        postgres_port: Of the embedded server; None while none is wanted.
        warehouse: Host, port, http_path, token and ca_file of the SQL warehouse.
        code: What :func:`code_fingerprint` was when the daemon started.
        error: The parts of the error that ended the daemon.
    """

    pid: int
    started_at: str
    phase: str = STARTING
    code: str = ""
    catalogs: list[str] = field(default_factory=list)
    engine_address: str | None = None
    engine_pid: int | None = None
    engine_starts: int = 0
    postgres_pid: int | None = None
    postgres_port: int | None = None
    warehouse: dict[str, Any] | None = None
    error: dict[str, str | None] | None = None

    def write(self, layout: WorkspaceLayout) -> None:
        """Replace the file."""
        write_private(layout.run / FILE, json.dumps(asdict(self)))

    @classmethod
    def read(cls, layout: WorkspaceLayout) -> DaemonState | None:
        """Read the file; None if there is none. It may be of a daemon that is gone."""
        return cls._read(layout.run / FILE)

    @classmethod
    def read_previous(cls, layout: WorkspaceLayout) -> DaemonState | None:
        """Read the state of the daemon before, which may have left something behind."""
        return cls._read(layout.run / PREVIOUS)

    @staticmethod
    def set_aside(layout: WorkspaceLayout) -> None:
        """Make room before a new daemon starts, so that the old state is never taken for the new one's."""
        with contextlib.suppress(FileNotFoundError):
            (layout.run / FILE).replace(layout.run / PREVIOUS)

    @classmethod
    def _read(cls, file: Path) -> DaemonState | None:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            # A daemon of other code may know more or fewer fields.
            return cls(**{part.name: found[part.name] for part in fields(cls) if part.name in found})
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    @property
    def warehouse_endpoint(self) -> WarehouseEndpoint | None:
        """The SQL warehouse, if one is hosted."""
        if self.warehouse is None:
            return None
        ca_file = self.warehouse["ca_file"]
        paths = {"ca_file": Path(ca_file), "ca_bundle": Path(self.warehouse.get("ca_bundle", ca_file))}
        return WarehouseEndpoint(**{**self.warehouse, **paths})

    @staticmethod
    def of_warehouse(endpoint: WarehouseEndpoint) -> dict[str, Any]:
        """Return an endpoint in the form in which the state keeps it."""
        return {**asdict(endpoint), "ca_file": str(endpoint.ca_file), "ca_bundle": str(endpoint.ca_bundle)}


def code_fingerprint() -> str:
    """Return a mark that changes when any module of the local workspace does: it tells a daemon of older code."""
    newest, count = 0, 0
    for file in Path(__file__).parents[1].rglob("*.py"):
        newest, count = max(newest, file.stat().st_mtime_ns), count + 1
    return f"{newest}-{count}"
