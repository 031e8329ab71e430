"""`orders governance`: what the catalog shows about the tables, and where their rows come from."""

from __future__ import annotations

import click

from dlt_ingest.errors import InputError
from dlt_ingest.governance.catalog_state import Difference, declared_keys, differences, pipeline_keys
from orders.cli.console import console, format_option, print_rows, step
from orders.cli.project import Project


@click.group()
def governance() -> None:
    """Tags, comments and keys as code; lineage from a file to a dashboard."""


@governance.command()
def apply() -> None:
    """Set the tags and comments of dlt_ingest/governance that the catalog does not show yet.

    The same statements locally and on Databricks. Exit code 1 when something is left that only a build can set.
    """
    project = Project.find()
    with project.sql_client() as client, step("Comparing the catalog with its description"):
        found = _differences(project, client.query)
        for difference in found:
            if difference.statement:
                client.execute(difference.statement)
        left = _differences(project, client.query)
    console.print(f"{len(found) - len(left):,} of {len(found):,} differences were mended.")
    _print(left)
    if left:
        raise SystemExit(1)


@governance.command()
def check() -> None:
    """Compare the catalog with its description: tags, comments, keys. Exit code 1 on a difference."""
    project = Project.find()
    with project.sql_client() as client, step("Comparing the catalog with its description"):
        found = _differences(project, client.query)
    _print(found)
    if found:
        console.print("Next: orders governance apply")
        raise SystemExit(1)
    console.print("The catalog shows what is described.")


@governance.command()
@click.option("--to", "target", default=None, help="Only what this relation or exposure is made of.")
@format_option
def lineage(target: str | None, output_format: str) -> None:
    """Show the way of the rows, from files over datasets and models to dashboards and Postgres, with row counts."""
    from dlt_ingest.governance.lineage import lineage as read_lineage

    project = Project.find()
    with project.sql_client() as client, step("Reading the lineage"):
        nodes = read_lineage(client.query, to=target)
    if target and not nodes:
        raise InputError(
            "This name is not in the lineage of the last build",
            got=target,
            allowed="a relation as schema.name, or an exposure",
            next_step="orders governance lineage, without --to",
        )
    rows = [node.as_dict() for node in nodes]
    if output_format != "json":
        rows = [{**row, "reads": ", ".join(row["reads"])} for row in rows]
    print_rows(rows, output_format, ["stage", "kind", "name", "rows", "reads"])


def _differences(project: Project, query: object) -> list[Difference]:
    keys = {
        **declared_keys(project.root / "dbt_project" / "models"),
        **pipeline_keys(project.root / "dlt_ingest" / "transformations"),
    }
    return differences(query, project.settings.catalog, keys)  # type: ignore[arg-type]


def _print(found: list[Difference]) -> None:
    for difference in found:
        console.print(f"[yellow]differs[/yellow]  {difference.what}", markup=True)
        console.print(f"         found: {difference.found or 'nothing'}", markup=False)
        if difference.statement is None:
            console.print("         only the code that makes the table can set it: orders run", markup=False)
