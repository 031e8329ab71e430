"""Guards what both halves stand on: files that are whole or unchanged, and locks that end with their holder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.file_locks import FileLock, is_held, is_used
from foundation.whole_files import write_whole


def test_a_file_is_replaced_with_the_permissions_asked_for(tmp_path: Path) -> None:
    """Guards secrets: the new file is its owner's alone, whatever the former one was."""
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o644)
    write_whole(path, "new\n", mode=0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new\n", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a full disk."""
    path = tmp_path / "state.json"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new", durable=True)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("state.json", "old")]


def test_what_a_killed_writer_left_under_a_given_name_is_no_hindrance(tmp_path: Path) -> None:
    """Guards the run after a kill: the longer leftover does not show through."""
    (tmp_path / "x.part").write_text("a longer text of a killed writer")
    write_whole(tmp_path / "x", "short", aside="x.part")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("x", "short")]


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """Guards against a lock that outlives a killed process."""
    file = tmp_path / "lock"
    assert not is_held(file)
    code = "import sys, time; from pathlib import Path; from foundation.file_locks import FileLock\n"
    code += "lock = FileLock(Path(sys.argv[1])); print(lock.take(), flush=True); time.sleep(60)"
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, cwd=root
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert (is_held(file), FileLock(file).take(), FileLock(file).take(shared=True)) == (
            True,
            False,
            False,
        )
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    assert FileLock(file).take(seconds=10)


def test_shared_holders_keep_out_only_who_wants_it_alone(tmp_path: Path) -> None:
    """Guards leases: any number of clients, and a daemon that ends only without them."""
    file = tmp_path / "lease"
    first, second = FileLock(file), FileLock(file)
    assert first.take(shared=True)
    assert second.take(shared=True)
    assert (is_held(file), is_used(file)) == (False, True)
    first.release()
    second.release()
    assert (is_held(file), is_used(file)) == (False, False)


def test_only_an_optional_lock_goes_without_a_file_system_that_has_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards volumes of Databricks, and everybody else against a lock that is none."""

    def unknown(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", unknown)
    assert FileLock(tmp_path, optional=True).take()
    with pytest.raises(OSError, match="not supported"):
        FileLock(tmp_path).take()
