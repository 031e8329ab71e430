"""dbt for tests: one process per pytest process runs the commands of all tests, each in an environment of its own.

To import dbt takes longer than most of these commands do. In a process of its own, because dbt reads `os.environ`, and
because it walks through its callers' stack, which is slow in pytest's.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """The outcome of one command.

    Attributes:
        success: Whether dbt would have ended with 0.
        output: What it printed.
        exception: Text of the error that ended the command; None where it ran to its end, with or without failed nodes.
        statuses: Status by unique id of each node of the project that it came to.
        compiled: Compiled code by unique id, of the nodes that have some.
        messages: Level and text of each event, those that are not printed too.
        statements: The SQL statements that it sent.
    """

    success: bool
    output: str
    exception: str | None
    statuses: dict[str, str]
    compiled: dict[str, str]
    messages: list[tuple[str, str]]
    statements: list[str]

    @property
    def said(self) -> str:
        """What a user would have read."""
        return self.output + (f"\n{self.exception}" if self.exception else "")


class DbtProcess:
    """Runs dbt commands one after another; the process starts with the first one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Outcome:
        """Run one command.

        Args:
            arguments: The arguments after `dbt`.
            folder: Working directory of the command.
            environment: Its whole environment.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("dbt_loop.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        command = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
        try:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
            reply = process.stdout.readline()
            assert reply, f"the dbt process ended in `dbt {' '.join(arguments)}`"
        except BaseException:
            # Its reply would be taken for that of the next command.
            process.kill()
            self.close()
            raise
        return Outcome(**json.loads(reply))

    def close(self) -> None:
        """End the process, if there is one; it does so when its standard input ends."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


@functools.cache
def dbt_process() -> DbtProcess:
    """The one of this pytest process."""
    process = DbtProcess()
    atexit.register(process.close)
    return process
