"""Guards the catalog's answers that are kept in memory against changes by other processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from local_workspace.catalog import Catalog, TableName
from local_workspace.layout import WorkspaceLayout

NAME = TableName("shop", "gold", "t")


@pytest.fixture
def catalogs(tmp_path: Path) -> Iterator[tuple[Catalog, Catalog]]:
    """The same catalog, opened twice as two processes do."""
    layout = WorkspaceLayout(tmp_path / "home")
    here, there = Catalog.open(layout), Catalog.open(layout)
    here.create_catalog("shop")
    here.create_schema("shop", "gold")
    yield here, there
    here.close()
    there.close()


def _put(catalog: Catalog) -> None:
    folder = catalog.layout.table_path(*NAME.key)
    write_deltalake(folder, pa.table({"a": [1]}))
    catalog.put_table(NAME, kind="TABLE", location=folder)


def test_every_change_of_another_process_is_seen(catalogs: tuple[Catalog, Catalog]) -> None:
    """Guards a table that comes, changes, moves and goes, each right after an answer was kept."""
    here, there = catalogs
    assert here.get(NAME) is None
    _put(there)
    found = here.get(NAME)
    assert found is not None
    assert found.properties == {}
    assert here.get(NAME) is found, "nothing has changed, so nothing is read"
    there.set_properties(NAME, {"p": "1"})
    found = here.get(NAME)
    assert found is not None
    assert found.properties == {"p": "1"}
    there.rename(NAME, TableName("shop", "gold", "u"))
    assert here.get(NAME) is None
    there.rename(TableName("shop", "gold", "u"), NAME)
    assert here.get(NAME) is not None
    there.drop(NAME)
    assert here.get(NAME) is None


def test_a_transaction_sees_its_own_state(catalogs: tuple[Catalog, Catalog]) -> None:
    """Guards listings of one moment, and a change that is not committed yet."""
    here, there = catalogs
    _put(there)
    with here.snapshot():
        assert here.get(NAME) is not None
        there.drop(NAME)
        assert there.get(NAME) is None
        assert here.get(NAME) is not None
    assert here.get(NAME) is None
    _put(there)
    with here._store.write() as connection:
        connection.execute("DELETE FROM tables")
        assert here.get(NAME) is None


def test_a_journal_that_a_killed_process_left_is_settled_first(catalogs: tuple[Catalog, Catalog]) -> None:
    """Guards `kill -9` between a drop's two steps: an answer that was kept before does not hide the journal."""
    here, there = catalogs
    _put(there)
    folder = here.layout.table_path(*NAME.key)
    assert here.get(NAME) is not None
    with there._store.write() as connection:
        key = connection.execute("SELECT id FROM tables").fetchone()["id"]
        connection.execute("DELETE FROM securables WHERE id = ?", (key,))
        connection.execute(
            "INSERT INTO file_moves (action, source) VALUES ('remove', ?)",
            (folder.relative_to(here.layout.root).as_posix(),),
        )
    assert here.get(NAME) is None
    assert not folder.exists()
