"""Guards the one-commit changes of Delta tables: whole or not at all, with rows, columns, partitions and rules together."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from local_workspace.catalog.char_types import DECLARED_TYPE
from local_workspace.delta import commit, log_entry
from local_workspace.delta.commit import (
    AppendOnly,
    ConcurrentWrite,
    commit_append,
    commit_metadata,
    commit_replacement,
)
from local_workspace.delta.constraints import Broken, Kind, first_broken
from local_workspace.delta.shape import TableShape, nullable, shape_of
from local_workspace.delta.staging import STAGE_FOLDER, Staged, staged_in


def staged(location: Path, rows: pa.Table, partition_by: list[str] | None = None) -> Staged:
    """Rows staged as the engine stages them: a Delta table of their own beside the data."""
    folder = location / STAGE_FOLDER / "one"
    write_deltalake(folder, rows, partition_by=partition_by)
    return staged_in(folder, json.loads(DeltaTable(folder).schema().to_json())["fields"])


def replace(location: Path, rows: pa.Table, partition_by: list[str] | None = None, **shape: object) -> int:
    new = staged(location, rows, partition_by)
    wanted = TableShape(new.fields, partition_by or [], **shape)  # type: ignore[arg-type]
    return commit_replacement(location, new, wanted, operation="CTAS", statement="s")


def test_a_replacement_changes_everything_at_once(tmp_path: Path) -> None:
    """Guards rows, columns, partitioning, properties and protocol in one version; older versions stay readable."""
    location = tmp_path / "t"
    assert replace(location, pa.table({"a": [1, 2], "p q": ["x y", "ü/%"]}), ["p q"]) == 0
    assert (
        replace(
            location, pa.table({"b": [3.5]}), configuration={"delta.constraints.c": "b > 0"}, description="d"
        )
        == 1
    )
    table = DeltaTable(location)
    assert table.to_pyarrow_table().to_pylist() == [{"b": 3.5}]
    assert (table.metadata().partition_columns, table.metadata().description) == ([], "d")
    assert table.metadata().configuration == {"delta.constraints.c": "b > 0"}
    assert table.protocol().min_writer_version >= 3
    former = DeltaTable(location, version=0).to_pyarrow_table().sort_by("a").to_pylist()
    assert former == [{"a": 1, "p q": "x y"}, {"a": 2, "p q": "ü/%"}]
    assert replace(location, pa.table({"c": [1]})) == 2
    assert DeltaTable(location).metadata().configuration == {}
    assert not (location / STAGE_FOLDER).exists()


def test_a_process_that_dies_before_the_commit_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the moment between staged files and the commit."""
    location = tmp_path / "t"
    replace(location, pa.table({"a": [1]}))

    def die(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(commit, "write_log_entry", die)
    with pytest.raises(KeyboardInterrupt):
        replace(location, pa.table({"a": [2]}))
    assert DeltaTable(location).to_pyarrow_table().to_pylist() == [{"a": 1}]


def test_two_writers_cannot_commit_one_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the exclusive commit: the later writer is refused and leaves the other's rows alone."""
    location = tmp_path / "t"
    replace(location, pa.table({"a": [1]}))
    link = log_entry.os.link

    def other_first(source: object, target: object) -> None:
        write_deltalake(location, pa.table({"a": [9]}), mode="append")
        link(source, target)

    monkeypatch.setattr(log_entry.os, "link", other_first)
    with pytest.raises(ConcurrentWrite):
        replace(location, pa.table({"a": [2]}))
    assert sorted(r["a"] for r in DeltaTable(location).to_pyarrow_table().to_pylist()) == [1, 9]
    assert not list((location / "_delta_log").glob(".*.tmp"))


def test_appends_and_columns(tmp_path: Path) -> None:
    """Guards appends, an append of nothing, new columns without rows touched, and checkpoints on the way."""
    location = tmp_path / "t"
    replace(location, pa.table({"a": [0]}))
    for i in range(1, 22):
        commit_append(location, staged(location, pa.table({"a": [i]})), statement="s")
    assert DeltaTable(location).version() == 21
    assert (location / "_delta_log" / "_last_checkpoint").exists()
    empty = Staged(location / STAGE_FOLDER / "none", [], [], {})
    assert commit_append(location, empty, statement="s") == 21
    shape = shape_of(DeltaTable(location))
    added = {"name": "b", "type": "string", "nullable": True, "metadata": {"comment": "new"}}
    commit_metadata(location, TableShape([*shape.fields, added]), operation="ADD COLUMNS", statement="s")
    rows = DeltaTable(location).to_pyarrow_table()
    assert (rows.num_rows, rows.column_names, rows["b"].null_count) == (22, ["a", "b"], 22)


def test_an_append_lets_other_appends_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards rows of two writers at once; one that changes the columns in between stops the append."""
    location = tmp_path / "t"
    replace(location, pa.table({"a": [0]}))
    link, others = log_entry.os.link, [pa.table({"a": [1]}), pa.table({"a": [2], "b": [2]})]

    def other_first(source: object, target: object) -> None:
        if others:
            write_deltalake(location, others.pop(0), mode="append", schema_mode="merge")
        link(source, target)

    monkeypatch.setattr(log_entry.os, "link", other_first)
    with pytest.raises(ConcurrentWrite):
        commit_append(location, staged(location, pa.table({"a": [9]})), statement="s")
    others.append(pa.table({"a": [3]}))
    commit_append(location, staged(location, pa.table({"a": [4]})), statement="s")
    assert sorted(DeltaTable(location).to_pyarrow_table()["a"].to_pylist()) == [0, 1, 2, 3, 4]


def test_a_table_that_only_takes_more_rows(tmp_path: Path) -> None:
    """Guards delta.appendOnly: rows are added, none is removed, and a replacement without the property is a new table."""
    location = tmp_path / "t"
    only = {"delta.appendOnly": "true"}
    replace(location, pa.table({"a": [0]}), configuration=only)
    commit_append(location, staged(location, pa.table({"a": [1]})), statement="s")
    with pytest.raises(AppendOnly):
        replace(location, pa.table({"a": [2]}), configuration=only)
    assert DeltaTable(location).to_pyarrow_table().num_rows == 2
    replace(location, pa.table({"a": [2]}))
    assert DeltaTable(location).to_pyarrow_table().num_rows == 1


def test_rules_are_told_by_statistics_first() -> None:
    """Guards the one check: a query only counts what the files do not tell, and a CHECK is told before a NOT NULL."""
    fields = [
        {"name": "a", "type": "long", "nullable": False, "metadata": {}},
        {"name": "p", "type": "string", "nullable": False, "metadata": {}},
        {"name": "c", "type": "string", "nullable": True, "metadata": {DECLARED_TYPE: "varchar(3)"}},
    ]
    add = {"stats": json.dumps({"numRecords": 4, "nullCount": {"a": 0}}), "partitionValues": {"p": "x"}}
    asked: list[list[str]] = []

    def count(conditions: object) -> list[int]:
        asked.append(list(conditions))  # type: ignore[call-overload]
        return [3] * len(asked[-1])

    assert first_broken([add], fields[:2], {}, count) is None
    assert asked == []
    assert first_broken([], fields, {"k": "a > 0"}, count) is None
    told = first_broken([{**add, "partitionValues": {"p": None}}], fields[:2], {}, count)
    assert told == Broken(Kind.NOT_NULL, "p", "", 4)
    assert first_broken([add], fields, {"k": "a > 0"}, count) == Broken(Kind.CHECK, "k", "a > 0", 3)
    assert first_broken([add], fields, {}, count) == Broken(Kind.LENGTH, "c", "VARCHAR(3)", 3)
    unknown = first_broken([{"partitionValues": {}}], fields[:1], {}, count)
    assert unknown == Broken(Kind.NOT_NULL, "a", "", 3)


def test_nullable_reaches_every_depth() -> None:
    """Guards nested types of literals, which the engine calls NOT NULL."""
    field = {
        "name": "a",
        "nullable": False,
        "type": {
            "type": "array",
            "containsNull": False,
            "elementType": {"type": "struct", "fields": [{"nullable": False}]},
        },
    }
    assert "false" not in json.dumps(nullable(field))
