"""One daemon a workspace: found or started by any number of processes, and gone when nobody needs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg2
import pytest

from dlt_ingest.sql_client import SqlClient
from foundation.file_locks import FileLock, is_held
from local_workspace.daemon import requests
from local_workspace.daemon.locks import DAEMON, LEASE
from local_workspace.daemon.state import DaemonState
from local_workspace.daemon.supervisor import MEMORY_SECONDS
from local_workspace.doctor import doctor
from local_workspace.errors import ConfigurationError, WorkspaceBusy
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.postgres.files import data_folder, server_account
from local_workspace.workspace import Workspace

ATTACH = """
import sys
from pathlib import Path
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.workspace import Workspace
with Workspace.attach(WorkspaceLayout(Path(sys.argv[1])), WorkspaceOptions.from_json(sys.argv[2])) as workspace:
    print(workspace.engine_address, workspace.warehouse.port, workspace.postgres.port, flush=True)
    sys.stdin.readline()
"""


def attach_elsewhere(layout: WorkspaceLayout, options: WorkspaceOptions) -> subprocess.Popen[str]:
    """Attach from another process, which stays until its standard input closes."""
    return subprocess.Popen(
        [sys.executable, "-W", "default::ResourceWarning", "-c", ATTACH, str(layout.home), options.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_stopped(layout: WorkspaceLayout, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_held(layout.run / DAEMON):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def servers(layout: WorkspaceLayout) -> list[psutil.Process]:
    state = DaemonState.read(layout)
    assert state is not None
    pids = (state.pid, state.engine_pid, state.postgres_pid)
    return [psutil.Process(pid) for pid in pids if pid is not None]


def test_many_commands_share_one_daemon_that_ends_with_the_last(
    layout: WorkspaceLayout, options: WorkspaceOptions
) -> None:
    """Guards the start race and the lease: five commands at once get the same servers, and none stays behind.

    Nor does any of them warn of the daemon that it started and that goes on without it.
    """
    commands = [attach_elsewhere(layout, options) for _ in range(5)]
    answers = {command.stdout.readline() for command in commands if command.stdout is not None}
    assert len(answers) == 1, answers
    assert "unix:///" in answers.pop()
    running = servers(layout)
    log = (layout.logs / "daemon.log").read_text()
    assert log.count("ready after") == 1
    for command in commands[:4]:
        _out, errors = command.communicate("\n", timeout=30)
        assert command.returncode == 0
        assert errors == "", "a command that leaves the daemon running behind has nothing to say about it"
    time.sleep(1.0)
    assert is_held(layout.run / DAEMON), "the daemon left while a command still used it"
    commands[4].kill()
    commands[4].communicate()
    assert wait_stopped(layout)
    assert not psutil.wait_procs(running, timeout=60)[1]


def test_an_engine_that_is_full_gives_way_and_no_client_notices(
    layout: WorkspaceLayout, options: WorkspaceOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a workspace that is up for weeks, and those who use it: rows of an open session come to their end.

    The first engine is full at once, so every later one is, too: each gives way as soon as nobody uses it.
    """
    options = replace(options, start_postgres=False, full_bytes=1)
    with Workspace.attach(layout, options) as workspace:
        requests.set_persistent(layout, True)
        for name, value in workspace.environment().items():
            monkeypatch.setenv(name, value)
        first = workspace.engine_address
        time.sleep(MEMORY_SECONDS + 1)
        assert workspace.engine_address == first, "it gave way under a command that uses it"
    try:
        with SqlClient.from_environment(catalog="shop") as client:
            assert client.query("select 1 as one") == [{"one": 1}]
            held = engine_of(layout)
            time.sleep(MEMORY_SECONDS + 1)
            assert engine_of(layout) == held, "it gave way under a session"
            assert client.query("select 1 as one") == [{"one": 1}]
        moved = wait_for(lambda: engine_of(layout) not in {None, held}, seconds=20)
        assert moved, "it did not give way"
        with SqlClient.from_environment(catalog="shop") as client:
            assert client.query("select 2 as two") == [{"two": 2}]
            assert wait_for(lambda: len(engines(layout)) == 1, seconds=20), "the former one stays"
        state = DaemonState.read(layout)
        assert state is not None
        assert (state.phase, state.engine_starts) == ("ready", 1), "nothing has died"
    finally:
        Workspace.down(layout, force=True)
    assert engines(layout) == []


def engine_of(layout: WorkspaceLayout) -> str | None:
    state = DaemonState.read(layout)
    return None if state is None else state.engine_address


def engines(layout: WorkspaceLayout) -> list[psutil.Process]:
    """The engines of a workspace."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if "local_workspace.engine.sail_server" in (process.info["cmdline"] or ())
        and process.info["cwd"] == str(layout.home)
    ]


def wait_for(holds: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_up_stays_and_down_stops(layout: WorkspaceLayout, options: WorkspaceOptions) -> None:
    """Guards `up`, `status`, `env` and `down`: what they promise, what they show, and that down is harmless twice."""
    assert Workspace.status(layout).phase == "stopped"
    assert not layout.home.exists(), "status made a folder"
    Workspace.up(layout, options)
    time.sleep(1.0)
    running = servers(layout)
    with Workspace.attach(layout, options) as workspace:
        assert workspace.persistent
        variables = workspace.environment()
        assert layout.local_path("/Volumes/shop/gold/files").is_dir()
        assert workspace.connect().sql("SELECT 1 AS one").collect()[0]["one"] == 1
        context = ssl.create_default_context(cafile=variables["ORDERS_WAREHOUSE_CA"])
        host, port = variables["ORDERS_WAREHOUSE_HOST"].split(":")
        with (
            socket.create_connection((host, int(port))) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            pass
        with pytest.raises(WorkspaceBusy, match="stops by itself"):
            Workspace.down(layout)
        assert not workspace.persistent
        Workspace.up(layout, options)
    connection = psycopg2.connect(
        host=variables["POSTGRES_HOST"],
        port=variables["POSTGRES_PORT"],
        dbname=variables["POSTGRES_DATABASE"],
        user=variables["POSTGRES_USER"],
        password=variables["POSTGRES_PASSWORD"],
        sslmode=variables["POSTGRES_SSLMODE"],
    )
    connection.close()

    status = Workspace.status(layout)
    assert (status.running, status.persistent, status.phase, status.anomalies) == (True, True, "ready", ())
    assert [server.pid for server in status.servers if server.name != "SQL warehouse"] == [
        p.pid for p in running
    ]
    assert status.tables == {"shop.gold": 0, "shop_prod.gold": 0}
    shown = status.render() + json.dumps(status.as_dict())
    for secret in (variables["ORDERS_WAREHOUSE_TOKEN"], variables["POSTGRES_PASSWORD"]):
        assert secret not in shown
        assert not any(secret in " ".join(process.cmdline()) for process in running)
        assert not any(secret in log.read_text(errors="replace") for log in layout.logs.iterdir())
    for file in layout.run.rglob("*"):
        if file.is_file():
            assert file.stat().st_mode & 0o077 == 0 or file.suffix == ".pem", file

    assert Workspace.down(layout) is True
    assert not psutil.wait_procs(running, timeout=60)[1]
    assert Workspace.down(layout) is False
    with Workspace.attach(layout, options) as workspace:
        assert workspace.environment()["ORDERS_WAREHOUSE_HOST"] == variables["ORDERS_WAREHOUSE_HOST"], (
            "the warehouse changed its port"
        )
        assert not workspace.persistent


@pytest.mark.parametrize("victim", ["daemon", "engine", "postgres"])
def test_the_next_command_works_after_a_kill(
    layout: WorkspaceLayout, options: WorkspaceOptions, victim: str
) -> None:
    """Guards `kill -9` of each process in a workspace that is up: no orphan, and the next attach has every server."""
    Workspace.up(layout, options)
    before = servers(layout)
    target = before[["daemon", "engine", "postgres"].index(victim)]
    os.kill(target.pid, signal.SIGKILL)
    psutil.wait_procs([target], timeout=60)
    with Workspace.attach(layout, options) as workspace:
        assert workspace.connect().range(3).count() == 3
        assert workspace.postgres is not None
        psycopg2.connect(workspace.postgres.uri()).close()
        after = servers(layout)
        assert len(after) == 3
        assert workspace.persistent, "a kill must not undo `up`"
    gone = before if victim == "daemon" else [target]
    assert not psutil.wait_procs(gone, timeout=60)[1]
    kept = [process.pid for process in before if process not in gone]
    assert set(kept) <= {process.pid for process in after}
    if victim == "engine":
        assert Workspace.status(layout).engine_restarts == 1
    assert Workspace.down(layout)
    assert not psutil.wait_procs(after, timeout=60)[1]


def test_an_engine_that_keeps_dying_ends_the_workspace_with_a_reason(
    layout: WorkspaceLayout, options: WorkspaceOptions
) -> None:
    """Guards the restart loop: it stops, the state says why, and a later command starts afresh."""
    with Workspace.attach(layout, replace(options, start_postgres=False)) as workspace:
        assert workspace.postgres is None
        deadline = time.monotonic() + 60
        while is_held(layout.run / DAEMON) and time.monotonic() < deadline:
            state = DaemonState.read(layout)
            if state is not None and state.engine_pid is not None and psutil.pid_exists(state.engine_pid):
                os.kill(state.engine_pid, signal.SIGKILL)
            time.sleep(0.1)
    state = DaemonState.read(layout)
    assert state is not None
    assert state.phase == "failed"
    assert "died 4 times" in str((state.error or {})["what"])
    with Workspace.attach(layout, replace(options, start_postgres=False)) as workspace:
        assert workspace.connect().range(3).count() == 3


def test_a_start_that_fails_is_one_sentence(layout: WorkspaceLayout, options: WorkspaceOptions) -> None:
    """Guards the way of an error from the daemon to the command: class, sentence, next step; and the repair is enough."""
    layout.create()
    layout.postgres.mkdir()
    data = data_folder(layout.home, server_account())
    data.mkdir()
    (data / "something").write_text("not a database")
    with pytest.raises(ConfigurationError, match="is not a data folder") as caught:
        Workspace.attach(layout, options)
    assert "\n" not in str(caught.value)
    assert caught.value.next_step is not None
    assert wait_stopped(layout)
    shutil.rmtree(data)
    with Workspace.attach(layout, options) as workspace:
        assert workspace.postgres is not None


def test_what_the_first_command_did_not_want_comes_later(
    layout: WorkspaceLayout, options: WorkspaceOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a running daemon against its first options: Postgres starts on demand, a missing catalog is named."""
    monkeypatch.setenv("POSTGRES_HOST", "db.example.org")
    with Workspace.attach(layout, options) as first:
        assert first.postgres is not None
        assert not first.postgres.embedded
        state = DaemonState.read(layout)
        assert state is not None
        assert state.postgres_pid is None, "an embedded server was started beside the named one"
        monkeypatch.delenv("POSTGRES_HOST")
        with Workspace.attach(
            layout, replace(options, schemas=("gold", "ops"), postgres_database="other")
        ) as second:
            assert second.postgres is not None
            psycopg2.connect(second.postgres.uri()).close()
            assert [info.schema for info in second.catalog.schemas("shop")] == ["gold", "ops"]
        with pytest.raises(WorkspaceBusy, match="orders down"):
            Workspace.attach(layout, replace(options, catalogs=("elsewhere",)))


def test_a_daemon_of_other_code_is_usable_and_named(
    layout: WorkspaceLayout, options: WorkspaceOptions
) -> None:
    """Guards an update of the project under a workspace that is up: commands still understand it, and the doctor says so."""
    options = replace(options, start_postgres=False)
    with Workspace.attach(layout, options):
        file = layout.run / "state.json"
        state = json.loads(file.read_text())
        del state["engine_starts"], state["warehouse"]["ca_bundle"]
        file.write_text(json.dumps({**state, "code": "older", "not_known_here": 1}))
        with Workspace.attach(layout, options) as workspace:
            assert workspace.warehouse.ca_bundle == workspace.warehouse.ca_file
            assert servers(layout)[0].pid == state["pid"]
        found = next(check for check in doctor(layout) if check.name == "workspace")
        assert (found.status, "other code" in found.what) == ("warn", True)


def test_deleting_the_folder_is_a_reset(layout: WorkspaceLayout, options: WorkspaceOptions) -> None:
    """Guards `rm -rf` of a workspace that is up: its processes end, nothing of it comes back, and a new one can start."""
    Workspace.up(layout, options)
    running = servers(layout)
    while layout.home.exists():
        shutil.rmtree(layout.home, ignore_errors=True)
    assert not psutil.wait_procs(running, timeout=60)[1]
    assert not layout.home.exists()
    with Workspace.attach(layout, options) as workspace:
        assert workspace.connect().range(1).count() == 1
        assert not workspace.persistent


def test_a_late_client_waits_for_the_end(tmp_path: Path) -> None:
    """Guards the lease: while a daemon that is ending holds it, a client gets no share; afterwards it does."""
    ending, client = FileLock(tmp_path / LEASE), FileLock(tmp_path / LEASE)
    assert ending.take()
    assert not client.take(shared=True, seconds=0.1)
    ending.release()
    assert client.take(shared=True)
    other = FileLock(tmp_path / LEASE)
    assert other.take(shared=True)
    assert not ending.take()
    client.release()
    other.release()
    assert ending.take()
    (tmp_path / LEASE).unlink()
    assert not ending.still_there()
    ending.release()
