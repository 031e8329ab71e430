"""A Sail server (Spark Connect) in a child process."""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local_workspace.endpoints import SECRET_VARIABLES
from local_workspace.errors import EngineError, InputError
from local_workspace.layout import WorkspaceLayout, check_name
from local_workspace.private_files import append_private
from local_workspace.runtime_folder import WORKSPACE_LINK, forget_runtime_folders, link_in, runtime_folder

START_SECONDS = 60.0
_LOG_BYTES = 10_000_000


@dataclass(frozen=True)
class EngineSettings:
    """What the engine is told at its start.

    Args:
        catalogs: The catalogs it has, all in memory; a statement can only name one of these.
        default_catalog: One of them; the first if not given.
        stack_bytes: Stack of a worker thread. Deep plans kill the process with the default of 2 MB.
        threads: Worker threads. One statement uses as many as there are cores.
        session_timeout_seconds: After so long without use a session forgets its tables and views.
        extra: More `SAIL_*` variables, by name.
    """

    catalogs: tuple[str, ...] = ("main",)
    default_catalog: str | None = None
    stack_bytes: int = 67_108_864
    threads: int = 64
    session_timeout_seconds: int = 604_800
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.catalogs:
            check_name(name, "catalog")
            if name.lower() == "system" or '"' in name:
                raise InputError("The engine cannot have a catalog of this name", got=name)
        if not self.catalogs or self.default not in self.catalogs:
            raise InputError(
                "The default catalog is not in the list", got=self.default_catalog, allowed=self.catalogs
            )

    @property
    def default(self) -> str:
        """The catalog of a one- or two-level name."""
        return self.default_catalog or (self.catalogs[0] if self.catalogs else "")

    def environment(self, layout: WorkspaceLayout) -> dict[str, str]:
        """Return the variables for the child process (Sail documentation, page "Configuration")."""
        listed = ", ".join(
            f'{{name="{name}", type="memory", initial_database=["default"]}}' for name in self.catalogs
        )
        return {
            "SAIL_RUNTIME__STACK_SIZE": str(self.stack_bytes),
            "SAIL_SPARK__SESSION_TIMEOUT_SECS": str(self.session_timeout_seconds),
            "SAIL_CATALOG__LIST": f"[{listed}]",
            "SAIL_CATALOG__DEFAULT_CATALOG": self.default,
            "SAIL_CATALOG__DEFAULT_DATABASE": '["default"]',
            "SAIL_EXECUTION__CHECKPOINT__PATH": str(layout.checkpoints),
            # Twice what a statement in parallel takes leaves no thread for the next one: an operator that computes holds its
            # thread until it has a batch. With more threads than statements the kernel shares the cores out between them.
            "TOKIO_WORKER_THREADS": str(self.threads),
            "MIMALLOC_PURGE_DELAY": "0",  # gives memory back after each statement
            "TZ": "UTC",
            **self.extra,
        }


class EngineHandle:
    """A running engine process that this process started."""

    def __init__(self, process: subprocess.Popen[bytes], address_fd: int, log_file: Path) -> None:
        self._process = process
        self._address_fd: int | None = address_fd
        self._address: str | None = None
        self.log_file = log_file

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def address(self) -> str:
        """The Spark Connect address, `unix:///PATH`; waits for it if the engine is still starting.

        Raises:
            EngineError: The engine ended before it listened, or did not listen in time.
        """
        if self._address is None:
            self._address = self._read_address()
        return self._address

    def _read_address(self) -> str:
        descriptor = self._address_fd
        text = b""
        deadline = time.monotonic() + START_SECONDS
        while descriptor is not None and time.monotonic() < deadline:
            if select.select([descriptor], [], [], 0.2)[0]:
                piece = os.read(descriptor, 100)
                text += piece
                if not piece:
                    break
        if descriptor is not None:
            os.close(descriptor)
            self._address_fd = None
        if not text:
            code = self._process.poll()
            self.stop()
            raise EngineError(
                "The engine (Sail) did not start",
                got=f"no answer within {START_SECONDS:.0f} s" if code is None else _end_of(code),
                next_step=f"See the end of {self.log_file}, and run `orders doctor`",
            )
        return text.decode()

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the process; 0 once it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def how_it_ended(self) -> str | None:
        """Say in words how the process ended, or None while it runs."""
        code = self._process.poll()
        return None if code is None else _end_of(code)

    def stop(self) -> None:
        """End the engine. What is not in a Delta log is visible to nobody, so there is nothing to save."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._address_fd is not None:
            os.close(self._address_fd)
            self._address_fd = None
        if self._address is not None:
            Path(self._address.removeprefix("unix://")).unlink(missing_ok=True)

    def __enter__(self) -> EngineHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class SailEngine:
    """Starts Sail. Another engine that speaks Spark Connect needs no class: `connect` takes its address."""

    @staticmethod
    def start(
        layout: WorkspaceLayout,
        settings: EngineSettings | None = None,
        *,
        wait: bool = True,
        beside: EngineHandle | None = None,
    ) -> EngineHandle:
        """Start a Sail server behind a socket of this user in a child process that ends with this one.

        Args:
            layout: Its log is `<logs>/sail.log`.
            settings: Defaults to one catalog `main`.
            wait: Return when it listens; otherwise at once, and :attr:`EngineHandle.address` waits.
            beside: Another one of this workspace that goes on.

        Raises:
            EngineError: It did not start.
        """
        settings = settings or EngineSettings()
        layout.create()
        layout.checkpoints.mkdir(mode=0o700, exist_ok=True)
        log_file = layout.logs / "sail.log"
        if log_file.exists() and log_file.stat().st_size > _LOG_BYTES:
            log_file.replace(log_file.with_name("sail.log.1"))
        # The engine needs no secret, and its log may show its environment.
        environment = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
        environment.update(settings.environment(layout))
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        # The kernel ties a child to the thread that started it, so the stronger of the two watches is for
        # the main thread only.
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
        read_end, write_end = os.pipe()
        with append_private(log_file) as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "local_workspace.engine.sail_server",
                    str(write_end),
                    str(parent),
                    str(_socket_file(layout, beside)),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=(write_end,),
                cwd=layout.home,
                start_new_session=True,
            )
        os.close(write_end)
        handle = EngineHandle(process, read_end, log_file)
        if wait:
            handle.address  # noqa: B018  (reading it waits, and raises when the engine did not start)
        return handle


def _socket_file(layout: WorkspaceLayout, beside: EngineHandle | None) -> Path:
    """Return a name for the socket that no engine of this workspace has had, so that a new engine has a new address."""
    forget_runtime_folders(layout.home)
    folder = runtime_folder(layout.home)
    link_in(folder, WORKSPACE_LINK, layout.home)
    in_use = None if beside is None else Path(beside.address.removeprefix("unix://"))
    for former in folder.glob("*.sock"):
        if former != in_use:
            former.unlink(missing_ok=True)
    return folder / f"{secrets.token_hex(4)}.sock"


def _end_of(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}"
