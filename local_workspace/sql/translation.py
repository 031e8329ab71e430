"""A statement of Databricks' SQL as text for the engine."""

from __future__ import annotations

from local_workspace.sql.dialect import read
from local_workspace.sql.inference import TableColumns, Typing
from local_workspace.sql.queries import Desugaring
from local_workspace.sql.render import is_changed, piece, render
from local_workspace.sql.rewrites import rewrite_expressions
from local_workspace.sql.rewrites.registry import Rewriting


def for_engine(sql: str, tables: TableColumns) -> str:
    """Put a query, or an expression, so that the engine answers it as Spark would.

    Args:
        sql: The text.
        tables: Gives the columns of tables by their names in the text.

    Raises:
        SqlSyntaxError: It cannot be read.
        NotSupported: The engine would answer wrongly, and there is no other way to say it.
    """
    # The statement itself may be put otherwise: so it stands in something.
    tree = piece("{0}", read(sql))
    Desugaring(sql, Typing(tables)).apply(tree)
    if is_changed(tree):
        # Read anew: the rules for expressions look at the queries around them.
        sql = render(tree, sql)
        tree = piece("{0}", read(sql))
    rewrite_expressions(tree, Rewriting(sql, Typing(tables)))
    return render(tree, sql) if is_changed(tree) else sql
