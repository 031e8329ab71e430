"""A workspace with a pipeline of its own for each test, on one engine for all of them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from local_workspace.catalog import Catalog, TableName
from local_workspace.dlt_runtime import EventLogTarget, PipelineSpec, UpdateResult, run_update
from local_workspace.engine import EngineHandle, SailEngine
from local_workspace.layout import WorkspaceLayout

LANDING = "/Volumes/main/bronze/files/landing"


@dataclass
class PipelineBench:
    """A pipeline in a workspace: write its code, land files, run updates, look at the tables."""

    layout: WorkspaceLayout
    catalog: Catalog
    engine_address: str
    code: Path
    configuration: dict[str, str]

    def write(self, text: str, name: str = "pipeline.py") -> None:
        """Write a pipeline file; `import dlt` and the usual names are put above it."""
        head = "import dlt\nfrom pyspark.sql import functions as F\n"
        (self.code / name).write_text(head + textwrap.dedent(text), encoding="utf-8")

    def land(self, name: str, *records: Any) -> Path:
        """Land a file whole: dicts become JSON lines, texts and bytes are taken as they are."""
        folder = self.layout.local_path(LANDING)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if len(records) == 1 and isinstance(records[0], bytes):
            path.write_bytes(records[0])
        else:
            lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
            path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    @property
    def spec(self) -> PipelineSpec:
        return PipelineSpec(
            "bench", "main", "bronze", [{"glob": {"include": "**"}}], self.code, None, self.configuration,
            EventLogTarget("main", "ops", "event_log"),
        )  # fmt: skip

    def update(self, **options: Any) -> UpdateResult:
        """Run an update."""
        return run_update(
            self.spec, layout=self.layout, catalog=self.catalog, engine_address=self.engine_address, **options
        )

    def good(self, **options: Any) -> UpdateResult:
        """Run an update that must not fail."""
        result = self.update(**options)
        assert result.ok, result.error
        return result

    def delta(self, name: str) -> DeltaTable:
        return DeltaTable(str(self.layout.table_path(*TableName.parse(name, catalog="main").key)))

    def rows(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """Read a table with a reader that is not the runtime's, sorted."""
        table = self.delta(name).to_pyarrow_table(columns=list(columns) or None)
        return sorted(table.to_pylist(), key=repr)

    def column(self, name: str, column: str) -> list[Any]:
        return sorted((row[column] for row in self.rows(name, column)), key=repr)

    def versions(self) -> dict[str, int]:
        """Give the Delta version of every table but the event log."""
        tables = [t for t in self.catalog.tables("main") if t.name.schema != "ops"]
        return {str(t.name): DeltaTable(str(t.location)).version() for t in tables}

    def events(self, event_type: str | None = None) -> list[dict[str, Any]]:
        """Read the event log in order, with `details` parsed."""
        rows = self.delta("ops.event_log").to_pyarrow_table().to_pylist()
        rows.sort(key=lambda r: r["sequence"]["control_plane_seq_no"])
        return [
            r | {"details": json.loads(r["details"])}
            for r in rows
            if event_type is None or r["event_type"] == event_type
        ]


@pytest.fixture(scope="session")
def runtime_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineHandle]:
    """One Sail for all tests: it keeps nothing of the tables, the runtime addresses them by folder."""
    with SailEngine.start(WorkspaceLayout(tmp_path_factory.mktemp("engine"))) as handle:
        yield handle


def make_bench(home: Path, engine_address: str) -> PipelineBench:
    layout = WorkspaceLayout(home / "workspace").create()
    catalog = Catalog.open(layout)
    catalog.create_catalog("main", if_not_exists=True)
    for schema in ("bronze", "silver", "ops"):
        catalog.create_schema("main", schema, if_not_exists=True)
    catalog.create_volume("main", "bronze", "files", if_not_exists=True)
    code = home / "code"
    code.mkdir(exist_ok=True)
    return PipelineBench(layout, catalog, engine_address, code, {"bench.landing": LANDING})


@pytest.fixture
def bench(tmp_path: Path, runtime_engine: EngineHandle) -> PipelineBench:
    return make_bench(tmp_path, runtime_engine.address)
