"""Guards tables against two dbt commands at once, which doubled the open periods of a snapshot."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlt_ingest.errors import BusyError
from orders.cli import dbt
from orders.cli.one_dbt import alone


def test_a_second_dbt_that_writes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards `orders build` and `orders run` side by side; a command that only reads goes on, and so does the next one."""
    workspace = SimpleNamespace(layout=SimpleNamespace(run=tmp_path))
    project = SimpleNamespace(workspace=lambda: nullcontext(workspace))
    monkeypatch.setattr(dbt, "Project", SimpleNamespace(find=lambda: project))
    with alone(tmp_path, "build"):
        with pytest.raises(BusyError, match=r"Another dbt command is running .*got process \d+"):
            dbt.call_dbt(["build", "-s", "fct_orders"])
        with pytest.raises(BusyError):
            dbt.run_quietly(workspace, ["snapshot"], environment={}, root=tmp_path, log=tmp_path / "log")  # type: ignore[arg-type]
        with alone(tmp_path, "docs"):
            pass
    with alone(tmp_path, "retry"):
        pass
