"""`orders build` and `orders docs`: dbt against the local workspace, and dbt as `orders run` calls it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dlt_ingest.errors import ConfigurationError
from orders.cli.console import console, progress_console
from orders.cli.project import Project

_PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
_NODE = re.compile(r"(\d+) of (\d+) (START|OK|PASS|ERROR|FAIL|WARN|SKIP|NO-OP)")
_TOTALS = re.compile(r"Done\. (PASS=\d+.*)")


@dataclass(frozen=True)
class DbtRun:
    """How one dbt command ended.

    Attributes:
        exit_code: dbt's own: 0 all good, 1 a node failed, 2 dbt could not run.
        totals: dbt's closing counts, for example `PASS=97 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=97`; empty without one.
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
    """Run `dbt build` against the local workspace; all dbt arguments pass through, the exit code is dbt's."""
    return call_dbt(["build", *arguments])


@click.command(context_settings=_PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def docs(arguments: tuple[str, ...]) -> int:
    """Generate the dbt docs site from the local workspace; then `dbt docs serve` shows it."""
    code = call_dbt(["docs", "generate", *arguments])
    if code == 0:
        console.print(
            "The docs site is in target/. Next: .venv/bin/dbt docs serve --profiles-dir profiles --port 8080"
        )
    return code


def call_dbt(arguments: Sequence[str]) -> int:
    """Run dbt with its output on this terminal and give its exit code."""
    project = Project.find()
    with project.workspace() as workspace:
        environment = {**os.environ, **project.environment_of(workspace)}
        return subprocess.run(
            [dbt_executable(), *arguments], env=environment, cwd=project.root, check=False
        ).returncode


def dbt_executable() -> str:
    """The dbt of this environment, never another one that happens to come first on PATH.

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


def run_quietly(arguments: Sequence[str], *, environment: Mapping[str, str], root: Path, log: Path) -> DbtRun:
    """Run dbt with a line of progress instead of its full output, which goes to `log`.

    What failed is printed in dbt's own words.
    """
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    totals, failures = "", []
    closing = False
    with (
        log.open("w", encoding="utf-8") as file,
        progress_console.status(f"dbt {arguments[0]}") as status,
        subprocess.Popen(
            [dbt_executable(), "--no-use-colors", *arguments],
            env={**os.environ, **environment},
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101  # PIPE was asked for
        for line in process.stdout:
            file.write(line)
            text = line[10:].rstrip() if re.match(r"\d\d:\d\d:\d\d  ", line) else line.rstrip()
            if match := _NODE.search(text):
                status.update(f"dbt {arguments[0]}: {match[1]} of {match[2]} nodes")
            closing = closing or text.startswith(
                ("Finished running", "Encountered an error", "Runtime Error")
            )
            if closing and text:
                failures.append(text)
            if match := _TOTALS.search(text):
                totals = match[1]
    if process.returncode != 0:
        for text in failures:
            progress_console.print(f"  {text}", markup=False)
    return DbtRun(process.returncode, totals, time.monotonic() - started, log)
