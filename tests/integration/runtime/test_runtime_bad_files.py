"""Guards an update against its files: whatever is wrong with one, it alone is set aside, and taken once it is mended."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import json
import os
import random
import socket
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from local_workspace.dlt_runtime.auto_loader import lines, verified
from local_workspace.dlt_runtime.landing_state import landing_state

PIPELINE = """
    @dlt.table(name="bronze.events")
    def events():
        return (
            spark.readStream.format("cloudFiles")
            .option("cloudFiles.format", "json")
            .option("cloudFiles.inferColumnTypes", "true")
            .option("cloudFiles.schemaHints", "id STRING, _corrupt_record STRING")
            .load(spark.conf.get("bench.landing"))
        )
"""
LANDING = "/Volumes/main/bronze/files/landing"


def record(name: str) -> bytes:
    return json.dumps({"id": name}).encode() + b"\n"


def _socket(path: Path) -> None:
    # The name of a socket may have about a hundred characters when it is bound, not later.
    with tempfile.TemporaryDirectory() as short, closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(f"{short}/s")
        Path(f"{short}/s").rename(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _parent(path: Path) -> None:
    path.symlink_to(path.parent, target_is_directory=True)


def _bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(20):
            file.write(bytes(1_000_000))


#: File name, how it is made, and what the reason says.
BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("loop.json", _loop, "Too many levels of symbolic links"),
    ("dangling.json", lambda p: p.symlink_to(p.with_name("nowhere")), "a link to a file that does not exist"),
    ("parent", _parent, "a link to a folder, which is not followed"),
    ("pipe.json", os.mkfifo, "a named pipe, not a file"),
    ("socket.json", _socket, "a socket, not a file"),
    ("device.json", lambda p: p.symlink_to("/dev/zero"), "a device, not a file"),
    ("empty.json.gz", lambda p: p.write_bytes(b""), "it is empty, and an empty file is not a valid .gz file"),
    ("empty.json.bz2", lambda p: p.write_bytes(b""), "it is empty, and an empty file is not a valid .bz2 file"),
    ("cut.json.gz", lambda p: p.write_bytes(gzip.compress(record("x") * 999)[:-3]), "EOFError"),
    ("cut.json.bz2", lambda p: p.write_bytes(bz2.compress(record("x") * 999)[:-3]), "EOFError"),
    ("tail.json.gz", lambda p: p.write_bytes(gzip.compress(record("x")) + b"tail"), "BadGzipFile"),
    ("tail.json.bz2", lambda p: p.write_bytes(bz2.compress(record("x")) + b"tail"), "Invalid data stream"),
    ("second-cut.json.bz2", lambda p: p.write_bytes(bz2.compress(record("x")) * 2 + b"BZ"), "EOFError"),
    ("crc.json.gz", lambda p: p.write_bytes(gzip.compress(record("x"))[:-8] + bytes(8)), "CRC check failed"),
    ("bomb.json.gz", _bomb, "a line of more than"),
    ("packed.json.zst", lambda p: p.write_bytes(b"x"), "zstd is not supported"),
]  # fmt: skip


def reasons(result: Any) -> dict[str, str]:
    return {fault.path.rsplit("/", 1)[-1]: fault.fault for fault in result.faults}


def test_whatever_is_in_the_folder_is_named_and_all_else_is_taken(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the fence around each file, the three places that name it, and that a mended file is taken, once."""
    monkeypatch.setattr(lines, "LONGEST_LINE", 10_000_000)
    bench.write(PIPELINE)
    folder = bench.land("good.json", {"id": "good"}).parent
    for name, make, _ in BROKEN:
        make(folder / name)
    latin = os.fsencode(folder) + b"/caf\xe9.json"
    Path(os.fsdecode(latin)).write_bytes(record("latin"))
    (folder / "a folder.json").mkdir()
    (folder / "a folder.json" / "inside.json").write_bytes(record("inside"))
    result = bench.good()
    assert bench.column("bronze.events", "id") == ["good", "inside"]
    found = reasons(result)
    assert set(found) == {name for name, _, _ in BROKEN} | {"caf\\xe9.json"}
    for name, _, text in BROKEN:
        assert text in found[name], name
    logged = {
        file["path"].rsplit("/", 1)[-1]: file["fault"]
        for event in bench.events("source_files")
        for file in event["details"]["source_files"]["files"]
        if "fault" in file
    }
    assert logged == found
    state = landing_state(bench.layout, bench.spec, LANDING)
    assert ({uri.rsplit("/", 1)[-1] for uri in state.set_aside}, state.waiting) == (set(found), ())
    # Told once, kept in mind, and nothing of it is in the way of the next files.
    bench.land("later.json", {"id": "later"})
    events = len(bench.events("source_files"))
    assert reasons(bench.good()) == found
    assert len(bench.events("source_files")) == events + 1
    for name, _, _ in BROKEN:
        (folder / name).unlink()
        content = record(name)
        packed = gzip.compress if name.endswith(".gz") else bz2.compress if name.endswith(".bz2") else bytes
        (folder / name.removesuffix(".zst")).write_bytes(packed(content))
    Path(os.fsdecode(latin)).rename(folder / "cafe.json")
    for _ in range(2):
        assert bench.good().faults == []
    mended = sorted(["good", "inside", "later", "latin", *(name for name, _, _ in BROKEN)])
    assert sorted(bench.column("bronze.events", "id")) == mended


#: Bytes that are no JSON lines in UTF-8, all of them kept as unreadable records, and none a reason to stop.
ODD_TEXTS = {
    encoding + end: (end and "\ufeff").encode(encoding)
    + b"".join(f'{{"id":"{n}"}}\n'.encode(encoding) for n in range(3))
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    for end in ("", "-bom")
} | {
    "zeros": bytes(5000),
    "noise": random.Random(1).randbytes(5000),  # noqa: S311
    "one byte": b"\xff",
    "no end": b'{"id":',
}
#: Lines at the limits of parsers.
EDGES = [
    '{"id":"digits","n":' + "9" * 5000 + "}",
    '{"id":"exponent","n":1e999999999}',
    '{"id":"deep","n":' + "[" * 400 + "]" * 400 + "}",
    '{"id":"deeper","n":' + '{"a":' * 600 + "1" + "}" * 600 + "}",
    '{"id":"deepest","n":' + "[" * 100_000 + "]" * 100_000 + "}",
    '{"id":"NaN","nan":NaN,"new key beside it":1,"new_key":[-Infinity]}',
    '{"id":"half","\\ud800":1}',
    '{"id":"half in value","n":"\\udfff"}',
    '{"id":"pair","n":"\\ud83d\\ude00"}',
    '{"id":"twice","n":1,"n":2,"_file_path":"mine","_rescued_data":"mine too"}',
    '{"id":"mixed","deep":' + '{"a":' * 30 + "[1]" + "}" * 30 + "}",
    '[{"id":"array 1"},{"id":"array 2"}]',
]  # fmt: skip


def test_no_content_stops_an_update(bench: Any) -> None:
    """Guards the parse: every line of every odd file is a row, readable or not, and rescued data is always JSON."""
    bench.write(PIPELINE)
    for name, content in ODD_TEXTS.items():
        bench.land(f"{name}.json", content)
    bench.land("edges.json", *EDGES)
    bench.land("good.json", {"id": "good", "n": 1})
    result = bench.good()
    assert result.faults == []
    rows = bench.rows("bronze.events")
    found = {row["id"] for row in rows}
    readable = {"digits", "exponent", "deep", "NaN", "pair", "twice", "mixed", "array 1", "array 2", "good"}
    assert readable <= found
    counted = {file.path.rsplit("/", 1)[-1]: file.rows for file in result.files}
    assert counted["edges.json"] == len(EDGES) + 1
    assert sum(counted.values()) == len(rows)
    assert all(counted[f"{name}.json"] for name in ODD_TEXTS)
    rescued = [
        json.loads(row["_rescued_data"], parse_constant=pytest.fail) for row in rows if row["_rescued_data"]
    ]
    assert all(text["_file_path"].startswith("dbfs:/Volumes/") for text in rescued)
    bench.land("more.json", {"id": "more", "n": "x", "deep": {"a": 1}})
    bench.good()


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(record("late"))


def _replace(path: Path) -> None:
    other = path.with_name(".other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)


class _BadDisk(io.FileIO):
    """A file whose second half cannot be read."""

    def readinto(self, buffer: Any) -> int:
        left = os.fstat(self.fileno()).st_size // 2 - self.tell()
        if left <= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().readinto(memoryview(buffer)[:left])


def _on_a_bad_disk(path: Path) -> io.BufferedReader:
    return io.BufferedReader(_BadDisk(path))


@pytest.mark.parametrize("size", [100, 5_000], ids=["small", "larger than a chunk"])
@pytest.mark.parametrize("name", ["moving.json", "moving.json.gz"])
@pytest.mark.parametrize(
    "change",
    [_grow, lambda p: os.truncate(p, 50), _replace, lambda p: p.unlink(), None],
    ids=["grows", "is cut", "is replaced by its like", "is deleted", "disk error"],
)
def test_nothing_of_a_file_that_moves_under_the_reader_is_written(
    bench: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None] | None, name: str, size: int
) -> None:
    """Guards exactly once: not a row of it now, all rows of what is there at the next update, and no column of it."""
    from local_workspace.dlt_runtime.auto_loader import stage

    monkeypatch.setattr(stage, "_CHUNK_BYTES", 4_000)
    bench.write(PIPELINE)
    bench.land("good.json", *({"id": "good"} for _ in range(3)))
    content = b"".join(json.dumps({"id": "m", "only_here": n}).encode() + b"\n" for n in range(size))
    path = bench.land(name, gzip.compress(content) if name.endswith(".gz") else content)
    real, whole = lines.read_chunks, lines._open
    reads = 0

    def moving(where: Path, block: int = lines.BLOCK) -> Any:
        nonlocal reads
        for chunk in real(where, 2_000):
            yield chunk
            if where == path:
                reads += 1
                if reads == 2 and change is not None:
                    change(path)

    with monkeypatch.context() as patch:
        patch.setattr(verified, "read_chunks", moving)
        if change is None:
            patch.setattr(
                lines, "_open", lambda where: _on_a_bad_disk(where) if where == path else whole(where)
            )
        result = bench.good()
    assert bench.column("bronze.events", "id") == ["good"] * 3
    assert "only_here" not in bench.rows("bronze.events")[0]
    assert list(reasons(result)) == [name]
    there = path.exists()
    if there and name.endswith(".gz") and change in (_grow, None):
        path.write_bytes(gzip.compress(content))  # growing has broken the archive
    expected = bench.good()
    rows = bench.column("bronze.events", "id")
    if not there:
        assert (rows, expected.faults) == (["good"] * 3, [])
    elif not expected.faults:
        now = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
        assert len(rows) == 3 + len(now.splitlines())
    bench.good()
    assert bench.column("bronze.events", "id") == rows


def test_a_file_that_changes_after_it_was_taken_is_not_read_again(bench: Any) -> None:
    """Guards the promise of docs: its rows stay as they were, every update says so, and a new name is taken."""
    bench.write(PIPELINE)
    path = bench.land("a.json", {"id": "first"})
    bench.good()
    for change in (_grow, _replace, lambda p: p.write_bytes(b""), lambda p: p.write_bytes(record("other"))):
        change(path)
        warnings = bench.good().warnings
        assert any("a.json has changed since it was taken" in text for text in warnings) or change is _replace
        assert bench.column("bronze.events", "id") == ["first"]
    path.unlink()
    path.symlink_to("nowhere")
    assert bench.good().faults == []
    path.unlink()
    bench.land("b.json", {"id": "second"})
    assert bench.good().warnings == []
    assert bench.column("bronze.events", "id") == ["first", "second"]
    bench.good(full_refresh=True)
    assert bench.column("bronze.events", "id") == ["second"]


def test_a_right_that_comes_back_needs_no_other_change(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards files whose fault leaves no trace in them: a right, a disk; also with one file an update."""
    bench.write(PIPELINE.replace(".load(", '.option("cloudFiles.maxFilesPerTrigger", "1").load('))
    closed = bench.land("a.json", {"id": "a"})
    bench.land("b.json", {"id": "b"})
    bench.land("c.json", {"id": "c"})
    real = lines._open

    def refused(path: Path) -> Any:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(lines, "_open", refused)
    for _ in range(2):
        assert reasons(bench.good()) == {"a.json": "Permission denied"}
        assert bench.column("bronze.events", "id") == ["b", "c"]
    monkeypatch.setattr(lines, "_open", real)
    assert bench.good().faults == []
    assert bench.column("bronze.events", "id") == ["a", "b", "c"]


def test_an_error_that_nobody_reckoned_with_sets_one_file_aside(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the rest of the batch against a fault of this program in one file."""
    from local_workspace.dlt_runtime.auto_loader import rows

    bench.write(PIPELINE)
    for name in ("a", "b", "c"):
        bench.land(f"{name}.json", '{"id":"' + name + '", "id":"' + name + '"}')
    real = rows.parse_members

    def failing(text: str) -> Any:
        if '"b"' in text:
            raise ZeroDivisionError("nobody reckoned with this")
        return real(text)

    monkeypatch.setattr(rows, "parse_members", failing)
    assert reasons(bench.good()) == {"b.json": "ZeroDivisionError: nobody reckoned with this"}
    assert bench.column("bronze.events", "id") == ["a", "c"]
    monkeypatch.setattr(rows, "parse_members", real)
    assert bench.good().faults == []
    assert bench.column("bronze.events", "id") == ["a", "b", "c"]


def test_a_failed_update_leaves_no_schema_behind(bench: Any) -> None:
    """Guards the next update against a column that only a record of the failed one had."""
    rule = '@dlt.expect_or_fail("plain", "id <> \'bad\'")'
    bench.write(PIPELINE.replace("    def events", f"    {rule}\n    def events"))
    bench.land("a.json", {"id": "good"})
    bench.good()
    path = bench.land("b.json", {"id": "bad", "trap": 1})
    assert not bench.update().ok
    path.unlink()
    bench.land("c.json", {"id": "good too", "trap": "text now"})
    bench.good()
    assert bench.column("bronze.events", "trap") == ["text now", None]
