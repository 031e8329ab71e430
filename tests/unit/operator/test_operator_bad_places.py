"""Guards whoever names a bad place, or runs out of room: one sentence with the next step, no fault of the program."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlt_ingest.errors import InputError
from orders.cli.main import main
from orders.cli.outputs import usable_folder, write_output
from orders.cli.project import Project
from orders.cli.system_errors import system_error_text

PROJECT = Path(__file__).resolve().parents[3]


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `orders` as a process of its own: how it ends, and what is left in its buffers, is what is tested."""
    return subprocess.run(
        [sys.executable, "-m", "orders.cli.main", *arguments],
        check=False,
        timeout=60,
        **{"text": True, "capture_output": True, "cwd": PROJECT, **options},  # type: ignore[call-overload]
    )


@pytest.fixture
def bad_places(tmp_path: Path) -> list[Path]:
    """A folder below a file, one in a file system that takes none, a name that is too long, a loop of links."""
    file = tmp_path / "file"
    file.write_text("")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    return [file / "below", Path("/proc/none"), tmp_path / ("a" * 300), loop / "below"]


def test_a_folder_is_tried_before_the_work(bad_places: list[Path], tmp_path: Path) -> None:
    """Guards the minutes before the writing: a folder that cannot be written is refused at once."""
    for place in bad_places:
        with pytest.raises(InputError, match="--out cannot be written"):
            usable_folder(place, "--out")
    assert usable_folder(tmp_path / "a" / "b", "--out").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_file_that_cannot_be_written(bad_places: list[Path]) -> None:
    """Guards --out of a file in the same way."""
    for place in bad_places:
        with pytest.raises(InputError, match="Name another place"):
            write_output(place / "report.json", "{}", "--out")


def test_a_device_is_written_not_replaced(tmp_path: Path) -> None:
    """Guards /dev/stdout, /dev/full and pipes, which a rename would turn into files."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_output(pipe, "report", "--out")
        assert os.read(reader, 100) == b"report"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(InputError, match="No space left on device"):
        write_output(Path("/dev/full"), "report", "--out")
    assert Path("/dev/full").is_char_device()


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Guards a report that is linked elsewhere: the file behind the link is replaced, the link stays."""
    behind, link = tmp_path / "behind.json", tmp_path / "link.json"
    behind.write_text("old")
    link.symlink_to(behind)
    write_output(link, "new", "--out")
    assert link.is_symlink()
    assert behind.read_text() == "new"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "no room left to write (/data/x)"),
        (OSError("Generic LocalFileSystem error: No space left on device (os error 28)"), "Free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), "(/root/x): Permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/a/b"), "This path cannot be used (/a/b)"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), "ulimit -n"),
        (OSError(errno.EIO, "Input/output error", "/a"), "The operating system refused (/a)"),
    ],
)
def test_the_operating_system_in_words(error: Exception, said: str) -> None:
    """Guards the kind: whatever the system refuses, wherever, is told with its place and the next step."""
    assert said in (system_error_text(error) or "")


def test_a_fault_of_ours_stays_one() -> None:
    """Guards the other side: an error without a place in it is not blamed on the machine."""
    assert system_error_text(ValueError("x")) is None
    assert system_error_text(OSError("x")) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_full_disk_behind_standard_output() -> None:
    """Guards `orders … > file` on a full disk: exit code 1 and one sentence, not success without the rows."""
    with Path("/dev/full").open("w") as full:
        done = run("config", "validate", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no room left to write.")
    assert len(done.stderr.splitlines()) == 1


def test_standard_streams_that_are_closed() -> None:
    """Guards a caller that closed them: no stack trace, and no file takes a stream's number."""
    command = ["sh", "-c", '"$0" -m orders.cli.main quality list >&- <&-', sys.executable]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_of_no_width_gets_everything() -> None:
    """Guards editors and containers that set COLUMNS to 0, with which nothing was printed."""
    assert "price_positive" in run("quality", "list", env={**os.environ, "COLUMNS": "0"}).stdout


def test_workspace_below_a_file(tmp_path: Path) -> None:
    """Guards ORDERS_HOME that cannot be a folder, for a command that writes without a workspace."""
    (tmp_path / "file").write_text("")
    done = run("generate", env={**os.environ, "ORDERS_HOME": str(tmp_path / "file" / "home")})
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The workspace folder cannot be created or written (got ")
    assert str(tmp_path / "file" / "home") in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", ["run", "sql select_1", "down", "status", "check", "quarantine list", "env"]
)
def test_an_unknown_environment_is_named_first(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards ORDERS_ENV=qa: every command says that there is no qa, before anything starts."""
    monkeypatch.setenv("ORDERS_ENV", "qa")
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert "There is no such environment (got qa; allowed: local, dev, staging, prod)" in printed
    assert "Starting" not in printed


def test_the_current_folder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards a terminal that is in a deleted folder."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InputError, match="The current folder no longer exists"):
        Project.find()


def test_a_statement_that_is_no_text() -> None:
    """Guards `orders sql - < file` with a file in another encoding."""
    done = run("sql", "-", text=None, input=b"select '\xff'")
    assert done.returncode == 2
    assert b"not UTF-8 (got byte 0xff at position 8)" in done.stderr  # type: ignore[operator]
