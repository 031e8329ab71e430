"""Entry point of the daemon's process."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

from local_workspace.daemon import requests
from local_workspace.daemon.hosting import host_warehouse
from local_workspace.daemon.supervisor import Supervisor
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions


def main(arguments: list[str]) -> int:
    """Run the daemon of the workspace folder in the first argument."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%SZ",
    )
    logging.Formatter.converter = time.gmtime
    os.umask(0o077)  # also for the servers: what they write is for the owner of the workspace
    layout = WorkspaceLayout(Path(arguments[0]))
    options = WorkspaceOptions.from_json((layout.run / requests.OPTIONS).read_text(encoding="utf-8"))
    return Supervisor(layout, options, host_warehouse).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
