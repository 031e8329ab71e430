"""`orders run`: the job of the bundle on this machine, task by task, with a summary."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from dlt_ingest.errors import ConfigurationError
from orders.cli.check import health, print_health
from orders.cli.console import console, step
from orders.cli.dbt import dbt_server, run_quietly
from orders.cli.ingest import print_update, update
from orders.cli.nothing_new import Seen, last_complete_run, look, note_complete_run, tables_now
from orders.cli.predict import predict_with, print_outcomes
from orders.cli.project import Project, run_id
from orders.cli.summary import collect, print_summary

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace


@dataclass
class Clock:
    """Seconds per step, in the order of the steps."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the time of the block to a step."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started


@click.command()
@click.option(
    "--rebuild", is_flag=True, help="Do everything even if nothing is new since the last complete run."
)
def run(rebuild: bool) -> None:
    """Run the bundle's job locally: the DLT update, its dbt commands, predictions, health check. Then print a summary.

    If no file, table or part of the project has changed since the last complete run, only the health check runs. The exit
    code is 1 if the update, a dbt node, a prediction or a health check fails.
    """
    project = Project.find()
    project.require_local("run")
    clock = Clock()
    with ExitStack() as stack:
        with clock.time("start"), step("Starting engine, SQL warehouse and Postgres"):
            seen = look(project)
            known = None if rebuild else last_complete_run(project, seen)
            workspace = stack.enter_context(project.workspace())
            if known is not None:
                with project.queries() as client:
                    known = known if known.still_holds(project, client) else None
            if known is None:
                # It imports dbt while the update runs.
                dbt_server(workspace).start()
        if known is None:
            _do_everything(project, workspace, clock, seen)
        else:
            console.print(
                f"Nothing is new since {known.ended}: the marts are those of run {known.run_id}. "
                "To build them again: orders run --rebuild"
            )
        with clock.time("check"), step("Checking"), project.queries() as client:
            report = health(project, client)
            summary = collect(project, client)
        print_summary(project, summary, clock.seconds)
        if report.warnings or not report.healthy:
            console.print()
            print_health(report)
    if not report.healthy:
        raise SystemExit(1)


def _do_everything(project: Project, workspace: Workspace, clock: Clock, began: Seen) -> None:
    """Run update, builds and predictions; exit if one fails."""
    identity = run_id()
    with clock.time("ingest"), step("DLT update"):
        result = update(project, workspace)
    print_update(result)
    if not result.ok:
        raise SystemExit(1)
    built_from = tables_now(project)
    builds = []
    for command in local_dbt_commands(project, identity):
        with clock.time(f"dbt {command[0]}"):
            outcome = run_quietly(
                workspace,
                command,
                environment={"ORDERS_RUN_ID": identity},
                root=project.root,
                log=workspace.layout.logs / f"dbt-{identity}.log",
            )
        console.print(f"dbt {command[0]}: {outcome.totals or 'did not run'}")
        if outcome.exit_code:
            console.print(
                f"The full output of dbt is in {outcome.log}. Next: fix the failure, then orders run"
            )
            raise SystemExit(1)
        builds.append(outcome)
    with clock.time("predict"), step("Predicting"), project.queries() as client:
        predicted = predict_with(project, client)
        note_complete_run(
            project,
            client,
            run_id=identity,
            began=began,
            built_from=built_from,
            update=result,
            builds=builds,
        )
    print_outcomes([outcome for outcome in predicted if outcome.rows is not None])


def local_dbt_commands(project: Project, identity: str) -> list[list[str]]:
    """Return the dbt commands of the bundle's job as arguments after `dbt`; only the bundle's variables differ.

    The run id is passed in ORDERS_RUN_ID, which the macro run_id() also reads, and the usual scope of tests is left out: if
    `--vars` changed from one command to the next, dbt would parse the whole project each time.

    Raises:
        ConfigurationError: If a command is not a dbt command.
    """
    usual = {"test_scope": "changed", "run_id": identity}
    usual_variables = ["--vars", json.dumps(usual, separators=(",", ":"))]
    commands = []
    for text in project.bundle.dbt_commands("orders", "dbt", values={"job.run_id": identity}):
        words = shlex.split(text)
        if words[-2:] == usual_variables:
            words = words[:-2]
        if words[:1] != ["dbt"]:
            raise ConfigurationError(
                "The bundle's dbt task has a command that does not start with dbt",
                got=text,
                allowed="dbt ...",
                consequence="The marts were not built",
                next_step="orders bundle check",
            )
        commands.append(words[1:])
    return commands
