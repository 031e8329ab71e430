"""Table names inside SQL text: `spark.sql("...")` and predicates such as `"id IN (SELECT id FROM b)"`.

A query plan of Spark Connect carries such text unparsed, so the names are found with sqlglot and replaced by
position: the rest of the text reaches the engine exactly as its author wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from local_workspace.errors import PipelineCodeError
from local_workspace.sql import moments
from local_workspace.sql.aggregation import is_aggregation
from local_workspace.sql.dialect import Node, SqlSyntaxError, peek
from local_workspace.sql.inference import call_of

_MAY_READ_TABLES = re.compile(r"\b(select|from|table)\b", re.IGNORECASE)


@dataclass(frozen=True)
class TableReference:
    """A table name in a SQL text.

    Args:
        name: As written, without backticks around its parts only where none were needed.
        start: First character of what is to be replaced; end: the character after it. `STREAM(...)` is part
            of it.
        streaming: Whether it stood in `STREAM`.
        called: What the rest of the text calls it by without having said so: its last part, if it stands in a FROM without
            an alias; else empty.
    """

    name: str
    start: int
    end: int
    streaming: bool
    called: str = ""


def parse(text: str, where: str) -> Node:
    """Parse one statement or expression in Databricks' dialect.

    Raises:
        PipelineCodeError: The text cannot be parsed.
    """
    try:
        return peek(text)
    except SqlSyntaxError as error:
        place = f"line {error.line}, column {error.column}"
        raise PipelineCodeError(
            f"The SQL text in {where} cannot be parsed", got=f"{text!r}: {error.message} ({place})"
        ) from error


def table_references(text: str, where: str) -> list[TableReference]:
    """List the tables that a SQL text reads, names of its own WITH clauses left out, in order of position."""
    if not _MAY_READ_TABLES.search(text):
        return []
    tree = parse(text, where)
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    found: list[TableReference] = []
    for table in tree.find_all(exp.Table):
        parts = table.parts
        if (
            not parts
            or not all(isinstance(part, exp.Identifier) for part in parts)
            or "start" not in parts[0].meta
        ):
            continue
        start, end = parts[0].meta["start"], parts[-1].meta["end"] + 1
        name = text[start:end]
        if name.lower() in own or (
            parts[0].name.lower() in {"delta", "parquet", "json", "csv"} and len(parts) == 2
        ):
            continue
        around = re.compile(r"STREAM\s*(\(\s*)?$", re.IGNORECASE).search(text[:start])
        streaming = around is not None
        if around is not None:
            start = around.start()
            if around[1]:
                close = text.find(")", end)
                end = close + 1 if close >= 0 else end
        called = "" if table.alias or not _takes_alias(text, start, end, table) else parts[-1].name
        found.append(TableReference(name, start, end, streaming, called))
    return sorted(found, key=lambda reference: reference.start)


def _takes_alias(text: str, start: int, end: int, table: exp.Table) -> bool:
    """Say whether an alias may follow a table: not in `TABLE t`, nor before TABLESAMPLE and `VERSION AS OF`."""
    if re.search(r"(?i)\bTABLE\s*\(?\s*$", text[:start]) or re.match(
        r"(?i)\s*(TABLESAMPLE|VERSION|TIMESTAMP|FOR|@)\b", text[end:]
    ):
        return False
    return isinstance(table.parent, (exp.From, exp.Join))


def replace_tables(text: str, where: str, replacement: Callable[[TableReference], str]) -> str:
    """Return the text with each table name replaced."""
    for reference in reversed(table_references(text, where)):
        text = text[: reference.start] + replacement(reference) + text[reference.end :]
    return text


def is_volatile(text: str, where: str) -> bool:
    """Say whether a SQL text depends on time, chance or the user."""
    return moments.is_volatile(parse(text, where))


def needs_other_rows(text: str, where: str) -> str | None:
    """Name the first thing in an expression that needs other rows than its own, or None.

    Args:
        text: An expression.
        where: For messages.
    """
    for node in parse(text, where).walk():
        if isinstance(node, exp.Window):
            return "A window function"
        name = call_of(node)[0]
        if is_aggregation(node):
            return f"Aggregation by {name}()"
    return None
