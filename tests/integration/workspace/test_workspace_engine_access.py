"""Who may use the engine, and that one statement does not keep it from all others."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from pyspark.errors import PySparkException

from local_workspace.engine import EngineHandle, connect
from local_workspace.engine.gate import Gate
from local_workspace.engine.port_lock import PortLock, PortUsed
from local_workspace.errors import ConfigurationError
from local_workspace.layout import WorkspaceLayout
from local_workspace.runtime_folder import runtime_folder

CONNECT = """
import os, socket, sys
if sys.argv[1] != "-1":
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))
for family, address in ((socket.AF_INET, ("127.0.0.1", int(sys.argv[3]))), (socket.AF_UNIX, sys.argv[4])):
    client = socket.socket(family); client.settimeout(1.5)
    try:
        client.connect(address)
        print("open")
    except OSError as error:
        print(type(error).__name__)
"""


def ports_of(pid: int) -> list[int]:
    """The TCP ports on which a process listens."""
    return [
        c.laddr.port for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN
    ]


def try_to_connect(engine: EngineHandle, account: pwd.struct_passwd | None) -> list[str]:
    """What another process gets at the engine's port and at its socket."""
    (port,) = ports_of(engine.pid)
    who = ["-1", "-1"] if account is None else [str(account.pw_uid), str(account.pw_gid)]
    arguments = [sys.executable, "-c", CONNECT, *who, str(port), engine.address.removeprefix("unix://")]
    return subprocess.run(arguments, capture_output=True, text=True, check=True, cwd="/").stdout.split()


def test_the_port_takes_nobody_and_the_socket_its_owner(engine: EngineHandle) -> None:
    """Guards every file of the owner: the engine reads what it is asked to, and its port asks for no token."""
    assert try_to_connect(engine, None) == ["TimeoutError", "open"]
    file = Path(engine.address.removeprefix("unix://"))
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_gets_neither(engine: EngineHandle) -> None:
    """Guards the same against another user of the machine."""
    assert try_to_connect(engine, pwd.getpwnam("nobody")) == ["TimeoutError", "PermissionError"]


def test_a_connection_before_the_lock_is_noticed() -> None:
    """Guards the moment between listening and closing: who came then is found, and nobody comes after."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        early = socket.create_connection(server.getsockname())
        with pytest.raises(PortUsed):
            PortLock(*server.getsockname())
        early.close()
        with pytest.raises(TimeoutError):
            socket.create_connection(server.getsockname(), timeout=1)


def test_what_passes_the_gate_is_whole(tmp_path: Path) -> None:
    """Guards the bytes: both directions, more than a piece, and the end of one side is the end of the other."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        lock = PortLock(*server.getsockname())
        Gate(tmp_path / "gate.sock", lock.connect).start()
        sent = os.urandom(3_000_001)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "gate.sock"))
            inside, _ = server.accept()
            for source, target in ((client, inside), (inside, client)):
                writer = threading.Thread(target=source.sendall, args=(sent,))
                writer.start()
                got = bytearray()
                while len(got) < len(sent):
                    got += target.recv(1_000_000)
                writer.join()
                assert bytes(got) == sent
        inside.settimeout(5)
        assert inside.recv(1) == b""
        inside.close()
        lock.close()


def test_a_place_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the folder of the socket: whoever made it first could read along."""
    squatted = tmp_path / f"local-workspace-{os.geteuid()}"
    squatted.symlink_to(tmp_path)
    monkeypatch.setattr("local_workspace.runtime_folder._base", lambda: squatted)
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        runtime_folder(tmp_path / "home")


def test_a_heavy_statement_holds_nobody_up(engine: EngineHandle, tmp_path: Path) -> None:
    """Guards all other sessions: while statements compute for minutes, a small one takes seconds."""
    heavy = [connect(engine.address) for _ in range(2)]
    small = connect(engine.address)

    def run(number: int) -> None:
        try:
            heavy[number].sql(
                "SELECT count(*) FROM range(3000000) a JOIN range(3000000) b ON a.id % 1000 = b.id % 1000"
            ).collect()
        except (PySparkException, AssertionError):
            return  # interrupted; the client asserts a result that an interrupted statement does not have

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    began = time.monotonic()
    for number in range(3):
        location = tmp_path / f"t{number}"
        small.sql(f"CREATE TABLE small_{number} USING delta LOCATION '{location}' AS SELECT {number} AS n")
        assert small.table(f"small_{number}").count() == 1
    took = time.monotonic() - began
    assert all(thread.is_alive() for thread in threads), "the statements were not heavy enough"
    for session in heavy:
        session.interruptAll()
    for thread in threads:
        thread.join()
    assert took < 20, f"three small statements took {took:.0f} s"


def test_a_workspace_is_closed_from_the_start(tmp_path: Path) -> None:
    """Guards against a look inside by others, also for a workspace that an earlier version made open."""
    home = tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "statements.jsonl").write_text("{}")
    for path in (home, home / "logs", home / "logs" / "statements.jsonl"):
        path.chmod(0o755)
    before = os.umask(0)
    try:
        layout = WorkspaceLayout(home).create()
    finally:
        os.umask(before)
    found = [path for path in (home, *home.rglob("*")) if path.stat().st_mode & 0o077]
    assert found == []
    assert layout.run.is_dir()
