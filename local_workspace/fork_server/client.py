"""Starting a fork server, and running commands by it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from foundation.file_locks import is_held
from local_workspace.errors import EngineError
from local_workspace.fork_server.address import installed_mark, server_lock, socket_address
from local_workspace.layout import WorkspaceLayout

# All that the server itself needs. A command brings its whole environment, secrets included.
_KEPT_VARIABLES = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR")
_KEPT_BEGINNINGS = ("LC_", "PYTHON")

# From the start of its process until it listens, which it does before it imports.
_LISTENS_SECONDS = 10.0


class NoForkServerError(Exception):
    """There is no fork server that could run the command: run it as a process of its own. Nothing was done."""


class Command:
    """A command that the server runs.

    Args:
        connection: The connection that asked for it. When it is closed, the command is interrupted, then killed.
        what: What to call it in errors.
    """

    def __init__(self, connection: socket.socket, what: str) -> None:
        self._connection = connection
        self._what = what
        self._received = b""

    def wait(self) -> int:
        """Wait for the end of the command; return its exit code.

        Raises:
            EngineError: It was killed, or died.
        """
        while received := self._connection.recv(65536):
            self._received += received
        self._connection.close()
        if not self._received:
            raise EngineError(
                f"{self._what} was killed while it ran",
                consequence="Finished work is kept, the rest is lost",
                next_step="Run the command again; repeating it is safe",
            )
        code: int = json.loads(self._received)["exit"]
        return code

    def interrupt(self) -> None:
        """Send it what Ctrl-C sends."""
        with contextlib.suppress(OSError):
            self._connection.sendall(b"i")

    def end(self) -> None:
        """Have it killed; :meth:`wait` returns at once."""
        with contextlib.suppress(OSError):
            self._connection.sendall(b"k")
            self._connection.shutdown(socket.SHUT_RDWR)


class ForkServer:
    """The fork server of one workspace for one program.

    Args:
        layout: The workspace. Its daemon must run, and be kept by the caller while a command runs.
        name: Name of the program, which names the files in the run folder.
        modules: What the server imports.
        entry: The program's entry point, `module:function`, as in a console script.
    """

    def __init__(self, layout: WorkspaceLayout, *, name: str, modules: Sequence[str], entry: str) -> None:
        self.layout, self.name, self.modules, self.entry = layout, name, tuple(modules), entry
        self._started: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a server; it may still import."""
        return is_held(server_lock(self.layout, self.name).path)

    def start(self) -> None:
        """Start a server if there is none, and do not wait for it.

        Only on Linux: a fork of a process that has loaded Apple's frameworks may crash (bugs.python.org, issue 33725).
        """
        if not sys.platform.startswith("linux") or self.is_running:
            return
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT_VARIABLES or name.startswith(_KEPT_BEGINNINGS)
        }
        command = [sys.executable, "-m", "local_workspace.fork_server", str(self.layout.home), self.name]
        with (self.layout.logs / f"{self.name}-server.log").open("ab") as log:
            self._started = process = subprocess.Popen(
                [*command, self.entry, *self.modules],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
                env=environment,
                start_new_session=True,
            )
        # As for the daemon: reaped at once if it ends, nobody's leftover if it stays.
        threading.Thread(target=process.wait, name=f"reap-{self.name}", daemon=True).start()

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: int | None = None,
    ) -> Command:
        """Have the server run the program.

        Args:
            arguments: As after the program's name.
            folder: Its working folder.
            environment: All of its environment.
            output: Descriptor for what it prints; without one, this process's own standard output and error.

        Raises:
            NoForkServerError: There is no server, or it has imported other packages than those installed now.
        """
        connection = self._connect()
        try:
            streams = (output, output) if output is not None else (1, 2)
            request = {
                "installed": installed_mark(),
                "arguments": list(arguments),
                "folder": str(folder),
                "environment": dict(environment),
                "encoding": sys.stdout.encoding,
                "umask": _umask(),
            }
            socket.send_fds(connection, [b"{"], streams)
            connection.sendall(json.dumps(request).encode() + b"\n")
            # The answer to that comes when the server has imported everything; without one it died, or is of old.
            if connection.recv(1) != b"+":
                raise NoForkServerError  # noqa: TRY301  # closes the connection as any other error
        except OSError as error:
            connection.close()
            raise NoForkServerError from error
        except BaseException:
            connection.close()
            raise
        return Command(connection, f"{self.name} {' '.join(arguments[:1])}".strip())

    def _connect(self) -> socket.socket:
        """Connect to the server; wait for one that is starting until it listens.

        Raises:
            NoForkServerError: There is none.
        """
        deadline = time.monotonic() + _LISTENS_SECONDS
        while time.monotonic() < deadline:
            is_starting = self._started is not None and self._started.poll() is None
            if not is_starting and not self.is_running:
                break
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                with socket_address(self.layout, self.name) as address:
                    connection.connect(address)
            except OSError:
                connection.close()
                time.sleep(0.02)
            else:
                return connection
        raise NoForkServerError


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
