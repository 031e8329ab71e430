"""`orders postgres`: the metrics database of the local workspace."""

from __future__ import annotations

import click

from dlt_ingest.errors import ConfigurationError
from orders.cli.project import Project


@click.group()
def postgres() -> None:
    """Reach the metrics database."""


@postgres.command()
def uri() -> None:
    """Print a libpq URI of the metrics database, password included; use it as: psql "$(orders postgres uri)"."""
    with Project.find().workspace() as workspace:
        endpoint = workspace.postgres
        if endpoint is None:
            raise ConfigurationError(
                "This workspace has no metrics database",
                next_step="Set POSTGRES_HOST and its companions, or stop and start the workspace",
            )
        click.echo(endpoint.uri())
