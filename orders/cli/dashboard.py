"""`orders dashboard`: the bundle's dashboards as one web page."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from orders.cli.console import console, step
from orders.cli.outputs import usable_folder
from orders.cli.project import Project


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the page; target/dashboard by default.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
def dashboard(out: Path | None, open_page: bool) -> None:
    """Draw the dashboards that the bundle deploys as one web page. The page needs no server."""
    from local_workspace.dashboards.definition import Dashboard
    from local_workspace.dashboards.render import render, write

    project = Project.find()
    folder = usable_folder(out or project.root / "target" / "dashboard", "--out")
    files = sorted((project.root / "dashboards").glob("*.lvdash.json"))
    with step("Drawing the dashboards"), project.queries(schema="gold") as client:
        page = render(
            [Dashboard.read(file) for file in files], client.query_arrow, source=project.settings.catalog
        )
    path = write(page, folder)
    console.print(f"The dashboards are in {path}")
    if open_page:
        webbrowser.open(path.resolve().as_uri())
