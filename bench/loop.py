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
            built = Counter[str]()
            for name in ("first batch", "second batch", "third batch", "nothing new"):
                if name != "nothing new":
                    orders("generate", "--end", "1", "--batch-size", "100")
                log = layout.logs / "statements.jsonl"
                begin = log.stat().st_size if log.exists() else 0
                seconds, case = orders("run")
                statements = _statements_of_the_last_dbt(log, begin)
                note = f"{case.note}; {statements.total()} statements for {len(statements)} nodes"
                cases.append(Case(name, seconds, seconds / (cases[0].seconds if cases else seconds), note))
                built = statements or built
            print("\nMost statements of one node in the last build:")
            for node, count in built.most_common(5):
                print(f"  {count:4} {node}")
        finally:
            Workspace.down(layout, force=True)
    return cases


def _statements_of_the_last_dbt(log: Path, begin: int) -> Counter[str]:
    """Count statements of the latest dbt invocation by node, or by connection for what belongs to no node.

    Args:
        log: The statement log.
        begin: Where the run begins in it, in bytes; one that builds nothing has no statement of dbt.
    """
    latest, counts = "", Counter[str]()
    for line in log.read_bytes()[begin:].decode().splitlines():
        comment = _COMMENT.match(json.loads(line)["statement"])
        if comment is None:
            continue
        header = json.loads(comment[1])
        if header["invocation_id"] != latest:
            latest, counts = header["invocation_id"], Counter()
        counts[header.get("node_id") or header["connection_name"]] += 1
    return counts
