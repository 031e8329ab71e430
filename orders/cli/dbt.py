"""`orders build` and `orders docs`: dbt on the local workspace, also for `orders run`.

Importing dbt takes three seconds of CPU time. A fork server of the workspace does that once, and each command is a fork
of it. Without a fork server (not on Linux, or a package changed since it started), the plain `dbt` runs, with the same
result.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from dlt_ingest.errors import ConfigurationError
from orders.cli.console import console, moving_line, progress_console
from orders.cli.dbt_progress import DbtProgress
from orders.cli.one_dbt import alone
from orders.cli.project import Project

if TYPE_CHECKING:
    from local_workspace.fork_server import ForkServer
    from local_workspace.workspace import Workspace

# What every dbt command imports. Without the project's own modules and dbt's plugins, which import them: a change to
# those must take effect at once.
_MODULES = (
    "dbt.cli.main",
    "dbt.adapters.databricks",
    "dbt.compilation",
    "dbt.graph.thread_pool",
    "dbt.parser.schema_yaml_readers",
    "dbt.task.build",
    "multiprocessing.pool",
    "multiprocessing.resource_tracker",
    "psycopg2",
)
# dbt reads these during import; if one is set, dbt starts without the fork server.
_READ_AT_IMPORT = re.compile(
    r"DBT_(ENGINE_)?RECORDER_\w+|DBT_MACRO_DEBUGGING|DBT_PACKAGE_HUB_URL|DBT_SPARK_LOG_LEVEL"
)

_PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
_TOTALS = re.compile(r"Done\. (PASS=\d+.*)")


@dataclass(frozen=True)
class DbtRun:
    """How one dbt command ended.

    Attributes:
        exit_code: dbt's own: 0 success, 1 a node failed, 2 dbt could not run.
        totals: dbt's final counts, for example `PASS=97 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=97`; empty if there are
            none.
        seconds: Wall time.
        log: File with everything that dbt printed.
    """

    exit_code: int
    totals: str
    seconds: float
    log: Path


@click.command(context_settings=_PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def build(arguments: tuple[str, ...]) -> int:
    """Run `dbt build` on the local workspace. It accepts all arguments of dbt and returns dbt's exit code."""
    return call_dbt(["build", *arguments])


@click.command(context_settings=_PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def docs(arguments: tuple[str, ...]) -> int:
    """Generate the dbt docs site from the local workspace. `dbt docs serve` then shows it."""
    code = call_dbt(["docs", "generate", *arguments])
    if code == 0:
        console.print(
            'The docs site is ready. Next: eval "$(.venv/bin/orders env)" && .venv/bin/dbt docs serve --port 8080'
        )
    return code


def call_dbt(arguments: Sequence[str]) -> int:
    """Run dbt with its output on this terminal; return its exit code."""
    project = Project.find()
    with project.workspace() as workspace, alone(workspace.layout.run, arguments[0]):
        server = dbt_server(workspace)
        server.start()
        environment = {**os.environ, **project.environment_of(workspace)}
        if not sys.stdout.isatty():
            # dbt also colours its lines in a log.
            environment.setdefault("DBT_USE_COLORS", "false")
        command = start_dbt(server, arguments, environment=environment, root=project.root)
        with workspace.watched(command.end):
            while True:
                try:
                    return command.wait()
                except KeyboardInterrupt:
                    # dbt then cancels its statements, closes its sessions and reports what it has done.
                    command.interrupt()


class RunningDbt(Protocol):
    """A dbt command that has started."""

    def wait(self) -> int:
        """Wait for its end; return its exit code."""

    def interrupt(self) -> None:
        """Pass on a Ctrl-C in this terminal."""

    def end(self) -> None:
        """Kill it."""


class _PlainDbt:
    """dbt as a separate process in this terminal's process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self) -> int:
        return self._process.wait()

    def interrupt(self) -> None:
        """Do nothing: the terminal sends Ctrl-C to the process itself."""

    def end(self) -> None:
        """Kill it: nobody waits for its result."""
        self._process.kill()


def dbt_server(workspace: Workspace) -> ForkServer:
    """Return the workspace's fork server for dbt, which may not be running yet."""
    from local_workspace.fork_server import ForkServer

    return ForkServer(workspace.layout, name="dbt", modules=_MODULES, entry="dbt.cli.main:cli")


def start_dbt(
    server: ForkServer,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    root: Path,
    output: int | None = None,
) -> RunningDbt:
    """Start a dbt command, through the fork server if possible.

    Args:
        server: The workspace's; the caller keeps the workspace running.
        arguments: The arguments after `dbt`.
        environment: Its whole environment.
        root: Its working folder.
        output: Descriptor for its output; by default, this process's standard output and error.

    Raises:
        ConfigurationError: If dbt is not installed beside this Python.
    """
    from local_workspace.fork_server import NoForkServerError

    if not any(_READ_AT_IMPORT.fullmatch(name) for name in environment):
        try:
            return server.run(arguments, folder=root, environment=environment, output=output)
        except NoForkServerError:
            pass
    return _PlainDbt(
        subprocess.Popen(
            [dbt_executable(), *arguments],
            env=dict(environment),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    )


def dbt_executable() -> str:
    """Return the dbt of this environment, never another one on PATH.

    Raises:
        ConfigurationError: If dbt is not installed beside this Python.
    """
    path = Path(sys.executable).with_name("dbt")
    if not path.is_file():
        raise ConfigurationError(
            "dbt is not installed in this environment",
            got=f"no {path.name} beside {Path(sys.executable).name}",
            consequence="the marts cannot be built",
            next_step="make venv",
        )
    return str(path)


def run_quietly(
    workspace: Workspace, arguments: Sequence[str], *, environment: Mapping[str, str], root: Path, log: Path
) -> DbtRun:
    """Run dbt with a progress line instead of its full output, which goes to `log`.

    Print failures in dbt's own words.

    Raises:
        BusyError: Another dbt command writes to this workspace.
    """
    with alone(workspace.layout.run, arguments[0]):
        return _run_quietly(workspace, arguments, environment, root, log)


def _run_quietly(
    workspace: Workspace, arguments: Sequence[str], environment: Mapping[str, str], root: Path, log: Path
) -> DbtRun:
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    totals, failures = "", []
    closing = False
    variables = {**os.environ, **environment}
    name = f"dbt {arguments[0]}"
    progress = DbtProgress(name, _tell_log, target_folder(root, variables) / "manifest.json")
    readable, writable = os.pipe()
    with (
        os.fdopen(readable, encoding="utf-8", errors="replace") as lines,
        log.open("w", encoding="utf-8") as file,
        moving_line(name) as show,
        ExitStack() as stack,
    ):
        try:
            command = start_dbt(
                dbt_server(workspace),
                ["--no-use-colors", *arguments],
                # dbt's debug log takes a tenth of its time, and `log` has all its output.
                environment={"DBT_LOG_LEVEL_FILE": "none", **variables},
                root=root,
                output=writable,
            )
        finally:
            os.close(writable)
        stack.enter_context(workspace.watched(command.end))
        for line in lines:
            file.write(line)
            text = line[10:].rstrip() if re.match(r"\d\d:\d\d:\d\d  ", line) else line.rstrip()
            if (status := progress.follow(text)) is not None:
                show(status)
            closing = closing or text.startswith(
                ("Finished running", "Encountered an error", "Runtime Error")
            )
            if (closing and text) or text.startswith(
                "column_rules_"
            ):  # which rule is broken, in which column
                failures.append(text)
            if match := _TOTALS.search(text):
                totals = match[1]
        exit_code = command.wait()
    progress.close()
    if exit_code != 0:
        for text in failures:
            progress_console.print(f"  {text}")
    return DbtRun(exit_code, totals, time.monotonic() - started, log)


def _tell_log(text: str) -> None:
    if not progress_console.is_terminal:
        progress_console.print(text)


def target_folder(root: Path, variables: Mapping[str, str]) -> Path:
    """Return where dbt writes its artifacts (`--target-path`, or one of the two variables; otherwise target/)."""
    named = variables.get("DBT_ENGINE_TARGET_PATH") or variables.get("DBT_TARGET_PATH")
    return root / (named or "target")
