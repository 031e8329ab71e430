"""Guards that the committed notebooks are small, without results, and run on Databricks as they are."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
# What every Databricks runtime has, and the project itself.
PACKAGES = {"pyspark", "pandas", "plotly", "dlt_ingest"}
# The joint to the local workspace: not there on Databricks.
LOCAL_ONLY = ("local_workspace", "orders.cli")


def cells(path: Path, kind: str) -> list[str]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == kind]


def test_both_notebooks_are_there():
    """Guards the parametrised tests below against looking at nothing."""
    assert [path.name for path in NOTEBOOKS] == ["data_exploration.ipynb", "pipeline_testing.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_committed(path):
    """Guards against customers' data in the repository, and against diffs that nobody can read."""
    document = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []
    assert path.stat().st_size < 20_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_what_databricks_has(path):
    """Guards that a notebook runs unchanged on Databricks: packages, paths and names that are there."""
    source = "\n\n".join(cells(path, "code"))
    tree = ast.parse(source)
    modules = [
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    assert modules
    strange = [
        m
        for m in modules
        if m.split(".")[0] not in PACKAGES and m.split(".")[0] not in sys.stdlib_module_names
    ]
    assert strange == []
    assert [m for m in modules if m.startswith(LOCAL_ONLY)] == []
    assert [
        word
        for word in ("ecommerce_local", ".workspace", "ORDERS_HOME", "file:", "localhost")
        if word in source
    ] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_reads_only(path):
    """Guards that looking changes nothing: no notebook writes a table."""
    source = "\n".join(cells(path, "code")).lower()
    assert [
        w
        for w in (".write", "insert ", "merge ", "delete from", "create ", "drop ", "update ")
        if w in source
    ] == []
