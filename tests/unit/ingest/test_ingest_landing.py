"""Guards landing and the CDNOW sample: files appear whole, once, and a name stands for one content."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from dlt_ingest.errors import InputError
from dlt_ingest.generators.cdnow import monthly_batches, read_purchases, write_batches
from dlt_ingest.generators.landing import land, land_bytes
from dlt_ingest.generators.records import encode_record


def test_files_and_folders_land_whole_and_once(tmp_path):
    """Guards `orders land`: all kinds of file, byte for byte, and the same again changes nothing."""
    source, landing = tmp_path / "mine", tmp_path / "landing"
    source.mkdir()
    (source / "a.json").write_bytes(b'{"order_id": "1"}\n\xff broken \r\n')
    (source / "b.jsonl").write_bytes(b"")
    (source / "c.json.gz").write_bytes(gzip.compress(b"{}\n"))
    (source / ".hidden.json").write_bytes(b"{}")
    (source / "notes.txt").write_bytes(b"not orders")
    (tmp_path / "d.ndjson").write_bytes(b"{}")
    first = land([source, tmp_path / "d.ndjson"], landing)
    assert [(f.file_name, f.written) for f in first] == [
        ("a.json", True), ("b.jsonl", True), ("c.json.gz", True), ("d.ndjson", True),
    ]  # fmt: skip
    assert (landing / "a.json").read_bytes() == (source / "a.json").read_bytes()
    before = {p.name: p.stat().st_mtime_ns for p in landing.iterdir()}
    assert not any(f.written for f in land([source, tmp_path / "d.ndjson"], landing))
    assert {p.name: p.stat().st_mtime_ns for p in landing.iterdir()} == before


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["good.json", "missing.json"], r"no such file.*missing\.json"),
        (["good.json", "orders.csv"], r"orders\.csv; allowed: \.json"),
        (["good.json", "_late.json"], "underscore"),
        (["good.json", "empty"], "no file of orders"),
        (["good.json", "other/good.json"], "same name"),
        (["good.json", "taken.json"], r"taken\.json"),
    ],
)
def test_one_bad_path_lands_nothing(tmp_path, names, words):
    """Guards all or nothing: the refusal names the path, and the good file before it has not landed."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "taken.json").write_text("{}\n")
    for name in ("good.json", "orders.csv", "_late.json", "other/good.json", "taken.json"):
        (tmp_path / name).write_text(f'{{"order_id": "{name}"}}\n')
    with pytest.raises(InputError, match=words):
        land([tmp_path / name for name in names], landing)
    assert {p.name: p.read_text() for p in landing.iterdir()} == {"taken.json": "{}\n"}


def test_file_appears_whole_although_the_copy_breaks_off(tmp_path, monkeypatch):
    """Guards readers of landing: a copy that fails halfway leaves no visible file and no rest."""

    def broken(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="No space"):
        land_bytes(b"{}\n", "a.json", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_rest_of_a_killed_copy_is_removed_later_and_a_running_one_spared(tmp_path):
    """Guards landing against litter: only parts older than an hour go, and foreign files never."""
    old, new, foreign = (tmp_path / name for name in (".a.json.x1.part", ".b.json.x2.part", ".keep"))
    for path in (old, new, foreign):
        path.write_text("x")
    ago = time.time() - 7200
    os.utime(old, (ago, ago))
    os.utime(foreign, (ago, ago))
    land_bytes(b"{}\n", "c.json", tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {new.name, foreign.name, "c.json"}


def test_file_system_without_links_still_refuses_a_taken_name(tmp_path, monkeypatch):
    """Guards Databricks volumes, which know no hard links: same outcome, by a rename."""

    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert land_bytes(b"1\n", "a.json", tmp_path).written
    assert not land_bytes(b"1\n", "a.json", tmp_path).written
    with pytest.raises(InputError):
        land_bytes(b"2\n", "a.json", tmp_path)
    assert (tmp_path / "a.json").read_bytes() == b"1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_money_is_written_as_an_exact_number():
    """Guards the cents: no float on the way into the file."""
    line = encode_record({"price": Decimal("29.30"), "big": Decimal("9007199254740993.01"), "text": 'é"\\'})
    assert line == '{"price":29.30,"big":9007199254740993.01,"text":"é\\"\\\\"}'


def test_cdnow_is_the_published_history(tmp_path):
    """Guards the real data: 6,919 purchases of 2,357 customers for 244,091.94, 8 of them for nothing."""
    purchases = read_purchases()
    assert len(purchases) == 6_919
    assert len({p.customer for p in purchases}) == 2_357
    assert sum(p.value for p in purchases) == Decimal("244091.94")
    assert sum(p.cds for p in purchases) == 16_479
    assert sum(p.value == 0 for p in purchases) == 8
    assert len({p.customer for p in purchases if p.value > 0}) == 2_349


def test_cdnow_lands_by_month_and_only_once(tmp_path):
    """Guards the sample: 18 files, unique order ids though lines repeat, days kept, a second run lands nothing."""
    written = write_batches(tmp_path)
    assert len(written) == 18
    assert sum(batch.records for batch in written) == 6_919
    assert (written[0].file_name, written[-1].file_name) == ("cdnow-1997-01.json", "cdnow-1998-06.json")
    rows = [
        json.loads(line, parse_float=str)
        for p in sorted(tmp_path.iterdir())
        for line in p.read_text().splitlines()
    ]
    assert len({row["order_id"] for row in rows}) == 6_919
    assert sum(Decimal(row["price"]) for row in rows) == Decimal("244091.94")
    assert all(row["order_timestamp"][:10] == row["date_ordered"] for row in rows)
    assert Counter(row["order_item"] for row in rows)["1 CD"] == sum(p.cds == 1 for p in read_purchases())
    assert {row["status"] for row in rows} == {"fulfilled"}
    assert {row["items_ordered"] for row in rows} == {1}
    assert write_batches(tmp_path) == []
    assert dict(monthly_batches()) == {p.name: p.read_text().splitlines() for p in sorted(tmp_path.iterdir())}


@pytest.mark.parametrize("name", ["with space", "ü [1] %20#+"])
def test_the_first_command_lands_in_a_workspace_under_any_name(name: str, tmp_path: Path) -> None:
    """Guards `make run` in a clone under an odd path: the first batch comes before anything has made the workspace."""
    home = tmp_path / name / "workspace"
    environment = {
        **os.environ,
        "ORDERS_HOME": str(home),
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    command = [sys.executable, "-m", "orders.cli.main", "generate", "--end", "1", "--batch-size", "3"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (home / "Volumes").resolve().rglob("orders/landing/*.json")] == [
        "orders-000001.json"
    ]
