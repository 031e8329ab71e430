"""Guards what the warehouse keeps of texts it has read before: a statement never means what it meant before a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from local_workspace.catalog import Catalog, TableName
from local_workspace.sql_warehouse.remembered import Memory
from local_workspace.sql_warehouse.session import GROUPS_SETTING
from local_workspace.sql_warehouse.statement_run import ClientSession

Change = Callable[["Place"], None]


class Place:
    """A session, and another process that changes the workspace beside it.

    Args:
        session: It runs the statements.
    """

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        layout = session.warehouse.layout
        self.neighbour = Catalog.open(layout)
        self.other = ClientSession(session.warehouse, "c", "kept", {})
        self.name = TableName("c", "kept", "t")
        self.folder: Path = layout.table_path(*self.name.key)

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.session.execute(statement)

    def asked(self, session: ClientSession | None = None) -> list[Any]:
        """What statements say that are the same each time: columns with their types, rows, and descriptions."""
        session = session or self.session
        result = session.execute("SELECT *, t.a / 3 AS third FROM outer_view AS t").table()
        described = session.execute("DESCRIBE TABLE outer_view").table().to_pylist()
        empty = session.execute(
            "SELECT t.*, t.a / 3 AS third FROM outer_view AS t WHERE false LIMIT 0"
        ).table()
        shapes = [list(zip(rows.schema.names, rows.schema.types, strict=True)) for rows in (empty, result)]
        assert (shapes[0], empty.num_rows) == (shapes[1], 0)
        return [result.schema.to_string(), result.to_pylist(), described]

    def asked_anew(self) -> list[Any]:
        """As `asked`, by a warehouse that has read no text."""
        session = ClientSession(replace(self.session.warehouse, memory=Memory()), "c", "kept", {})
        session.temporary_views.update(self.session.temporary_views)
        try:
            return self.asked(session)
        finally:
            session.close()


@pytest.fixture
def place(session: ClientSession) -> Iterator[Place]:
    session.execute("CREATE SCHEMA IF NOT EXISTS c.kept")
    session.execute("USE SCHEMA kept")
    place = Place(session)
    place.run(
        "CREATE TABLE t AS SELECT 1 AS a, 'x' AS b",
        "CREATE VIEW inner_view AS SELECT * FROM t",
        "CREATE VIEW outer_view AS SELECT * FROM inner_view",
    )
    yield place
    place.neighbour.close()
    place.other.close()
    place.run("DROP SCHEMA c.kept CASCADE", "USE SCHEMA s")


def _new_columns_in_the_folder(place: Place) -> None:
    rows = pa.table({"a": pa.array([2], pa.int64()), "c": ["y"]})
    write_deltalake(place.folder, rows, mode="overwrite", schema_mode="overwrite")


def _another_session_alters(place: Place) -> None:
    place.other.execute("ALTER TABLE t ADD COLUMN d DECIMAL(10,2)")


def _another_session_replaces_the_inner_view(place: Place) -> None:
    place.other.execute("CREATE OR REPLACE VIEW inner_view AS SELECT CAST(a AS DECIMAL(5,1)) AS a FROM t")


def _the_neighbour_renames(place: Place) -> None:
    place.run("CREATE TABLE u AS SELECT 7.5D AS a")
    place.neighbour.rename(place.name, TableName("c", "kept", "former"))
    place.neighbour.rename(TableName("c", "kept", "u"), place.name)


def _a_table_becomes_a_view(place: Place) -> None:
    place.neighbour.drop(place.name)
    place.run("CREATE VIEW t AS SELECT 1.25 AS a")


def _a_mask_comes(place: Place) -> None:
    place.run("CREATE FUNCTION hidden(x INT) RETURNS INT RETURN -1")
    place.other.execute("ALTER TABLE t ALTER COLUMN a SET MASK hidden")


def _a_mask_s_function_changes(place: Place) -> None:
    _a_mask_comes(place)
    place.asked()
    place.other.execute("CREATE OR REPLACE FUNCTION hidden(x INT) RETURNS INT RETURN -2")


def _a_temporary_view_comes(place: Place) -> None:
    place.run("CREATE TEMPORARY VIEW outer_view AS SELECT 5L AS a")


@pytest.mark.parametrize(
    "change",
    [
        _new_columns_in_the_folder,
        _another_session_alters,
        _another_session_replaces_the_inner_view,
        _the_neighbour_renames,
        _a_table_becomes_a_view,
        _a_mask_comes,
        _a_mask_s_function_changes,
        _a_temporary_view_comes,
    ],
)
def test_a_text_that_was_read_before_means_what_its_names_mean_now(place: Place, change: Change) -> None:
    """Guards columns, types and rows after each kind of change: as in a warehouse that never read the text."""
    before = place.asked()
    assert place.asked() == before
    change(place)
    after = place.asked()
    assert after == place.asked_anew()
    assert after != before
    place.session.temporary_views.clear()


def test_what_is_kept_of_one_session_is_not_another_s(place: Place) -> None:
    """Guards temporary views of one name, and the groups of the user, in two sessions with the same texts."""
    text = "SELECT a, is_account_group_member('boss') AS boss FROM mine"
    for session, value in ((place.session, "1"), (place.other, "'x'")):
        session.execute(f"CREATE OR REPLACE TEMPORARY VIEW mine AS SELECT {value} AS a")
    place.other.settings[GROUPS_SETTING] = "nobody"
    for _ in range(2):
        assert place.session.execute(text).table().to_pylist() == [{"a": 1, "boss": True}]
        assert place.other.execute(text).table().to_pylist() == [{"a": "x", "boss": False}]
    place.session.temporary_views.clear()


def test_an_insert_writes_what_its_names_mean_now(place: Place) -> None:
    """Guards rows that are written by a text that was written before: their columns are those of the view now."""
    place.run("CREATE TABLE copy (a STRING, b STRING)")
    insert = "INSERT INTO copy BY NAME SELECT * FROM outer_view"
    for _ in range(2):
        place.run(insert)
    place.other.execute("CREATE OR REPLACE VIEW inner_view AS SELECT 'z' AS b, 2.50 AS a")
    place.run(insert)
    rows = place.session.execute("SELECT a, b FROM copy ORDER BY a, b").table().to_pylist()
    assert rows == [{"a": "1", "b": "x"}, {"a": "1", "b": "x"}, {"a": "2.50", "b": "z"}]


def test_listings_show_what_has_just_changed(place: Place) -> None:
    """Guards information_schema, also within a temporary view and beside another listing in one query."""
    place.run(
        "CREATE TEMPORARY VIEW keys AS SELECT table_name FROM information_schema.table_constraints"
        " WHERE constraint_type = 'PRIMARY KEY' AND table_schema = 'kept'"
    )
    text = (
        "SELECT t.table_name, k.table_name IS NOT NULL AS has_key FROM information_schema.tables AS t"
        " LEFT JOIN keys AS k ON k.table_name = t.table_name WHERE t.table_schema = 'kept' AND t.table_type = 'MANAGED'"
    )
    assert place.session.execute(text).table().to_pylist() == [{"table_name": "t", "has_key": False}]
    place.other.execute("ALTER TABLE t ALTER COLUMN a SET NOT NULL")
    place.other.execute("ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY (a)")
    assert place.session.execute(text).table().to_pylist() == [{"table_name": "t", "has_key": True}]
    place.run("CREATE TABLE listed AS " + text)
    assert place.session.execute("SELECT * FROM listed").table().num_rows == 1
    place.session.temporary_views.clear()


def test_a_text_that_was_read_before_is_not_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the time of a build: views of which nothing has changed are neither parsed nor asked of the engine."""
    place.asked()
    session: Any = place.session

    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("worked out again")

    monkeypatch.setattr(session, "_rewrite_anew", unexpected)
    monkeypatch.setattr(session, "_query_columns_anew", unexpected)
    monkeypatch.setattr(session.engine, "frame", unexpected)
    place.asked()
    place.run("CREATE OR REPLACE VIEW outer_view AS SELECT * FROM inner_view")
    place.asked()
