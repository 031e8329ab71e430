"""One SQL warehouse for the tests of this folder, in a process of its own, with clients for it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from databricks import sql
from dbt_process import dbt_process

from local_workspace.catalog import Catalog
from local_workspace.engine import SailEngine
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.statement_run import ClientSession
from local_workspace.sql_warehouse.warehouse import Warehouse

PROJECT = Path(__file__).parents[3]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A process, file or socket that is left open is a failure here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for category in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"error::{category}"))


class RunningWarehouse:
    """A warehouse process on a folder.

    Args:
        home: The workspace folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> RunningWarehouse:
        schemas = [part for name in ("bronze", "silver", "gold") for part in ("--schema", name)]
        catalogs = ["--catalog", "ecommerce_local", "--catalog", "ecommerce_prod"]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "local_workspace.sql_warehouse",
                "--home",
                str(self.home),
                *catalogs,
                *schemas,
            ],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            name, _, value = line.removeprefix("export ").strip().partition("=")
            self.environment[name] = shlex.split(value)[0]
            if name == "REQUESTS_CA_BUNDLE":
                return self
        raise AssertionError(f"the warehouse ended with {self.process.wait()}")

    def stop(self) -> int:
        assert self.process is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate(timeout=60)  # closes its standard input
        return self.process.wait(60)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=60)

    def connect(self, *, schema: str = "gold", token: str | None = None, **options: Any) -> Any:
        return sql.connect(
            server_hostname=self.environment["ORDERS_WAREHOUSE_HOST"],
            http_path=self.environment["ORDERS_WAREHOUSE_HTTP_PATH"],
            access_token=token or self.environment["ORDERS_WAREHOUSE_TOKEN"],
            catalog=options.pop("catalog", "ecommerce_local"),
            schema=schema,
            _connection_uri=self.environment["ORDERS_WAREHOUSE_URI"],
            _tls_trusted_ca_file=self.environment["ORDERS_WAREHOUSE_CA"],
            enable_telemetry=False,
            use_cloud_fetch=False,
            _retry_stop_after_attempts_count=1,
            _retry_delay_min=0.1,
            **options,
        )


class Client:
    """Statements on one connection, rows as tuples."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def rows(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.rows(statement)

    def affected(self, statement: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return int(cursor.rowcount)

    def columns(self, statement: str) -> list[tuple[str, str]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return [(column[0], column[1]) for column in cursor.description]

    def error(self, statement: str, parameters: Any = None) -> str:
        with pytest.raises(sql.Error) as caught:
            self.rows(statement, parameters)
        return str(caught.value)


def client_of(warehouse: RunningWarehouse, **options: Any) -> contextlib.AbstractContextManager[Client]:
    @contextlib.contextmanager
    def opened() -> Iterator[Client]:
        with warehouse.connect(**options) as connection:
            yield Client(connection)

    return opened()


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWarehouse]:
    running = RunningWarehouse(tmp_path_factory.mktemp("warehouse")).start()
    yield running
    assert running.stop() == 0, "the warehouse did not end well"


@pytest.fixture
def client(warehouse: RunningWarehouse, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A connection in a schema of the test's own."""
    schema = "".join(c if c.isalnum() else "_" for c in request.node.name)[:60].lower()
    with client_of(warehouse) as opened:
        opened.run(f"CREATE SCHEMA IF NOT EXISTS `{schema}`", f"USE SCHEMA `{schema}`")
        yield opened


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientSession]:
    """A session of a warehouse in this process, for tests of statements without a client."""
    layout = WorkspaceLayout(tmp_path_factory.mktemp("session")).create()
    catalog = Catalog.open(layout)
    catalog.create_catalog("c")
    catalog.create_schema("c", "s")
    with SailEngine.start(layout) as engine:
        opened = Warehouse(layout, catalog, engine.address).open_session("c", "s")
        yield opened
        opened.close()
    catalog.close()


@pytest.fixture
def rows(session: ClientSession) -> Callable[[str], list[tuple[Any, ...]]]:
    """Runs a statement; its rows in an order of their own."""
    return lambda sql: sorted(
        (tuple(row.values()) for row in session.execute(sql).table().to_pylist()), key=repr
    )


class Dbt:
    """dbt in a project folder, against a warehouse.

    Args:
        warehouse: It must run.
        project: The project folder, with its profiles.yml.
        catalog: Where the project builds.
    """

    def __init__(self, warehouse: RunningWarehouse, project: Path, catalog: str) -> None:
        self.warehouse = warehouse
        self.project = project
        self.catalog = catalog
        self.target = project / "target"

    def run(self, *commands: Sequence[str], later: bool = True) -> list[tuple[bool, str]]:
        """Run commands one after another; gives success and output of each.

        Args:
            commands: Arguments of dbt.
            later: The models as they are from the second build on: another column, and one less.
        """
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "ORDERS_", "PROBE_"))}
        environment = {
            **inherited,
            **self.warehouse.environment,
            "DBT_PROFILES_DIR": str(self.project),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_LOG_LEVEL_FILE": "none",
            "DBT_USE_COLORS": "false",
            "PROBE_CATALOG": self.catalog,
            "PROBE_LATER": "yes" if later else "",
        }
        outcomes = [
            dbt_process().run(command, folder=self.project, environment=environment) for command in commands
        ]
        return [(outcome.success, outcome.said) for outcome in outcomes]

    def succeed(self, *commands: Sequence[str], later: bool = True) -> list[str]:
        """As `run`, but every command must succeed."""
        outcomes = self.run(*commands, later=later)
        for command, (success, text) in zip(commands, outcomes, strict=True):
            assert success, f"dbt {' '.join(command)}\n{text[-6000:]}"
        return [text for _, text in outcomes]
