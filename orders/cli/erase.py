"""`orders erase`: erase one customer everywhere; on Databricks, as the steps of the job erase_customer."""

from __future__ import annotations

import sys

import click

from dlt_ingest.errors import InputError
from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.sql_client import SqlClient
from orders.cli.console import console, print_cells, say, step
from orders.cli.deployed_erasure import STEPS, DeployedErasure
from orders.cli.project import Project
from orders.cli.tables import Cell

_GUIDE = "docs/operations/erase-customer.md"


@click.command()
@click.argument("customer_id")
@click.option("--dry-run", is_flag=True, help="Only count the records in each place.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--step",
    "steps",
    multiple=True,
    type=click.Choice(list(STEPS)),
    help="On Databricks only: a step of the job erase_customer. Repeatable.",
)
def erase(customer_id: str, dry_run: bool, yes: bool, steps: tuple[str, ...]) -> None:
    """Erase a customer from files, tables and their old versions, Postgres and logs.

    This cannot be undone. If the command is interrupted, run it again to finish. The exit code is 1 if a trace is left.
    """
    project = Project.find()
    names = project.settings.FIELD_NAMES
    customer = CustomerId(
        customer_id.strip(), tuple(n for n, field in names.items() if field == "customer_id")
    )
    if not project.is_local:
        _erase_deployed(project, customer, steps, dry_run=dry_run, yes=yes)
        return
    if steps:
        raise click.UsageError(
            "--step is for Databricks; on the local workspace, the command runs all steps. Next: omit it"
        )
    _erase_here(project, customer, dry_run=dry_run, yes=yes)


def _erase_here(project: Project, customer: CustomerId, *, dry_run: bool, yes: bool) -> None:
    from orders.cli.local_erasure import LocalErasure

    with (
        project.workspace() as workspace,
        SqlClient.from_environment(catalog=project.settings.catalog) as client,
    ):
        erasure = LocalErasure(project, workspace, client, customer)
        with step("Looking for the customer"):
            places = erasure.count()
        if not any(places.values()):
            # The warehouse has just logged these queries, which contain the id.
            erasure.mask_logs()
        _print_places(places)
        if dry_run:
            console.print("Nothing was erased.")
            return
        if not any(places.values()) and not erasure.left():
            console.print("The workspace has no data of this customer.")
            return
        if not yes and not sys.stdin.isatty():
            raise click.UsageError(
                "An erasure needs confirmation, and there is no terminal to ask. Next: add --yes"
            )
        if not yes and not click.confirm("Erase all of this permanently?"):
            console.print("Nothing was erased.")
            return
        erasure.run()
        with step("Looking for traces"):
            left = erasure.left()
    if left:
        for path in left:
            say(("left", "red"), f"  {project.layout.shown(path).relative_to(project.home)}")
        console.print(f"{len(left):,} files still contain the id. For causes and remedies, see {_GUIDE}")
        raise SystemExit(1)
    console.print("Erased. No file of the workspace contains the id. Next: orders reconcile")


def _erase_deployed(
    project: Project, customer: CustomerId, steps: tuple[str, ...], *, dry_run: bool, yes: bool
) -> None:
    if not dry_run and not (steps and yes):
        raise InputError(
            "On Databricks, the job erase_customer erases a customer; the pipeline and dbt run between its steps",
            got=f"ORDERS_ENV={project.environment} without --step and --yes",
            allowed="--dry-run, or a step of the job",
            consequence="Nothing was erased",
            next_step=f"Run the job, as described in {_GUIDE}",
        )
    with project.queries() as queries:
        erasure = DeployedErasure(project, queries, customer)
        if dry_run:
            _print_places(erasure.count())
            console.print("Nothing was erased.")
            return
        for name, work in STEPS.items():
            if name in steps:
                with step(f"Step {name}"):
                    work(erasure)
                console.print(f"Step {name} is done.")


def _print_places(places: dict[str, int]) -> None:
    rows = [[Cell(place), Cell(f"{count:,}", to_the_right=True)] for place, count in places.items()]
    print_cells(["place", "rows"], rows)
