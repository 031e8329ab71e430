"""Pipelines as people write them, all on one engine: each gives its right rows, or one sentence that helps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_workspace.temporary import TemporaryWorkspace
from local_workspace.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent))
from corpus_of_feeds import FEEDS
from corpus_of_files import FILES, SOURCES, Case
from corpus_of_refusals import REFUSALS
from corpus_of_tables import TABLES

CASES = [*SOURCES, *FILES, *FEEDS, *REFUSALS, *TABLES]
# What the engine or Python would say, which is no help to whoever wrote the pipeline.
RAW_MESSAGES = (
    "Traceback",
    "SparkConnectGrpcException",
    "DataFusion",
    "Arrow error",
    "AnalysisException",
    "ObjectName(",
    "Internal error",
    "org.apache",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[TemporaryWorkspace]:
    """One workspace for all: each pipeline has a schema and a folder of its own."""
    with Workspace.temporary() as workspace:
        yield workspace


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pipeline(case: Case, shared: TemporaryWorkspace, tmp_path: Path) -> None:
    """Guards that a pipeline runs and is right, or is refused in words that say what to change."""
    code, raw = tmp_path / "code", tmp_path / "raw"
    raw.mkdir()
    for name, text in case.files.items():
        _write(code / name, text)
    for name, text in case.data.items():
        _write(raw / name, text)
    schema = f"s{CASES.index(case)}"
    settings: dict[str, Any] = {
        "schema": schema, "name": schema, "check": False, "volumes": {"/Volumes/main/raw": raw},
        "configuration": case.configuration,
    }  # fmt: skip
    sources = [path for path in sorted(code.iterdir()) if path.is_file()] or [code / "transformations"]
    result = shared.run_pipeline(*sources, **settings)
    if case.refused:
        assert not result.ok
        assert result.error is not None
        assert [part for part in case.refused if part not in result.error] == [], result.error
        assert not any(raw in result.error for raw in RAW_MESSAGES), result.error
        return
    assert result.ok, result.error
    for note in case.notes:
        assert sum(note in warning for warning in result.warnings) == 1, result.warnings
    if case.later:
        for name, text in case.later.items():
            _write(raw / name, text)
        assert (result := shared.run_pipeline(*sources, **settings)).ok, result.error
    for table, rows in case.rows.items():
        found = shared.table(table if "." in table else f"{schema}.{table}").rows()
        assert found == sorted(rows, key=repr), table
    again = shared.run_pipeline(*sources, **settings)
    assert again.ok, again.error
    for table, rows in case.rows.items():
        found = shared.table(table if "." in table else f"{schema}.{table}").rows()
        assert found == sorted(rows, key=repr), f"{table} after an update with nothing new"


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
