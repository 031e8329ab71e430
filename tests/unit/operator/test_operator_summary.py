"""Guards the commands that a run ends with: each can be pasted into the shell that it was printed in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orders.cli.summary import _as_typed

PROJECT = Path(__file__).resolve().parents[3]


def test_a_shell_without_the_environment_gets_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the first minute, right after `make run`: nobody has activated `.venv` yet."""
    program = tmp_path / "a clone" / ".venv" / "bin" / "orders"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    monkeypatch.chdir(tmp_path / "a clone")
    monkeypatch.setenv("PATH", "/usr/bin")
    assert _as_typed('orders sql "select 1"') == '.venv/bin/orders sql "select 1"'
    monkeypatch.chdir(tmp_path)
    assert _as_typed("orders up") == "'a clone/.venv/bin/orders' up"
    monkeypatch.setenv("PATH", str(program.parent))
    assert _as_typed("orders up") == "orders up"
