"""The catalog: names, definitions and their files stay one thing."""

from __future__ import annotations

import contextlib
import datetime
import multiprocessing
import shutil
import sqlite3
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from local_workspace.catalog import Catalog, Column, Constraint, Function, Securable, TableName
from local_workspace.errors import ConfigurationError, DataFault, InputError
from local_workspace.layout import WorkspaceLayout

Put = Callable[..., TableName]


def test_columns_come_from_the_delta_log(catalog: Catalog, layout: WorkspaceLayout) -> None:
    """Guards the rendering of every type a table can have, nested ones included, and that new columns are seen at once."""
    name = TableName("shop", "gold", "all_types")
    location = layout.table_path(*name.key)
    moment = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    data = pa.table(
        {
            "Day": pa.array([moment.date()]),
            "s": ["x"],
            "i": pa.array([1], pa.int32()),
            "l": pa.array([1], pa.int64()),
            "h": pa.array([1], pa.int16()),
            "b": pa.array([1], pa.int8()),
            "f": pa.array([1], pa.float32()),
            "d": pa.array([1], pa.float64()),
            "ok": [True],
            "raw": [b"x"],
            "price": pa.array([Decimal("1.10")], pa.decimal128(38, 10)),
            "at": pa.array([moment], pa.timestamp("us", "UTC")),
            "wall": pa.array([moment.replace(tzinfo=None)], pa.timestamp("us")),
            "history": [[{"order_id": "1", "a b": Decimal("2.00")}]],
            "m": pa.array([[("k", [1])]], pa.map_(pa.string(), pa.list_(pa.int64()))),
        }
    )
    write_deltalake(location, data, partition_by=["Day"])
    catalog.put_table(name, kind="TABLE", location=location, column_comments={"DAY": "when"})
    found = {column.name: column for column in catalog.columns(name)}
    assert {column.name: column.data_type for column in found.values()} == {
        "Day": "date", "s": "string", "i": "int", "l": "bigint", "h": "smallint", "b": "tinyint",
        "f": "float",
        "d": "double", "ok": "boolean", "raw": "binary", "price": "decimal(38,10)", "at": "timestamp",
        "wall": "timestamp_ntz",
        "history": "array<struct<order_id:string,`a b`:decimal(3,2)>>", "m": "map<string,array<bigint>>",
    }  # fmt: skip
    assert (found["Day"].partition_index, found["s"].partition_index) == (0, None)
    assert found["Day"].comment == "when"
    write_deltalake(location, data.append_column("more", pa.array([1])), mode="append", schema_mode="merge")
    assert catalog.columns(name)[-1].name == "more"


def test_case_is_kept_and_ignored(catalog: Catalog, put: Put) -> None:
    """Guards that `Orders` and `ORDERS` are one table, shown as it was first named."""
    put("Orders")
    found = catalog.get(TableName("SHOP", "GOLD", "ORDERS"))
    assert found is not None
    assert str(found.name) == "Shop.gold.Orders"
    assert [str(table.name) for table in catalog.tables("SHOP", "Gold")] == ["Shop.gold.Orders"]
    with pytest.raises(InputError, match="already exists"):
        catalog.create_schema("shop", "GOLD")
    catalog.create_schema("shop", "GOLD", if_not_exists=True)


def test_every_change_bumps_the_revision(catalog: Catalog, put: Put, layout: WorkspaceLayout) -> None:
    """Guards that another process notices each kind of change: the warehouse registers tables by this number."""
    name = put("t")
    other = Catalog.open(layout)
    changes: list[Callable[[], object]] = [
        lambda: catalog.set_comment(name, "c"),
        lambda: catalog.set_column_comment(name, "a", "c"),
        lambda: catalog.set_tags(name, {"x": "1"}),
        lambda: catalog.set_column_tags(name, "a", {"x": "1"}),
        lambda: catalog.set_properties(name, {"x": "1"}),
        lambda: catalog.add_constraint(name, Constraint("pk", "PRIMARY KEY", ("a",))),
        lambda: catalog.drop_constraint(name, "pk"),
        lambda: catalog.grant(name, "readers", ["SELECT"]),
        lambda: catalog.revoke(name, "readers", ["SELECT"]),
        lambda: catalog.touch(name),
        lambda: catalog.rename(name, TableName("shop", "gold", "t2")),
        lambda: catalog.drop(TableName("shop", "gold", "t2")),
        lambda: catalog.create_schema("shop", "more"),
        lambda: catalog.create_volume("shop", "more", "v"),
        lambda: catalog.drop_schema("shop", "more", cascade=True),
        lambda: catalog.create_catalog("second"),
        lambda: catalog.drop_catalog("second"),
    ]
    for number, change in enumerate(changes):
        before = other.revision()
        change()
        assert other.revision() > before, number
    before = other.revision()
    catalog.create_schema("shop", "gold", if_not_exists=True)
    catalog.tables("shop")
    assert other.revision() == before
    other.close()


def test_a_new_definition_keeps_what_it_does_not_name(catalog: Catalog, put: Put) -> None:
    """Guards what a refresh may not lose, and what CREATE OR REPLACE has to forget."""
    name = put("t", comment="first", properties={"p": "1"}, column_comments={"a": "col"})
    catalog.set_tags(name, {"team": "sales"})
    catalog.grant(name, "readers", ["SELECT"])
    catalog.add_constraint(name, Constraint("pk", "PRIMARY KEY", ("a",)))
    first = catalog.get(name)
    assert first is not None
    again = catalog.put_table(name, kind="STREAMING_TABLE", location=first.location)
    assert (again.comment, again.properties, again.column_comments) == ("first", {"p": "1"}, {"a": "col"})
    assert (again.kind, again.object_id, again.created_at) == (
        "STREAMING_TABLE",
        first.object_id,
        first.created_at,
    )
    replaced = catalog.put_table(
        name, kind="TABLE", location=first.location, comment="new", replace_existing=True
    )
    assert (replaced.comment, replaced.properties, replaced.column_comments) == ("new", {}, {})
    assert catalog.constraints(name) == []
    assert catalog.tags(name) == {"team": "sales"}
    assert [grant.privilege for grant in catalog.grants(name)] == ["SELECT"]


def test_views_have_recorded_columns_and_no_folder(catalog: Catalog, put: Put) -> None:
    """Guards views: their columns and query are what was recorded, and a table cannot take a view's name or the reverse."""
    name = TableName("shop", "silver", "stg")
    columns = [Column("id", "string", nullable=False), Column("value", "decimal(18,2)")]
    catalog.put_table(
        name, kind="VIEW", location=None, view_sql="select 1", columns=columns, column_comments={"ID": "key"}
    )
    found = catalog.columns(name)
    assert [(c.name, c.data_type, c.nullable, c.comment) for c in found] == [
        ("id", "string", False, "key"),
        ("value", "decimal(18,2)", True, None),
    ]
    catalog.put_table(name, kind="VIEW", location=None, view_sql="select 2", columns=columns[1:])
    view = catalog.get(name)
    assert view is not None
    assert (view.view_sql, len(catalog.columns(view))) == ("select 2", 1)
    table = put("t")
    with pytest.raises(InputError, match="is a table"):
        catalog.put_table(table, kind="VIEW", location=None, view_sql="select 1")
    with pytest.raises(InputError, match="has no folder"):
        catalog.put_table(name, kind="VIEW", location=Path("/x"), view_sql="select 1")


def test_rename_takes_the_folder_along(catalog: Catalog, put: Put, layout: WorkspaceLayout) -> None:
    """Guards dbt's swap of tables: the data follows the name, so that the old name is free for another table."""
    name, target = put("t", comment="kept"), TableName("shop", "silver", "T_new")
    child = put("child")
    catalog.add_constraint(
        child, Constraint("fk", "FOREIGN KEY", ("a",), references=name, referenced_columns=("a",))
    )
    catalog.rename(name, target)
    assert catalog.get(name) is None
    found = catalog.get(target)
    assert found is not None
    assert (found.location, found.comment) == (layout.table_path("shop", "silver", "t_new"), "kept")
    assert [column.name for column in catalog.columns(found)] == ["a"]
    assert catalog.constraints(child)[0].references == target
    assert put("t") == name
    with pytest.raises(InputError, match="already exists"):
        catalog.rename(name, target)
    with pytest.raises(InputError, match="another catalog"):
        catalog.rename(name, TableName("other", "gold", "t"))
    with pytest.raises(InputError, match="no table"):
        catalog.rename(TableName("shop", "gold", "none"), TableName("shop", "gold", "x"))
    catalog.rename(target, TableName("shop", "silver", "t_NEW"))
    assert [str(table.name) for table in catalog.tables("shop", "silver")] == ["Shop.silver.t_NEW"]
    assert catalog.rescan() == []


def test_drop_deletes_managed_files_only(
    catalog: Catalog, put: Put, layout: WorkspaceLayout, tmp_path: Path
) -> None:
    """Guards that a dropped table leaves nothing behind, and that a folder which belongs to somebody else stays."""
    name = put("t")
    catalog.drop(name)
    assert not layout.table_path(*name.key).exists()
    assert not list((layout.warehouse / ".trash").iterdir())
    external = tmp_path / "theirs"
    write_deltalake(external, pa.table({"a": [1]}))
    catalog.put_table(name, kind="TABLE", location=external)
    catalog.drop(name)
    assert (external / "_delta_log").is_dir()
    with pytest.raises(InputError, match="no table"):
        catalog.drop(name)
    catalog.drop(name, if_exists=True)


def test_drop_schema_refuses_or_takes_all(catalog: Catalog, put: Put, layout: WorkspaceLayout) -> None:
    """Guards RESTRICT and CASCADE: tables and volumes go with their files, foreign keys to them go, the rest stays."""
    put("gold.t")
    stays = put("silver.s")
    catalog.add_constraint(
        stays,
        Constraint(
            "fk", "FOREIGN KEY", ("a",), references=TableName("shop", "gold", "t"), referenced_columns=("a",)
        ),
    )
    landed = catalog.create_volume("shop", "gold", "files") / "x.json"
    landed.write_text("{}")
    with pytest.raises(InputError, match="not empty"):
        catalog.drop_schema("shop", "gold")
    catalog.drop_schema("shop", "gold", cascade=True)
    assert not landed.exists()
    assert not layout.table_path("shop", "gold", "t").exists()
    assert [info.schema for info in catalog.schemas("shop")] == ["silver"]
    assert [table.name for table in catalog.tables("shop")] == [stays]
    assert catalog.constraints(stays) == []


def test_tags_comments_and_grants_on_every_level(catalog: Catalog, put: Put) -> None:
    """Guards governance: what is set is read back, merged, and removed by None, on every level."""
    table = put("t")
    for level in (Securable("CATALOG", ("SHOP",)), Securable("SCHEMA", ("shop", "Gold")), table):
        catalog.set_comment(level, "text")
        catalog.set_tags(level, {"a": "1", "b": ""})
        catalog.set_tags(level, {"a": None, "c": "3"})
        catalog.grant(level, "readers", ["select", "USE_SCHEMA"])
        catalog.revoke(level, "readers", ["SELECT", "MODIFY"])
        assert catalog.comment(level) == "text"
        assert catalog.tags(level) == {"b": "", "c": "3"}
        assert [(grant.principal, grant.privilege) for grant in catalog.grants(level)] == [
            ("readers", "USE SCHEMA")
        ]
    catalog.set_column_tags(table, "A", {"pii": "no"})
    assert catalog.column_tags(table) == {"a": {"pii": "no"}}
    with pytest.raises(InputError, match="not a Unity Catalog privilege"):
        catalog.grant(table, "readers", ["READ EVERYTHING"])
    with pytest.raises(InputError, match="no schema"):
        catalog.set_comment(Securable("SCHEMA", ("shop", "none")), "x")


def test_constraints_refuse_what_cannot_be(catalog: Catalog, put: Put) -> None:
    """Guards that a second primary key, a taken name and a missing parent are refused, and the rest is read back."""
    table = put("t")
    check = Constraint("positive", "CHECK", expression="a > 0")
    catalog.add_constraint(table, check)
    catalog.add_constraint(table, Constraint("pk", "PRIMARY KEY", ("a",)))
    assert [constraint.name for constraint in catalog.constraints(table)] == ["pk", "positive"]
    assert catalog.constraints(table)[1] == check
    for bad in (
        Constraint("pk2", "PRIMARY KEY", ("a",)),
        Constraint("POSITIVE", "CHECK", expression="a > 1"),
        Constraint(
            "fk",
            "FOREIGN KEY",
            ("a",),
            references=TableName("shop", "gold", "none"),
            referenced_columns=("a",),
        ),
        Constraint("x", "UNIQUE", ("a",)),
    ):
        with pytest.raises(InputError):
            catalog.add_constraint(table, bad)
    with pytest.raises(InputError, match="no constraint"):
        catalog.drop_constraint(table, "none")


def test_rescan_reports_both_directions(catalog: Catalog, put: Put, layout: WorkspaceLayout) -> None:
    """Guards that a folder nobody knows and a table whose folder is gone are named, and nothing is changed."""
    gone, _ = put("gone"), put("fine")
    shutil.rmtree(layout.table_path(*gone.key))
    write_deltalake(layout.table_path("shop", "gold", "unknown"), pa.table({"a": [1]}))
    assert [(found.problem, found.subject) for found in catalog.rescan()] == [
        ("table without folder", "Shop.gold.gone"),
        ("folder without table", "shop/gold/unknown"),
    ]
    with pytest.raises(DataFault, match="no readable Delta log"):
        catalog.columns(gone)


def test_the_workspace_folder_can_be_moved(catalog: Catalog, put: Put, layout: WorkspaceLayout) -> None:
    """Guards that locations are kept relative: a renamed workspace folder still finds its tables."""
    name = put("t")
    catalog.close()
    moved = WorkspaceLayout(layout.home.with_name("elsewhere"))
    layout.home.rename(moved.home)
    again = Catalog.open(moved)
    found = again.get(name)
    assert found is not None
    assert found.location == moved.table_path(*name.key)
    assert len(again.columns(found)) == 1
    again.close()


def _add_tables(home: Path, worker: int) -> None:
    catalog = Catalog.open(WorkspaceLayout(home))
    for number in range(10):
        catalog.create_schema("shop", f"s{number}", if_not_exists=True)
        catalog.put_table(
            TableName("shop", f"s{number}", f"v{worker}"), kind="VIEW", location=None, view_sql="select 1"
        )
    catalog.close()


def test_many_processes_and_threads_write_at_once(catalog: Catalog, layout: WorkspaceLayout) -> None:
    """Guards locking: no lost write, no error, and the revision counts every change when six writers meet."""
    before = catalog.revision()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_tables, args=(layout.home, number)) for number in range(3)]
    threads = [threading.Thread(target=_add_tables, args=(layout.home, number)) for number in range(3, 6)]
    for writer in [*writers, *threads]:
        writer.start()
    for writer in [*writers, *threads]:
        writer.join(240)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(catalog.tables("shop")) == 60
    assert catalog.revision() == before + 60 + 10


def test_a_damaged_or_newer_file_is_named(layout: WorkspaceLayout) -> None:
    """Guards that a broken catalog file is an error with a next step, and is not overwritten."""
    layout.create()
    layout.catalog_file.write_bytes(b"this is not a database, but long enough to be read as one" * 10)
    with pytest.raises(DataFault, match="damaged"):
        Catalog.open(layout)
    layout.catalog_file.unlink()
    catalog = Catalog.open(layout)
    with catalog._store.write() as connection:
        connection.execute("PRAGMA user_version = 99")
    catalog.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        Catalog.open(layout)


def test_a_catalog_of_the_first_version_learns_functions(layout: WorkspaceLayout) -> None:
    """Guards workspaces that are there: what the catalog knows stays when its file gets a new form."""
    catalog = Catalog.open(layout)
    catalog.create_catalog("main", comment="kept")
    catalog.create_schema("main", "s")
    catalog.set_tags(Securable("SCHEMA", ("main", "s")), {"a": "b"})
    catalog.close()
    with contextlib.closing(sqlite3.connect(layout.catalog_file)) as connection:
        old = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'securables'").fetchone()[0]
        connection.executescript(
            "PRAGMA foreign_keys = OFF; DROP TABLE functions; DROP TABLE policies;"
            f"{old.replace('securables (', 'former (', 1).replace(', ' + chr(39) + 'FUNCTION' + chr(39), '')};"
            "INSERT INTO former SELECT * FROM securables; DROP TABLE securables;"
            "ALTER TABLE former RENAME TO securables; PRAGMA user_version = 1;"
        )
        assert (
            "FUNCTION"
            not in connection.execute("SELECT sql FROM sqlite_master WHERE name = 'securables'").fetchone()[0]
        )
    catalog = Catalog.open(layout)
    assert catalog.catalogs()[0].comment == "kept"
    assert catalog.tags(Securable("SCHEMA", ("main", "s"))) == {"a": "b"}
    name = TableName("main", "s", "f")
    catalog.put_function(Function(name, (), "int", (), "1", "1"))
    assert catalog.function(name) is not None
    catalog.drop_schema("main", "s", cascade=True)
    assert catalog.function(name) is None
