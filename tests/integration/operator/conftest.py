"""The built workspace as an operator's tools see it: a client of its SQL warehouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dlt_ingest.sql_client import SqlClient, WarehouseConnection

CATALOG = "ecommerce_local"


@pytest.fixture(scope="session")
def shell(built_workspace) -> dict[str, str]:
    """The environment after `eval "$(orders env)"` on the built workspace."""
    return built_workspace.shell_environment()


@pytest.fixture(scope="module")
def gold(shell) -> Iterator[SqlClient]:
    """A client of the built workspace's warehouse with the marts as its schema."""
    with SqlClient(WarehouseConnection.from_environment(shell, catalog=CATALOG, schema="gold")) as client:
        yield client
