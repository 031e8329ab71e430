"""What several statements say about a table in the same words: its type, its properties, its constraints."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from local_workspace.catalog import Constraint, Table
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql.view_text import VIEW_COLUMN_NAMES, VIEW_NAMESPACE
from local_workspace.sql_warehouse.statements.listing import CLUSTERING_PROPERTY, PROVIDER, SHALLOW_CLONE_OF
from local_workspace.sql_warehouse.statements.views import engine_columns

if TYPE_CHECKING:
    from local_workspace.catalog import Column
    from local_workspace.sql_warehouse.session import Session

_HIDDEN = frozenset({VIEW_NAMESPACE, VIEW_COLUMN_NAMES, CLUSTERING_PROPERTY, SHALLOW_CLONE_OF, PROVIDER})


def columns_of(session: Session, table: Table) -> list[Column]:
    """Return the columns of a table or view.

    A view's columns are those of its text now: its tables may have got others since it was made. If the text cannot
    be planned any more, the columns that it had at its creation.
    """
    recorded = session.catalog.columns(table)
    if not table.is_view:
        return recorded
    try:
        schema = session.schema_of(f"SELECT * FROM {table.name.quoted}")
    except SqlError:
        return recorded
    comments = table.column_comments
    return [replace(c, comment=comments.get(c.name.lower())) for c in engine_columns(schema)]


def visible_properties(table: Table) -> dict[str, str]:
    """Properties as SHOW TBLPROPERTIES gives them, clustering in the form that clients read."""
    properties = {key: value for key, value in table.properties.items() if key not in _HIDDEN}
    clustering = clustering_columns(table)
    if clustering == ["AUTO"]:
        properties["clusterByAuto"] = "true"
    elif clustering:
        properties["clusteringColumns"] = json.dumps([[name] for name in clustering], separators=(",", ":"))
    return properties


def clustering_columns(table: Table) -> list[str]:
    """Return the columns of CLUSTER BY, or ``["AUTO"]``."""
    return [name for name in table.properties.get(CLUSTERING_PROPERTY, "").split(",") if name]


def constraint_text(constraint: Constraint) -> str:
    """Return the constraint without its name, with every identifier in backticks."""
    names = ", ".join(quote_identifier(column) for column in constraint.columns)
    if constraint.type == "CHECK":
        return f"CHECK ({constraint.expression})"
    if constraint.type == "PRIMARY KEY" or constraint.references is None:
        return f"{constraint.type} ({names})"
    referenced = ", ".join(quote_identifier(column) for column in constraint.referenced_columns)
    return f"FOREIGN KEY ({names}) REFERENCES {constraint.references.quoted} ({referenced})"
