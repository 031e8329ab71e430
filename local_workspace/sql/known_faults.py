"""What Sail 0.7.2 answers wrongly without an error: said in another way, or refused.

An engine may lack things; it may not give wrong rows silently. Each fault here was measured against what Spark SQL
documents, and has a test that shows the engine alone to be wrong, so that a newer engine without the fault is noticed.

Said in another way:

* A filter that depends on literals only is moved below an aggregation without GROUP BY, which then counts no rows instead
  of vanishing: `SELECT * FROM (SELECT 'a' AS kind, count(*) AS n FROM t) WHERE kind = 'b'` gives one row. The engine moves
  no filter below a LIMIT, and a LIMIT that such an aggregation cannot exceed changes nothing.

Refused by name: functions, forms of NOT IN and EXISTS, and JSON files by path, see below. Not found here, because it
needs the types of columns: INT and BIGINT arithmetic and `sum` wrap around where ANSI mode raises ARITHMETIC_OVERFLOW.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from local_workspace.errors import NotSupported
from local_workspace.sql import functions
from local_workspace.sql.tokens import Token, tokenize

# More rows than any table has.
ALL_ROWS = 9223372036854775807

# Words of an expression that are not columns.
_NO_COLUMN_WORDS = """
    AND ARRAY AS BIGINT BINARY BOOLEAN BYTE CASE CURRENT_DATE CURRENT_TIMESTAMP CURRENT_USER DATE DAY DECIMAL DISTINCT
    DOUBLE ELSE END FALSE FLOAT HOUR INT INTEGER INTERVAL IS LONG MAP MINUTE MONTH NOT NULL NUMERIC OR REAL SECOND SHORT
    SMALLINT STRING STRUCT THEN TIMESTAMP TIMESTAMP_LTZ TIMESTAMP_NTZ TINYINT TRUE VARCHAR VARIANT WEEK WHEN YEAR
"""
_NO_COLUMN = frozenset(_NO_COLUMN_WORDS.split())
_SET_OPERATORS = frozenset({"UNION", "EXCEPT", "INTERSECT", "MINUS"})
_ENDS_BRANCH = frozenset({"ORDER", "LIMIT", "OFFSET", "CLUSTER", "DISTRIBUTE", "SORT"})
_CLAUSES = frozenset(
    {"FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY", *_ENDS_BRANCH, *_SET_OPERATORS}
)


@dataclass
class _Parentheses:
    """What stands between one pair of parentheses; the whole text is one, too.

    Attributes:
        tokens: Its own tokens and pairs of parentheses within, in order.
        before: The token before it, in upper case.
        is_derived: Whether it is a table in a FROM, or the query of a WITH.
    """

    before: str
    tokens: list[Token | _Parentheses] = field(default_factory=list)
    start: int = 0
    end: int = 0
    is_derived: bool = False

    def words(self) -> list[str]:
        return [item.upper if isinstance(item, Token) else "()" for item in self.tokens]

    @property
    def is_query(self) -> bool:
        return next(iter(self.words()), "") in ("SELECT", "WITH", "FROM") or (
            isinstance(self.tokens[0], _Parentheses) and self.tokens[0].is_query if self.tokens else False
        )

    def nested(self) -> Iterator[_Parentheses]:
        for item in self.tokens:
            if isinstance(item, _Parentheses):
                yield item
                yield from item.nested()


@dataclass(frozen=True)
class _Branch:
    """One SELECT of a query, without what belongs to the set operation around it."""

    items: Sequence[Token | _Parentheses]

    def words(self) -> list[str]:
        return [item.upper if isinstance(item, Token) else "()" for item in self.items]

    @property
    def start(self) -> int:
        return self.items[0].start

    @property
    def end(self) -> int:
        return self.items[-1].end

    def projection(self) -> list[list[Token | _Parentheses]]:
        """Return the items of the SELECT list."""
        columns: list[list[Token | _Parentheses]] = [[]]
        words = self.words()
        for at, (item, word) in enumerate(zip(self.items, words, strict=True)):
            if at == 0:
                continue
            if word in _CLAUSES and words[at - 1] != "WITHIN":
                break
            if word == ",":
                columns.append([])
            else:
                columns[-1].append(item)
        return columns

    @property
    def most_rows(self) -> int | None:
        """A number of rows that an aggregation over all rows cannot exceed; None if this is no such aggregation."""
        words = self.words()
        grouping = next((at for at, pair in enumerate(pairwise(words)) if pair == ("GROUP", "BY")), None)
        if grouping is not None:
            return ALL_ROWS if {"ROLLUP", "CUBE", "SETS"} & set(words[grouping:]) else None
        parts = [item for column in self.projection() for item in column]
        return 1 if "HAVING" in words or _aggregates(parts) else None


def avoid(sql: str) -> str:
    """Put a query so that the engine answers it rightly; most come back as they were.

    Args:
        sql: A query, or a statement with queries in it.

    Raises:
        NotSupported: The engine would answer wrongly, and there is no other way to say it.
    """
    tokens = tokenize(sql)
    _refuse_functions(tokens)
    if not any(token.upper == "SELECT" for token in tokens[1:]):
        return sql
    whole = _read(tokens)
    _refuse_conditions(whole)
    edits: list[tuple[int, str]] = []
    for query in whole.nested():
        if not query.is_derived or not query.is_query or "LIMIT" in query.words():
            continue
        limits = [
            rows
            for branch in _branches(query)
            if (rows := branch.most_rows) is not None and _may_meet_a_literal(whole, branch)
        ]
        if limits:
            # Around a set operation, not in its branches: a union that loses its first branch fails over a LIMIT.
            rows = limits[0] if not _SET_OPERATORS & set(query.words()) else ALL_ROWS
            edits.append((query.end - 1, f" LIMIT {rows}"))
    for at, text in sorted(edits, reverse=True):
        sql = sql[:at] + text + sql[at:]
    return sql


def aggregates(expression: str) -> bool:
    """Return whether an expression has an aggregate function that is not a window function."""
    return _aggregates(_read(tokenize(expression)).tokens)


def is_aggregate(function: str) -> bool:
    """Return whether a function of this name makes one value of many rows."""
    return functions.is_aggregate(function)


def _read(tokens: Sequence[Token]) -> _Parentheses:
    stack = [_Parentheses("")]
    clauses = [""]
    for at, token in enumerate(tokens):
        if token.kind == "symbol" and token.text == "(":
            before = tokens[at - 1].upper if at else ""
            opened = _Parentheses(before, start=token.start)
            opened.is_derived = (
                (clauses[-1] == "FROM" and before in ("FROM", "JOIN", ",", "LATERAL"))
                or (before == "AS" and clauses[-1] == "WITH")
                or (
                    before in ("(", "ALL", "DISTINCT", *_SET_OPERATORS)
                    and (len(stack) == 1 or stack[-1].is_derived)
                )
                or before == "USING"
            )
            stack[-1].tokens.append(opened)
            stack.append(opened)
            clauses.append("")
        elif token.kind == "symbol" and token.text == ")" and len(stack) > 1:
            stack.pop().end = token.end
            clauses.pop()
        else:
            stack[-1].tokens.append(token)
            if token.kind == "word" and token.upper in ("WITH", "SELECT", *_CLAUSES):
                clauses[-1] = token.upper
    return stack[0]


def _branches(query: _Parentheses) -> list[_Branch]:
    words = query.words()
    if "SELECT" not in words:
        return []
    groups: list[list[Token | _Parentheses]] = [[]]
    is_set = bool(_SET_OPERATORS & set(words))
    ended = False
    for item, word in zip(query.tokens, words, strict=True):
        if word in _SET_OPERATORS:
            groups.append([])
            ended = False
        elif word == "SELECT" or groups[-1]:
            ended = ended or (is_set and word in _ENDS_BRANCH)
            if not ended:
                groups[-1].append(item)
    return [_Branch(group) for group in groups if group]


def _aggregates(items: Sequence[Token | _Parentheses]) -> bool:
    """Return whether an expression has an aggregate function that is not a window function."""
    for at, item in enumerate(items):
        if not isinstance(item, _Parentheses) or item.is_query:
            continue
        after = _words_after(items, at)
        if functions.is_aggregate(item.before) and "OVER" not in after:
            return True
        if _aggregates(item.tokens):
            return True
    return False


def _words_after(items: Sequence[Token | _Parentheses], at: int) -> list[str]:
    """Return what follows a call: OVER, perhaps after FILTER (..), WITHIN GROUP (..) and IGNORE NULLS."""
    words = []
    for item in items[at + 1 : at + 7]:
        word = item.upper if isinstance(item, Token) else "()"
        if word not in ("OVER", "FILTER", "WITHIN", "GROUP", "IGNORE", "RESPECT", "NULLS", "()"):
            break
        words.append(word)
    return words


def _may_meet_a_literal(whole: _Parentheses, branch: _Branch) -> bool:
    """Return whether a filter outside of an aggregation may come to depend on literals only when it is moved down to it."""

    def inside(at: int) -> bool:
        return branch.start <= at < branch.end

    filters = literals = False
    for query in (whole, *whole.nested()):
        for item in query.tokens:
            if isinstance(item, Token) and item.upper in ("WHERE", "ON", "HAVING") and not inside(item.start):
                filters = True
        if query is whole or not query.is_query:
            continue
        for other in _branches(query):
            if not inside(other.start) or other.start == branch.start:
                literals = literals or any(_has_no_column(column) for column in other.projection())
    return filters and literals


def _has_no_column(items: Sequence[Token | _Parentheses]) -> bool:
    words = [item.upper if isinstance(item, Token) else "()" for item in items]
    if "AS" in words:
        items = items[: len(words) - 1 - words[::-1].index("AS")]
    elif len(items) > 1 and isinstance(items[-1], Token) and items[-1].is_name and _ends_operand(items[-2]):
        items = items[:-1]
    if not items or words[0] == "*":
        return False
    for at, item in enumerate(items):
        if isinstance(item, _Parentheses):
            if (
                not item.is_query
                and (functions.is_aggregate(item.before) or not _has_no_column(item.tokens))
                and item.tokens
            ):
                return False
        elif item.kind == "quoted" or (item.kind == "word" and item.upper not in _NO_COLUMN):
            following = items[at + 1] if at + 1 < len(items) else None
            if not isinstance(following, _Parentheses):
                return False
        elif item.text == "*" and len(items) == 1:
            return False
    return True


def _ends_operand(item: Token | _Parentheses) -> bool:
    if isinstance(item, _Parentheses):
        return True
    return item.kind in ("string", "number", "quoted") or item.upper in ("END", "NULL", "TRUE", "FALSE")


def _refuse_functions(tokens: Sequence[Token]) -> None:
    for at, (token, following) in enumerate(pairwise(tokens)):
        if token.kind == "word" and following.text == "(":
            refuse_function(token.text)
        if token.upper == "JSON" and following.text == "." and tokens[at + 2 : at + 3]:
            name = tokens[at + 2]
            if name.kind == "quoted" and "/" in name.text:
                raise NotSupported(
                    "json.`path`, of which this engine leaves out columns that first come after 1000 records,",
                    "Ingest the files by Auto Loader, or read them with spark.read.json in a pipeline",
                )


def refuse_function(name: str) -> None:
    """Refuse a function that the engine computes wrongly.

    Args:
        name: The function.

    Raises:
        NotSupported: It is one of these.
    """
    way_out = functions.REFUSED.get(name.lower())
    if way_out is not None:
        raise NotSupported(f"{name.lower()}()", way_out)


def _refuse_conditions(query: _Parentheses, *, or_above: bool = False) -> None:
    words = query.words()
    for at, item in enumerate(query.tokens):
        if not isinstance(item, _Parentheses):
            continue
        beside_or = "OR" in _clause_around(words, at)
        if not item.is_query:
            _refuse_conditions(item, or_above=or_above or beside_or)
            continue
        if item.before == "EXISTS" and any(
            branch.most_rows == 1 and "HAVING" not in branch.words() for branch in _branches(item)
        ):
            raise NotSupported(
                "EXISTS over an aggregate without GROUP BY, which is always true but not for this engine,",
                "Omit the condition, or compare the aggregate",
            )
        if words[max(0, at - 2) : at] == ["NOT", "IN"] and at > 2:
            _refuse_not_in(query.tokens[at - 3], beside_or=or_above or beside_or)
        _refuse_conditions(item)


def _clause_around(words: Sequence[str], at: int) -> list[str]:
    """Return the words of the clause that a place is in."""
    ends = _CLAUSES | {"ON", "SELECT", "JOIN", ","}
    first = next((i for i in range(at, -1, -1) if words[i] in ends), 0)
    last = next((i for i in range(at, len(words)) if words[i] in ends), len(words))
    return list(words[first:last])


def _refuse_not_in(left: Token | _Parentheses, *, beside_or: bool) -> None:
    if isinstance(left, _Parentheses):
        row = "," in left.words() and left.before in ("WHERE", "ON", "AND", "OR", "NOT", "(", "HAVING")
        form = "a row of values" if row else ""
    else:
        literal = left.kind in ("string", "number") or left.upper in ("NULL", "TRUE", "FALSE")
        form = "a literal" if literal else ""
    if form or beside_or:
        raise NotSupported(
            f"{form or 'a condition with OR and'} NOT IN (SELECT ..), where this engine overlooks NULLs,",
            "Use NOT EXISTS (SELECT 1 FROM .. WHERE ..)",
        )
