"""Guards that the notebooks run from the first to the last cell, and that a broken one says so."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def executed(built_workspace, tmp_path_factory):
    """Copies of both notebooks with their outputs, made by `orders notebook`."""
    folder = tmp_path_factory.mktemp("notebooks")
    done = built_workspace.run("notebook", "--out", str(folder))
    assert "TCP" not in done.stdout + done.stderr
    return folder


def outputs(folder, name: str) -> list[dict]:
    document = json.loads((folder / name).read_text(encoding="utf-8"))
    return [output for cell in document["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]


def test_exploration_shows_tables_and_a_figure(executed):
    """Guards the exploration's use: it ends with tables and a chart, not with silence."""
    kinds = [
        kind for output in outputs(executed, "data_exploration.ipynb") for kind in output.get("data", {})
    ]
    assert kinds.count("text/html") >= 5
    assert "application/vnd.plotly.v1+json" in kinds


def test_pipeline_laws_hold(executed):
    """Guards that each law was asked, of rows that are there."""
    text = "".join("".join(output.get("text", "")) for output in outputs(executed, "pipeline_testing.ipynb"))
    for finding in ("built-in rows judged", "7,119 records: none lost", "in its latest state", "in both"):
        assert finding in text


def test_a_failing_cell_fails_the_command(built_workspace, tmp_path):
    """Guards CI: a broken law ends with exit code 1, the error's own words, and the copy to look at."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {
        "cells": [{**cell, "source": "assert spark.range(3).count() == 4, 'three is not four'"}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    done = built_workspace.run("notebook", str(path), "--out", str(tmp_path / "out"), check=False)
    assert done.returncode == 1
    assert "AssertionError: three is not four" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "broken.ipynb").is_file()
