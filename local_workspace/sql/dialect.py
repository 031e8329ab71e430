"""SQL text as a tree that knows where each of its parts is in the text.

The grammar is sqlglot's for Databricks, with two changes. A function stays the call that was written, with its own name
and arguments: what a function means is said by :mod:`local_workspace.sql.functions` alone. And every node keeps its
*span*, the part of the text that it was read from, so that what nobody has to change reaches the engine letter by letter.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.parsers.databricks import DatabricksParser
from sqlglot.tokens import TokenType

Span = tuple[int, int]
Node = exp.Expr
T = TypeVar("T")

_SPAN = "span"
_BEHIND_A_SET = ("order", "limit", "offset", "cluster", "distribute", "sort")
# Calls that are written with words between their arguments, so that a list of arguments does not tell them.
_WRITTEN_WITH_WORDS = (
    "CAST",
    "TRY_CAST",
    "EXTRACT",
    "TRIM",
    "POSITION",
    "SUBSTRING",
    "SUBSTR",
    "OVERLAY",
    "BROADCAST",
    "BROADCASTJOIN",
    "MAPJOIN",
    "MERGE",
    "SHUFFLEMERGE",
    "MERGEJOIN",
    "SHUFFLE_HASH",
    "SHUFFLE_REPLICATE_NL",
)
_SPANNED = """
    _parse_alias _parse_between _parse_bitwise _parse_bracket _parse_case _parse_cast _parse_column _parse_column_ops
    _parse_column_reference _parse_comparison _parse_conjunction _parse_cte _parse_disjunction _parse_equality
    _parse_expression
    _parse_factor _parse_field _parse_from _parse_function _parse_group _parse_having _parse_if _parse_in _parse_interval
    _parse_join _parse_lambda _parse_lateral _parse_limit _parse_offset _parse_order _parse_ordered _parse_paren
    _parse_pivot _parse_primary _parse_qualify _parse_range _parse_select _parse_select_query
    _parse_set_operations _parse_star _parse_star_ops _parse_statement _parse_subquery _parse_table _parse_table_parts
    _parse_table_alias _parse_term _parse_type _parse_types _parse_unary _parse_value _parse_where _parse_window _parse_with
    _parse_derived_table_values _parse_wrapped_select _parse_unnest _parse_window_spec _parse_is _parse_escape
"""


def span(node: Node) -> Span | None:
    """Return where a node is in its text, or None where that is not known or the node was made later."""
    found: Span | None = node.meta.get(_SPAN)
    if found is not None:
        return found
    if isinstance(node, (exp.Binary, exp.Column)) and not isinstance(node, exp.Dot):
        parts = [span(child) for child in node.iter_expressions()]
        if parts and all(parts):
            return min(p[0] for p in parts if p), max(p[1] for p in parts if p)
    if isinstance(node, exp.Identifier) and "start" in node.meta:
        return node.meta["start"], node.meta["end"] + 1
    return None


def is_within(inner: Node, outer: Node) -> bool:
    """Return whether a node is another one, or stands anywhere in it."""
    node: Node | None = inner
    while node is not None:
        if node is outer:
            return True
        node = node.parent
    return False


def _spanned(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def parse(self: Any, *args: Any, **kwargs: Any) -> Any:
        start = self._curr.start
        given = args[0] if args else kwargs.get("this")
        if isinstance(given, exp.Expr):
            known = span(given)
            start = known[0] if known else None
        result = method(self, *args, **kwargs)
        if start is not None and isinstance(result, exp.Expr):
            end = self._prev.end + 1
            if end > start:
                known = result.meta.get(_SPAN)
                result.meta[_SPAN] = (min(start, known[0]), max(end, known[1])) if known else (start, end)
        return result

    return parse


class _Parser(DatabricksParser):
    ARRAY_CONSTRUCTORS: ClassVar[dict[str, Any]] = {}
    _select_start: int | None = None
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: DatabricksParser.FUNCTION_PARSERS[name]
        for name in _WRITTEN_WITH_WORDS
        if name in DatabricksParser.FUNCTION_PARSERS
    }
    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: parse
        for name, parse in DatabricksParser.NO_PAREN_FUNCTION_PARSERS.items()
        if name in ("ANY", "CASE", "CURDATE")
    }

    def _parse_statement(self) -> Any:
        # `TABLE t` is a query; sqlglot takes it for a column TABLE with the alias t.
        if self._is_table_command():
            return self._parse_query_modifiers(self._parse_set_operations(self._parse_select()))
        return super()._parse_statement()

    def _table_command(self) -> exp.Select:
        start = self._curr.start
        self._advance()
        query = exp.Select(expressions=[exp.Star()], from_=exp.From(this=self._parse_table_parts()))
        query.meta[_SPAN] = (start, self._prev.end + 1)
        query.meta["is_table_command"] = True
        return query

    def _is_table_command(self) -> bool:
        if self._curr is None or self._curr.token_type != TokenType.TABLE or self._next is None:
            return False
        return self._next.token_type in (TokenType.VAR, TokenType.IDENTIFIER)

    def _parse_select_query(self, *args: Any, **kwargs: Any) -> Any:
        if self._is_table_command():
            return self._table_command()
        outer, self._select_start = self._select_start, self._curr.start if self._curr else None
        try:
            return super()._parse_select_query(*args, **kwargs)
        finally:
            self._select_start = outer

    def _parse_query_modifiers(self, this: Any) -> Any:
        # The first branch of a UNION: what is read around it is the UNION.
        fresh = isinstance(this, exp.Select) and _SPAN not in this.meta and self._select_start is not None
        start = self._select_start
        result = super()._parse_query_modifiers(this)
        if fresh and result is this:
            this.meta[_SPAN] = (start, self._prev.end + 1)
        return result

    def _parse_set_operations(self, this: Any) -> Any:
        result: Any = super()._parse_set_operations(this)
        # ORDER BY and LIMIT behind the last branch are those of the whole: they leave the branch's part of the text.
        last = result.args.get("expression") if isinstance(result, exp.SetOperation) else None
        where = span(last) if isinstance(last, exp.Expr) else None
        if last is None or where is None:
            return result
        given = [result.args.get(key) for key in _BEHIND_A_SET]
        starts = [s[0] for part in given if isinstance(part, exp.Expr) and (s := span(part)) is not None]
        ends = [start for start in starts if where[0] < start < where[1]]
        if ends:
            last.meta[_SPAN] = (where[0], min(ends))
        return result

    def _parse_window(self, this: Any, alias: bool = False) -> Any:
        if isinstance(this, exp.Anonymous) and _SPAN not in this.meta:
            start = this.meta.get("start")
            if start is not None:
                this.meta[_SPAN] = (start, self._prev.end + 1)
        return super()._parse_window(this, alias=alias)


for _name in _SPANNED.split():
    if hasattr(_Parser, _name):
        setattr(_Parser, _name, _spanned(getattr(_Parser, _name)))


class Written(Databricks):
    """Databricks' SQL, read without interpreting its functions."""

    class Tokenizer(Databricks.Tokenizer):
        """Strings with doubled quotes."""

        # '' within '..' is one quote, since Spark 4.
        STRING_ESCAPES: ClassVar[list[str]] = ["\\", "'", '"']

    Parser = _Parser

    def tokenize(self, sql: str, dialect: Any = None) -> list[Any]:
        """Tokenize; the function `window(...)` is a name, not the clause WINDOW, which ends a GROUP BY."""
        tokens = super().tokenize(sql, dialect)
        for token, following in itertools.pairwise(tokens):
            if token.token_type is TokenType.WINDOW and following.token_type is TokenType.L_PAREN:
                token.token_type = TokenType.VAR
        return tokens


_DIALECT = Written()


class SqlSyntaxError(Exception):
    """A text that is not SQL.

    Args:
        message: What was met, and where it was not expected.
        line: Counted from 1.
        column: Counted from 0, as Spark counts.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column)
        self.message, self.line, self.column = message, line, column


@functools.lru_cache(maxsize=512)
def _parsed(sql: str) -> Node:
    try:
        trees = [tree for tree in _DIALECT.parse(sql) if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        found = str(first.get("highlight") or "") or "end of input"
        line, column = int(first.get("line") or 1), int(first.get("col") or 1)
        raise SqlSyntaxError(
            f"Syntax error at or near '{found}'", line, max(0, column - len(found))
        ) from error
    except (TokenError, SqlglotError, RecursionError) as error:
        raise SqlSyntaxError(
            str(error).splitlines()[0] if str(error) else "too deeply nested", 1, 0
        ) from error
    if len(trees) != 1:
        raise SqlSyntaxError("Syntax error: expected one statement", 1, 0)
    tree = trees[0]
    assert isinstance(tree, exp.Expr)  # noqa: S101
    return tree


def peek(sql: str) -> Node:
    """As :func:`read`, for a caller who does not change the tree.

    Raises:
        SqlSyntaxError: It cannot be read.
    """
    return _parsed(sql)


def read(sql: str) -> Node:
    """Read one statement, query or expression; the caller may change the tree.

    A text is parsed once: what comes back is a copy of the tree that is kept.

    Raises:
        SqlSyntaxError: It cannot be read.
    """
    return _parsed(sql).copy()


def without_pipes(sql: str) -> str:
    """Return a text with pipes (``|>``) as the same query without them; any other text, or a syntax error, as it is."""
    if "|>" not in sql:
        return sql
    try:
        return peek(sql).sql(dialect=Written, comments=False)
    except (SqlSyntaxError, SqlglotError):
        return sql
