"""Guards the order generator: repeatable, counted, never in the future, consistent after a kill."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from dlt_ingest.errors import BusyError, DataFault, InputError
from dlt_ingest.generators import ledger as ledger_module
from dlt_ingest.generators.faults import FAULT_KINDS
from dlt_ingest.generators.history import History
from dlt_ingest.generators.ledger import Ledger
from dlt_ingest.generators.orders import OrderGenerator
from dlt_ingest.generators.shop import ITEMS
from dlt_ingest.quality.order_record import REQUIRED_FIELDS
from dlt_ingest.quality.order_statuses import STATUS_RANKS
from dlt_ingest.quality.rules import RULE_NAMES

FIELD_NAMES = tuple(field.name for field in REQUIRED_FIELDS)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def generate(volume: Path, end: int = 1, **arguments) -> list:
    return list(OrderGenerator(volume / "landing", **arguments).run(end=end))


def records(volume: Path) -> list[dict]:
    lines = [
        line for path in sorted((volume / "landing").iterdir()) for line in path.read_text().splitlines()
    ]
    return [json.loads(line, parse_float=Decimal) for line in lines]


def is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> list[dict]:
    """The records of 60 batches without faults, late records and duplicates: 100 days or more of the shop."""
    volume = tmp_path_factory.mktemp("clean")
    generate(volume, end=60, faults=0, late=0, duplicates=0)
    return records(volume)


def test_same_seed_and_same_history_give_the_same_bytes(tmp_path):
    """Guards repeatability: in one go or in several invocations, and another seed gives another history."""
    generate(tmp_path / "a", end=4, seed=7)
    generate(tmp_path / "b", end=1, seed=7)
    generate(tmp_path / "b", end=3)
    generate(tmp_path / "c", end=4, seed=8)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a" / "landing") != contents(tmp_path / "c" / "landing")


def test_batches_have_the_asked_size_and_the_eight_fields(tmp_path, clean):
    """Guards the format: 100 lines by default, the fields in their order, prices of the list to the cent."""
    assert [batch.records for batch in generate(tmp_path, end=2)] == [100, 100]
    assert [batch.records for batch in generate(tmp_path, batch_size=7)] == [7]
    assert len(list((tmp_path / "landing").iterdir())) == 3
    assert {tuple(record) for record in clean} == {FIELD_NAMES}
    prices = {item.price for item in ITEMS} | {
        (item.price * Decimal("0.9")).quantize(Decimal("0.01")) for item in ITEMS
    }
    assert {record["price"] for record in clean} <= prices
    assert all(str(record["price"])[-3] == "." for record in clean)


def test_orders_of_several_lines_are_returned_in_part(tmp_path):
    """Guards `--lines`: every line has the order's events, and a return names some lines and some of their pieces.

    Customer, day and moment are the order's, and the same seed gives the same bytes.
    """
    for folder in ("one", "two"):
        generate(tmp_path / folder, end=2, seed=3, lines=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    first_day = datetime(2025, 1, 6)  # noqa: DTZ001  # all moments of a history are UTC
    history = History(seed=3, clock=first_day)
    chance = random.Random(3)  # noqa: S311  # chooses test data
    orders = defaultdict(lambda: defaultdict(dict))
    for record in history.events(
        chance,
        count=12_000,
        density=1,
        horizon=first_day + timedelta(days=365),
        lines=4,
    ):
        events = orders[record["order_id"]][record["status"]]
        assert record["order_line"] not in events, "an event of a line twice"
        events[record["order_line"]] = record
    assert {len(events["pending"]) for events in orders.values()} == {1, 2, 3, 4}
    in_part = 0
    for events in orders.values():
        ordered = events["pending"]
        assert list(ordered) == [str(number) for number in range(1, len(ordered) + 1)]
        for status, lines in events.items():
            for name in ("customer_id", "date_ordered", "order_timestamp"):
                assert len({record[name] for record in lines.values()}) == 1
            for line, record in lines.items():
                assert all(record[name] == ordered[line][name] for name in ("order_item", "price"))
                assert 1 <= record["items_ordered"] <= ordered[line]["items_ordered"]
            pieces = {line: record["items_ordered"] for line, record in lines.items()}
            if status == "returned":
                in_part += pieces != {line: record["items_ordered"] for line, record in ordered.items()}
    assert in_part > 20
    with pytest.raises(InputError, match="at least one line"):
        generate(tmp_path / "one", lines=0)


def test_orders_move_on_and_no_event_is_out_of_place(clean):
    """Guards the life of an order: begins pending, moves on in time, keeps everything but its status."""
    orders = defaultdict(list)
    for record in clean:
        orders[record["order_id"]].append(record)
    lives = Counter()
    for events in orders.values():
        statuses = [event["status"] for event in events]
        moments = [event["order_timestamp"] for event in events]
        assert moments == sorted(moments)
        assert statuses[0] == "pending"
        assert len(set(statuses)) == len(statuses)
        assert moments[0][:10] == events[0]["date_ordered"]
        constant = [name for name in FIELD_NAMES if name not in {"status", "order_timestamp"}]
        assert all(
            [event[name] for name in constant] == [events[0][name] for name in constant] for event in events
        )
        lives[tuple(statuses)] += 1
    assert set().union(*lives) == set(STATUS_RANKS)
    assert set(lives) <= {
        ("pending",),
        ("pending", "approved"),
        ("pending", "cancelled"),
        ("pending", "approved", "cancelled"),
        ("pending", "approved", "fulfilled"),
        ("pending", "approved", "fulfilled", "returned"),
    }


def test_customers_come_back_and_days_have_their_hours(clean):
    """Guards the realism that the marts live on: repeat buyers at unequal rates, quiet nights, busy evenings."""
    placed = [record for record in clean if record["status"] == "pending"]
    purchases = Counter(record["customer_id"] for record in placed)
    once = sum(count == 1 for count in purchases.values())
    assert 0.1 < once / len(purchases) < 0.6
    assert max(purchases.values()) > 5 * (len(placed) / len(purchases)) / 2
    hours = Counter(datetime.fromisoformat(record["order_timestamp"][:-1]).hour for record in placed)
    assert sum(hours[hour] for hour in (19, 20, 21)) > 5 * sum(hours[hour] for hour in (2, 3, 4))


def test_december_sells_faster_than_february():
    """Guards the season: the same number of orders takes less of the calendar in December."""

    def days(start: datetime) -> timedelta:
        history = History(seed=1, clock=start)
        rng = random.Random(1)  # noqa: S311  # made-up data
        list(history.events(rng, count=600, density=1, horizon=datetime(2030, 1, 1)))  # noqa: DTZ001
        return history.clock - start

    assert days(datetime(2025, 12, 1)) < 0.8 * days(datetime(2025, 2, 1))  # noqa: DTZ001


def test_manifest_counts_what_is_in_the_file(tmp_path):
    """Guards the manifest: planted faults by kind and by rule, duplicates and late records, all beside landing."""
    generator = OrderGenerator(tmp_path / "landing", faults=0.1, late=0.05, duplicates=0.05)
    batches = list(generator.run(end=12))
    assert generator.manifests() == batches
    assert all(
        batch.faulty == 10 == sum(batch.faults.values()) == sum(batch.failed_rules.values())
        for batch in batches
    )
    assert set().union(*(batch.faults for batch in batches)) == {kind.name for kind in FAULT_KINDS}
    lines = [line for p in sorted((tmp_path / "landing").iterdir()) for line in p.read_text().splitlines()]
    assert len(lines) - len(set(lines)) == sum(batch.duplicates for batch in batches) > 0
    assert sum(batch.late for batch in batches) > 0
    assert sum(not is_json(line) for line in lines) == sum(
        batch.failed_rules.get("record_is_readable", 0) for batch in batches
    )
    assert {p.name for p in (tmp_path / "landing").iterdir()} == {batch.file_name for batch in batches}


def test_shares_are_kept_over_small_batches(tmp_path):
    """Guards the quality rate: 2 % of batches of 10 is one fault in every fifth, never more at any moment."""
    faulty = [batch.faulty for batch in generate(tmp_path, end=20, batch_size=10, faults=0.02)]
    assert sum(faulty) == 4
    assert max(faulty) == 1


def test_every_rule_has_a_fault_kind_and_every_kind_one_rule():
    """Guards completeness: a rule without a planted fault would never be seen to work."""
    assert {rule for kind in FAULT_KINDS for rule in kind.rules} == set(RULE_NAMES)
    assert all(len(kind.rules) == 1 for kind in FAULT_KINDS)


@pytest.mark.parametrize("today", ["2025-01-20T03:30:00", "2026-06-01T12:00:00", "1999-01-01T00:00:00"])
def test_history_stays_in_the_past_however_many_batches(tmp_path, today):
    """Guards against events in the future: close to the present the history slows down and never reaches it."""
    now = datetime.fromisoformat(today)
    size = 400 if now.year == 2025 else 100
    generate(tmp_path, end=40, batch_size=size, faults=0, now=lambda: now)
    moments = [datetime.fromisoformat(record["order_timestamp"][:-1]) for record in records(tmp_path)]
    assert max(moments) < now
    days = [date.fromisoformat(record["date_ordered"]) for record in records(tmp_path)]
    assert all(day <= moment.date() for day, moment in zip(days, moments, strict=True))


def test_another_seed_for_a_history_is_refused_and_nothing_changes(tmp_path):
    """Guards the history: the refusal names both seeds and leaves state and landing as they are."""
    generate(tmp_path, seed=3)
    before = contents(tmp_path)
    with pytest.raises(InputError, match=r"got 4; allowed: 3"):
        generate(tmp_path, seed=4)
    assert contents(tmp_path) == before


def test_bad_arguments_and_damaged_state_are_refused(tmp_path):
    """Guards the texts of refusals: they say what was wrong, and nothing is generated."""
    with pytest.raises(InputError, match="batch size 0"):
        OrderGenerator(tmp_path / "landing", batch_size=0)
    with pytest.raises(InputError, match=r"share of faults.*1\.5"):
        OrderGenerator(tmp_path / "landing", faults=1.5)
    generate(tmp_path)
    (tmp_path / "generator" / "state.json").write_text("{")
    with pytest.raises(DataFault, match=r"state\.json"):
        generate(tmp_path)
    assert len(list((tmp_path / "landing").iterdir())) == 1


def test_taken_name_in_landing_is_never_overwritten(tmp_path):
    """Guards what may be ingested already: a foreign file under the next name stays as it is."""
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "orders-000001.json").write_text("{}\n")
    with pytest.raises(InputError, match=r"orders-000001\.json"):
        generate(tmp_path)
    assert (tmp_path / "landing" / "orders-000001.json").read_text() == "{}\n"


def test_two_generators_do_not_share_a_history(tmp_path):
    """Guards against doubled order ids: the second one is refused while the first one works."""
    first = OrderGenerator(tmp_path / "landing").run(end=2)
    next(first)
    with pytest.raises(BusyError):
        generate(tmp_path)
    first.close()
    assert len(generate(tmp_path)) == 1


@pytest.mark.parametrize("kill_at", range(1, 9))
def test_kill_between_any_two_steps_loses_and_doubles_nothing(tmp_path, kill_at):
    """Guards landing, manifests and state against kill -9: the command given again makes the very same batch."""
    generate(tmp_path / "whole", end=3, seed=5)
    generate(tmp_path / "killed", end=1, seed=5)
    # The process kills itself before its n-th change of a file, the way the kernel would: nothing is cleaned up.
    script = f"""
import os, signal, sys
from pathlib import Path
from dlt_ingest.generators import ledger
from dlt_ingest.generators.orders import OrderGenerator
left = {kill_at}
def counted(function):
    def step(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return step
Path.replace = counted(Path.replace)
Path.unlink = counted(Path.unlink)
ledger.publish = counted(ledger.publish)
list(OrderGenerator(Path(sys.argv[1])).run(end=1))
"""
    root = Path(ledger_module.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "killed" / "landing")],
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    completed = done.returncode == 0
    assert completed or done.returncode == -signal.SIGKILL
    assert completed == (kill_at == 8), "the number of steps has changed: cover them all"
    generate(tmp_path / "killed", end=1 if completed else 2)
    whole = contents(tmp_path / "whole")
    killed = {
        name: text for name, text in contents(tmp_path / "killed").items() if not name.endswith(".part")
    }
    assert killed == whole


def test_settled_batch_is_not_landed_a_second_time(tmp_path):
    """Guards the step after landing: once the file is in landing, it may be taken away without coming back."""
    generate(tmp_path, seed=5)
    books = Ledger(tmp_path / "generator", tmp_path / "landing")
    manifest, state = {"batch_id": "orders-000002", "file_name": "orders-000002.json"}, books.state()
    pending = tmp_path / "generator" / "pending.json"
    pending.write_text(json.dumps({"manifest": manifest, "state": state}))
    assert books.settle() == manifest
    assert not (tmp_path / "landing" / "orders-000002.json").exists()
    assert not pending.exists()


def test_folder_without_locks_is_used_all_the_same(tmp_path, monkeypatch):
    """Guards Databricks volumes, which know no locks; any other error of the lock is not swallowed."""

    def failing(number):
        def flock(descriptor, operation):
            raise OSError(number, os.strerror(number))

        return flock

    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOTSUP))
    assert len(generate(tmp_path)) == 1
    monkeypatch.setattr(fcntl, "flock", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        generate(tmp_path)


def test_interval_is_waited_between_batches_only(tmp_path):
    """Guards --interval: three batches, two waits; nothing really sleeps here."""
    waits: list[float] = []
    list(OrderGenerator(tmp_path / "landing").run(end=3, interval=2.5, sleep=waits.append))
    assert waits == [2.5, 2.5]
    assert datetime.now(timezone.utc).year >= 2025  # the default clock of the generator is the machine's
