"""Rounds of one command each, with a kill in it.

A shop is brought into a few states, which are kept. A round takes one of them back and runs one command. While it runs, a
process is killed: `orders` itself, dbt, the daemon, the engine, the fork server, Postgres or one of its backends, at a
moment that is drawn. The command must end in time; it is then repeated until it succeeds. Afterwards every row of every
table and of Postgres must be what the same command left in the same state when nobody disturbed it. A run depends on its
seed only, which is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil

from torture.rows import Rows, differences
from torture.scenarios import SCENARIOS, Scenario, prepare
from torture.shop import RoundFailed, Shop
from torture.victims import kill_one

TRIES = 5
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Undisturbed:
    """What a scenario comes to when nobody disturbs it.

    Attributes:
        rows: Of every table.
        seconds: How long its command took.
    """

    rows: dict[str, Rows]
    seconds: float


def main() -> int:
    """Run the rounds; return 0 if all were as they must be."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first round")
    parser.add_argument(
        "--only", choices=list(SCENARIOS), action="append", help="disturb this command only; may be repeated"
    )
    wanted = parser.parse_args()
    scenarios = {name: each for name, each in SCENARIOS.items() if name in (wanted.only or SCENARIOS)}
    shop = Shop(Path(tempfile.mkdtemp(prefix="torture-")))
    since = datetime.now(timezone.utc) - timedelta(minutes=5)
    failed: list[int] = []
    done = 0
    try:
        prepare(shop, wanted.seed)
        undisturbed = {name: play_calmly(shop, each, since) for name, each in scenarios.items()}
        for number in range(wanted.first, wanted.first + wanted.rounds):
            began = time.monotonic()
            chance = random.Random(f"{wanted.seed}/{number}")  # noqa: S311
            try:
                told = play(shop, scenarios, undisturbed, chance, since)
            except RoundFailed as failure:
                failed.append(number)
                told = f"FAILED: {failure}"
            done += 1
            print(
                f"round {number} (seed {wanted.seed}): {told}, {time.monotonic() - began:.0f} s", flush=True
            )
    finally:
        print(f"{done - len(failed)} of {wanted.rounds} rounds without a difference, seed {wanted.seed}")
        if failed:
            print(f"Failed: {', '.join(map(str, failed))}. The last state is kept in {shop.folder}")
            shop.run(["down", "--force"])
        else:
            shop.forget()
    return 1 if failed else 0


def play_calmly(shop: Shop, scenario: Scenario, since: datetime) -> Undisturbed:
    """Play a scenario without a kill."""
    _begin(shop, scenario)
    shop.must(["up"])
    began = time.monotonic()
    shop.must(scenario.command)
    seconds = time.monotonic() - began
    for command in scenario.then:
        shop.must(command)
    return Undisturbed(shop.rows(since), seconds)


def play(
    shop: Shop,
    scenarios: Mapping[str, Scenario],
    undisturbed: Mapping[str, Undisturbed],
    chance: random.Random,
    since: datetime,
) -> str:
    """Play one round; return what was killed, and when.

    Raises:
        RoundFailed: It went otherwise than it must.
    """
    name = chance.choices(list(scenarios), [each.weight for each in scenarios.values()])[0]
    scenario, expected = scenarios[name], undisturbed[name]
    _begin(shop, scenario)
    if chance.random() < 0.7:
        shop.must(["up"])  # else the command starts the workspace, which is disturbed too
    told = f"{name}, {disturb(shop, scenario, chance, expected.seconds)}"
    try:
        for command in scenario.then:
            shop.must(command)
        found = differences(expected.rows, shop.rows(since))
    except RoundFailed as failure:
        raise RoundFailed(f"{told}: {failure}") from failure
    if found:
        raise RoundFailed(f"{told}: the rows differ:\n  " + "\n  ".join(found))
    return f"{told}, equal"


def _begin(shop: Shop, scenario: Scenario) -> None:
    shop.restore(scenario.state, scenario.postgres or scenario.state)


def disturb(shop: Shop, scenario: Scenario, chance: random.Random, usual: float) -> str:
    """Run a command with a kill, then until it succeeds; return a text for the line of the round.

    Raises:
        RoundFailed: It did not end in time, ended silently, or did not succeed afterwards.
    """
    process = shop.start(scenario.command)
    after = chance.uniform(0, usual * 1.1)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    kind = "nothing, it was done"
    if process.poll() is None:
        kind = kill_one(shop.layout, psutil.Process(process.pid), chance)
    told = f"killed {kind} at {after:.1f} of {usual:.1f} s"
    try:
        code, tries = process.wait(PATIENCE_SECONDS + 3 * usual), 1
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # it says where it hangs, see `Shop.start`
        process.wait()
        hung = shop.output.read_text(errors="replace")
        raise RoundFailed(f"{told}: it did not end:\n{hung[-4000:]}") from None
    output = shop.output.read_text(errors="replace")
    while code and tries < TRIES:
        if tries > 1 or kind != "orders":
            complain(told, output)
        code, output = shop.run(scenario.command)
        tries += 1
    if code:
        raise RoundFailed(f"{told}: it failed {TRIES} times:\n{output[-2000:]}")
    return f"{told}, {tries} tries"


def complain(told: str, output: str) -> None:
    """Refuse an end that no user could make sense of.

    Raises:
        RoundFailed: The output is a stack trace, or a fault that nobody expected.
    """
    if "Traceback (most recent call last)" in output or "a fault of this program" in output:
        raise RoundFailed(f"{told}: it said:\n{output[-3000:]}")


if __name__ == "__main__":
    sys.exit(main())
