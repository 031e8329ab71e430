"""Table and view names inside a query, replaced by what the engine can read.

The engine's own catalog is not used for names: it is case-sensitive, belongs to one session, and gives view texts
back without their quotes. So a table name becomes the name under which its Delta folder is registered with the
engine, a view (or a session's temporary view) becomes its query in parentheses, and a name of information_schema
becomes a table that is made on the spot. The rest of the text stays as it was written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local_workspace.sql.file_paths import is_path, refuse_files
from local_workspace.sql.sql_error import SqlError, table_not_found
from local_workspace.sql.tokens import Token, quote_identifier, tokenize

MAX_VIEW_DEPTH = 50
# Reserved: `FROM (SELECT ..` names no table, also where there is one called `select`.
_NO_NAME = frozenset(["SELECT", "FROM", "WITH", "WHERE"])
# After a table name these words go on with the query; any other word is the table's alias.
_NO_ALIAS = frozenset(
    [
        "WHERE",
        "GROUP",
        "ORDER",
        "HAVING",
        "LIMIT",
        "OFFSET",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "MINUS",
        "JOIN",
        "INNER",
        "LEFT",
        "RIGHT",
        "FULL",
        "CROSS",
        "NATURAL",
        "SEMI",
        "ANTI",
        "OUTER",
        "ON",
        "USING",
        "LATERAL",
        "WINDOW",
        "QUALIFY",
        "CLUSTER",
        "DISTRIBUTE",
        "SORT",
        "PIVOT",
        "UNPIVOT",
        "TABLESAMPLE",
        "VERSION",
        "TIMESTAMP",
        "WHEN",
        "SET",
        "VALUES",
        "SELECT",
        "FOR",
    ]
)
_ENDS_FROM = frozenset(
    [
        "WHERE",
        "GROUP",
        "ORDER",
        "HAVING",
        "LIMIT",
        "OFFSET",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "MINUS",
        "WINDOW",
        "QUALIFY",
        "CLUSTER",
        "DISTRIBUTE",
        "SORT",
        "SELECT",
        "SET",
    ]
)


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


class _Scope:
    """What is open between one pair of parentheses."""

    def __init__(self) -> None:
        self.in_from = False
        self.has_select = False
        self.ctes: set[str] = set()


def replace_references(
    sql: str,
    resolve: Resolver,
    *,
    files: FileResolver = refuse_files,
    missing_ok: bool = False,
) -> str:
    """Replaces every table and view name of a query.

    Args:
        sql: A query.
        resolve: Gives what stands in for a name (its parts as written, one to three), or None when there is no such
            table or view.
        files: Gives the path for files that a query reads as ``format.`path```; by default there are none.
        missing_ok: Leave names of two or three parts that are no table, too.

    Returns:
        The text with names replaced; single words that are no table stay, since they may be something else.

    Raises:
        SqlError: A name of two or three parts stands for a table and there is none (TABLE_OR_VIEW_NOT_FOUND).
    """
    tokens = tokenize(sql)
    edits: list[tuple[int, int, str]] = []
    scopes = [_Scope()]
    pending_cte: list[tuple[int, str]] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind == "symbol":
            if token.text == "(":
                scopes.append(_Scope())
            elif token.text == ")" and len(scopes) > 1:
                scopes.pop()
                while pending_cte and pending_cte[-1][0] == len(scopes):
                    scopes[-1].ctes.add(pending_cte.pop()[1])
            i += 1
            continue
        if token.kind == "word":
            _note_clause(token, scopes[-1], tokens, i)
        if not token.is_name or (token.kind == "word" and token.upper in _NO_NAME):
            i += 1
            continue
        chain, after = _chain(tokens, i)
        cte = _cte_defined(tokens, i, after)
        if cte:
            pending_cte.append((len(scopes), token.value.lower()))
        elif not _follows_call(tokens, after):
            edit = _edit(
                tokens,
                i,
                after=after,
                chain=chain,
                scopes=scopes,
                resolve=resolve,
                files=files,
                missing_ok=missing_ok,
            )
            if edit is not None:
                edits.append(edit)
        i = after
    for start, end, text in reversed(edits):
        sql = sql[:start] + text + sql[end:]
    return sql


def _note_clause(token: Token, scope: _Scope, tokens: tuple[Token, ...], i: int) -> None:
    word = token.upper
    if word == "SELECT":
        scope.has_select = True
    if word == "FROM" and (scope.has_select or i <= 1) and not _is_distinct_from(tokens, i):
        scope.in_from = True
    elif word in _ENDS_FROM:
        scope.in_from = False


def _is_distinct_from(tokens: tuple[Token, ...], i: int) -> bool:
    return i > 0 and tokens[i - 1].upper == "DISTINCT"


def _chain(tokens: tuple[Token, ...], i: int) -> tuple[list[Token], int]:
    chain = [tokens[i]]
    i += 1
    while i + 1 < len(tokens) and tokens[i].text == "." and tokens[i + 1].is_name:
        chain.append(tokens[i + 1])
        i += 2
    return chain, i


def _cte_defined(tokens: tuple[Token, ...], i: int, after: int) -> bool:
    """Whether tokens[i] is the name in ``WITH name [(columns)] AS (`` or ``, name AS (``."""
    before = tokens[i - 1].upper if i else ""
    if before not in ("WITH", ",", "RECURSIVE") or after != i + 1:
        return False
    j = after
    if j < len(tokens) and tokens[j].text == "(":
        while j < len(tokens) and tokens[j].text != ")":
            j += 1
        j += 1
    return j + 1 < len(tokens) and tokens[j].upper == "AS" and tokens[j + 1].text == "("


def _follows_call(tokens: tuple[Token, ...], after: int) -> bool:
    return after < len(tokens) and tokens[after].text == "("


def _edit(
    tokens: tuple[Token, ...],
    i: int,
    *,
    after: int,
    chain: list[Token],
    scopes: list[_Scope],
    resolve: Resolver,
    files: FileResolver,
    missing_ok: bool,
) -> tuple[int, int, str] | None:
    parts = tuple(token.value for token in chain)
    if _in_table_position(tokens, i, scopes[-1]):
        if len(parts) == 1 and any(parts[0].lower() in scope.ctes for scope in scopes):
            return None
        source = resolve(parts) if len(parts) <= 3 else None
        if source is None and not missing_ok and is_path(parts):
            path = files(parts[0], parts[1])
            return chain[0].start, chain[1].end, f"{parts[0].lower()}.{quote_identifier(path)}"
        if source is None and len(parts) in (2, 3):
            # The engine would name the last part only.
            raise table_not_found(".".join(quote_identifier(part) for part in parts))
        if source is None:
            return None
        text = source.text
        if source.is_query:
            if i and tokens[i - 1].upper == "TABLE":
                # `TABLE v` is a query of its own: SELECT * FROM v.
                return tokens[i - 1].start, chain[-1].end, f"SELECT * FROM {text}"
            if not _has_alias(tokens, after):
                text += f" AS {quote_identifier(parts[-1])}"
        return chain[0].start, chain[-1].end, text
    # catalog.schema.table.column or schema.table.column: the engine knows the table by its last part.
    for length in (3, 2):
        if len(parts) > length and resolve(parts[:length]) is not None:
            return chain[0].start, chain[length - 1].end, quote_identifier(parts[length - 1])
    return None


def _in_table_position(tokens: tuple[Token, ...], i: int, scope: _Scope) -> bool:
    before = tokens[i - 1].upper if i else ""
    if before == "FROM":
        return scope.in_from
    if before == ",":
        return scope.in_from
    if before in ("JOIN", "TABLE"):
        return True
    if before == "(":
        # FROM (a JOIN b ...) and FROM (a)
        return i > 1 and tokens[i - 2].upper in ("FROM", "JOIN")
    return False


def _has_alias(tokens: tuple[Token, ...], after: int) -> bool:
    if after >= len(tokens):
        return False
    following = tokens[after]
    if following.upper == "AS":
        return True
    return following.is_name and (following.kind == "quoted" or following.upper not in _NO_ALIAS)


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
