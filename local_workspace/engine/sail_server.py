"""The program of the engine's child process: one Sail server, which ends with the process that started it.

Run as `python -m local_workspace.engine.sail_server ADDRESS_FD PARENT_PID`; the address goes to the file
descriptor as `host:port`, and standard input is the pipe whose closing ends the server. Settings come in
`SAIL_*` environment variables.
"""

from __future__ import annotations

import os
import sys
import time

from local_workspace.process_life import die_with_parent, die_with_pipe


def main(arguments: list[str]) -> int:
    """Serve until the parent is gone or the server stops by itself."""
    address_fd, parent_pid = int(arguments[0]), int(arguments[1])
    if parent_pid:
        die_with_parent(parent_pid)
    die_with_pipe(sys.stdin.fileno())

    from pysail.spark import SparkConnectServer  # noqa: PLC0415  (only after the watch on the parent stands)

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    address = server.listening_address
    if address is None:
        return 1
    with os.fdopen(address_fd, "w") as pipe:
        pipe.write(f"{address[0]}:{address[1]}")
    while server.running:
        time.sleep(1)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
