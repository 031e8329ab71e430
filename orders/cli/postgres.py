"""`orders postgres`: the metrics database of the local workspace."""

from __future__ import annotations

import click

from dlt_ingest.errors import ConfigurationError
from orders.cli.project import Project


@click.group()
def postgres() -> None:
    """Connect to the metrics database."""


@postgres.command()
@click.option(
    "--passfile",
    is_flag=True,
    help="Put the path of a private password file into the URI, not the password itself.",
)
def uri(passfile: bool) -> None:
    """Print the libpq URI of the metrics database.

    The URI contains the password. The arguments of a command are visible in the process list, so use --passfile there:

    psql "$(orders postgres uri --passfile)"
    """
    with Project.find().workspace() as workspace:
        endpoint = workspace.postgres
        if endpoint is None:
            raise ConfigurationError(
                "This workspace has no metrics database",
                next_step="Set POSTGRES_HOST and the related variables, or restart the workspace (orders down, orders up)",
            )
        click.echo(workspace.postgres_uri() if passfile else endpoint.uri())
