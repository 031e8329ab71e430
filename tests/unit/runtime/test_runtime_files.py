# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""Finding files and cutting them into lines, without an engine."""

from __future__ import annotations

import bz2
import gzip
import os
import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from local_workspace.dlt_runtime.auto_loader.inference import KeySurvey, apply_hints, possible_columns
from local_workspace.dlt_runtime.auto_loader.lines import UnreadableFile, cut_lines, read_chunks, read_text
from local_workspace.dlt_runtime.auto_loader.listing import list_files
from local_workspace.dlt_runtime.auto_loader.rows import file_metadata
from local_workspace.dlt_runtime.auto_loader.types import parse_columns, parse_type, render
from local_workspace.dlt_runtime.record.state import Batch, FileRecord, PipelineState
from local_workspace.errors import DataFault, NotSupported, PipelineCodeError


def lines_of(path: Path, block: int) -> tuple[list[str], list[str]]:
    good: list[str] = []
    broken: list[str] = []
    for chunk in read_chunks(path, block):
        good += [line.rstrip("\r\n") for line in chunk.lines.to_pylist()]
        broken += chunk.broken
    return good, broken


@pytest.mark.parametrize("seed", range(30))
def test_lines_are_the_same_however_the_file_is_cut_into_blocks(tmp_path: Path, seed: int) -> None:
    """Guards block boundaries: within a line, between CR and LF, within a character, in gz and bz2 as in plain files."""
    rng = random.Random(seed)  # noqa: S311
    parts = ["", " ", "a", "é€😀", '{"x": 1}', "\t", "long" * 20]
    ends = ["\n", "\r\n", "\n\n"] if seed % 2 else ["\n"]
    text = "".join(rng.choice(parts) + rng.choice(ends) for _ in range(20)) + rng.choice(["", "tail"])
    data = (b"\xef\xbb\xbf" if seed % 3 == 0 else b"") + text.encode()
    expected = [line for line in re.split(r"\r\n|\n", text) if line.strip()]
    plain, zipped, packed = tmp_path / "a.json", tmp_path / "a.json.gz", tmp_path / "a.json.bz2"
    plain.write_bytes(data)
    zipped.write_bytes(gzip.compress(data))
    packed.write_bytes(bz2.compress(data))
    for path in (plain, zipped, packed):
        for block in (3, 7, 64, 10_000):
            assert lines_of(path, block) == (expected, []), (path.name, block)


def test_a_lone_carriage_return_ends_a_line() -> None:
    """Guards Spark's line rule for files of old systems."""
    assert [x.rstrip() for x in cut_lines(b'{"a":1}\r{"a":2}\r\n\r{"a":3}').lines.to_pylist()] == [
        '{"a":1}',
        '{"a":2}',
        '{"a":3}',
    ]


def test_a_line_with_broken_utf8_is_set_apart_and_kept() -> None:
    """Guards against losing a line, or a whole file, to one bad byte."""
    chunk = cut_lines(b'{"a":1}\n{"a":"\xff"}\r\n\xc3\n{"a":2}\n')
    assert [x.strip() for x in chunk.lines.to_pylist()] == ['{"a":1}', '{"a":2}']
    assert chunk.broken == ['{"a":"\ufffd"}', "\ufffd"]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.json.gz", b"no gzip", "BadGzipFile"),
        ("a.json.gz", gzip.compress(b"x\n" * 1000)[:-9], "EOFError"),
        ("a.json.bz2", b"no bzip", "OSError"),
        ("a.json.zst", b"", "zstd is not supported"),
    ],
    ids=["no gzip", "gzip cut off", "no bzip", "zstd"],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    """Guards the message of a file fault."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile, match=text):
        list(read_chunks(tmp_path / name))
    (tmp_path / "latin.json").write_bytes(b'{"a":"\xe9"}')
    with pytest.raises(UnreadableFile, match="not UTF-8 at byte 6"):
        read_text(tmp_path / "latin.json")


def test_listing_finds_new_files_only(tmp_path: Path) -> None:
    """Guards the ledger's comparison: new, hidden, taken, overwritten and repaired files, folders and globs."""
    names = [
        "b.json",
        "a.json",
        "sub/c.json",
        "_tmp/d.json",
        ".hidden.json",
        "sub/_part.json",
        "x.csv",
        "old.json",
        "fixed.json",
    ]
    for at, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        os.utime(path, ns=(at, at))
    ledger = {
        "u:b.json": FileRecord("u:b.json", 6, 0, 1),
        "u:old.json": FileRecord("u:old.json", 1, 7, 1),
        "u:fixed.json": FileRecord("u:fixed.json", 1, 8, 1, fault="cut short"),
    }

    def found(path: str, glob: str | None = "*.json") -> tuple[list[str], list[str]]:
        listing = list_files(path, glob, Path, lambda p: f"u:{p.relative_to(tmp_path)}", ledger)
        return [f.uri[2:] for f in listing.new], [f.uri[2:] for f in listing.overwritten]

    assert found(str(tmp_path)) == (["a.json", "sub/c.json", "fixed.json"], ["old.json"])
    assert found(str(tmp_path), None)[0] == ["a.json", "sub/c.json", "x.csv", "fixed.json"]
    assert found(f"{tmp_path}/s*") == (["sub/c.json"], [])
    assert found(f"{tmp_path}/{{a,b,zz}}.json") == (["a.json"], [])
    assert found(f"{tmp_path}/a.json") == (["a.json"], [])
    assert found(f"{tmp_path}/nothing") == ([], [])


def survey(*lines: str, types: bool = True) -> dict[str, str]:
    keys = KeySurvey(types=types)
    keys.add(pa.array(lines, pa.large_string()))
    keys.close()
    return {name: render(kind) for name, kind in keys.columns().items()}


def test_types_are_inferred_as_spark_does() -> None:
    """Guards the first schema of a table, which stays: integers, mixed numbers, conflicts, nested values, NULLs."""
    assert survey(
        '{"i": 1, "d": 1, "m": 1, "s": "x", "b": true, "n": null, "big": 18446744073709551616, "u": 18446744073709551615}',
        '{"i": -2, "d": 1.5, "m": "x", "s": "2024-01-01", "b": null, "l": [1, 2.5], "o": {"x": 1, "y": []}, "deep": [[{"z": "q"}]]}',
        '[{"in_array": 1}]',
        "broken",
        '{"o": {"x": "now text", "w": true}, "big": 1}',
    ) == {
        "i": "BIGINT", "d": "DOUBLE", "m": "STRING", "s": "STRING", "b": "BOOLEAN", "n": "STRING", "big": "DECIMAL(38,0)",
        "u": "DECIMAL(38,0)", "l": "ARRAY<DOUBLE>",
        "o": "STRUCT<`x`: STRING, `y`: ARRAY<STRING>, `w`: BOOLEAN>", "deep": "ARRAY<ARRAY<STRUCT<`z`: STRING>>>",
        "in_array": "BIGINT",
    }  # fmt: skip
    assert survey('{"i": 1, "o": {"x": 1}}', types=False) == {"i": "STRING", "o": "STRING"}


def test_hints_and_possible_columns() -> None:
    """Guards hints over inference, and that a key which cannot be a Delta column becomes none."""
    inferred = {"ID": pa.int64(), "x": pa.int64()}
    assert apply_hints(inferred, parse_columns("id STRING, late DATE", "t")) == {
        "ID": pa.string(), "x": pa.int64(), "late": pa.date32(),
    }  # fmt: skip
    assert list(
        possible_columns(
            {"a": pa.int64(), "A": pa.int64(), "b c": pa.int64(), "": pa.int64(), "d.e": pa.int64()}, {}
        )
    ) == ["a", "d.e"]
    for text in ("STRUCT<`a b`: ARRAY<DECIMAL(5,2)>, c: MAP<STRING, TIMESTAMP>>", "TIMESTAMP_NTZ", "TINYINT"):
        assert parse_type(render(parse_type(text))) == parse_type(text)
    for bad, kind in (
        ("a INT, A INT", PipelineCodeError),
        ("a VARIANT", NotSupported),
        ("a", PipelineCodeError),
        ("a MAP<INT, INT>", NotSupported),
    ):
        with pytest.raises(kind):
            parse_columns(bad, "hints")


def test_an_object_of_very_many_fields_is_text() -> None:
    """Guards the table's width against a sender that uses ids as keys inside an object: each would be a field for ever."""
    wide = pa.struct([(f"id-{n}", pa.int64()) for n in range(1500)])
    found = possible_columns({"one": wide, "list": pa.list_(wide), "after": pa.int64()}, {"before": wide})
    assert found == {"one": pa.string(), "list": pa.string(), "after": pa.int64()}
    assert possible_columns({"one": wide}, {"before": pa.int64()}) == {"one": wide}


@pytest.mark.parametrize("time_ns", [-1, 0, 2**63, 10**22, -(2**63) - 1], ids=str)
def test_a_file_of_any_time_is_taken_once(
    tmp_path: Path, time_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the ledger against clocks that are wrong: one moment doubled the file, others stopped the update."""
    path = tmp_path / "a.json"
    path.write_text("{}")

    found = os.stat_result(path.stat(), {"st_mtime_ns": time_ns})

    def at_that_time(_: Path, **__: object) -> os.stat_result:
        return found

    monkeypatch.setattr(Path, "lstat", at_that_time)
    ledger: dict[str, FileRecord] = {}
    (file,) = list_files(str(path), None, Path, str, ledger).new
    monkeypatch.undo()
    with closing(PipelineState(tmp_path / "state.sqlite")) as state:
        record = FileRecord(file.uri, file.size, file.mtime_ns, 1, rows=1)
        state.set_faults("flow", "source", [record], (), ())
        ledger = state.files("flow", "source")
    monkeypatch.setattr(Path, "lstat", at_that_time)
    listing = list_files(str(path), None, Path, str, ledger)
    assert (listing.new, listing.overwritten) == ([], [])
    assert file_metadata(file)["file_modification_time"].year in range(1677, 2263)


def test_a_damaged_bookkeeping_is_named(tmp_path: Path) -> None:
    """Guards against a stack trace, and against reading everything again into tables that have it."""
    file = tmp_path / "state.sqlite"
    file.write_bytes(bytes(range(256)) * 16)
    with pytest.raises(DataFault, match=r"bookkeeping of the pipeline is damaged.*full refresh"):
        PipelineState(file)


def test_the_bookkeeping_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Guards a workspace that was made before batches carried schemas: an open batch is read, a new one written."""
    file = tmp_path / "state.sqlite"
    with closing(PipelineState(file)) as state:
        state.plan(Batch("f", 1, "u", "t", "l", "append"), {})
    with closing(sqlite3.connect(file)) as old:
        old.execute("ALTER TABLE batches DROP COLUMN schemas")
        old.commit()
    with closing(PipelineState(file)) as state:
        (batch,) = state.open_batches()
        assert batch.schemas == {}
        batch.schemas = {"files:/x": [["id", "STRING"]]}
        state.prepare(batch, {})
        assert state.schema("f", "files:/x") is None, "a schema must not come before its batch"
        state.finish(state.open_batches()[0])
        assert state.schema("f", "files:/x") == [["id", "STRING"]]
