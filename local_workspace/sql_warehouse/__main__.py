"""Runs a warehouse in the foreground: ``python -m local_workspace.sql_warehouse --home DIR``.

Prints the variables that dbt needs, one ``export`` a line, then serves until SIGTERM, SIGINT or the end of standard input.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from pathlib import Path

from local_workspace.catalog import Catalog
from local_workspace.engine import EngineSettings, SailEngine
from local_workspace.errors import LocalWorkspaceError
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.protocol.server import serve
from local_workspace.sql_warehouse.warehouse import Warehouse


def main() -> int:
    """Parse the arguments and serve; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local_workspace.sql_warehouse", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the workspace folder")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one by default")
    parser.add_argument(
        "--catalog",
        action="append",
        default=[],
        help="a catalog to create if it does not exist (repeatable)",
    )
    parser.add_argument(
        "--schema", action="append", default=[], help="a schema to create in each of these catalogs"
    )
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        layout = WorkspaceLayout(arguments.home).create()
        catalog = Catalog.open(layout)
        for name in arguments.catalog:
            catalog.create_catalog(name, if_not_exists=True)
            for schema in ["default", *arguments.schema]:
                catalog.create_schema(name, schema, if_not_exists=True)
        with SailEngine.start(layout, EngineSettings()) as engine:
            server = serve(Warehouse(layout, catalog, engine.address), port=arguments.port)
            with server:
                for key, value in server.endpoint.environment().items():
                    sys.stdout.write(f"export {key}={shlex.quote(value)}\n")
                sys.stdout.flush()
                threading.Thread(target=_until_end_of_input, args=(stop,), daemon=True).start()
                while not stop.wait(1):
                    if not engine.alive():
                        sys.stderr.write(
                            f"The engine ended: {engine.how_it_ended()}; see {engine.log_file}.\n"
                        )
                        return 1
    except (LocalWorkspaceError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _until_end_of_input(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):  # not sys.stdin: its lock would trouble the interpreter's end
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
