"""The dbt docs site as a reader gets it: plain dbt in a shell after `eval "$(orders env)"`, and a browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil
import pytest

# Options of dbt with the very meaning that dbt gives them: where this project is, and which target a shell means.
_MEANT_FOR_DBT = {"DBT_PROJECT_DIR", "DBT_PROFILES_DIR", "DBT_TARGET"}
# And, for a workspace outside of the clone, where dbt leaves what it makes.
_FOLDERS_OF_DBT = {"DBT_TARGET_PATH", "DBT_LOG_PATH"}


@dataclass(frozen=True)
class PlainDbt:
    """The `dbt` of this environment in the reader's shell.

    Attributes:
        environment: The shell's variables.
        folder: The folder that the shell is in: not the clone, so that dbt finds it by the variables.
    """

    environment: Mapping[str, str]
    folder: Path

    def run(self, *words: str) -> str:
        """Run a command to its end and give what it printed on both streams."""
        done = subprocess.run(
            self._command(words),
            env=dict(self.environment),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextlib.contextmanager
    def serving(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command that serves until the block ends."""
        log = self.folder / "serve.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(words),
                env=dict(self.environment),
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=20)

    @staticmethod
    def _command(words: tuple[str, ...]) -> list[str]:
        return [str(Path(sys.executable).with_name("dbt")), *words]


@pytest.fixture(scope="module")
def shell(built_workspace) -> dict[str, str]:
    """The variables of a shell after `eval "$(orders env)"`."""
    return built_workspace.shell_environment()


def test_the_site_is_served(shell, tmp_path: Path) -> None:
    """Guards one of the four uses of plain dbt: the site is made and served on loopback, with the marts in it.

    `orders env` once set DBT_HOST to the warehouse; dbt took it for the address to listen on, and ended.
    """
    dbt = PlainDbt({**shell, "DBT_TARGET_PATH": str(tmp_path / "target")}, tmp_path)
    printed = dbt.run("docs", "generate")
    assert "Catalog written" in printed
    assert "Warning" not in printed, printed
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with dbt.serving("docs", "serve", "--no-browser", "--port", str(port)) as process:
        assert b"<html" in fetch(port, "index.html", process)[:2000].lower()
        manifest = json.loads(fetch(port, "manifest.json", process))
        catalog = json.loads(fetch(port, "catalog.json", process))
        addresses = {
            c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"
        }
    assert addresses == {"127.0.0.1"}
    assert "model.orders.fct_orders" in manifest["nodes"]
    columns = catalog["nodes"]["model.orders.fct_orders"]["columns"]
    assert columns["net_revenue"]["type"] == "decimal(18,2)"
    assert catalog["sources"]["source.orders.bronze.orders"]["columns"]


def fetch(port: int, path: str, process: subprocess.Popen[bytes]) -> bytes:
    """Fetch a file of the site, as soon as it is served."""
    for _ in range(300):
        assert process.poll() is None, f"dbt docs serve ended with {process.returncode}"
        with contextlib.suppress(ConnectionError, OSError):
            answer: bytes = urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10).read()
            return answer
        time.sleep(0.1)
    raise AssertionError(path)


def test_no_variable_is_another_tools_option(shell, built_workspace) -> None:
    """Guards the reader's shell: none of the variables is an option of dbt, libpq or Databricks' tools.

    The names are asked of the tools themselves, so that a new version with a new option is noticed.
    """
    ours = set(re.findall(r"^export (\w+)=", built_workspace.run("env").stdout, re.MULTILINE))
    assert ours <= set(shell)
    assert {"ORDERS_HOME", "ORDERS_WAREHOUSE_HOST", "POSTGRES_HOST"} <= ours
    claimed = dbt_variables() | databricks_variables()
    assert {"DBT_HOST", "DBT_ENGINE_HOST", "DATABRICKS_HOST"} <= claimed
    assert (ours & claimed) - _FOLDERS_OF_DBT == _MEANT_FOR_DBT
    taken = {name for name in ours if name.startswith(("DBT_", "PG", "DATABRICKS_"))}
    assert taken - _FOLDERS_OF_DBT == _MEANT_FOR_DBT


def dbt_variables() -> set[str]:
    """Every variable that dbt reads: as options of its commands, and by itself."""
    from dbt.cli.main import cli
    from dbt.env_vars import KNOWN_ENGINE_ENV_VARS

    found = {variable.name for variable in KNOWN_ENGINE_ENV_VARS}
    commands: list[Any] = [cli]
    while commands:
        command = commands.pop()
        commands += command.commands.values() if isinstance(command, click.Group) else []
        for option in command.params:
            named = option.envvar or []
            found |= {named} if isinstance(named, str) else set(named)
    return found


def databricks_variables() -> set[str]:
    """Every variable that the SDK of Databricks reads, which its command line shares."""
    from databricks.sdk.config import Config

    return {attribute.env for attribute in Config.attributes() if attribute.env}


def test_psql_needs_no_password_on_its_command_line(shell, built_workspace) -> None:
    """Guards the password of the metrics database: the URI that psql gets names a private file instead."""
    import psycopg2

    uri = shell["ORDERS_POSTGRES_URI"]
    password = shell["POSTGRES_PASSWORD"]
    assert password not in uri
    assert built_workspace.run("postgres", "uri", "--passfile").stdout.strip() == uri
    assert password in built_workspace.run("postgres", "uri").stdout
    passfile = built_workspace.home / "postgres" / "pgpass"
    assert passfile.stat().st_mode & 0o777 == 0o600
    # libpq reads the file that the URI names; no variable of PostgreSQL's own is set.
    assert not [name for name in os.environ if name.startswith("PG")]
    with contextlib.closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute("select current_user")
        assert cursor.fetchone() == (shell["POSTGRES_USER"],)
