"""The program of the engine's child process: one Sail server, which ends with the process that started it.

Run as `python -m local_workspace.engine.sail_server ADDRESS_FD PARENT_PID SOCKET`; the address goes to the file
descriptor once somebody may connect, and standard input is the pipe whose closing ends the server. Settings come in
`SAIL_*` environment variables.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from functools import partial
from pathlib import Path

from local_workspace.engine.gate import Gate
from local_workspace.engine.port_lock import PortLock, PortNotClosed, PortUsed
from local_workspace.process_life import die_with_parent, die_with_pipe

STARTS = 5


def main(arguments: list[str]) -> int:
    """Serve until the parent is gone or the server stops by itself."""
    address_fd, parent_pid, path = int(arguments[0]), int(arguments[1]), Path(arguments[2])
    if parent_pid:
        die_with_parent(parent_pid)
    die_with_pipe(sys.stdin.fileno())

    from pysail.spark import SparkConnectServer  # noqa: PLC0415  (only after the watch on the parent stands)

    for _ in range(STARTS):
        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        address = server.listening_address
        if address is None:
            return 1
        try:
            connect = PortLock(*address).connect
        except PortUsed:
            server.stop()
            continue
        except PortNotClosed as error:
            print(f"The engine's port stays open to every account on this machine: {error}", flush=True)
            connect = partial(socket.create_connection, address)
        break
    else:
        print("Somebody connects to the engine's port each time before it is closed", flush=True)
        return 1
    Gate(path, connect).start()
    with os.fdopen(address_fd, "w") as pipe:
        pipe.write(f"unix://{path}")
    while server.running:
        time.sleep(1)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
