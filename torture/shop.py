"""A workspace at one place, whose state is put aside and taken back as a whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local_workspace.layout import WorkspaceLayout
from local_workspace.postgres.files import possible_data_folders
from torture.rows import Rows, all_rows

PROJECT = Path(__file__).parents[1]
_ORDERS = [sys.executable, "-m", "orders.cli.main"]


class RoundFailed(Exception):  # noqa: N818  (says what happened)
    """A round went otherwise than it must."""


@dataclass(frozen=True)
class Shop:
    """A workspace, and the states of it that were kept.

    Args:
        folder: Holds the workspace, its states and the output of its commands.
    """

    folder: Path

    @property
    def layout(self) -> WorkspaceLayout:
        """Its folders."""
        return WorkspaceLayout(self.folder / "home")

    @property
    def output(self) -> Path:
        """The file with what the last command printed."""
        return self.folder / "output"

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command, which prints to :attr:`output`: a pipe that nobody reads would hold it up."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "POSTGRES_"))
        }
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [*_ORDERS, *arguments],
                cwd=PROJECT,
                env={
                    **environment,
                    "ORDERS_HOME": str(self.layout.home),
                    "PYTHONPATH": str(PROJECT),
                    "PYTHONFAULTHANDLER": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run a command to its end; return exit code and output."""
        code = self.start(arguments).wait()
        return code, self.output.read_text(errors="replace")

    def must(self, arguments: Sequence[str]) -> None:
        """Run a command that succeeds.

        Raises:
            RoundFailed: It did not.
        """
        code, output = self.run(arguments)
        if code:
            raise RoundFailed(f"{arguments[0]} failed undisturbed with exit code {code}:\n{output[-2000:]}")

    def rows(self, since: datetime) -> dict[str, Rows]:
        """Return all rows, see :func:`torture.rows.all_rows`."""
        self.must(["up"])  # not released before they are read
        code, uri = self.run(["postgres", "uri"])
        if code:
            raise RoundFailed(f"Postgres has no address: {uri}")
        return all_rows(self.layout, uri.split()[-1], since)

    def keep(self, state: str) -> None:
        """Stop the workspace and put its state aside."""
        self.must(["down", "--force"])
        for place, kept in self._places(state).items():
            if place.exists():
                _copy(place, kept)

    def restore(self, state: str, postgres: str) -> None:
        """Stop the workspace and take a kept state back.

        Args:
            state: Name of the state.
            postgres: Name of the state that the Postgres data are taken from.
        """
        self.run(["down", "--force"])
        for place, kept in self._places(state).items():
            shutil.rmtree(place, ignore_errors=True)
            source = kept if place == self.layout.home else self._places(postgres)[place]
            if source.exists():
                _copy(source, place)

    def forget(self) -> None:
        """Delete the workspace and all states."""
        self.run(["down", "--force"])
        for place in self._places(""):
            shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _places(self, state: str) -> dict[Path, Path]:
        # Root's Postgres keeps its data outside of the workspace folder.
        outside = [
            place for place in possible_data_folders(self.layout.home) if self.folder not in place.parents
        ]
        places = [self.layout.home, *(place.parent for place in outside)]
        return {place: self.folder / "states" / state / str(at) for at, place in enumerate(places)}


def _copy(source: Path, target: Path) -> None:
    # Owners of files are kept, which `shutil.copytree` does not do.
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)  # noqa: S607
