"""What MERGE and UPDATE say: the condition, and the clauses with what they assign.

Source: "MERGE INTO" and "UPDATE" of the Databricks SQL language reference. Expressions stay text, as they were written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from local_workspace.sql.sql_error import SqlError, parse_error
from local_workspace.sql.statement_reader import StatementReader, split_items
from local_workspace.sql.tokens import tokenize

_CLOSES = {")": "(", "]": "[", "END": "CASE"}


class Match(Enum):
    """Which rows a clause is for; the value is how Databricks' error classes call it."""

    MATCHED = "MATCHED"
    BY_TARGET = "NOT_MATCHED_BY_TARGET"
    BY_SOURCE = "NOT_MATCHED_BY_SOURCE"


@dataclass(frozen=True)
class Assignment:
    """``a = expression``, or a column of INSERT with its value.

    Attributes:
        column: The name's parts, perhaps with the table before it and fields of a struct behind.
        value: The expression as written.
    """

    column: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class Clause:
    """One WHEN.

    Attributes:
        match: Which rows it is for.
        condition: After AND; None if there is none.
        action: ``UPDATE``, ``DELETE`` or ``INSERT``.
        assignments: None for ``*``: every column of the source to the column of that name.
    """

    match: Match
    condition: str | None
    action: str
    assignments: tuple[Assignment, ...] | None = ()


@dataclass(frozen=True)
class MergeStatement:
    """A MERGE.

    Attributes:
        target: The target's name.
        target_alias: The name by which the statement refers to the target.
        source: As written, with its alias.
        source_alias: The name by which the statement refers to the source.
        condition: After ON.
        clauses: In their order.
        evolves: WITH SCHEMA EVOLUTION.
    """

    target: tuple[str, ...]
    target_alias: str
    source: str
    source_alias: str
    condition: str
    clauses: tuple[Clause, ...]
    evolves: bool


def read_merge(reader: StatementReader) -> MergeStatement:
    """Read a MERGE.

    Raises:
        SqlError: It is none, or a clause may not stand where it does.
    """
    reader.expect("MERGE")
    evolves = reader.accept("WITH", "SCHEMA", "EVOLUTION")
    reader.expect("INTO")
    target = reader.dotted_name()
    alias = target[-1]
    if reader.accept("AS") or not reader.sees("USING"):
        alias = reader.name()
    reader.expect("USING")
    source = expression(reader, "ON", expected="MERGE INTO target USING source ON condition")
    reader.expect("ON")
    condition = expression(reader, "WHEN")
    clauses = []
    while reader.accept("WHEN"):
        clauses.append(_clause(reader))
    reader.end()
    _check_clauses(clauses)
    return MergeStatement(target, alias, source, _alias(source), condition, tuple(clauses), evolves)


def expression(reader: StatementReader, *ends: str, expected: str = "an expression") -> str:
    """Read what stands before one of these words, or before the end; those within parentheses and CASE do not count.

    Raises:
        SqlError: Nothing stands there.
    """
    first, last = reader.peek(), None
    opened: list[str] = []
    while (token := reader.peek()) is not None:
        if not opened and token.kind in ("word", "symbol") and token.upper in ends:
            break
        last = reader.next()
        if last.kind not in ("word", "symbol"):
            continue
        if last.upper in ("(", "[") or (last.upper == "CASE" and not reader.sees(".")):
            opened.append(last.upper)
        # A column may be called `end`.
        elif opened and _CLOSES.get(last.upper) == opened[-1]:
            opened.pop()
    if first is None or last is None:
        found = reader.peek()
        raise parse_error(repr(found.text) if found else "end of input", reader.sql, expected=expected)
    return reader.sql[first.start : last.end]


def _clause(reader: StatementReader) -> Clause:
    if reader.accept("MATCHED"):
        match = Match.MATCHED
    else:
        reader.expect("NOT", "MATCHED")
        match = Match.BY_SOURCE if reader.accept("BY", "SOURCE") else Match.BY_TARGET
        reader.accept("BY", "TARGET")
    condition = expression(reader, "THEN") if reader.accept("AND") else None
    reader.expect("THEN")
    if match is not Match.BY_TARGET:
        if reader.accept("DELETE"):
            return Clause(match, condition, "DELETE")
        reader.expect("UPDATE", "SET")
        if match is Match.MATCHED and reader.accept("*"):
            return Clause(match, condition, "UPDATE", None)
        return Clause(match, condition, "UPDATE", read_assignments(reader, "WHEN"))
    reader.expect("INSERT")
    if reader.accept("*"):
        return Clause(match, condition, "INSERT", None)
    columns = [StatementReader(item).dotted_name() for item in split_items(reader.parenthesised())]
    reader.expect("VALUES")
    values = split_items(reader.parenthesised())
    if len(columns) != len(values):
        raise SqlError(
            "PARSE_SYNTAX_ERROR",
            f"INSERT of a MERGE has {len(columns)} columns and {len(values)} values; expected as many values as columns.",
            "42601",
        )
    assignments = tuple(Assignment(c, v) for c, v in zip(columns, values, strict=True))
    return Clause(match, condition, "INSERT", assignments)


def read_assignments(reader: StatementReader, *ends: str) -> tuple[Assignment, ...]:
    """Read ``a = x, t.b = y``, up to one of these words or the end."""
    assignments = []
    while True:
        column = reader.dotted_name()
        reader.expect("=")
        assignments.append(Assignment(column, expression(reader, ",", *ends)))
        if not reader.accept(","):
            return tuple(assignments)


def _check_clauses(clauses: list[Clause]) -> None:
    """Refuses what Spark's parser refuses.

    Raises:
        SqlError: There is no clause, or one stands behind another that is for every row.
    """
    if not clauses:
        raise SqlError(
            "MERGE_WITHOUT_WHEN", "There must be at least one WHEN clause in a MERGE statement.", "42601"
        )
    for match in Match:
        of_kind = [clause for clause in clauses if clause.match is match]
        if any(clause.condition is None for clause in of_kind[:-1]):
            said = match.value.replace("_", " ")
            raise SqlError(
                f"NON_LAST_{match.value}_CLAUSE_OMIT_CONDITION",
                f"When there are more than one {said} clauses in a MERGE statement, "
                f"only the last {said} clause can omit the condition.",
                "42613",
            )


def _alias(text: str) -> str:
    """Return the last name of `t`, `a.b.t AS s`, `(SELECT ..) s` or `(SELECT ..) AS s(x, y)`."""
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
