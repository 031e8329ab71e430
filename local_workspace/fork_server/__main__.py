"""The server's process: `python -m local_workspace.fork_server HOME NAME ENTRY MODULE...`."""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import io
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foundation.file_locks import is_held
from local_workspace.daemon.locks import DAEMON
from local_workspace.fork_server.address import installed_mark, server_lock, socket_address
from local_workspace.layout import WorkspaceLayout

_LOOK_SECONDS = 0.5
# What a program may take to end orderly once nobody waits for it any more.
_END_SECONDS = 10.0


def main(arguments: Sequence[str]) -> int:
    """Import, then fork for each command until the workspace's daemon is gone; return the exit code.

    In a fork it returns the exit code of the command, so that the interpreter ends as the program's own would.
    """
    home, name, entry, *modules = arguments
    layout = WorkspaceLayout(Path(home))
    lock = server_lock(layout, name)
    if not lock.take():
        return 0
    # Its first entry is the folder in which this was started; the program's own would be another.
    del sys.path[0]
    installed = installed_mark()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with socket_address(layout, name) as address:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)  # noqa: PTH108  # of a server that was killed
            listener.bind(address)
        # Before the imports: who comes now waits for them.
        listener.listen(64)
        for module in modules:
            importlib.import_module(module)
        gc.collect()
        gc.freeze()  # else the collector of a fork would write to, and thereby copy, all that they share
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks are reaped by the kernel
        while is_held(layout.run / DAEMON) and lock.still_there():
            if not select.select([listener], [], [], _LOOK_SECONDS)[0]:
                continue
            connection, _ = listener.accept()
            if installed_mark() != installed:
                return 0  # the client starts the program itself, the next one another server
            if os.fork() == 0:
                listener.close()
                lock.release()
                return _serve(connection, name, entry, installed)
            connection.close()
    return 0


def _serve(connection: socket.socket, name: str, entry: str, installed: str) -> int:
    """Be the program, for one command."""
    os.setsid()  # what it starts is in a group of its own, and Ctrl-C comes through the connection
    for number, action in (
        (signal.SIGCHLD, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        signal.signal(number, action)
    request, streams = _receive(connection)
    if request["installed"] != installed:
        return 0
    connection.sendall(b"+")
    _take_on(request, streams)
    sys.argv = [name, *request["arguments"]]
    # click takes the program's name from here, for "Try 'dbt build --help'".
    sys.modules["__main__"].__package__ = None
    random.seed()
    threading.Thread(target=_listen, args=(connection,), name="client", daemon=True).start()
    code = _call(entry)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps({"exit": code}).encode())
    return code


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    size = array.array("i").itemsize
    message, ancillary, *_ = connection.recvmsg(1, socket.CMSG_SPACE(2 * size))
    streams = array.array("i")
    for _, _, data in ancillary:
        streams.frombytes(data[: len(data) - len(data) % size])
    del message  # the byte that carried the descriptors
    text = io.BytesIO()
    while not text.getvalue().endswith(b"\n"):
        received = connection.recv(1 << 20)
        if not received:
            sys.exit(0)  # the client is gone
        text.write(received)
    return json.loads(text.getvalue()), list(streams)


def _take_on(request: dict[str, Any], streams: list[int]) -> None:
    """Become what a process started by the client would be: streams, folder, environment."""
    output, error = streams
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (error, 2)):
        os.dup2(source, target)
        os.close(source)
    for stream, descriptor in (("stdout", 1), ("stderr", 2)):
        opened = open(  # noqa: SIM115  # a standard stream stays open
            descriptor, "w", encoding=request["encoding"], errors="backslashreplace", closefd=False
        )
        opened.reconfigure(line_buffering=True)
        setattr(sys, stream, opened)
        setattr(sys, f"__{stream}__", opened)
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()


def _call(entry: str) -> int:
    """Call the entry point as a console script does, and end as the interpreter would."""
    module, _, function = entry.partition(":")
    try:
        ended = getattr(importlib.import_module(module), function)()
    except SystemExit as exit_:
        ended = exit_.code
    except BaseException:  # noqa: BLE001  # as the interpreter: it is printed
        traceback.print_exc()
        ended = 1
    if ended is None or isinstance(ended, int):
        return ended or 0
    print(ended, file=sys.stderr)
    return 1


def _listen(connection: socket.socket) -> None:
    """Pass on Ctrl-C; and end the program when its client says so or is gone."""
    with contextlib.suppress(OSError):
        while order := connection.recv(1):
            if order == b"k":
                os.killpg(os.getpid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_END_SECONDS)
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
