"""Guards the fork server, by a program of a few lines: a command is as a process of its own would be, and leaves nothing."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from foundation.file_locks import FileLock
from local_workspace.daemon.locks import DAEMON
from local_workspace.errors import EngineError
from local_workspace.fork_server import ForkServer, NoForkServerError
from local_workspace.fork_server import address as addresses
from local_workspace.layout import WorkspaceLayout

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="fork servers are for Linux only"
)

PROGRAM = """
import json, os, signal, sys, time

LOADED_IN = os.getpid()
CALLS = []

def main():
    CALLS.append(1)
    what = sys.argv[1]
    if what == "say":
        print(json.dumps({
            "arguments": sys.argv, "folder": os.getcwd(), "secret": os.environ.get("SECRET"), "calls": len(CALLS),
            "variables": sorted(os.environ), "loaded_in": LOADED_IN, "process": os.getpid(), "parent": os.getppid(),
            "package": sys.modules["__main__"].__package__,
        }))
        print("to standard error", file=sys.stderr)
    elif what == "fail":
        sys.exit(3)
    elif what == "raise":
        raise ValueError("for a reason")
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "wait":
        try:
            # Within the try: the interrupt may come as soon as the word is out.
            print("waiting", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted")
            return 130
    elif what == "meet":
        # Two at a time: each waits for the other's file.
        mine, other = sys.argv[2:]
        open(mine, "w").close()
        while not os.path.exists(other):
            time.sleep(0.01)
"""


class _Program:
    """The program's fork server, in a folder whose daemon is played by a lock."""

    def __init__(self, home: Path) -> None:
        self.layout = WorkspaceLayout(home)
        self.layout.create()
        self.daemon = FileLock(self.layout.run / DAEMON)
        assert self.daemon.take()
        self.server = ForkServer(
            self.layout, name="program", modules=["program_under_test"], entry="program_under_test:main"
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed."""
        readable, writable = os.pipe()
        try:
            command = self.server.run(
                arguments, folder=self.layout.home, environment=variables, output=writable
            )
        finally:
            os.close(writable)
        with os.fdopen(readable) as lines:
            text = lines.read()
        return command.wait(), text


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Program]:
    code = tmp_path_factory.mktemp("code")
    (code / "program_under_test.py").write_text(PROGRAM)
    # Deep: a path to a socket may have 107 bytes only.
    home = tmp_path_factory.mktemp("home") / ("d" * 60) / ("e" * 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(code), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("SECRET", "of the one who started the server")
        program = _Program(home)
        program.server.start()
        yield program
        process = psutil.Process(program.server._started.pid)
        program.daemon.release()
        process.wait(10)
        assert not program.server.is_running


def _say(program: _Program, *arguments: str, **variables: str) -> dict[str, object]:
    import json

    code, text = program.run("say", *arguments, **variables)
    assert code == 0, text
    said, error = text.splitlines()
    assert error == "to standard error"
    return json.loads(said)


def test_command_is_the_program_with_the_environment_of_who_asked(program: _Program) -> None:
    """Guards folder, arguments, variables; and that no secret or state of a command is in the next, or in the server."""
    first = _say(program, "a", "b c", SECRET="one", OTHER="x")
    assert first["arguments"] == ["program", "say", "a", "b c"]
    assert first["package"] is None, "click would show the server's name in a usage error"
    assert first["folder"] == str(program.layout.home)
    assert first["variables"] == ["OTHER", "SECRET"]
    second = _say(program)
    assert second["secret"] is None
    assert first["calls"] == second["calls"] == 1
    assert first["loaded_in"] == second["loaded_in"] == first["parent"] != first["process"]
    assert "SECRET" not in psutil.Process(int(str(first["parent"]))).environ()


def test_command_ends_as_a_process_would(program: _Program) -> None:
    """Guards exit codes, and that a program that dies is told from one that ended well."""
    assert program.run("fail") == (3, "")
    code, text = program.run("raise")
    assert code == 1
    assert text.startswith("Traceback")
    assert text.endswith("ValueError: for a reason\n")
    with pytest.raises(EngineError, match="program die was killed while it ran"):
        program.run("die")
    assert program.run("fail") == (3, "")


def _start_waiting(program: _Program) -> tuple[object, int]:
    readable, writable = os.pipe()
    command = program.server.run(["wait"], folder=program.layout.home, environment={}, output=writable)
    os.close(writable)
    assert os.read(readable, 100) == b"waiting\n"
    return command, readable


def test_ctrl_c_reaches_the_command(program: _Program) -> None:
    """Guards the interrupt: the program ends in its own way, with its own words and exit code."""
    command, readable = _start_waiting(program)
    command.interrupt()
    assert os.read(readable, 100) == b"interrupted\n"
    os.close(readable)
    assert command.wait() == 130


def test_command_of_a_client_that_was_killed_ends(program: _Program) -> None:
    """Guards against a build that goes on with nobody to see it, beside the next one."""
    command, readable = _start_waiting(program)
    command._connection.close()
    assert os.read(readable, 100) == b"interrupted\n"
    assert os.read(readable, 100) == b""  # its end
    os.close(readable)


def test_two_commands_run_at_a_time(program: _Program, tmp_path: Path) -> None:
    """Guards against a queue: a second build must not wait for the first, as processes do not."""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    commands = [
        program.server.run(["meet", *files], folder=tmp_path, environment={})
        for files in ((one, two), (two, one))
    ]
    assert [command.wait() for command in commands] == [0, 0]


def test_other_packages_need_another_server(
    program: _Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Guards upgrades: a server that has imported what is no longer installed runs nothing."""
    from local_workspace.fork_server import client

    real = addresses.installed_mark()
    monkeypatch.setattr(client, "installed_mark", lambda: real + "another package")
    with pytest.raises(NoForkServerError):
        program.run("fail")
    monkeypatch.undo()
    assert program.run("fail") == (3, "")
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = addresses.installed_mark()
    assert before != real
    (folder / "installed").mkdir()
    os.utime(folder, ns=(1, time.time_ns() + 10**9))
    assert addresses.installed_mark() != before


def test_without_a_server_nothing_is_done(tmp_path: Path) -> None:
    """Guards the way back to a plain process: at once, and also after a server was killed."""
    program = _Program(tmp_path)
    with pytest.raises(NoForkServerError):
        program.run("fail")
    server = program.server
    server.modules = ("this",)  # the standard library's
    server.entry = "this:nothing"
    server.start()
    process = server._started
    while not server.is_running:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(NoForkServerError):
        program.run("fail")
