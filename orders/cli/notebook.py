"""`orders notebook`: run the project's notebooks on the local workspace, as Databricks would run them."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_ingest.errors import OrdersError
from dlt_ingest.sql_client import first_line
from orders.cli.console import console, step
from orders.cli.outputs import usable_folder
from orders.cli.project import Project

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class NotebookFailedError(OrdersError):
    """A cell of a notebook failed. The author of the notebook, or of the data that it checks, must act."""


# A cell of these notebooks takes seconds; one that hangs must not block a build forever.
CELL_SECONDS = 300

# What Databricks provides to every notebook. It runs before the first cell and is in no file.
_SETUP = "from orders.cli.notebook import session as _session\nspark = _session()"


@click.command()
@click.argument("notebooks", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the executed copies; target/notebooks by default.",
)
def notebook(notebooks: tuple[Path, ...], out: Path | None) -> None:
    """Run NOTEBOOKS, or all in notebooks/, on the local workspace, and save copies with their output."""
    project = Project.find()
    paths = notebooks or tuple(sorted((project.root / "notebooks").glob("*.ipynb")))
    folder = usable_folder(out or project.root / "target" / "notebooks", "--out")
    with project.workspace():
        for path in paths:
            with step(f"Executing {path.name}"):
                executed = execute(project, path, folder)
            console.print(f"{path.name}: every cell ran. The copy with its output is {executed}")


def execute(project: Project, path: Path, folder: Path) -> Path:
    """Run one notebook in a kernel of this environment and write the copy with its outputs.

    The copy is also written if a cell fails: it shows how far the notebook came, and with which figures.

    Raises:
        NotebookFailedError: With the error of the cell that failed.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

    document = nbformat.read(path, as_version=4)
    document.cells.insert(0, nbformat.v4.new_code_cell(_SETUP))
    os.environ["ORDERS_CATALOG"] = project.settings.catalog
    client = NotebookClient(
        document,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        # As on Databricks, where a notebook starts in its own folder.
        resources={"metadata": {"path": str(path.resolve().parent)}},
        kernel_manager_class="jupyter_client.AsyncKernelManager",
    )
    manager = client.create_kernel_manager()
    # This environment's own Python, even if the user has installed a kernel of that name elsewhere.
    if manager.kernel_spec is not None:
        manager.kernel_spec.argv[0] = sys.executable
    target = folder / path.name
    failure: str | None = None
    # Unix sockets in a folder that only this user can enter; a kernel on TCP runs code for anyone who can reach its
    # ports.
    with tempfile.TemporaryDirectory(prefix="orders-kernel-") as sockets:
        manager.transport = "ipc"
        manager.connection_file = str(Path(sockets) / "kernel.json")
        try:
            client.execute()
        except CellExecutionError as error:
            failure = f"{error.ename}: {error.evalue}"
        except (CellControlSignal, DeadKernelError) as error:
            failure = first_line(error)
    del document.cells[0]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(document, target)
    if failure is not None:
        raise NotebookFailedError(
            f"A cell of {path.name} failed",
            got=failure,
            consequence="The cells after it did not run",
            next_step=f"Look at {target}, then fix the cell or the data that it checks",
        )
    return target


def session() -> SparkSession:
    """Return the `spark` of a notebook on the running local workspace."""
    from local_workspace.notebook_session import open_session

    project = Project.find()
    with project.workspace() as workspace:
        return open_session(
            workspace.engine_address, workspace.catalog, default_catalog=project.settings.catalog
        )
