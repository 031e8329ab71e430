"""Rounds of a shop's day in two workspaces, one of them with a kill in each round.

Both get the same files and the same commands. In one of them a process is killed while one of the commands runs: `orders`
itself, dbt, the daemon, the engine, the fork server, Postgres or one of its backends, at a moment that is drawn. The
command must end in time; it is then repeated until it succeeds. After each round every row of every table and of Postgres
must be the same in both. A run depends on its seed only, which is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil

from local_workspace.layout import WorkspaceLayout
from torture.rows import Rows, all_rows, differences
from torture.victims import kill_one

PROJECT = Path(__file__).parents[1]
ORDERS = [sys.executable, "-m", "orders.cli.main"]
COMMANDS: Mapping[str, list[str]] = {
    "ingest": ["ingest"],
    "build": ["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"],
    "export": ["export"],
    "replay": ["quarantine", "replay", "--rule", "price_positive", "--set", "price=9.99"],
}
# What a round runs, by the command that is disturbed: dbt takes most of the time, so it is not in every round.
ROUNDS: Mapping[str, list[str]] = {
    "ingest": ["ingest"],
    "build": ["ingest", "build"],
    "export": ["ingest", "build", "export"],
    "replay": ["ingest", "replay", "ingest"],
}
WEIGHTS = {"ingest": 4, "build": 3, "export": 1, "replay": 2}
TRIES = 5
PATIENCE_SECONDS = 60.0


class Finding(Exception):  # noqa: N818  (says what happened)
    """A round went otherwise than it must."""


@dataclass
class Shop:
    """A workspace, and how long its commands take."""

    home: Path
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def layout(self) -> WorkspaceLayout:
        """Its folders."""
        return WorkspaceLayout(self.home)

    @property
    def output(self) -> Path:
        """The file with what the last command printed."""
        return self.home.with_name(f"{self.home.name}.out")

    def start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start a command, which prints to :attr:`output`: a pipe that nobody reads would hold it up."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "POSTGRES_"))
        }
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [*ORDERS, *arguments],
                cwd=PROJECT,
                env={**environment, "ORDERS_HOME": str(self.home), "PYTHONPATH": str(PROJECT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run(self, arguments: list[str]) -> tuple[int, str]:
        """Run a command to its end; return exit code and output."""
        code = self.start(arguments).wait()
        return code, self.output.read_text(errors="replace")

    def must(self, name: str, arguments: list[str]) -> None:
        """Run a command that succeeds, and note its time."""
        began = time.monotonic()
        code, output = self.run(arguments)
        if code:
            raise Finding(f"{name} failed undisturbed with exit code {code}:\n{output[-2000:]}")
        self.seconds[name] = time.monotonic() - began

    def rows(self, since: datetime) -> dict[str, Rows]:
        """All rows, see :func:`torture.rows.all_rows`."""
        code, uri = self.run(["postgres", "uri"])
        if code:
            raise Finding(f"Postgres has no address: {uri}")
        return all_rows(self.layout, uri.split()[-1], since)


def main() -> int:
    """Run the rounds; return 0 if all were as they must be."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", choices=list(WEIGHTS), action="append", help="disturb this command only; may be repeated"
    )
    wanted = parser.parse_args()
    weights = {name: weight for name, weight in WEIGHTS.items() if name in (wanted.only or WEIGHTS)}
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    calm, wild = Shop(folder / "calm"), Shop(folder / "wild")
    failed = 0
    since = datetime.now(timezone.utc) - timedelta(minutes=5)
    try:
        for shop in (calm, wild):
            shop.must("up", ["up"])
        # The generator goes on with the seed of its history.
        calm.must("generate", ["generate", "--end", "1", "--seed", str(wanted.seed)])
        for number in range(1, wanted.rounds + 1):
            began = time.monotonic()
            try:
                chance = random.Random(f"{wanted.seed}/{number}")  # noqa: S311
                told = play(calm, wild, chance, weights, since)
                outcome = "equal"
            except Finding as finding:
                failed += 1
                told, outcome = "", f"FAILED: {finding}"
            print(
                f"round {number} (seed {wanted.seed}): {told}{outcome}, {time.monotonic() - began:.0f} s",
                flush=True,
            )
            if outcome != "equal":
                break  # what follows would only show the same again
    finally:
        for shop in (calm, wild):
            shop.run(["down", "--force"])
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)
    done = number - failed
    print(f"{done} of {wanted.rounds} rounds without a difference, seed {wanted.seed}")
    if failed:
        print(f"Both workspaces are kept in {folder}")
    return 1 if failed else 0


def play(calm: Shop, wild: Shop, chance: random.Random, weights: Mapping[str, int], since: datetime) -> str:
    """Play one round in both workspaces; return what was killed, and when.

    Raises:
        Finding: It went otherwise than it must.
    """
    disturbed = chance.choices(list(weights), list(weights.values()))[0]
    size = chance.randint(20, 200)
    generate = ["generate", "--end", "1", "--batch-size", str(size), "--faults", "0.2"]
    calm.must("generate", generate)
    for file in calm.layout.volumes.glob("*/*/*/orders/landing/orders-*"):
        copy = wild.layout.volumes / file.relative_to(calm.layout.volumes)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
    commands = ROUNDS[disturbed]
    for name in commands:
        calm.must(name, COMMANDS[name])
    last = len(commands) - 1 - commands[::-1].index(disturbed)
    told = ""
    for at, name in enumerate(commands):
        if at == last:
            told = disturb(wild, name, chance, calm.seconds[name])
        else:
            wild.must(name, COMMANDS[name])
    found = differences(calm.rows(since), wild.rows(since))
    if found:
        raise Finding(f"{told}the rows differ:\n  " + "\n  ".join(found))
    return told


def disturb(shop: Shop, name: str, chance: random.Random, usual: float) -> str:
    """Run a command with a kill, then until it succeeds; return a text for the line of the round.

    Raises:
        Finding: It did not end in time, ended without a word, or did not succeed afterwards.
    """
    process = shop.start(COMMANDS[name])
    after = chance.uniform(0, usual * 1.1)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    kind = "nothing, it was done"
    if process.poll() is None:
        kind = kill_one(shop.layout, psutil.Process(process.pid), chance)
    try:
        code, tries = process.wait(PATIENCE_SECONDS + 3 * usual), 1
    except subprocess.TimeoutExpired:
        process.kill()
        raise Finding(f"{name} did not end after the kill of {kind} at {after:.1f} s") from None
    output = shop.output.read_text(errors="replace")
    while code and tries < TRIES:
        if tries > 1 or kind != "orders":
            complain(name, kind, output)
        code, output = shop.run(COMMANDS[name])
        tries += 1
    if code:
        raise Finding(
            f"{name} failed {TRIES} times after the kill of {kind} at {after:.1f} s:\n{output[-2000:]}"
        )
    return f"{name}, killed {kind} at {after:.1f} of {usual:.1f} s, {tries} tries; "


def complain(name: str, kind: str, output: str) -> None:
    """Refuse an end that no user could make sense of.

    Raises:
        Finding: The output is a stack trace, or a fault that nobody expected.
    """
    if "Traceback (most recent call last)" in output or "a fault of this program" in output:
        raise Finding(f"{name} said, after the kill of {kind}:\n{output[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
