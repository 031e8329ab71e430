"""Guards the commit of a batch: rows and the columns that they bring come in one version, or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from local_workspace.delta import batches, commit, log
from local_workspace.delta.batches import Target
from local_workspace.delta.log_entry import VersionTaken, write_log_entry
from local_workspace.delta.staging import StagedFile
from local_workspace.errors import DataFault

NARROW = pa.table({"id": [1], "day": ["d1"]})
WIDE = pa.table({"id": [2], "day": ["d2"], "at": [datetime(2025, 1, 1, 12)], "note": ["x"]})  # noqa: DTZ001


def batch(folder: Path, rows: pa.Table, number: int) -> list[str]:
    """Write a batch as an update does; return the columns that the table got."""
    staged = folder / f"{number}.parquet"
    pq.write_table(rows.drop(["day"]), staged)
    kept = [StagedFile.of(staged, {"day": rows["day"][0].as_py()})]
    target = target_of(folder, rows)
    new = batches.ensure_table(target)
    batches.commit_batch(target, kept, overwrite=False, flow="flow", batch=number, metadata={"n": 1})
    return new


def target_of(folder: Path, rows: pa.Table) -> Target:
    return Target("t", folder / "t", Schema.from_arrow(rows.schema), "words", {}, ("day",))


def test_columns_come_with_the_rows_that_bring_them(tmp_path: Path) -> None:
    """Guards one version for both, the batch's number in it, the comment, and the protocol of TIMESTAMP_NTZ."""
    batch(tmp_path, NARROW, 1)
    before = DeltaTable(tmp_path / "t")
    assert batch(tmp_path, WIDE, 2) == ["at", "note"]
    table = DeltaTable(tmp_path / "t")
    assert table.version() == before.version() + 1
    assert table.transaction_version("flow") == 2
    assert table.history(1)[0]["dlt"] == '{"n": 1}'
    assert (table.metadata().id, table.metadata().description) == (before.metadata().id, "words")
    assert "timestampNtz" in (table.protocol().reader_features or [])
    rows = sorted(table.to_pyarrow_table().to_pylist(), key=lambda row: row["id"])
    assert rows == [*pa.concat_tables([NARROW, WIDE], promote_options="default").to_pylist()]
    assert batch(tmp_path, NARROW, 3) == []
    assert DeltaTable(tmp_path / "t").count() == 3


def test_until_then_the_table_is_as_it_was(tmp_path: Path) -> None:
    """Guards an update that fails after it looked at the table: no column is left, nor one of a table never written to."""
    batches.ensure_table(target_of(tmp_path, WIDE))
    assert log.is_untouched(tmp_path / "t")
    (tmp_path / "other").mkdir()
    batch(tmp_path / "other", NARROW, 1)
    target = target_of(tmp_path / "other", WIDE)
    assert batches.ensure_table(target) == ["at", "note"]
    table = DeltaTable(target.location)
    assert [field.name for field in table.schema().fields] == ["id", "day"]
    assert not log.is_untouched(target.location)
    assert not log.is_untouched(tmp_path / "nowhere")


def test_an_overwrite_brings_its_own_columns_and_partitions(tmp_path: Path) -> None:
    """Guards a view whose partition_cols change: rows, columns and partitioning are those of the new query alone."""
    batch(tmp_path, NARROW, 1)
    rows = pa.table({"id": [7], "n": [1]})
    staged = tmp_path / "new.parquet"
    pq.write_table(rows.drop(["n"]), staged)
    target = Target("t", tmp_path / "t", Schema.from_arrow(rows.schema), "words", {}, ("n",))
    new = [StagedFile.of(staged, {"n": "1"})]
    batches.commit_batch(target, new, overwrite=True, flow="flow", batch=2, metadata={})
    table = DeltaTable(tmp_path / "t")
    assert table.to_pyarrow_table().to_pylist() == [{"id": 7, "n": 1}]
    assert (table.metadata().partition_columns, table.transaction_version("flow")) == (["n"], 2)
    assert table.metadata().description == "words"


def test_a_value_with_a_line_separator_is_in_the_log_as_it_is(tmp_path: Path) -> None:
    """Guards streams from tables of others: U+2028 in the statistics of an entry ends no line of it."""
    write_deltalake(tmp_path / "t", pa.table({"note": ["a\u2028b\x85c"]}))
    (added,) = (action["add"] for action in log.entry(tmp_path / "t", 0) if "add" in action)
    assert "a\u2028b\x85c" in added["stats"]


def test_somebody_else_between_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the exclusive version: a second writer of the same version gets an error and leaves no file in the log."""
    batch(tmp_path, NARROW, 1)
    entries = tmp_path / "t" / "_delta_log"
    with pytest.raises(VersionTaken):
        write_log_entry(tmp_path / "t", 1, [{"commitInfo": {}}])

    def taken(*_: Any) -> None:
        raise VersionTaken

    monkeypatch.setattr(commit, "write_log_entry", taken)
    with pytest.raises(DataFault, match=r"commit to .* failed"):
        batch(tmp_path, WIDE, 2)
    assert sorted(path.name for path in entries.iterdir()) == [f"{0:020}.json", f"{1:020}.json"]
    assert DeltaTable(tmp_path / "t").to_pyarrow_table().num_columns == 2
