"""MERGE: the engine does it in one Delta commit; a source that is computed is computed beforehand, once.

On Databricks a MERGE sees the target as it was when the statement began, also in its source. Sail 0.7.2 plans source and
target together: it fails to plan some such statements, nothing promises that the others read the old rows, and it computes
a source twice, once to find the files and once to write them. So the rows of a query or a view are staged beside the table
first, as those of INSERT are, and the MERGE reads the stage. A killed statement leaves a stage that no reader looks at and
that the next writer deletes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_workspace.catalog import Table
from local_workspace.delta.delta_commit import stage
from local_workspace.delta.table_lock import table_lock
from local_workspace.sql.sql_error import parse_error
from local_workspace.sql.sql_text import StatementReader
from local_workspace.sql.tokens import quote_identifier, tokenize
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.change_rows import change_locked
from local_workspace.sql_warehouse.statements.create_table import clear_staging
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.insert import require_writable
from local_workspace.sql_warehouse.statements.location import location_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructField

    from local_workspace.sql_warehouse.session import Session


@dataclass(frozen=True)
class MergeSource:
    """Where the source stands in a MERGE.

    Attributes:
        start: Offset of its first character.
        end: Offset after its alias, or after its last character.
        text: As written, with its alias.
        alias: The name by which the statement refers to it.
    """

    start: int
    end: int
    text: str
    alias: str


def read_source(reader: StatementReader) -> MergeSource:
    """Reads the source of a MERGE; the reader stands behind the target's name.

    Raises:
        SqlError: There is no USING, or no ON after it.
    """
    depth = 0
    first = last = None
    while (token := reader.peek()) is not None:
        if depth == 0 and token.upper == "ON" and first is not None:
            break
        reader.next()
        depth += {"(": 1, ")": -1}.get(token.text if token.kind == "symbol" else "", 0)
        if first is None and depth == 0 and token.upper == "USING":
            first = reader.peek()
        else:
            last = token
    if reader.at_end or first is None or last is None or last.start < first.start:
        raise parse_error("end of input", reader.sql, expected="MERGE INTO target USING source ON condition")
    text = reader.sql[first.start : last.end]
    return MergeSource(first.start, last.end, text, _alias(text))


def _alias(text: str) -> str:
    """The last name of `t`, `a.b.t AS s`, `(SELECT ..) s` or `(SELECT ..) AS s(x, y)`."""
    tokens = tokenize(text)
    at = len(tokens) - 1
    if tokens[at].text == ")":
        depth = 0
        for i in range(at, -1, -1):
            depth += {")": 1, "(": -1}.get(tokens[i].text if tokens[i].kind == "symbol" else "", 0)
            if depth == 0:
                at = i - 1
                break
    return tokens[at].value if at >= 0 and tokens[at].is_name else "source"


def merge(session: Session, reader: StatementReader) -> Result:
    """MERGE [WITH SCHEMA EVOLUTION] INTO name [alias] USING source ON .. WHEN .."""
    reader.expect("MERGE")
    reader.accept("WITH", "SCHEMA", "EVOLUTION")
    reader.expect("INTO")
    table = session.require_table(reader.dotted_name())
    require_writable(table)
    source = read_source(reader)
    location = location_of(table)
    with table_lock(session.warehouse.layout, table.name):
        clear_staging(location)
        query = session.engine_sql(f"SELECT * FROM {source.text}")
        if _is_table(query) and not _reads(session, query, table):
            return change_locked(session, table, reader.sql)
        frame = session.engine.frame(query, tag=session.tag)
        staged = stage(_storable(frame), location)
        try:
            rows = f"(SELECT {_columns(frame)} FROM delta.{quote_identifier(str(staged.folder))})"
            place = f"{rows} AS {quote_identifier(source.alias)}"
            return change_locked(
                session, table, reader.sql[: source.start] + place + reader.sql[source.end :]
            )
        finally:
            staged.discard()


def _is_table(engine_query: str) -> bool:
    """Whether ``SELECT * FROM source`` names a table; views stand in it as their queries."""
    return tokenize(engine_query)[3].text != "("


def _reads(session: Session, engine_query: str, table: Table) -> bool:
    """Whether a query for the engine reads a table: views stand in it as their queries, tables by the engine's names."""
    location = location_of(table)
    name = [token.value.lower() for token in tokenize(session.engine.table(table.name, location))]
    words = [token.value.lower() for token in tokenize(engine_query)]
    return str(location).lower() in words or any(
        words[at : at + len(name)] == name for at in range(len(words) - len(name) + 1)
    )


def _is_untyped(field: StructField) -> bool:
    """Whether a column is a bare NULL, for which Delta has no type."""
    return bool(field.dataType.simpleString() == "void")


def _storable(frame: DataFrame) -> DataFrame:
    from pyspark.sql.connect import functions as f  # noqa: PLC0415

    typed = frame.drop(*[field.name for field in frame.schema.fields if _is_untyped(field)])
    return typed if typed.columns else typed.withColumn("row", f.lit(1))


def _columns(frame: DataFrame) -> str:
    return ", ".join(
        ("NULL AS " if _is_untyped(field) else "") + quote_identifier(field.name)
        for field in frame.schema.fields
    )


HANDLERS: Handlers = {("MERGE",): merge}
