"""The order generator: batches of generated orders that look like a shop's, with counted faults in them.

The same seed and the same batches so far give the next batch byte for byte. Several invocations continue one
history, because its state stays in the generator's folder beside landing. The history begins on a fixed day in
the past and never reaches the
present: in the last days before it, and only there, the bytes depend on the time of day too.
"""

from __future__ import annotations

import hashlib
import heapq
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from dlt_ingest.errors import DataFault, InputError
from dlt_ingest.generators.faults import FAULT_KINDS
from dlt_ingest.generators.history import DueEvent, History, Record
from dlt_ingest.generators.ledger import Ledger
from dlt_ingest.generators.records import encode_lines, encode_record

DEFAULT_SEED = 1
DEFAULT_BATCH_SIZE = 100
DEFAULT_FAULTS = 0.02
DEFAULT_LATE = 0.01
DEFAULT_DUPLICATES = 0.01
DEFAULT_LINES = 1
FIRST_DAY = datetime(2025, 1, 6)  # noqa: DTZ001  # all moments of a history are UTC

_STATE_FORMAT = 1
_SHORTEST_HISTORY = timedelta(days=365)
_BEFORE_NOW = timedelta(minutes=10)
_DENSE_ABOVE = 100


@dataclass(frozen=True)
class GeneratedBatch:
    """What is in one batch; all of it is in the batch's manifest, too.

    Attributes:
        batch_id: Name of the batch: its file name without the extension.
        file_name: Name of its file in landing.
        records: Number of lines.
        faulty: Number of lines with a planted fault; each must end in quarantine.
        faults: Planted faults by kind.
        failed_rules: Rules that the planted faults break, with the number of lines.
        late: Lines that happened before the batch and were held back: good records, delivered late.
        duplicates: Lines that an earlier batch had already: good records, delivered twice.
    """

    batch_id: str
    file_name: str
    records: int
    faulty: int
    faults: dict[str, int]
    failed_rules: dict[str, int]
    late: int
    duplicates: int

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> GeneratedBatch:
        """Read it from a manifest."""
        return cls(**{name: manifest[name] for name in cls.__dataclass_fields__})


class OrderGenerator:
    """Writes batches of generated orders into landing.

    Args:
        landing: The landing folder.
        folder: Folder of state and manifests; default: `generator` beside landing. On landing's file system.
        batch_size: Lines in a batch.
        seed: Names the history; default: that of the history so far, or 1.
        faults: Share of the lines with a planted fault, kept exactly over the batches. The kinds take turns.
        late: Share of good records that are held back for one to three batches.
        duplicates: Share of good records that a later batch delivers again.
        lines: Most lines of an order; above 1, records have `order_line`, and returns name a part of an order.
        now: Tells the present, in UTC without time zone.

    Raises:
        InputError: If an argument is out of its range.
    """

    def __init__(
        self,
        landing: Path,
        *,
        folder: Path | None = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
        seed: int | None = None,
        faults: float = DEFAULT_FAULTS,
        late: float = DEFAULT_LATE,
        duplicates: float = DEFAULT_DUPLICATES,
        lines: int = DEFAULT_LINES,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc).replace(tzinfo=None),
    ) -> None:
        if batch_size < 1:
            raise InputError(
                "A batch needs at least one record", got=f"batch size {batch_size}", allowed="1 or more"
            )
        if lines < 1:
            raise InputError("An order needs at least one line", got=f"{lines} lines", allowed="1 or more")
        for name, share in (("faults", faults), ("late", late), ("duplicates", duplicates)):
            if not 0 <= share <= 1:
                raise InputError(f"The share of {name} is not between 0 and 1", got=share, allowed="0 to 1")
        self._ledger = Ledger(folder or landing.parent / "generator", landing)
        self._batch_size = batch_size
        self._seed = seed
        self._lines = lines
        self._shares = {"faults": faults, "late": late, "duplicates": duplicates}
        self._now = now

    def run(
        self, *, end: int = 1, interval: float = 0.0, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[GeneratedBatch]:
        """Write batches, one every so often.

        A batch that an earlier, killed run had begun is finished first and is one of those asked for: the
        command that was killed, given again, does what it would have done.

        Args:
            end: Number of batches.
            interval: Seconds between two of them.
            sleep: Waits.

        Yields:
            Each batch when it is in landing.

        Raises:
            BusyError: If another generator works in the same folder.
            InputError: If the history so far has another seed.
            DataFault: If the state is damaged or of another version.
        """
        with self._ledger.locked():
            for number in range(end):
                if number:
                    sleep(interval)
                settled = self._ledger.settle() if number == 0 else None
                yield GeneratedBatch.from_manifest(settled or self._write_batch())

    def manifests(self) -> list[GeneratedBatch]:
        """Return all batches so far, in order."""
        return [GeneratedBatch.from_manifest(manifest) for manifest in self._ledger.manifests()]

    def _write_batch(self) -> dict[str, Any]:
        state = self._ledger.state() or self._first_state()
        self._check(state)
        content, manifest, after = next_batch(
            state,
            batch_size=self._batch_size,
            shares=self._shares,
            horizon=self._now() - _BEFORE_NOW,
            lines=self._lines,
        )
        self._ledger.commit(content, manifest, after)
        return manifest

    def _first_state(self) -> dict[str, Any]:
        # Were the machine's clock behind the first day, the history would begin a year before it.
        today = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
        history = History(
            seed=DEFAULT_SEED if self._seed is None else self._seed,
            clock=min(FIRST_DAY, today - _SHORTEST_HISTORY),
        )
        return {
            "format": _STATE_FORMAT,
            "batches": 0,
            "fault_turn": 0,
            "owed": dict.fromkeys(self._shares, 0.0),
            "held_back": [],
            "history": _history_to_state(history),
        }

    def _check(self, state: dict[str, Any]) -> None:
        if state.get("format") != _STATE_FORMAT:
            raise DataFault(
                "The generator's state has another version",
                got=state.get("format"),
                allowed=_STATE_FORMAT,
                consequence="No batch was generated",
                next_step=f"Remove {self._ledger.folder} and what it generated in landing",
            )
        seed = state["history"]["seed"]
        if self._seed is not None and self._seed != seed:
            raise InputError(
                "The existing history has another seed",
                got=self._seed,
                allowed=seed,
                consequence="No batch was generated",
                next_step=f"Omit the seed to continue, or start again in another workspace ({self._ledger.folder})",
            )
        clock = datetime.fromisoformat(state["history"]["clock"])
        if clock >= self._now() - _BEFORE_NOW:
            raise DataFault(
                "The history has reached the present",
                got=f"{clock.isoformat()}Z",
                allowed=f"before {(self._now() - _BEFORE_NOW).isoformat()}Z",
                consequence="No batch was generated, because its events would be in the future",
                next_step="Correct the machine's clock, or try again in a few minutes",
            )


def next_batch(
    state: dict[str, Any],
    *,
    batch_size: int,
    shares: dict[str, float],
    horizon: datetime,
    lines: int = DEFAULT_LINES,
) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """Make the next batch of a history: a pure function of its arguments.

    Args:
        state: The state after the batch before.
        batch_size: Lines in the batch.
        shares: Shares of `faults`, `late` and `duplicates`.
        horizon: Moment that no event reaches.
        lines: Most lines of an order that begins in this batch.

    Returns:
        The content of the file, its manifest, and the state after it.
    """
    history = _history_from_state(state["history"])
    number = state["batches"] + 1
    rng = random.Random(f"{history.seed}/{number}")  # noqa: S311  # made-up data, no secret
    # What the shares owe is carried on, so that 2 % of 10 lines are planted in every fifth batch.
    due = {name: state["owed"][name] + share * batch_size for name, share in shares.items()}

    waiting = [entry for entry in state["held_back"] if entry["batch"] > number]
    returning = [entry for entry in state["held_back"] if entry["batch"] <= number]
    waiting += returning[batch_size:]
    returning = returning[:batch_size]

    fresh_count = batch_size - len(returning)
    held = {name: min(int(due[name]), fresh_count) for name in ("late", "duplicates")}
    density = max(1.0, batch_size / _DENSE_ABOVE)
    count = fresh_count + held["late"]
    events = list(history.events(rng, count=count, density=density, horizon=horizon, lines=lines))
    late = set(rng.sample(range(len(events)), held["late"]))
    waiting += [_held_back("late", number + rng.randint(1, 3), events[place]) for place in sorted(late)]
    fresh = [event for place, event in enumerate(events) if place not in late]

    planted = min(int(due["faults"]), len(fresh))
    spoiled = sorted(rng.sample(range(len(fresh)), planted))
    bad = set(spoiled)
    good = [event for place, event in enumerate(fresh) if place not in bad]
    again = rng.sample(range(len(good)), min(held["duplicates"], len(good)))
    waiting += [_held_back("duplicate", number + rng.randint(1, 2), good[place]) for place in sorted(again)]

    content_lines = [encode_record(_ordered(event)) for event in fresh]
    kinds: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for turn, place in enumerate(spoiled, start=state["fault_turn"]):
        kind = FAULT_KINDS[turn % len(FAULT_KINDS)]
        content_lines[place] = kind.spoil(_ordered(fresh[place]), rng)
        kinds[kind.name] += 1
        rules.update(kind.rules)
    for entry in returning:
        content_lines.insert(rng.randint(0, len(content_lines)), entry["line"])

    content = encode_lines(content_lines)
    batch_id = f"orders-{number:06d}"
    returned = Counter(entry["kind"] for entry in returning)
    manifest = {
        "batch_id": batch_id,
        "file_name": f"{batch_id}.json",
        "sha256": hashlib.sha256(content).hexdigest(),
        "seed": history.seed,
        "records": len(content_lines),
        "faulty": planted,
        "faults": dict(kinds),
        "failed_rules": dict(rules),
        "late": returned["late"],
        "duplicates": returned["duplicate"],
        "last_event": f"{history.clock.isoformat()}Z",
    }
    after = {
        "format": _STATE_FORMAT,
        "batches": number,
        "fault_turn": state["fault_turn"] + planted,
        "owed": {
            "faults": due["faults"] - planted,
            "late": due["late"] - held["late"],
            "duplicates": due["duplicates"] - len(again),
        },
        "held_back": waiting,
        "history": _history_to_state(history),
    }
    return content, manifest, after


def generate_batches(
    landing: Path,
    *,
    batches: int = 1,
    interval: float = 0.0,
    batch_size: int = DEFAULT_BATCH_SIZE,
    seed: int | None = None,
    faults: float = DEFAULT_FAULTS,
    lines: int = DEFAULT_LINES,
) -> Iterator[GeneratedBatch]:
    """Write batches of generated orders into landing; see `OrderGenerator`."""
    yield from OrderGenerator(landing, batch_size=batch_size, seed=seed, faults=faults, lines=lines).run(
        end=batches, interval=interval
    )


_FIELD_ORDER = (
    "order_id", "order_item", "price", "items_ordered", "status", "date_ordered", "customer_id", "order_timestamp",
    "order_line",
)  # fmt: skip


def _ordered(event: Record) -> Record:
    return {name: event[name] for name in _FIELD_ORDER if name in event or name != "order_line"}


def _held_back(kind: str, batch: int, event: Record) -> dict[str, Any]:
    return {"kind": kind, "batch": batch, "line": encode_record(_ordered(event))}


def _history_to_state(history: History) -> dict[str, Any]:
    return {
        "seed": history.seed,
        "clock": history.clock.isoformat(),
        "orders": history.orders,
        "customers": history.customers,
        "active": history.active,
        "due": [
            [
                event.moment.isoformat(),
                event.number,
                event.step,
                {
                    **event.record,
                    "price": str(event.record["price"]),
                    "date_ordered": event.record["date_ordered"].isoformat(),
                },
            ]
            for event in sorted(history.due)
        ],
    }


def _history_from_state(state: dict[str, Any]) -> History:
    due = [
        DueEvent(
            datetime.fromisoformat(moment),
            number,
            step,
            {
                **record,
                "price": Decimal(record["price"]),
                "date_ordered": date.fromisoformat(record["date_ordered"]),
            },
        )
        for moment, number, step, record in state["due"]
    ]
    heapq.heapify(due)
    return History(
        seed=state["seed"],
        clock=datetime.fromisoformat(state["clock"]),
        orders=state["orders"],
        customers=state["customers"],
        active=list(state["active"]),
        due=due,
    )


if __name__ == "__main__":
    # The same as `orders generate`. The command line is imported here only: it alone knows where landing is.
    from orders.cli.main import main

    main(["generate", *sys.argv[1:]])
