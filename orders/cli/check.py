"""`orders check` and `orders reconcile`: is the deployment healthy, and do the layers agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_ingest.metrics.health.model import HealthLimits, HealthReport
from dlt_ingest.metrics.reconciliation.outcome import Reconciliation
from dlt_ingest.sql_client import Queries
from orders.cli.console import MARKS, console, print_cells, say, say_hanging, step
from orders.cli.outputs import write_output
from orders.cli.project import Project
from orders.cli.tables import Cell

if TYPE_CHECKING:
    from dlt_ingest.metrics.reconciliation.landing_files import Landing
    from local_workspace.dlt_runtime.landing_state import LandingState


@click.command()
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "prometheus"]),
    default="table",
    show_default=True,
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write json or prometheus output to this file, atomically: a scraper never reads half of it.",
)
@click.option("--strict", is_flag=True, help="Treat warnings as failures.")
@click.option("--env", "environment", default=None, help="Environment to use instead of ORDERS_ENV.")
def check(output_format: str, out: Path | None, strict: bool, environment: str | None) -> None:
    """Check updates, quality, freshness, dbt, the export and dead letters. The exit code is 1 if a check fails."""
    if out is not None and output_format == "table":
        raise click.UsageError("--out needs --format json or --format prometheus")
    project = Project.find(environment=environment)
    with step("Checking"), project.queries() as client:
        report = health(project, client)
    if output_format == "json":
        _print_or_write(json.dumps(report.as_dict()) + "\n", out)
    elif output_format == "prometheus":
        from dlt_ingest.metrics.health.prometheus import render

        _print_or_write(render(report), out)
    else:
        print_health(report)
        console.print("Healthy." if report.healthy else "Not healthy. See the lines marked FAIL.")
    if not report.healthy or (strict and report.warnings):
        raise SystemExit(1)


@click.command()
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option("--env", "environment", default=None, help="Environment to use instead of ORDERS_ENV.")
def reconcile(output_format: str, environment: str | None) -> None:
    """Compare rows and revenue layer by layer, from the landing files to Postgres, to the cent."""
    from dlt_ingest.configurations.pipeline import reading_of
    from dlt_ingest.metrics.reconciliation.layers import reconcile as compare_layers
    from dlt_ingest.metrics.reconciliation.metrics_database import metrics_answers

    project = Project.find(environment=environment)
    with step("Reconciling"), project.queries() as client:
        postgres = project.postgres_settings()
        outcome = compare_layers(
            client.query,
            None if postgres is None else metrics_answers(postgres),
            _landed_files(project) if project.is_local else None,
            reading_of(project.environment),
        )
    if output_format == "json":
        click.echo(json.dumps(outcome.as_dict()))
    else:
        _print_reconciliation(outcome)
    if not outcome.equal:
        raise SystemExit(1)


def health(project: Project, client: Queries) -> HealthReport:
    """Run all checks of a project's environment."""
    from dlt_ingest.metrics.health.report import check_health

    settings = project.settings
    landing = _landing(project) if project.is_local else None
    limits = HealthLimits(
        minimum_quality_rate=settings.QUALITY_RATE_MINIMUM,
        slow_update_factor=settings.SLOW_UPDATE_FACTOR,
        export_lag_minutes=settings.EXPORT_LAG_MINUTES,
        landing_backlog_files=settings.LANDING_BACKLOG_FILES,
    )
    return check_health(
        client.query,
        project.postgres_settings(),
        limits,
        environment=project.environment,
        waiting_files=None if landing is None else len(landing.waiting),
        unreadable_files=None if landing is None else landing.set_aside,
    )


def print_health(report: HealthReport) -> None:
    """Print the report: findings first, each with its next step below it."""
    order = ["fail", "warn", "ok", "not_applicable"]
    names = max((len(item.name) for item in report.checks), default=0)
    for item in sorted(report.checks, key=lambda c: order.index(c.verdict)):
        say_hanging([MARKS[item.verdict], "  ", item.name.ljust(names), "  "], item.finding)
        if item.next_step:
            say_hanging(["      ", " " * names, "  "], f"Next: {item.next_step}")


def _print_or_write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write_output(out, text, "--out")


def _landing(project: Project) -> LandingState:
    from local_workspace.dlt_runtime.landing_state import landing_state
    from orders.cli.ingest import pipeline_spec

    return landing_state(project.layout, pipeline_spec(project), project.settings.landing_path)


def _landed_files(project: Project) -> Landing:
    """Return what reads landing as the pipeline does: only the command line knows both halves."""
    from local_workspace.dlt_runtime.landed_records import landed_files
    from local_workspace.dlt_runtime.paths import Paths
    from orders.cli.ingest import pipeline_spec

    paths = Paths(project.layout, pipeline_spec(project).mounts)
    return lambda: landed_files(paths, project.settings.landing_path)


def _print_reconciliation(outcome: Reconciliation) -> None:
    rows = [
        [
            Cell(layer.name),
            Cell(f"{layer.rows:,}", to_the_right=True),
            Cell(layer.unit),
            Cell(f"{layer.value:,f}", to_the_right=True),
            Cell(layer.measure),
        ]
        for layer in outcome.layers
    ]
    print_cells(["layer", "rows", "", "dollars", ""], rows)
    console.print()
    for comparison in outcome.comparisons:
        say_hanging([MARKS["ok" if comparison.holds else "fail"], "  "], comparison.law)
        if not comparison.holds:
            say("      ", f"{comparison.left}  against  {comparison.right}")
            if comparison.first_difference:
                say("      ", f"first difference: {comparison.first_difference}")
    for note in outcome.notes:
        say((f"Note: {note}.", "dim"))
    console.print("Everything agrees." if outcome.equal else "The layers do not agree.")
