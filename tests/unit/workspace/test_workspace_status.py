"""What `orders status` finds worth a look beside the catalog."""

from __future__ import annotations

from pathlib import Path

from local_workspace.status import ServerStatus, WorkspaceStatus, grown


def test_an_engine_that_has_grown_is_named_with_the_way_out() -> None:
    """Guards a workspace that is up for days: its engine keeps memory of every statement, and only a restart frees it."""
    engine = ServerStatus("engine (Sail)", 7, "sc://127.0.0.1:1", 3_210_000_000)
    assert (
        grown(
            [
                ServerStatus("engine (Sail)", 7, None, 600_000_000),
                ServerStatus("daemon", 6, None, 9_000_000_000),
            ]
        )
        == []
    )
    assert grown([ServerStatus("engine (Sail)", None, None, None)]) == []
    [anomaly] = grown([engine])
    shown = WorkspaceStatus(
        Path("home"), True, True, "ready", servers=(engine,), anomalies=(anomaly,)
    ).render()
    assert "3,210 MB" in shown.splitlines()[-1]
    assert "orders down, orders up" in shown.splitlines()[-1]
