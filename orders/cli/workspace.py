"""`orders up`, `down`, `status`, `env` and `doctor`: the local workspace itself."""

from __future__ import annotations

import json
import shlex

import click

from orders.cli.console import console, plain, step
from orders.cli.project import Project


@click.command()
def up() -> None:
    """Start the local workspace and keep it warm until `orders down`."""
    from local_workspace.workspace import Workspace

    project = Project.find()
    project.require_local("up")
    with step("Starting engine, SQL warehouse and Postgres"):
        Workspace.up(project.layout, project.workspace_options())
    console.print(
        f'The workspace in {project.home} is up. Next: eval "$(orders env)", then dbt, psql or orders sql'
    )


@click.command()
@click.option("--force", is_flag=True, help="Stop it under a command that is using it, too.")
def down(force: bool) -> None:
    """Stop the local workspace; its data stays."""
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
    """Show what runs and what the workspace holds, without starting anything."""
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
    """Print the variables for plain dbt and psql; use it as: eval "$(orders env)"."""
    project = Project.find()
    with project.workspace() as workspace:
        for name, value in project.environment_of(workspace).items():
            click.echo(f"export {name}={shlex.quote(value)}")
        if not workspace.persistent:
            click.echo(
                "# The workspace was not up and stops again with this command. First: orders up", err=True
            )


@click.command()
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def doctor(output_format: str) -> None:
    """Say what is missing or misconfigured here, and what to do about it."""
    from orders.cli.diagnosis import diagnose

    findings = diagnose(Project.find())
    if output_format == "json":
        click.echo(json.dumps([f.as_dict() for f in findings]))
    else:
        marks = {"ok": "[green]ok  [/green]", "warn": "[yellow]warn[/yellow]", "fail": "[red]FAIL[/red]"}
        for finding in findings:
            console.print(f"{marks[finding.status]}  {finding.what}")
            if finding.next_step:
                console.print(f"      [dim]Next: {finding.next_step}[/dim]")
    if any(f.status == "fail" for f in findings):
        raise SystemExit(1)
