"""`orders dashboard`: the bundle's dashboards as one web page."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from orders.cli.console import console, step
from orders.cli.project import Project


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to; default target/dashboard.",
)
@click.option("--open", "open_page", is_flag=True, help="Show the page in the browser.")
def dashboard(out: Path | None, open_page: bool) -> None:
    """Draw both dashboards, from the very files that the bundle deploys, to one page that needs no server."""
    from local_workspace.dashboards.definition import Dashboard
    from local_workspace.dashboards.render import render, write

    project = Project.find()
    files = sorted((project.root / "dashboards").glob("*.lvdash.json"))
    with step("Drawing the dashboards"), project.queries(schema="gold") as client:
        page = render(
            [Dashboard.read(file) for file in files], client.query_arrow, source=project.settings.catalog
        )
    path = write(page, out or project.root / "target" / "dashboard")
    console.print(f"Both dashboards are in {path}")
    if open_page:
        webbrowser.open(path.resolve().as_uri())
