"""`kill -9` between the catalog and the files: whoever looks next finds each table whole or gone, never half."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from local_workspace.catalog import Catalog, TableName
from local_workspace.layout import WorkspaceLayout

# Kills its own process at the n-th step that changes something on disk: a commit, a rename or a delete.
KILLED = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from local_workspace.catalog import Catalog, TableName, store
from local_workspace.layout import WorkspaceLayout

home, step, action = sys.argv[1], int(sys.argv[2]), sys.argv[3]
catalog = Catalog.open(WorkspaceLayout(Path(home)))
count = 0

def dies_before(function):
    def run(*args, **kwargs):
        global count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return run

class Connection(sqlite3.Connection):
    def execute(self, sql, *args):
        run = super().execute
        return (dies_before(run) if sql == "COMMIT" else run)(sql, *args)

catalog.close()
connect = sqlite3.connect
sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Connection, **kwargs)
Path.rename = dies_before(Path.rename)
shutil.rmtree = dies_before(shutil.rmtree)
name = TableName("shop", "gold", "orders")
if action == "drop":
    catalog.drop(name)
elif action == "rename":
    catalog.rename(name, TableName("shop", "gold", "orders_new"))
else:
    catalog.drop_schema("shop", "gold", cascade=True)
print("finished after", count)
"""


def _run(home: Path, step: int, action: str) -> bool:
    """Run the action, killed at one step; return whether there was that step."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(home), str(step), action],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("action", ["drop", "rename", "drop_schema"])
def test_killed_at_every_step(tmp_path: Path, action: str) -> None:
    """Guards that a drop or rename killed before any commit, rename or delete is finished or undone by the next process.

    The next process must also be able to make a table of the old name at once, with its own rows only.
    """
    old, new = TableName("shop", "gold", "orders"), TableName("shop", "gold", "orders_new")
    step, killed = 0, True
    while killed:
        step += 1
        layout = WorkspaceLayout(tmp_path / str(step))
        catalog = Catalog.open(layout)
        catalog.create_catalog("shop")
        catalog.create_schema("shop", "gold")
        location = layout.table_path(*old.key)
        write_deltalake(location, pa.table({"a": [1, 2, 3]}))
        catalog.put_table(old, kind="TABLE", location=location, comment="kept")
        killed = _run(layout.home, step, action)

        found = [table for table in (catalog.get(old), catalog.get(new)) if table is not None]
        assert len(found) <= 1, (step, found)
        for table in found:
            assert table.location is not None
            assert DeltaTable(table.location).to_pyarrow_table().num_rows == 3, step
            assert table.comment == "kept"
        if action == "rename":
            assert len(found) == 1, step
        if not killed:
            assert [table.name for table in found] == ([new] if action == "rename" else [])
        catalog.close()

        again = Catalog.open(layout)  # a new process begins by finishing what is open
        assert again.rescan() == [], step
        again.create_schema("shop", "gold", if_not_exists=True)
        for table in found:
            again.drop(table.name)
        write_deltalake(location, pa.table({"a": [9]}), mode="append")
        again.put_table(old, kind="TABLE", location=location)
        assert DeltaTable(location).to_pyarrow_table().to_pydict() == {"a": [9]}, step
        assert again.rescan() == [], step
        again.close()
    assert step >= 4, "the action was never killed at its interesting steps"
