"""The loop of a user: a batch of 100 orders from landing to Postgres, with every data test, by `orders run`."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.case import Case
from bench.processes import measured
from local_workspace.layout import WorkspaceLayout
from local_workspace.workspace import Workspace
from orders.cli.project import Project

_COMMENT = re.compile(r"/\* (\{.*?\}) \*/")
_ORDERS = (sys.executable, "-m", "orders.cli.main")


def main() -> list[Case]:
    """Give the first run of a new workspace that is up, two more batches, and a run with nothing new."""
    cases: list[Case] = []
    project = Project.find()
    with tempfile.TemporaryDirectory(prefix="bench-loop-") as folder:
        home = Path(folder) / "workspace"
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("DBT_", "POSTGRES_"))
            },
            "ORDERS_HOME": str(home),
        }

        def orders(*arguments: str) -> tuple[float, Case]:
            began = time.perf_counter()
            cost = measured([*_ORDERS, *arguments], home=home, environment=environment, folder=project.root)
            seconds = time.perf_counter() - began
            by_role = ", ".join(
                f"{role} {cpu:.1f}"
                for role, cpu in sorted(cost.cpu_seconds.items(), key=lambda item: -item[1])
            )
            note = (
                f"CPU {sum(cost.cpu_seconds.values()):.1f} s ({by_role}); peak {cost.peak_bytes / 1e6:.0f} MB"
            )
            return seconds, Case(" ".join(arguments), seconds, 1.0, note)

        layout = WorkspaceLayout(home)
        try:
            orders("up")
            for name in ("first batch", "second batch", "third batch", "nothing new"):
                if name != "nothing new":
                    orders("generate", "--end", "1", "--batch-size", "100")
                seconds, case = orders("run")
                statements = _statements_of_the_last_dbt(layout.logs / "statements.jsonl")
                note = f"{case.note}; {statements.total()} statements for {len(statements)} nodes"
                cases.append(Case(name, seconds, seconds / (cases[0].seconds if cases else seconds), note))
            print("\nMost statements of one node in the last run:")
            for node, count in statements.most_common(5):
                print(f"  {count:4} {node}")
        finally:
            Workspace.down(layout, force=True)
    return cases


def _statements_of_the_last_dbt(log: Path) -> Counter[str]:
    """Statements by node (or by connection, for what belongs to no node) of the latest dbt invocation in a statement log."""
    latest, counts = "", Counter[str]()
    for line in log.read_text(encoding="utf-8").splitlines():
        comment = _COMMENT.match(json.loads(line)["statement"])
        if comment is None:
            continue
        header = json.loads(comment[1])
        if header["invocation_id"] != latest:
            latest, counts = header["invocation_id"], Counter()
        counts[header.get("node_id") or header["connection_name"]] += 1
    return counts
