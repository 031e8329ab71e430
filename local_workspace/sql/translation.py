"""A statement of Databricks' SQL as text for the engine."""

from __future__ import annotations

from pyspark.sql.types import DataType
from sqlglot import exp

from local_workspace.sql.analysis import refuse_as_spark
from local_workspace.sql.dialect import SqlSyntaxError, peek, read, without_pipes
from local_workspace.sql.engine_faults import avoid_faults
from local_workspace.sql.inference import Around, TableColumns, Typing
from local_workspace.sql.queries import Desugaring
from local_workspace.sql.render import is_changed, piece, render
from local_workspace.sql.rewrites.registry import Rewriting, spark_name
from local_workspace.sql.rewriting import rewrite_expressions


def for_engine(sql: str, tables: TableColumns, around: Around | None = None, *, nested: bool = False) -> str:
    """Put a query, or an expression, so that the engine answers it as Spark would.

    Args:
        sql: The text.
        tables: Gives the columns of tables by their names in the text.
        around: For an expression, what it is computed over.
        nested: The text becomes a part of a query, as that of a view does.

    Raises:
        SqlSyntaxError: It cannot be read.
        SqlError: Spark refuses it, too.
        NotSupported: The engine would answer wrongly, and there is no other way to say it.
    """
    sql = without_pipes(sql)
    # The statement itself may be put otherwise: so it stands in something.
    tree = piece("{0}", read(sql))
    refuse_as_spark(tree)
    Desugaring(sql, Typing(tables, around)).apply(tree)
    if is_changed(tree):
        # Read anew: the rules for expressions look at the queries around them.
        sql = render(tree, sql)
        tree = piece("{0}", read(sql))
    avoid_faults(tree, nested=nested)
    rewrite_expressions(tree, Rewriting(sql, Typing(tables, around), nested))
    return render(tree, sql) if is_changed(tree) else sql


def has_alias(expression: str) -> bool:
    """Whether an expression names its column itself.

    Args:
        expression: As in ``F.expr``.
    """
    try:
        tree = peek(expression)
    except SqlSyntaxError:
        return True  # not to be touched
    return isinstance(tree, (exp.Alias, exp.Aliases, exp.Column, exp.Star))


def column_name(expression: str) -> str:
    """Return the name that Spark gives the column of an expression without alias."""
    return spark_name(peek(expression), expression)


def type_of(expression: str, around: Around) -> DataType | None:
    """Return the type of an expression by Spark's rules, or None where it is not known.

    Args:
        expression: Its text.
        around: What it is computed over.
    """
    try:
        return Typing(lambda _name: None, around).type_of(peek(expression))
    except SqlSyntaxError:
        return None
