"""The engine's door: a socket in a private folder, and behind it the port that nobody else can use.

Both ends of a connection are read and written by a thread each. That costs a copy of what passes through, which is little
beside what the engine does for it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_PIECE = 262_144
_WAITING = 128


class Gate:
    """Serves a Unix socket, whose connections it joins to new ones of `connect`.

    Args:
        path: Of the socket, in a folder that only its owner may enter.
        connect: Opens a connection to what lies behind.
    """

    def __init__(self, path: Path, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        previous = os.umask(0o177)
        try:
            self._server.bind(os.fspath(path))
        finally:
            os.umask(previous)
        self._server.listen(_WAITING)

    def start(self) -> None:
        """Take connections from now on, in threads of this process."""
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._server.accept()
            if _is_owner(client):
                threading.Thread(target=self._join, args=(client,), name="gate-join", daemon=True).start()
            else:
                client.close()

    def _join(self, client: socket.socket) -> None:
        try:
            engine = self._connect()
        except OSError:
            client.close()
            return
        threading.Thread(target=_pump, args=(client, engine), name="gate-in", daemon=True).start()
        _pump(engine, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    try:
        while count := source.recv_into(buffer):
            target.sendall(view[:count])
    except OSError:
        pass
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        if end is source:
            end.close()


def _is_owner(client: socket.socket) -> bool:
    """Return whether the process at the other end is of the same account: the folder's mode says so, too."""
    if not sys.platform.startswith("linux"):
        return True
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.geteuid())
