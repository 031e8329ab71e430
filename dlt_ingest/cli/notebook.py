"""`orders notebook`: run the project's notebooks against the local workspace, as Databricks would run them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_ingest.cli.console import console, step
from dlt_ingest.cli.project import Project
from dlt_ingest.errors import OrdersError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class NotebookFailedError(OrdersError):
    """A cell of a notebook failed. Whoever wrote the notebook, or the data it checks, must act."""


# What Databricks gives to every notebook. It is run before the first cell and is in no file.
_SETUP = "from dlt_ingest.cli.notebook import session as _session\nspark = _session()"


@click.command()
@click.argument("notebooks", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the executed copies."
)
def notebook(notebooks: tuple[Path, ...], out: Path | None) -> None:
    """Execute NOTEBOOKS (default: all of notebooks/) and write copies with their outputs to target/notebooks."""
    project = Project.find()
    paths = notebooks or tuple(sorted((project.root / "notebooks").glob("*.ipynb")))
    folder = out or project.root / "target" / "notebooks"
    with project.workspace():
        for path in paths:
            with step(f"Executing {path.name}"):
                executed = execute(project, path, folder)
            console.print(f"{path.name}: every cell ran; with its outputs in {executed}")


def execute(project: Project, path: Path, folder: Path) -> Path:
    """Execute one notebook in a kernel of this environment and write the copy with its outputs.

    Raises:
        NotebookFailedError: With the error of the cell that failed.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    document = nbformat.read(path, as_version=4)
    document.cells.insert(0, nbformat.v4.new_code_cell(_SETUP))
    os.environ["ORDERS_CATALOG"] = project.settings.catalog
    client = NotebookClient(
        document,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(project.root)}},
        kernel_manager_class="jupyter_client.AsyncKernelManager",
    )
    # This environment's own Python, whatever kernel of that name the user has installed elsewhere.
    client.create_kernel_manager().kernel_spec.argv[0] = sys.executable
    try:
        client.execute()
    except CellExecutionError as error:
        raise NotebookFailedError(
            f"A cell of {path.name} failed",
            got=f"{error.ename}: {error.evalue}",
            next_step="Mend the cell, or the data that it checks",
        ) from None
    del document.cells[0]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    nbformat.write(document, target)
    return target


def session() -> SparkSession:
    """Give the `spark` of a notebook on the local workspace that is running."""
    from local_workspace.notebook_session import open_session

    project = Project.find()
    with project.workspace() as workspace:
        return open_session(
            workspace.engine_address, workspace.catalog, default_catalog=project.settings.catalog
        )
