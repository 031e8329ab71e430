# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""Updates in processes that can be killed, against one engine."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_workspace.engine import EngineHandle, SailEngine
from local_workspace.layout import WorkspaceLayout

_BENCH = Path(__file__).parents[2] / "integration" / "runtime" / "conftest.py"
_spec = importlib.util.spec_from_file_location("runtime_bench", _BENCH)
assert _spec is not None
assert _spec.loader is not None
runtime_bench = importlib.util.module_from_spec(_spec)
sys.modules["runtime_bench"] = runtime_bench
_spec.loader.exec_module(runtime_bench)

# Importing pyspark takes longer than an update, so one process imports it and forks a child for each update.
_FORKER = """
import json, os, signal, sys
from pathlib import Path
from local_workspace.catalog import Catalog
from local_workspace.dlt_runtime import EventLogTarget, PipelineSpec, run_update
from local_workspace.layout import WorkspaceLayout
print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if child == 0:
        if job["crash_at"]:
            os.environ["LOCAL_WORKSPACE_CRASH_AT"] = job["crash_at"]
        if job["kill_after"]:
            # The default action of the alarm ends the process at once; no Python code runs any more.
            signal.setitimer(signal.ITIMER_REAL, job["kill_after"])
        layout = WorkspaceLayout(Path(job["home"]))
        spec = PipelineSpec("bench", "main", "bronze", [{"glob": {"include": "**"}}], Path(job["code"]), None,
                            job["configuration"], EventLogTarget("main", "ops", "event_log"))
        result = run_update(spec, layout=layout, catalog=Catalog.open(layout), engine_address=job["engine"], **job["options"])
        if not result.ok:
            print(result.error, file=sys.stderr, flush=True)
        os._exit(0 if result.ok else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class UpdateProcesses:
    """Runs updates in processes of their own; gives the exit code, negative for the signal that killed it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3],
            env={**os.environ, "LOCAL_WORKSPACE_CRASH_AT": ""},
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def run(self, bench: Any, crash_at: str = "", kill_after: float = 0, **options: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {
            "home": str(bench.layout.home), "code": str(bench.code), "engine": bench.engine_address, "options": options,
            "configuration": bench.configuration, "crash_at": crash_at, "kill_after": kill_after,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)  # closes its standard input, which ends it


@pytest.fixture(scope="session")
def fault_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineHandle]:
    with SailEngine.start(WorkspaceLayout(tmp_path_factory.mktemp("engine"))) as handle:
        yield handle


@pytest.fixture(scope="session")
def update_processes() -> Iterator[UpdateProcesses]:
    processes = UpdateProcesses()
    yield processes
    processes.close()


@pytest.fixture
def bench(tmp_path: Path, fault_engine: EngineHandle) -> Any:
    """A pipeline whose tables are compacted as soon as two files could be one, so that kills hit compaction, too."""
    made = runtime_bench.make_bench(tmp_path, fault_engine.address)
    made.configuration["spark.databricks.delta.autoCompact.minNumFiles"] = "2"
    return made
