"""Fixtures of the workspace's unit tests: a catalog in a folder of its own, and small Delta tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from local_workspace.catalog import Catalog, TableName
from local_workspace.layout import WorkspaceLayout


@pytest.fixture
def layout(tmp_path: Path) -> WorkspaceLayout:
    return WorkspaceLayout(tmp_path / "home")


@pytest.fixture
def catalog(layout: WorkspaceLayout) -> Iterator[Catalog]:
    opened = Catalog.open(layout)
    opened.create_catalog("Shop")
    opened.create_schema("shop", "gold")
    opened.create_schema("shop", "silver")
    yield opened
    opened.close()


@pytest.fixture
def put(catalog: Catalog, layout: WorkspaceLayout) -> Callable[..., TableName]:
    """Make a Delta table with one column and record it."""

    def make(text: str, **kwargs: object) -> TableName:
        name = TableName.parse(text, catalog="shop", schema="gold")
        location = layout.table_path(*name.key)
        write_deltalake(location, pa.table({"a": [1, 2]}))
        catalog.put_table(name, kind="TABLE", location=location, **kwargs)  # type: ignore[arg-type]
        return name

    return make
