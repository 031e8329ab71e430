"""`orders export`: the metrics export without dbt."""

from __future__ import annotations

import click

from orders.cli.console import console
from orders.cli.project import Project, run_id


@click.command()
@click.option(
    "--retry-dead-letters", is_flag=True, help="Deliver only the rows that Postgres rejected earlier."
)
def export(retry_dead_letters: bool) -> None:
    """Send every exp_* model to Postgres. Unchanged rows stay unchanged.

    This does the work of the hooks of `dbt build`, for environments in which they cannot run. It reads the latest build
    and runs
    no tests.
    """
    from dlt_ingest.metrics.declared_exports import declared_exports
    from dlt_ingest.metrics.exporting import export_models, replay_dead_letters

    project = Project.find()
    with project.sql_client(schema="gold") as client:
        postgres = project.postgres_settings()
        if retry_dead_letters:
            results = replay_dead_letters(client, postgres, run_id=run_id(), tell=_say)
            for replayed in results:
                console.print(str(replayed))
            if not results:
                console.print("There are no dead letters.")
            return
        specs = declared_exports(project.root)
        for result in export_models(client, specs, postgres, run_id=run_id(), tell=_say):
            console.print(str(result))


def _say(text: str) -> None:
    click.echo(text, err=True)
