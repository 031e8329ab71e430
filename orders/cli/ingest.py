"""`orders ingest`: one triggered DLT update of the pipeline as the bundle deploys it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orders.cli.console import console, print_cells, say, step
from orders.cli.project import Project, run_id
from orders.cli.tables import Cell

if TYPE_CHECKING:
    from local_workspace.dlt_runtime.spec import PipelineSpec, UpdateResult
    from local_workspace.workspace import Workspace

PIPELINE = "orders_ingest"


@click.command()
@click.option(
    "--full-refresh",
    is_flag=True,
    help="Empty and rebuild the TABLEs, or all tables if none is given.",
)
@click.option("--dry-run", is_flag=True, help="Build and check the graph without moving rows.")
@click.option(
    "--verify", is_flag=True, help="Also recompute the tables that need no refresh, and compare the results."
)
@click.argument("tables", nargs=-1)
def ingest(full_refresh: bool, dry_run: bool, verify: bool, tables: tuple[str, ...]) -> None:
    """Run one triggered DLT update: new files to Bronze, valid rows to Silver, invalid rows to quarantine."""
    if tables and not full_refresh:
        raise click.UsageError(
            f"TABLE ({', '.join(tables)}) needs --full-refresh. Next: add it, or omit the tables."
        )
    project = Project.find()
    with project.workspace() as workspace, step("DLT update"):
        result = update(
            project, workspace, full_refresh=list(tables) or full_refresh, dry_run=dry_run, verify=verify
        )
    if dry_run and result.ok:
        console.print(f"The graph is valid: {', '.join(result.datasets)}. No rows were moved.")
        return
    print_update(result)
    if not result.ok:
        raise SystemExit(1)


def update(
    project: Project,
    workspace: Workspace,
    *,
    full_refresh: bool | list[str] = False,
    dry_run: bool = False,
    verify: bool = False,
) -> UpdateResult:
    """Run one update of the bundle's pipeline on the local workspace."""
    from local_workspace.dlt_runtime.refresh.update import run_update

    return run_update(
        pipeline_spec(project),
        layout=workspace.layout,
        catalog=workspace.catalog,
        engine_address=workspace.engine_address,
        full_refresh=full_refresh,
        dry_run=dry_run,
        verify=verify,
        run_id=run_id(),
    )


def pipeline_spec(project: Project) -> PipelineSpec:
    """Return the pipeline as the bundle defines it, with its files, configuration and event log, in the local catalog."""
    from local_workspace.dlt_runtime.spec import EventLogTarget, PipelineSpec

    resource = project.bundle.pipeline(PIPELINE)
    return PipelineSpec(
        name=resource["name"],
        catalog=resource["catalog"],
        schema=resource["schema"],
        libraries=resource["libraries"],
        base_path=project.root,
        root_path=Path(resource["root_path"]),
        configuration={**resource["configuration"], **project.settings.pipeline_configuration(run_id())},
        event_log=EventLogTarget(**resource["event_log"]),
    )


def print_update(result: UpdateResult) -> None:
    """Print what an update did, and every file or row that it could not load."""
    rows = [
        [
            Cell(name),
            *(
                Cell(f"{count:,}", to_the_right=True)
                for count in (dataset.rows_in, dataset.rows_out, dataset.rows_dropped)
            ),
            Cell(dataset.refresh.lower().replace("_", " ")),
        ]
        for name, dataset in result.datasets.items()
    ]
    print_cells(["dataset", "in", "written", "dropped", ""], rows)
    for fault in result.faults:
        say(("unreadable file", "yellow"), f"  {fault.path}: {fault.fault}")
    for warning in result.warnings:
        say(("note", "yellow"), f"  {warning}")
    files = len(result.files)
    console.print(
        f"Update {result.state.lower()} in {result.seconds:.1f} s: {files:,} new file{'' if files == 1 else 's'}"
    )
    if result.error:
        say((result.error, "red"))
