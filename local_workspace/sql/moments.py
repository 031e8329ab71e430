"""Time, chance and the user in a text: what depends on them, and how several queries of one statement see one moment."""

from __future__ import annotations

import re
from datetime import datetime

from sqlglot import exp

from local_workspace.sql import functions
from local_workspace.sql.dialect import Node, SqlSyntaxError, peek, read
from local_workspace.sql.inference import call_of
from local_workspace.sql.render import is_changed, piece, put, render

_MAYBE = re.compile(
    r"\b(current_|curdate|getdate|localtimestamp|now\s*\(|sysdate|unix_timestamp\s*\()", re.IGNORECASE
)
_TIMESTAMPS = frozenset({"current_timestamp", "now", "getdate"})
_DATES = frozenset({"current_date", "curdate"})
# Written without brackets, these are columns to the grammar.
_BARE = frozenset({"current_time", "localtimestamp"})
_WITHOUT_NAME = (
    exp.CurrentTimestamp,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentUser,
    exp.SessionUser,
)
_CHANCE = frozenset({"rand", "random", "randn", "randstr", "uniform", "uuid", "shuffle"})


def at_moment(sql: str, moment: datetime) -> str:
    """Return a text in which the functions of the present time are that moment.

    Args:
        sql: A query or expression; one that cannot be read comes back as it is.
        moment: With its time zone.
    """
    if not _MAYBE.search(sql):
        return sql
    try:
        tree = piece("{0}", read(sql))
    except SqlSyntaxError:
        return sql
    # Without floating point: microseconds must not be rounded.
    seconds = int(moment.timestamp())
    now = f"timestamp_micros({seconds * 1_000_000 + moment.microsecond})"
    for node in list(tree.walk()):
        text = _present(node, now, seconds)
        if text is not None:
            put(node, text)
    return render(tree, sql) if is_changed(tree) else sql


def _present(node: Node, now: str, seconds: int) -> str | None:
    name, arguments = call_of(node)
    if bare_name(node) == "localtimestamp":
        name = "localtimestamp"
    if arguments:
        return None
    if isinstance(node, exp.CurrentTimestamp) or name in _TIMESTAMPS:
        return now
    if isinstance(node, exp.CurrentDate) or name in _DATES:
        return f"CAST({now} AS DATE)"
    if name == "localtimestamp":
        return f"CAST({now} AS TIMESTAMP_NTZ)"
    return f"{seconds}L" if name == "unix_timestamp" else None


def is_volatile(tree: Node) -> bool:
    """Return whether what was read from a text depends on time, chance or the user."""
    return any(
        isinstance(node, _WITHOUT_NAME) or functions.is_volatile(call_of(node)[0]) or bare_name(node) in _BARE
        for node in tree.walk()
    )


def bare_name(node: Node) -> str:
    """Return the name of a column that is written as one word without backticks, in lower case; "" for anything else."""
    if isinstance(node, exp.Column) and not node.table and not node.this.args.get("quoted"):
        return str(node.name.lower())
    return ""


def chance_in(sql: str) -> str | None:
    """Return the name of the first function in an expression whose value is left to chance."""
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return None
    return next((name for node in tree.walk() if (name := call_of(node)[0]) in _CHANCE), None)
