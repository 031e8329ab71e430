"""Erasing a customer from files: which lines are theirs, what stays, and that nothing is left behind."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_ingest.errors import InputError
from dlt_ingest.generators.orders import OrderGenerator
from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.governance.landing_erasure import erase_from_generator, erase_from_landing, landing_lines
from dlt_ingest.governance.traces import mask, traces

CUSTOMER = CustomerId("C-0000012")
THEIRS = b'{"customer_id":"C-0000012"}'
OTHER, THIRD = b'{"customer_id":"C-2", "price":1.10}', b'{"customer_id":"C-3","order_item":"for C-0000012"}'


@pytest.mark.parametrize(
    ("line", "theirs"),
    [
        (b'{"order_id": "1", "customer_id": "C-0000012"}', True),
        (b'\xef\xbb\xbf{"customer_id": " C-0000012 "}\r', True),
        (b'{"customer_id": "C\\u002d0000012"}', True),
        (b'{"customer_id": "C-00000123"}', False),
        (b'{"customer_id": "C-0000013", "order_item": "gift for C-0000012"}', False),
        (b'{"Customer_ID": "C-0000012"}', True),
        (b'{"customer_id": null, "order_item": "for C-0000012"}', True),
        (b'{"customer_id": {"id": "C-0000012"}}', False),
        (b'{"order_id": "1", "customer_id": "C-0000012", "pri', True),
        (b'{"order_id": "1", "customer_id": "C-00000123", "pri', False),
        (b"", False),
    ],
)
def test_a_line_is_the_customers_by_its_field_else_by_its_text(line: bytes, theirs: bool) -> None:
    """Guards both sides: no line of the customer stays, and no other customer loses an order."""
    assert CUSTOMER.owns_line(line) is theirs


def test_a_bare_number_is_only_found_where_it_is_marked_as_an_id() -> None:
    """Guards against an id like 19 that erases every damaged line with a price of 19."""
    customer = CustomerId("19")
    assert customer.owns_line(b'{"customer_id": 19}')
    assert customer.owns_line(b'{"customer_id": "19", "pri')
    assert not customer.owns_line(b'{"customer_id": "7", "price": 19')
    assert not customer.owns_line(b'{"order_id": 19, "items_ordered": 19}')


@pytest.mark.parametrize("value", ["", " ", "a'b", 'a"b', "a b", "a\\b", "a;b", "é", "x" * 201, "a*"])
def test_what_is_no_id_is_refused(value: str) -> None:
    """Guards the SQL and the patterns that the id goes into: no character of an id means anything there."""
    with pytest.raises(InputError, match="not a customer id"):
        CustomerId(value)


def test_masking_keeps_every_byte_in_its_place() -> None:
    """Guards open logs: a process that appends must find its end where it was."""
    content = b"a C-0000012,C-0000012 'C-0000012' C-00000123 \xff\n"
    masked = CUSTOMER.masked(content)
    assert masked == b"a *********,********* '*********' C-00000123 \xff\n"
    assert len(masked) == len(content)


@pytest.mark.parametrize(
    ("content", "left", "count"),
    [
        (OTHER + b"\r" + THEIRS + b"\r" + THIRD, OTHER + b"\r" + THIRD, 1),
        (
            b"[" + OTHER + b", " + THEIRS + b" ," + THIRD + b"]\r\n",
            b"[" + OTHER + b", " + THIRD + b"]\r\n",
            1,
        ),
        (b"[" + THEIRS + b"," + THEIRS + b']\n{"a":1}', b'{"a":1}', 2),
        (b"[" + THIRD + b"]\n", b"[" + THIRD + b"]\n", 0),
        (b"\xef\xbb\xbf[" + OTHER + b"," + THEIRS + b"]", b"[" + OTHER + b"]", 1),
        (b"[" + OTHER + b"," + THEIRS[:-1], b"", 1),
    ],
    ids=["carriage returns", "array", "whole array", "mentioned", "byte order mark", "damaged array"],
)
def test_other_records_of_a_line_stay(tmp_path: Path, content: bytes, left: bytes, count: int) -> None:
    """Guards other customers whose records share a line with the erased ones: as an array, or behind a carriage return."""
    file = tmp_path / "a.json"
    file.write_bytes(content)
    assert erase_from_landing(tmp_path, CUSTOMER, lambda *_: None) == count
    assert file.read_bytes() == left


def test_files_are_rewritten_whole_and_keep_their_names(tmp_path: Path) -> None:
    """Guards rewriting: other lines byte for byte, gzip too, an emptied file stays, a killed rewriting leaves nothing."""
    other, theirs = b'{"customer_id":"C-2","price":1.10}\r\n', b'{"customer_id":"C-0000012"}\n'
    (tmp_path / "a.json").write_bytes(other + theirs + b"not json\n" + theirs.rstrip())
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.json.gz").write_bytes(gzip.compress(theirs + other))
    (tmp_path / "c.jsonl").write_bytes(theirs)
    (tmp_path / "untouched.json").write_bytes(other)
    (tmp_path / ".a.json.erasing").write_bytes(theirs)
    before = (tmp_path / "a.json").stat().st_mtime_ns
    untouched = (tmp_path / "untouched.json").stat().st_ino
    told: list[tuple[str, int]] = []
    assert erase_from_landing(tmp_path, CUSTOMER, lambda path, size, _: told.append((path.name, size))) == 4
    assert (tmp_path / "a.json").read_bytes() == other + b"not json\n"
    assert gzip.decompress((tmp_path / "deep" / "b.json.gz").read_bytes()) == other
    assert (tmp_path / "c.jsonl").read_bytes() == b""
    assert (tmp_path / "a.json").stat().st_mtime_ns == before
    assert (tmp_path / "untouched.json").stat().st_ino == untouched
    assert sorted(told) == [
        (path.name, path.stat().st_size)
        for path in (tmp_path / "a.json", tmp_path / "deep" / "b.json.gz", tmp_path / "c.jsonl")
    ]
    assert not list(traces(tmp_path, CUSTOMER))
    assert erase_from_landing(tmp_path, CUSTOMER, lambda *_: None) == 0


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.JSON", bytes),
        ("a.json.bz2", bz2.compress),
        ("A.JSON.GZ", gzip.compress),
        ("orders", bytes),
        ("a.txt", bytes),
        ("_a.json", bytes),
    ],
)
def test_files_of_any_name_are_looked_through(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    """Guards what Auto Loader takes though `orders land` would not have named it so."""
    file = tmp_path / name
    file.write_bytes(pack(OTHER + b"\n" + THEIRS + b"\n"))
    assert list(traces(tmp_path, CUSTOMER)) == [file]
    assert erase_from_landing(tmp_path, CUSTOMER, lambda *_: None) == 1
    assert not list(traces(tmp_path, CUSTOMER))
    assert file.read_bytes() == pack(OTHER + b"\n") if pack is not gzip.compress else True
    assert landing_lines(tmp_path, CustomerId("C-2")) == {file: 1}


def test_lines_of_utf_16_are_the_customers_by_their_text(tmp_path: Path) -> None:
    """Guards a file that lands in quarantine as a whole, and whose text has the id all the same."""
    file = tmp_path / "a.json"
    file.write_bytes(b"\n".join((OTHER, THEIRS)).decode().encode("utf-16"))
    assert erase_from_landing(tmp_path, CUSTOMER, lambda *_: None) == 1
    assert file.read_bytes().removeprefix(b"\xff\xfe").replace(b"\x00", b"") == OTHER + b"\n"


def test_the_generator_never_brings_the_customer_back(tmp_path: Path) -> None:
    """Guards the history that goes on: held-back lines, due events and the customer's own number are gone."""
    landing, folder = tmp_path / "landing", tmp_path / "generator"

    def generate(batches: int) -> None:
        list(OrderGenerator(landing, batch_size=60, seed=5, late=0.3, duplicates=0.3).run(end=batches))

    generate(2)
    state = json.loads((folder / "state.json").read_text())
    held = {json.loads(entry["line"])["customer_id"] for entry in state["held_back"]}
    due = {event[3]["customer_id"] for event in state["history"]["due"]}
    active = {f"C-{number:07d}" for number in state["history"]["active"]}
    customer = CustomerId(min(held & due & active))
    assert landing_lines(landing, customer)
    erase_from_landing(landing, customer, lambda *_: None)
    assert erase_from_generator(folder, landing, customer) >= 3
    assert erase_from_generator(folder, landing, customer) == 0
    for path in (folder / "manifests").iterdir():
        manifest = json.loads(path.read_text())
        content = (landing / manifest["file_name"]).read_bytes()
        assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
        assert manifest["records"] == content.count(b"\n") == 60 - manifest.get("erased", 0)
    generate(4)
    assert len(list(landing.glob("*.json"))) == 6
    assert not list(traces(tmp_path, customer))


def test_traces_are_found_in_every_kind_of_file(tmp_path: Path) -> None:
    """Guards the last search: it must see into compressed and nested values, or its "nothing left" says nothing."""
    (tmp_path / "log.txt").write_bytes(b"\x00C-0000012\x00")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b'"C-0000012"'))
    (tmp_path / "broken.gz").write_bytes(b"C-0000012")
    columns = {
        "customer_id": pa.array(["C-0000012"]),
        "nested": pa.array([[{"name": "see C-0000012"}]]),
        "map": pa.array([[("k", "C-0000012")]], pa.map_(pa.string(), pa.string())),
        "dictionary": pa.array(["C-0000012"]).dictionary_encode(),
    }
    for name, values in columns.items():
        pq.write_table(pa.table({name: values}), tmp_path / f"{name}.parquet", compression="zstd")
    pq.write_table(pa.table({"customer_id": ["C-00000123", None]}), tmp_path / "other.parquet")
    (tmp_path / "other.txt").write_bytes(b"C-00000123")
    (tmp_path / "empty").touch()
    found = {path.name for path in traces(tmp_path, CUSTOMER)}
    assert found == {"log.txt", "a.gz", "broken.gz", *(f"{name}.parquet" for name in columns)}
    assert mask(tmp_path, CUSTOMER) == 1
    assert (tmp_path / "log.txt").read_bytes() == b"\x00*********\x00"
