"""Where the text of a view is kept, and what else must be known to read it again."""

from __future__ import annotations

from dataclasses import dataclass

# Catalog properties of a view that only the warehouse uses (the first one has Spark's name for it); SHOW
# TBLPROPERTIES leaves them out.
VIEW_NAMESPACE = "view.catalogAndNamespace"
VIEW_COLUMN_NAMES = "view.query.out.columns"


@dataclass(frozen=True)
class TemporaryView:
    """A view of one session.

    Attributes:
        name: As it was given.
        sql: Its query, as written.
        catalog: The current catalog when it was made, for names with fewer than three parts.
        schema: The current schema when it was made.
    """

    name: str
    sql: str
    catalog: str
    schema: str
