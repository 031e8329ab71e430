"""`orders up`, `down`, `status`, `env` and `doctor`: the local workspace itself."""

from __future__ import annotations

import json
import shlex

import click

from orders.cli.console import MARKS, console, plain, say_hanging, step
from orders.cli.project import Project


@click.command()
def up() -> None:
    """Start the local workspace and keep it running until `orders down`."""
    from local_workspace.workspace import Workspace

    project = Project.find()
    project.require_local("up")
    with step("Starting engine, SQL warehouse and Postgres"):
        Workspace.up(project.layout, project.workspace_options())
    console.print(
        f'The workspace in {project.home} is up. Next: eval "$(orders env)", then dbt, psql or orders sql'
    )


@click.command()
@click.option("--force", is_flag=True, help="Stop even if a command is using the workspace.")
def down(force: bool) -> None:
    """Stop the local workspace. Its data is kept."""
    from local_workspace.workspace import Workspace

    project = Project.find()
    project.require_local("down")
    stopped = Workspace.down(project.layout, force=force)
    console.print(f"The workspace in {project.home} {'is stopped' if stopped else 'was not running'}.")


@click.command()
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def status(output_format: str) -> None:
    """Show what is running and what the workspace contains. Start nothing."""
    from local_workspace.workspace import Workspace

    project = Project.find()
    project.require_local("status")
    found = Workspace.status(project.layout)
    if output_format == "json":
        click.echo(json.dumps(plain(found.as_dict())))
    else:
        console.print(found.render())


@click.command()
def env() -> None:
    """Print the variables with which plain dbt and psql reach the workspace: eval "$(orders env)"."""
    project = Project.find()
    with project.workspace() as workspace:
        variables = project.environment_of(workspace)
        if (postgres := workspace.postgres_uri()) is not None:
            variables["ORDERS_POSTGRES_URI"] = postgres
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        if not workspace.persistent:
            click.echo(
                "# The workspace stops again when this command ends. Next: orders up, then repeat this",
                err=True,
            )


@click.command()
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def doctor(output_format: str) -> None:
    """Show what is missing or misconfigured, and how to fix it."""
    from orders.cli.diagnosis import diagnose

    findings = diagnose(Project.find())
    if output_format == "json":
        click.echo(json.dumps([f.as_dict() for f in findings]))
    else:
        for finding in findings:
            say_hanging([MARKS[finding.status], "  "], finding.what)
            if finding.next_step:
                say_hanging(["      "], f"Next: {finding.next_step}")
    if any(f.status == "fail" for f in findings):
        raise SystemExit(1)
