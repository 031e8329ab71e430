"""`orders postgres`: the metrics database of the local workspace."""

from __future__ import annotations

import click

from dlt_ingest.cli.project import Project


@click.group()
def postgres() -> None:
    """Reach the metrics database."""


@postgres.command()
def uri() -> None:
    """Print a libpq URI of the metrics database, password included; use it as: psql "$(orders postgres uri)"."""
    with Project.find().workspace() as workspace:
        click.echo(workspace.postgres.uri())
