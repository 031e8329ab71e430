"""A Spark session for notebooks that sees the workspace's tables under their Databricks names.

On Databricks a notebook finds `spark` with Unity Catalog behind it. Here the session is Spark Connect on the workspace's
engine, and the tables are made known to it when it opens: a table that is created later is not in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from local_workspace.catalog import Catalog, Table, quote
from local_workspace.engine import connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def open_session(address: str, catalog: Catalog, *, default_catalog: str) -> SparkSession:
    """Open a session in which `spark.table("<catalog>.<schema>.<table>")` and SQL with such names work.

    Args:
        address: The engine's Spark Connect address.
        catalog: The workspace's catalog.
        default_catalog: Catalog of names that name none.

    Raises:
        EngineError: The engine is gone.
    """
    spark = connect(address)
    tables = [table for known in catalog.catalogs() for table in catalog.tables(known.catalog)]
    for schema in sorted({(table.name.catalog.lower(), table.name.schema.lower()) for table in tables}):
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {quote(*schema)}")
    for table in tables:
        # One that hides something is not named here: whoever has its folder reads all of it.
        if table.location is not None and not catalog.policies(table.name):
            spark.sql(
                f"CREATE TABLE IF NOT EXISTS {_name(table)} USING delta LOCATION '{_text(table.location)}'"
            )
    # Views are deliberately absent: they are staging and intermediate steps here, and their text is written for the SQL
    # warehouse, which answers for them.
    spark.catalog.setCurrentCatalog(default_catalog)
    return spark


def _name(table: Table) -> str:
    # Sail compares names with regard to case; the catalog does not.
    return quote(table.name.catalog.lower(), table.name.schema.lower(), table.name.table.lower())


def _text(location: Path) -> str:
    return str(location).replace("\\", "\\\\").replace("'", "\\'")
