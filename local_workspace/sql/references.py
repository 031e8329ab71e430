"""Table and view names inside a query, replaced by what the engine can read.

The engine's own catalog is not used for names: it is case-sensitive, belongs to one session, and gives view texts
back without their quotes. So a table name becomes the name under which its Delta folder is registered with the
engine, a view (or a session's temporary view) becomes its query in parentheses, and a name of information_schema
becomes a table that is made on the spot. The rest of the text stays as it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from local_workspace.sql.dialect import Node, SqlSyntaxError, peek, span
from local_workspace.sql.edits import Edit, edited
from local_workspace.sql.file_paths import is_path, refuse_files
from local_workspace.sql.inference import cte_of
from local_workspace.sql.sql_error import SqlError, table_not_found
from local_workspace.sql.tokens import quote_identifier

MAX_VIEW_DEPTH = 50


@dataclass(frozen=True)
class Source:
    """What stands in for a name.

    Attributes:
        text: SQL for the place of the name: an engine's table name, or a query in parentheses.
        is_query: Whether ``text`` is a query, which needs an alias to be referred to by the name's last part.
    """

    text: str
    is_query: bool


Resolver = Callable[[tuple[str, ...]], "Source | None"]
# Format and path of `delta`.`/a/path` -> the path for the engine; raises if nobody may read it.
FileResolver = Callable[[str, str], str]


def replace_references(
    sql: str,
    resolve: Resolver,
    *,
    files: FileResolver = refuse_files,
    missing_ok: bool = False,
) -> str:
    """Replace every table and view name of a query.

    Args:
        sql: A query, or an expression with queries in it. A text that cannot be read stays: the engine says why.
        resolve: Gives what stands in for a name (its parts as written, one to three), or None when there is no such
            table or view.
        files: Gives the path for files that a query reads as ``format.`path```; by default there are none.
        missing_ok: Leave names of two or three parts that are no table, too.

    Returns:
        The text with names replaced; single words that are no table stay, since they may be something else.

    Raises:
        SqlError: A name of two or three parts stands for a table and there is none (TABLE_OR_VIEW_NOT_FOUND).
    """
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return sql
    edits: list[Edit] = []
    for node in tree.walk():
        if isinstance(node, exp.Table):
            edits += _of_table(node, resolve, files, missing_ok=missing_ok)
        elif isinstance(node, exp.Column):
            edits += _of_column(node, resolve)
    return edited(sql, edits)


def table_names(sql: str) -> Iterator[tuple[str, ...]]:
    """Yield the names of the tables that a query reads, as written; none of a text that cannot be read."""
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return
    for table in tree.find_all(exp.Table):
        parts = _names(table.parts)
        if parts and not (len(parts) == 1 and _is_cte(table, parts[0])):
            yield parts


def _of_table(table: exp.Table, resolve: Resolver, files: FileResolver, *, missing_ok: bool) -> list[Edit]:
    parts = _names(table.parts)
    where = _place(table.parts)
    if not parts or where is None or (len(parts) == 1 and _is_cte(table, parts[0])):
        return []
    source = resolve(parts) if len(parts) <= 3 else None
    if source is None and not missing_ok and is_path(parts):
        path = files(parts[0], parts[1])
        return [(*where, f"{parts[0].lower()}.{quote_identifier(path)}")]
    if source is None and len(parts) in (2, 3) and not missing_ok:
        # The engine would name the last part only.
        raise table_not_found(".".join(quote_identifier(part) for part in parts))
    if source is None:
        return []
    text = source.text
    if source.is_query:
        query = table.find_ancestor(exp.Select)
        if query is not None and query.meta.get("is_table_command") and (whole := span(query)) is not None:
            # `TABLE v` is a query of its own: SELECT * FROM v.
            return [(whole[0], where[1], f"SELECT * FROM {text}")]
        if table.args.get("alias") is None:
            text += f" AS {quote_identifier(parts[-1])}"
    return [(*where, text)]


def _of_column(column: exp.Column, resolve: Resolver) -> list[Edit]:
    """Leave the last part of a table's name before a column: by that the engine knows the table."""
    given = column.parts[:-1] if isinstance(column.this, exp.Star) else column.parts
    names = _names(given)
    for length in (3, 2):
        enough = len(names) >= length if isinstance(column.this, exp.Star) else len(names) > length
        if enough and resolve(names[:length]) is not None:
            where = _place(given[:length])
            return [] if where is None else [(*where, quote_identifier(names[length - 1]))]
    return []


def _is_cte(table: exp.Table, name: str) -> bool:
    """Return whether a name is that of a query of WITH; one of WITH RECURSIVE may name itself."""
    if cte_of(table, name) is not None:
        return True
    around = table.find_ancestor(exp.With)
    return (
        around is not None
        and bool(around.args.get("recursive"))
        and any(cte.alias.lower() == name.lower() for cte in around.expressions)
    )


def _names(parts: Sequence[Node]) -> tuple[str, ...]:
    """Return the identifiers of a name; none of what is a call."""
    return tuple(p.name for p in parts) if all(isinstance(p, exp.Identifier) for p in parts) else ()


def _place(parts: Sequence[Node]) -> tuple[int, int] | None:
    first, last = span(parts[0]), span(parts[-1])
    return None if first is None or last is None else (first[0], last[1])


def check_depth(depth: int, name: str) -> None:
    """Refuses views that contain themselves.

    Args:
        depth: How many views are open, one within the other.
        name: The view to open next.

    Raises:
        SqlError: RECURSIVE_VIEW.
    """
    if depth > MAX_VIEW_DEPTH:
        raise SqlError(
            "RECURSIVE_VIEW",
            f"The view {name} contains itself, or views are nested more than {MAX_VIEW_DEPTH} deep.",
            "42P20",
        )
