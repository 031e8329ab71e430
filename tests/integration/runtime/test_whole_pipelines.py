"""Whole pipelines as people write them: files, data and what must come of them, each in a folder of its own.

A folder below `pipelines/` has `pipeline/` (the source files), `data/` (below `/Volumes/main/raw`), where needed `later/`
(what lands before a second update) and `configuration.json`, and `expected.json`: table -> rows after the last update,
checked by hand. Each is written after what public pipelines do, and copied from none.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_workspace.temporary import TemporaryWorkspace
from local_workspace.workspace import Workspace

HERE = Path(__file__).parent / "pipelines"
NAMES = sorted(folder.name for folder in HERE.iterdir() if folder.is_dir())


@pytest.fixture(scope="module")
def shared() -> Iterator[TemporaryWorkspace]:
    """One workspace for all: each pipeline has a schema and a folder of its own."""
    with Workspace.temporary() as workspace:
        yield workspace


def shown(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as lines of JSON, in any order."""
    return sorted(json.dumps(row, default=str, ensure_ascii=False) for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_pipeline_is_right(name: str, shared: TemporaryWorkspace, tmp_path: Path) -> None:
    """Guards that pipelines of the kinds that people publish run as they are, and give the right rows."""
    folder, raw = HERE / name, tmp_path / "raw"
    shutil.copytree(folder / "data", raw)
    settings = folder / "configuration.json"
    configuration = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
    run: dict[str, Any] = {
        "schema": name, "name": name, "volumes": {"/Volumes/main/raw": raw}, "configuration": configuration,
    }  # fmt: skip
    shared.run_pipeline(folder / "pipeline", **run)
    if (folder / "later").exists():
        shutil.copytree(folder / "later", raw, dirs_exist_ok=True)
        shared.run_pipeline(folder / "pipeline", **run)
    expected: dict[str, list[dict[str, Any]]] = json.loads(
        (folder / "expected.json").read_text(encoding="utf-8")
    )
    found = {
        table: shown(shared.table(table if "." in table else f"{name}.{table}").rows()) for table in expected
    }
    assert found == {table: shown(rows) for table, rows in expected.items()}
