"""`orders governance`: tags, comments and keys of the tables, and where their rows come from."""

from __future__ import annotations

import click

from dlt_ingest.errors import InputError
from dlt_ingest.governance.catalog_state import Difference, declared_keys, differences, pipeline_keys
from orders.cli.console import console, format_option, print_rows, say, step
from orders.cli.project import Project


@click.group()
def governance() -> None:
    """Manage tags, comments and keys as code; show lineage from a file to a dashboard."""


@governance.command()
def apply() -> None:
    """Set the tags and comments from dlt_ingest/governance that the catalog lacks.

    The statements are the same locally and on Databricks. The exit code is 1 if a difference remains that only a build
    can fix.
    """
    project = Project.find()
    with project.sql_client() as client, step("Comparing the catalog with its description"):
        found = _differences(project, client.query)
        for difference in found:
            if difference.statement:
                client.execute(difference.statement)
        left = _differences(project, client.query)
    console.print(f"{len(found) - len(left):,} of {len(found):,} differences fixed.")
    _print(left)
    if left:
        raise SystemExit(1)


@governance.command()
def check() -> None:
    """Compare tags, comments and keys in the catalog with their description. The exit code is 1 if they differ."""
    project = Project.find()
    with project.sql_client() as client, step("Comparing the catalog with its description"):
        found = _differences(project, client.query)
    _print(found)
    if found:
        console.print("Next: orders governance apply")
        raise SystemExit(1)
    console.print("The catalog matches its description.")


@governance.command()
@click.option("--to", "target", default=None, help="Show only the inputs of this relation or exposure.")
@format_option
def lineage(target: str | None, output_format: str) -> None:
    """Show where rows come from: files, datasets, models, dashboards and Postgres, with row counts."""
    from dlt_ingest.governance.lineage import lineage as read_lineage

    project = Project.find()
    with project.sql_client() as client, step("Reading the lineage"):
        nodes = read_lineage(client.query, to=target)
    if target and not nodes:
        raise InputError(
            "The lineage of the last build has no such name",
            got=target,
            allowed="a relation as schema.name, or an exposure",
            next_step="Run `orders governance lineage` without --to to see all names",
        )
    rows = [node.as_dict() for node in nodes]
    if output_format != "json":
        rows = [{**row, "reads": ", ".join(row["reads"])} for row in rows]
    print_rows(rows, output_format, ["stage", "kind", "name", "rows", "reads"], ends_matter={"name", "reads"})


def _differences(project: Project, query: object) -> list[Difference]:
    keys = {
        **declared_keys(project.root / "dbt_project" / "models"),
        **pipeline_keys(project.root / "dlt_ingest" / "transformations"),
    }
    return differences(query, project.settings.catalog, keys)  # type: ignore[arg-type]


def _print(found: list[Difference]) -> None:
    for difference in found:
        say(("differs", "yellow"), f"  {difference.what}")
        console.print(f"         found: {difference.found or 'nothing'}")
        if difference.statement is None:
            console.print("         only the code that builds the table can set this. Next: orders run")
