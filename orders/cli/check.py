"""`orders check` and `orders reconcile`: is everything as it should be, and do the figures agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from dlt_ingest.metrics.health.model import HealthLimits, HealthReport
from dlt_ingest.metrics.reconciliation.outcome import Reconciliation
from dlt_ingest.sql_client import Queries
from orders.cli.console import console, step
from orders.cli.project import Project

if TYPE_CHECKING:
    from dlt_ingest.metrics.reconciliation.landing_files import Landing
    from local_workspace.dlt_runtime.landing_state import LandingState

_MARKS = {
    "ok": "[green]ok[/green]",
    "warn": "[yellow]warn[/yellow]",
    "fail": "[red]FAIL[/red]",
    "not_applicable": "[dim]n/a[/dim]",
}


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
    help="File for json or prometheus, replaced whole; a scraper never reads half of it.",
)
@click.option("--strict", is_flag=True, help="Count warnings as failures.")
@click.option("--env", "environment", default=None, help="Environment instead of ORDERS_ENV.")
def check(output_format: str, out: Path | None, strict: bool, environment: str | None) -> None:
    """Check the health: updates, quality, freshness, dbt, export, dead letters. Exit code 1 when a check fails."""
    if out is not None and output_format == "table":
        raise click.UsageError("--out goes with --format json or --format prometheus")
    project = Project.find(environment=environment)
    with step("Checking"), project.queries() as client:
        report = health(project, client)
    if output_format == "json":
        _put(json.dumps(report.as_dict()) + "\n", out)
    elif output_format == "prometheus":
        from dlt_ingest.metrics.health.prometheus import render

        _put(render(report), out)
    else:
        console.print(health_table(report))
        console.print("Healthy." if report.healthy else "Not healthy: see the lines marked FAIL.")
    if not report.healthy or (strict and report.warnings):
        raise SystemExit(1)


@click.command()
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option("--env", "environment", default=None, help="Environment instead of ORDERS_ENV.")
def reconcile(output_format: str, environment: str | None) -> None:
    """Compare rows and revenue of neighbouring layers, from the landing files to Postgres, to the cent."""
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
    """Ask all checks of a project's environment."""
    from dlt_ingest.metrics.health.report import check_health

    settings = project.settings
    landing = _landing(project) if project.is_local else None
    limits = HealthLimits(
        minimum_quality_rate=settings.QUALITY_RATE_MINIMUM,
        slow_update_factor=settings.SLOW_UPDATE_FACTOR,
        export_lag_minutes=settings.EXPORT_LAG_MINUTES,
        landing_backlog_files=settings.LANDING_BACKLOG_FILES,
        freshness_sla_minutes=settings.FRESHNESS_SLA_MINUTES,
    )
    return check_health(
        client.query,
        project.postgres_settings(),
        limits,
        environment=project.environment,
        waiting_files=None if landing is None else len(landing.waiting),
        unreadable_files=None if landing is None else landing.set_aside,
    )


def health_table(report: HealthReport) -> Table:
    """The report for a terminal: what wants attention first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "check", "finding", "next step"):
        table.add_column(heading, overflow="fold")
    order = ["fail", "warn", "ok", "not_applicable"]
    for item in sorted(report.checks, key=lambda c: order.index(c.verdict)):
        table.add_row(_MARKS[item.verdict], item.name, item.finding, item.next_step)
    return table


def _put(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    # node_exporter reads every *.prom in the folder, so the half-written file must not be called so.
    aside = out.with_name(f".{out.name}.new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(out)


def _landing(project: Project) -> LandingState:
    from local_workspace.dlt_runtime.landing_state import landing_state
    from orders.cli.ingest import pipeline_spec

    return landing_state(project.layout, pipeline_spec(project), project.settings.landing_path)


def _landed_files(project: Project) -> Landing:
    """Give what reads landing as the pipeline does: of the two halves only the command line knows both."""
    from local_workspace.dlt_runtime.landed_records import landed_files
    from local_workspace.dlt_runtime.paths import Paths
    from orders.cli.ingest import pipeline_spec

    paths = Paths(project.layout, pipeline_spec(project).mounts)
    return lambda: landed_files(paths, project.settings.landing_path)


def _print_reconciliation(outcome: Reconciliation) -> None:
    layers = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (
        ("layer", "left"),
        ("rows", "right"),
        ("", "left"),
        ("dollars", "right"),
        ("", "left"),
    ):
        layers.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for layer in outcome.layers:
        layers.add_row(layer.name, f"{layer.rows:,}", layer.unit, f"{layer.value:,f}", layer.measure)
    console.print(layers)
    console.print()
    for comparison in outcome.comparisons:
        console.print(f"{_MARKS['ok'] if comparison.holds else _MARKS['fail']}  {comparison.law}")
        if not comparison.holds:
            console.print(f"      {comparison.left}  against  {comparison.right}")
            if comparison.first_difference:
                console.print(f"      first difference: {comparison.first_difference}")
    for note in outcome.notes:
        console.print(f"[dim]Note: {note}.[/dim]")
    console.print("Everything agrees." if outcome.equal else "The layers do not agree.")
