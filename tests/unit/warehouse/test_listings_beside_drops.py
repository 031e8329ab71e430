"""Guards listings against tables that another session drops while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from local_workspace.catalog import Catalog, Constraint, Table, TableName
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql_warehouse.statement_run import ClientSession
from local_workspace.sql_warehouse.statements import show
from local_workspace.sql_warehouse.statements.information_schema import build_relation

_RELATIONS = [
    "tables",
    "columns",
    "views",
    "table_constraints",
    "key_column_usage",
    "referential_constraints",
    "constraint_column_usage",
    "constraint_table_usage",
    "check_constraints",
    "table_tags",
    "column_tags",
    "table_privileges",
]


class _CatalogWithANeighbour(Catalog):
    """A catalog in which another session drops a table right after this one has found it."""

    neighbour: Catalog
    victim: TableName

    def get(self, name: TableName) -> Table | None:
        found = super().get(name)
        self.neighbour.drop(self.victim, if_exists=True)
        return found

    def tables(self, catalog: str, schema: str | None = None) -> list[Table]:
        found = super().tables(catalog, schema)
        self.neighbour.drop(self.victim, if_exists=True)
        return found


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[_CatalogWithANeighbour]:
    layout = WorkspaceLayout(tmp_path / "home")
    opened = _CatalogWithANeighbour.open(layout)
    opened.create_catalog("shop")
    opened.create_schema("shop", "gold")
    for table in ("going", "staying"):
        name = TableName("shop", "gold", table)
        write_deltalake(layout.table_path(*name.key), pa.table({"a": [1]}))
        opened.put_table(name, kind="TABLE", location=layout.table_path(*name.key))
        opened.add_constraint(name, Constraint("pk", "PRIMARY KEY", ("a",)))
        opened.add_constraint(name, Constraint("positive", "CHECK", ("a",), "a > 0"))
    opened.neighbour, opened.victim = Catalog.open(layout), TableName("shop", "gold", "going")
    yield opened
    opened.neighbour.close()
    opened.close()


@pytest.mark.parametrize("relation", _RELATIONS)
def test_information_schema_is_of_one_moment(catalog: _CatalogWithANeighbour, relation: str) -> None:
    """Guards `dbt build` with several threads: a relation answers while a temporary table beside it is dropped."""
    rows = build_relation(catalog, "shop", relation)
    assert rows is not None
    if relation in ("tables", "table_constraints"):
        assert set(rows["table_name"].to_pylist()) == {"going", "staying"}
    assert catalog.get(catalog.victim) is None


def test_a_table_that_goes_during_a_statement_is_not_found(catalog: _CatalogWithANeighbour) -> None:
    """Guards the error class: dbt-databricks takes a missing relation for an answer, anything else for a fault."""
    warehouse: Any = SimpleNamespace(
        catalog=catalog,
        engines=SimpleNamespace(take=lambda: SimpleNamespace(drop_rows=lambda: None)),
        statement_log=SimpleNamespace(write=lambda *_, **__: None),
    )
    session = ClientSession(warehouse, "shop", "gold", {})
    with pytest.raises(SqlError) as caught:
        session.execute("DESCRIBE TABLE EXTENDED going AS JSON")
    assert (caught.value.error_class, caught.value.sqlstate) == ("TABLE_OR_VIEW_NOT_FOUND", "42P01")


def test_show_table_extended_lists_what_stays(catalog: _CatalogWithANeighbour) -> None:
    """Guards dbt's catalog of columns: one table that goes does not take the listing with it."""
    session: Any = SimpleNamespace(
        catalog=catalog, schema_name="gold", schema_parts=tuple, require_schema=lambda *parts: None
    )
    result = show.show_table_extended(session, StatementReader("SHOW TABLE EXTENDED IN shop.gold LIKE '*'"))
    information = {row["tableName"]: row["information"] for row in result.table().to_pylist()}
    assert "|-- a: bigint" in information["staying"]
