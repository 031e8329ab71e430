"""`orders export`: the metrics export without dbt around it."""

from __future__ import annotations

import click

from dlt_ingest.cli.console import console
from dlt_ingest.cli.project import Project, run_id


@click.command()
@click.option(
    "--retry-dead-letters", is_flag=True, help="Deliver the rows that Postgres rejected before, instead."
)
def export(retry_dead_letters: bool) -> None:
    """Send every exp_* model to Postgres, each key once; what has not changed stays untouched.

    The same as the post-hook of `dbt build`, for runtimes in which the hook cannot run. It reads what was built last and
    runs no test.
    """
    from dlt_ingest.metrics.declared_exports import declared_exports
    from dlt_ingest.metrics.postgres import export_model
    from dlt_ingest.metrics.postgres import retry_dead_letters as replay

    project = Project.find()
    with project.sql_client(schema="gold") as client:
        postgres = project.postgres_settings()
        if retry_dead_letters:
            results = replay(postgres, run_id=run_id(), on_retry=_say)
            for replayed in results:
                console.print(str(replayed), markup=False)
            if not results:
                console.print("No row waits.")
            return
        for spec in declared_exports(project.root):
            rows = client.stream(f"select * from {spec.target}", postgres.batch_rows)
            result = export_model(rows, spec, postgres, run_id=run_id(), on_retry=_say)
            console.print(str(result), markup=False)


def _say(text: str) -> None:
    click.echo(text, err=True)
