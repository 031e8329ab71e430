"""What listings of many tables say of each one; asked of the catalog alone, without a session."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from local_workspace.catalog import Catalog, Column, Table
from local_workspace.errors import DataFault, NotFound

CLUSTERING_PROPERTY = "clusteringColumns"
# Of which table this is a shallow clone: it is listed as one, though it has files of its own here.
SHALLOW_CLONE_OF = "local.shallowCloneOf"

# The format that a table was created in, where it is another one than the format of its files, which is Delta.
PROVIDER = "local.provider"


def provider_of(table: Table) -> str:
    """Return the format of a table in the words of USING: what it was created with."""
    return table.properties.get(PROVIDER, "delta")


def table_type(table: Table) -> str:
    """Return the kind of a table in the words of information_schema.tables."""
    if table.kind == "TABLE" and SHALLOW_CLONE_OF in table.properties:
        return "MANAGED_SHALLOW_CLONE"
    if table.kind == "TABLE":
        return "MANAGED" if table.managed else "EXTERNAL"
    return table.kind


def column_list(catalog: Catalog, table: Table) -> list[Column]:
    """Return the columns for a listing of many tables: those that a view had at its creation, as Databricks lists them.

    A table whose folder is damaged or that goes meanwhile has none here: a listing must not fail for one of its tables.
    """
    try:
        return catalog.columns(table)
    except (DataFault, NotFound):
        return []


def last_changed(table: Table) -> datetime:
    """When the rows or the definition were last changed, whichever was later.

    The log folder's own time stands for the last commit: listings ask it of every table, and reading logs takes longer.
    """
    if table.location is None:
        return table.altered_at
    try:
        committed = (table.location / "_delta_log").stat().st_mtime
    except OSError:
        return table.altered_at
    return max(datetime.fromtimestamp(committed, timezone.utc), table.altered_at)


def argument_text(argument: str) -> str:
    """Return a column, or a literal as SQL, that a row filter or mask gets."""
    return argument.removeprefix("=")


def type_in_capitals(text: str) -> str:
    """Return a type as SHOW CREATE TABLE gives it: its words in capitals, the names of fields as they are."""
    return re.sub(
        r"`(?:[^`]|``)*`|\b[A-Za-z_]\w*\b(?!\s*:)", lambda m: m[0] if m[0][0] == "`" else m[0].upper(), text
    )
