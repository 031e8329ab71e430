"""Closing a listening TCP port of this process to everybody but this process.

Sail listens on TCP only and asks nobody for a token (0.7.2, `sail-spark-connect/src/entrypoint.rs`), and a port of the
loopback interface is open to every account of the machine. On Linux a socket filter (socket(7), SO_ATTACH_FILTER) on the
listening socket drops what wants to connect. To let one connection in, this process takes a port for itself, lets packets
from 127.0.0.1 and that port pass, connects, and closes again: the kernel gives a port that is taken to nobody else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
import struct
import sys
import threading
from pathlib import Path

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
# Classic BPF (linux/filter.h): load from the packet, which begins at the TCP header; jump; return.
_LOAD_WORD, _LOAD_HALF, _JUMP_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_SOURCE_ADDRESS = 0xFFF00000 + 12  # SKF_NET_OFF: offsets of the IP header
_SOURCE_PORT = 0
_LOOPBACK = 0x7F000001
_PASS, _DROP = (_RETURN, 0, 0, 0xFFFFFFFF), (_RETURN, 0, 0, 0)
_LISTEN = "0A"  # of /proc/net/tcp


class PortNotClosed(Exception):  # noqa: N818  (says what happened)
    """This system has no such filter."""


class PortUsed(Exception):  # noqa: N818  (says what happened)
    """Somebody was faster than the lock."""


class PortLock:
    """A lock on a listening socket of this process, wherever in the process it is.

    Args:
        host: Its address, `127.0.0.1`.
        port: Its port.

    Raises:
        PortNotClosed: The port stays open.
        PortUsed: Somebody connected before it was closed; it is closed now, but for them.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._guard = threading.Lock()
        self._socket = _listening(host, port)
        try:
            self._attach([_DROP])
        except PortNotClosed:
            self._socket.close()
            raise
        if _connections(port):
            self._socket.close()
            raise PortUsed("somebody connected before the port was closed")

    def connect(self) -> socket.socket:
        """Connect to the port.

        Raises:
            OSError: It takes no connections.
        """
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            client.bind((self._address[0], 0))
            source = client.getsockname()[1]
            with self._guard:
                self._attach(
                    [
                        (_LOAD_WORD, 0, 0, _SOURCE_ADDRESS),
                        (_JUMP_EQUAL, 0, 3, _LOOPBACK),
                        (_LOAD_HALF, 0, 0, _SOURCE_PORT),
                        (_JUMP_EQUAL, 0, 1, source),
                        _PASS,
                        _DROP,
                    ]
                )
                try:
                    client.settimeout(10)
                    client.connect(self._address)
                finally:
                    self._attach([_DROP])
            client.settimeout(None)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            client.close()
            raise
        return client

    def close(self) -> None:
        """Let go of the socket, which stays closed to others."""
        self._socket.close()

    def _attach(self, program: list[tuple[int, int, int, int]]) -> None:
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
        pointer = struct.pack("@HP", len(program), ctypes.addressof(code))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        except OSError as error:
            raise PortNotClosed(f"the system takes no socket filter: {error.strerror}") from error


def can_be_closed() -> bool:
    """Return whether this system has what :class:`PortLock` needs."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        try:
            PortLock(*server.getsockname()).close()
        except PortNotClosed:
            return False
    return True


def _listening(host: str, port: int) -> socket.socket:
    if not sys.platform.startswith("linux"):
        raise PortNotClosed(f"{sys.platform} has no socket filters for a port")
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(entry.stat().st_mode):
                continue
            found = socket.socket(fileno=os.dup(int(entry.name)))
            try:
                if (
                    found.family == socket.AF_INET
                    and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                    and found.getsockname() == (host, port)
                ):
                    return found
            except OSError:
                pass
            found.close()
    raise PortNotClosed("the listening socket was not found")


def _connections(port: int) -> bool:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return any(int(row[1].rpartition(":")[2], 16) == port and row[3] != _LISTEN for row in rows)
