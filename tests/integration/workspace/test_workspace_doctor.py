"""The doctor finds what hinders a workspace, and changes nothing while it looks."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_workspace.daemon.state import FAILED, DaemonState
from local_workspace.doctor import Check, doctor
from local_workspace.errors import EngineError
from local_workspace.layout import WorkspaceLayout
from local_workspace.ports import free_port
from local_workspace.postgres import PostgresServer


def find(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_this_environment_is_healthy(layout: WorkspaceLayout) -> None:
    """Guards the tests' own environment: Apache's pyspark, no other dlt, all packages; and that looking makes nothing."""
    checks = doctor(layout, environment={})
    assert [check for check in checks if check.status == "fail"] == []
    for name in ("packages", "pyspark", "dlt", "ports", "java", "folder", "leftovers"):
        assert find(checks, name).status == "ok", find(checks, name)
    assert not layout.home.exists()
    assert all(check.next_step for check in checks if check.status != "ok")
    assert set(checks[0].as_dict()) == {"name", "status", "what", "next_step"}


def test_what_is_wrong_is_named(
    layout: WorkspaceLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards each finding that a test can bring about: pins, variables, a dead POSTGRES_HOST, no disk, no folder."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("# pins\nclick==0.0.1\nno-such-package==1.0\nother==1 ; python_version < '3'\n")
    environment = {"SPARK_REMOTE": "sc://x", "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(free_port())}
    checks = doctor(layout, environment=environment, lock_file=lock)
    assert find(checks, "packages").status == "fail"
    assert "no-such-package" in find(checks, "packages").what
    lock.write_text("click==0.0.1\n")
    assert "instead of 0.0.1" in find(doctor(layout, environment={}, lock_file=lock), "packages").what
    assert (find(checks, "variables").status, find(checks, "postgres").status) == ("warn", "fail")

    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    (tmp_path / "file").write_text("")
    checks = doctor(WorkspaceLayout(tmp_path / "file"), environment={})
    assert (find(checks, "disk").status, find(checks, "folder").status) == ("fail", "fail")


def test_databricks_connect_is_found(layout: WorkspaceLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the trap that breaks everything: databricks-connect beside pyspark is a failure with the way out."""
    version = importlib.metadata.version

    def with_connect(name: str) -> str:
        return "17.0" if name == "databricks-connect" else version(name)

    monkeypatch.setattr("importlib.metadata.version", with_connect)
    check = find(doctor(layout, environment={}), "pyspark")
    assert check.status == "fail"
    assert "databricks-connect 17.0" in check.what


def test_failures_and_leftovers_are_shown(layout: WorkspaceLayout) -> None:
    """Guards what a crash leaves: the last error is repeated, and a forgotten server is found by its folder."""
    layout.create()
    error = EngineError("The engine died", next_step="Look at the log")
    DaemonState(pid=1, started_at="", phase=FAILED, error=error.to_dict()).write(layout)
    code = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from local_workspace.engine import SailEngine\n"
        "from local_workspace.layout import WorkspaceLayout\n"
        "handle = SailEngine.start(WorkspaceLayout(Path(sys.argv[1])))\n"
        "print(handle.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(layout.home)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    engine_pid = int(owner.stdout.readline())
    with PostgresServer(layout) as server:
        checks = doctor(layout, environment=dict(os.environ))
        assert (find(checks, "workspace").status, find(checks, "workspace").next_step) == (
            "warn",
            "Look at the log",
        )
        leftovers = find(checks, "leftovers")
        assert leftovers.status == "warn"
        assert f"Postgres (process {server.pid})" in leftovers.what
        assert f"engine (process {engine_pid})" in leftovers.what
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 60
    while find(doctor(layout, environment={}), "leftovers").status != "ok" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert find(doctor(layout, environment={}), "leftovers").status == "ok"
