"""`orders predict`: predict purchases of customers and revenue of the next weeks."""

from __future__ import annotations

from pathlib import Path

import click

from dlt_ingest.predictions.step import Outcome
from dlt_ingest.sql_client import Queries
from orders.cli.console import console, step
from orders.cli.project import Project


@click.command()
@click.option(
    "--always", is_flag=True, help="Fit again even if the last fit is less than a week of orders old."
)
def predict(always: bool) -> None:
    """Fit the models of customers and daily revenue if due, and write predictions and backtests to Gold.

    The models are fitted again after each week of new orders. `orders run` does this after its dbt build.
    """
    project = Project.find()
    with step("Predicting"), project.queries() as client:
        outcomes = predict_with(project, client, always=always)
    print_outcomes(outcomes)


def predict_with(project: Project, client: Queries, *, always: bool = False) -> list[Outcome]:
    """Predict over an open connection, if it is time."""
    from dlt_ingest.predictions.step import predict as run_step
    from dlt_ingest.predictions.tables import PredictionTables

    settings = project.settings
    folder = str(Path(settings.landing_path).parent / "predictions")
    local_path = project.layout.local_path if project.is_local else Path
    return run_step(PredictionTables(client, folder, local_path), always=always)


def print_outcomes(outcomes: list[Outcome]) -> None:
    """Print one line per table: its rows, or why it is unchanged."""
    for outcome in outcomes:
        said = "unchanged" if outcome.rows is None else f"{outcome.rows:,} rows"
        console.print(f"gold.{outcome.table}: {said}: {outcome.reason}", highlight=False)
