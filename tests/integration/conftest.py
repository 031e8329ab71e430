"""One workspace, built once by the project's own commands, for every test that only looks."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orders.cli.console import to_json
from orders.cli.project import LOCAL, Project

PROJECT = Path(__file__).resolve().parents[2]
# What a test must not inherit from the shell that runs it: another workspace, another Postgres, another warehouse.
FOREIGN = ("ORDERS_", "DBT_", "POSTGRES_", "DATABRICKS_", "PG")
# pytest's importlib mode adds no test folder to sys.path, and several folders import dbt_process.py.
sys.path.insert(0, str(Path(__file__).parent))
# Folders of a workspace that belong to its running processes.
_OF_PROCESSES = ("run", "postgres", "logs")


@dataclass(frozen=True)
class OrdersCli:
    """The `orders` command on one workspace folder.

    Attributes:
        home: The workspace folder.
    """

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """The shell's environment without anything that names another workspace or server.

        dbt writes no log of its own: it takes a tenth of a build, and nobody reads it here. What it has parsed it keeps
        beside the workspace: two processes that build at the same time must not write the same files.
        """
        clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        ours = {"ORDERS_HOME": str(self.home), "DBT_TARGET_PATH": str(self.dbt_target)}
        return {**clean, **ours, "COLUMNS": "160", "DBT_LOG_LEVEL_FILE": "none"}

    @property
    def dbt_target(self) -> Path:
        """The folder of dbt's artifacts."""
        return self.home.with_name("target")

    def run(
        self, *arguments: str, check: bool = True, timeout: float = 280
    ) -> subprocess.CompletedProcess[str]:
        """Run one command as a user would, and fail with its output if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "orders.cli.main", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if check and done.returncode:
            pytest.fail(
                f"orders {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """The rows of one statement in the form of `orders sql --format json`, without a process for each."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(FOREIGN)]:
                patch.delenv(name)
            patch.setenv("ORDERS_HOME", str(self.home))
            with Project(clone=PROJECT, environment=LOCAL).sql_client() as client:
                return json.loads(to_json(client.query_arrow(statement).to_pylist()))

    def shell_environment(self) -> dict[str, str]:
        """The environment after `eval "$(orders env)"`."""
        printed = subprocess.run(
            ["bash", "-c", 'eval "$("$0" -m orders.cli.main env)"; env -0', sys.executable],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return dict(line.split("=", 1) for line in printed.split("\0") if "=" in line)


@pytest.fixture(scope="module")
def fresh_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdersCli]:
    """An empty workspace of the module's own, kept up."""
    orders = OrdersCli(tmp_path_factory.mktemp("fresh") / "workspace")
    orders.run("up")
    yield orders
    orders.run("down", check=False)


@pytest.fixture(scope="session")
def built_workspace(run_folder: Path) -> Iterator[OrdersCli]:
    """A workspace with the CDNOW history and two generated batches, ingested, built, exported, and kept up.

    Shared by all tests of the run, and by its processes: the first that wants it builds it, the last that leaves it takes it
    down. Look, do not touch.
    """
    folder = run_folder / "built"
    folder.mkdir(exist_ok=True)
    orders, users, built = OrdersCli(folder / "workspace"), folder / "users", folder / "is-built"
    with _alone(folder):
        orders.run("up")
        if not built.exists():
            orders.run("sample", "cdnow")
            orders.run("generate", "--end", "2", "--seed", "7", "--faults", "0.05")
            built.write_text(orders.run("run").stdout)
        users.write_text(str(_number(users) + 1))
    try:
        yield orders
    finally:
        with _alone(folder):
            users.write_text(str(_number(users) - 1))
            if _number(users) == 0:
                orders.run("down", check=False)


@pytest.fixture(scope="session")
def printed_by_the_build(built_workspace: OrdersCli) -> str:
    """What `orders run` printed when it built the built workspace."""
    return (built_workspace.home.parent / "is-built").read_text()


@pytest.fixture(scope="session")
def copy_built_workspace(built_workspace: OrdersCli) -> Callable[[Path], None]:
    """Makes a copy of the built workspace in a folder that is not there yet, for tests that change it.

    Its Postgres starts empty; the next export fills it.
    """

    def copy(target: Path) -> None:
        target.mkdir()
        for path in built_workspace.home.iterdir():
            if path.is_dir() and path.name not in _OF_PROCESSES:
                shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("*.sqlite*"))
        # A copy of the file alone would lack what still is in its write-ahead log.
        for path in built_workspace.home.rglob("*.sqlite"):
            with (
                closing(sqlite3.connect(path)) as there,
                closing(sqlite3.connect(target / path.relative_to(built_workspace.home))) as here,
            ):
                there.backup(here)

    return copy


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _number(file: Path) -> int:
    return int(file.read_text()) if file.exists() else 0
