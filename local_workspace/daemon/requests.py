"""What clients ask of a running daemon, as small files in the run folder; it looks several times a second."""

from __future__ import annotations

import json

from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.private_files import write_private

OPTIONS = "options.json"
PERSISTENT = "persistent"
POSTGRES = "postgres-wanted"


def set_persistent(layout: WorkspaceLayout, persistent: bool) -> None:
    """Ask the daemon to stay without clients, or to go with the last one. A later daemon obeys it, too."""
    if persistent:
        write_private(layout.run / PERSISTENT, "")
    else:
        (layout.run / PERSISTENT).unlink(missing_ok=True)


def is_persistent(layout: WorkspaceLayout) -> bool:
    """Return whether the workspace is to be kept up."""
    return (layout.run / PERSISTENT).exists()


def want_postgres(layout: WorkspaceLayout, options: WorkspaceOptions) -> None:
    """Ask for the embedded Postgres."""
    wanted = {"database": options.postgres_database, "user": options.postgres_user}
    write_private(layout.run / POSTGRES, json.dumps(wanted))


def wanted_postgres(layout: WorkspaceLayout) -> dict[str, str] | None:
    """Return database and user of the Postgres that somebody asked for, or None."""
    try:
        wanted: dict[str, str] = json.loads((layout.run / POSTGRES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return wanted


def forget_postgres(layout: WorkspaceLayout) -> None:
    """Drop the request; a new daemon starts with what its first client wants."""
    (layout.run / POSTGRES).unlink(missing_ok=True)
