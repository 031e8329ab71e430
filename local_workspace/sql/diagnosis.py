"""What is wrong with a query that the engine has refused: Databricks' class of the error, and the place in the text.

Looked for only when a statement has failed, so that nothing that runs is held up, or refused, by what is said here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlglot import exp

from local_workspace.sql.aggregation import is_aggregation
from local_workspace.sql.dialect import Node, SqlSyntaxError, peek, span
from local_workspace.sql.functions import is_window
from local_workspace.sql.inference import TableColumns, Typing, call_of
from local_workspace.sql.inlining import calls
from local_workspace.sql.rewrites.registry import spark_name
from local_workspace.sql.sql_error import SqlError, unresolved_column
from local_workspace.sql.tokens import quote_identifier

_EXPLAINED = (
    "ENGINE_ERROR",
    "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
    "UNRESOLVED_ROUTINE",
    "PARSE_SYNTAX_ERROR",
    "AMBIGUOUS_REFERENCE",
    "NUM_COLUMNS_MISMATCH",
    "NESTED_AGGREGATE_FUNCTION",
)
# "found form at 9:13 expected …", as the engine tells of a text that it cannot read.
_ENGINE_PLACE = re.compile(r"found (end of input|.*? at (\d+):\d+) expected")
Check = Callable[[exp.Select, Typing, str], "tuple[SqlError, Node] | None"]


def explained(error: SqlError, sql: str, tables: TableColumns) -> SqlError:  # noqa: PLR0912
    """Return an error of the engine as Databricks would tell it, with line and position; the same error if no more is known.

    Args:
        error: As it is.
        sql: The statement that failed.
        tables: Gives the columns of tables.
    """
    if error.error_class not in _EXPLAINED or error.place is not None:
        return error
    try:
        tree = peek(sql)
    except SqlSyntaxError as problem:
        if error.error_class != "PARSE_SYNTAX_ERROR":
            return error
        return SqlError("PARSE_SYNTAX_ERROR", f"{problem.message}.", place=(problem.line, problem.column))
    if error.error_class == "PARSE_SYNTAX_ERROR":
        found = _ENGINE_PLACE.search(error.message)
        if found is None:
            return error
        if found[2] is None:
            return SqlError(
                "PARSE_SYNTAX_ERROR", "Syntax error at or near end of input.", place=place_of(sql, len(sql))
            )
        near = found[1].rpartition(" at ")[0]
        return SqlError(
            "PARSE_SYNTAX_ERROR", f"Syntax error at or near '{near}'.", place=place_of(sql, int(found[2]))
        )
    tree = _read_by(tree)
    typing = Typing(tables)
    for query in tree.find_all(exp.SetOperation):
        different = _columns_differ(query, typing)
        if different is not None:
            return _placed(*different, sql)
    for select in tree.find_all(exp.Select):
        for check in _CHECKS:
            problem_at = check(select, typing, sql)
            if problem_at is not None:
                return _placed(*problem_at, sql)
    for call in calls(tree):
        if len(call.parts) > 1 and error.message.startswith("qualified function name"):
            text = f"Cannot resolve routine {'.'.join(map(quote_identifier, call.parts))} on search path."
            return _placed(SqlError("UNRESOLVED_ROUTINE", text, "42883"), call.node, sql)
    for node in tree.walk():
        name = call_of(node)[0]
        if error.error_class == "UNRESOLVED_ROUTINE" and name == error.message.split()[3].strip("`'").lower():
            return _placed(error, node, sql)
        if error.error_class == "ENGINE_ERROR" and name in ("raise_error", "assert_true"):
            return _placed(SqlError("USER_RAISED_EXCEPTION", error.message, "P0001"), node, sql)
    return error


def _read_by(tree: Node) -> Node:
    """Return the query that an UPDATE or a DELETE stands for: what it reads, from the table that it changes."""
    if not isinstance(tree, (exp.Update, exp.Delete)):
        return tree
    where = tree.args.get("where")
    values = [equal.expression for equal in tree.expressions if isinstance(equal, exp.EQ)]
    query = exp.select(*values or ["1"], copy=False).from_(tree.this, copy=False)
    return query if where is None else query.where(where.this, copy=False)


def place_of(sql: str, offset: int) -> tuple[int, int]:
    """Line, from 1, and position within it, from 0, of an offset in a text."""
    before = sql[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1)


def _placed(error: SqlError, node: Node, sql: str) -> SqlError:
    where = span(node)
    if where is not None:
        error.place = place_of(sql, where[0])
    return error


def _columns_differ(query: exp.SetOperation, typing: Typing) -> tuple[SqlError, Node] | None:
    left, right = typing.columns_of(query.left), typing.columns_of(query.right)
    if left is None or right is None or len(left) == len(right) or query.args.get("by_name"):
        return None
    word = type(query).__name__.upper()
    text = (
        f"{word} can only be performed on inputs with the same number of columns, but the first input has "
        f"{len(left)} columns and the second input has {len(right)} columns."
    )
    return SqlError("NUM_COLUMNS_MISMATCH", text, "42826"), query


def _own(select: exp.Select, *clauses: str) -> Iterator[Node]:
    """Yield the nodes of clauses of one SELECT, without those of queries within."""
    for clause in clauses:
        value = select.args.get(clause)
        for root in value if isinstance(value, list) else [value]:
            if isinstance(root, exp.Expr):
                yield from root.walk(prune=lambda n: isinstance(n, exp.Query))


def _unresolved(select: exp.Select, typing: Typing, _sql: str) -> tuple[SqlError, Node] | None:
    sources = list(typing.sources_of(select))
    if any(columns is None for _, columns in sources):
        return None
    names = [(source, name) for source, columns in sources for name, _ in columns or ()]
    merged = {i.name.lower() for j in select.args.get("joins") or () for i in j.args.get("using") or ()}
    aliases = {p.alias.lower() for p in select.expressions if isinstance(p, exp.Alias)}
    outer = select.find_ancestor(exp.Select)
    for node in _own(select, "expressions", "where", "group", "having", "order", "qualify"):
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star) or _is_argument_word(node):
            continue
        parts = [part.name.lower() for part in node.parts]
        if len(parts) == 1:
            found = [(s, n) for s, n in names if n.lower() == parts[0]]
            if len(found) > 1 and parts[0] not in merged:
                could_be = ", ".join(f"{quote_identifier(s)}.{quote_identifier(n)}" for s, n in found)
                text = f"Reference {quote_identifier(node.name)} is ambiguous, could be: [{could_be}]."
                return SqlError("AMBIGUOUS_REFERENCE", text, "42704"), node
            known = bool(found) or parts[0] in aliases
        else:
            known = any(s == parts[0] and n.lower() == parts[1] for s, n in names) or any(
                n.lower() == parts[0] for _, n in names
            )
        if not known and outer is None and not node.find_ancestor(exp.Lambda):
            return unresolved_column([part.name for part in node.parts], names), node
    return None


def _is_argument_word(node: exp.Column) -> bool:
    """Return whether it is the unit in ``datediff(DAY, ..)``, which reads as a column."""
    parent = node.parent
    name, arguments = call_of(parent)
    units = ("datediff", "date_diff", "timestampdiff", "dateadd", "date_add", "timestampadd")
    return name in units and bool(arguments) and arguments[0] is node


def _misplaced(select: exp.Select, _typing: Typing, sql: str) -> tuple[SqlError, Node] | None:
    for node in _own(select, "where"):
        if isinstance(node, exp.Window):
            return SqlError(
                "WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE",
                "It is not allowed to use window functions inside WHERE clause.",
                "42601",
            ), node
        if is_aggregation(node):
            condition = spark_name(select.args["where"].this, sql)
            return SqlError(
                "INVALID_WHERE_CONDITION",
                f'The WHERE condition "{condition}" contains invalid expressions: {spark_name(node, sql)}. '
                "Rewrite the query to avoid window functions, aggregate functions, and generator functions in the "
                "WHERE clause.",
                "42903",
            ), node
    for node in _own(select, "expressions", "having", "order"):
        if is_aggregation(node) and any(is_aggregation(inner) for inner in node.walk() if inner is not node):
            return SqlError(
                "NESTED_AGGREGATE_FUNCTION",
                "It is not allowed to use an aggregate function in the argument of another aggregate function. "
                "Please use the inner aggregate function in a sub-query.",
                "42607",
            ), node
    return None


def _ungrouped(select: exp.Select, _typing: Typing, sql: str) -> tuple[SqlError, Node] | None:
    group = select.args.get("group")
    aggregates = any(is_aggregation(node) for node in _own(select, "expressions", "having"))
    if not aggregates and group is None:
        return None
    keys = {_key(node, sql) for node in (group.expressions if group is not None else ())}
    for place in [k for k in keys if k.isdigit()]:
        if 0 < int(place) <= len(select.expressions):
            keys.add(_key(select.expressions[int(place) - 1], sql))
    for projection in select.expressions:
        value = projection.this if isinstance(projection, exp.Alias) else projection
        if isinstance(projection, exp.Alias) and projection.alias.lower() in keys:
            continue
        column = _free_column(value, keys, sql)
        if column is None:
            continue
        if group is None:
            return SqlError(
                "MISSING_GROUP_BY",
                "The query does not include a GROUP BY clause. Add GROUP BY or turn it into the window functions "
                "using OVER clauses.",
                "42803",
            ), select
        return SqlError(
            "MISSING_AGGREGATION",
            f'The non-aggregating expression "{column.name}" is based on columns which are not participating in the '
            "GROUP BY clause. Add the columns or the expression to the GROUP BY, aggregate the expression, or use "
            f'"any_value({column.name})" if you do not care which of the values within a group is returned.',
            "42803",
        ), column
    return None


def _free_column(node: Node, keys: set[str], sql: str) -> exp.Column | None:
    """Return a column that stands neither in an aggregate nor in a key of the groups."""
    if _key(node, sql) in keys or is_aggregation(node) or isinstance(node, exp.Query):
        return None
    if isinstance(node, exp.Column):
        return None if isinstance(node.this, exp.Star) else node
    if isinstance(node, exp.Window) and is_window(call_of(node.this)[0]):
        return None
    for child in node.iter_expressions():
        found = _free_column(child, keys, sql)
        if found is not None:
            return found
    return None


def _key(node: Node, sql: str) -> str:
    """Return a node's text, so that the same expression written twice is recognised."""
    if isinstance(node, (exp.Alias, exp.Paren)):
        return _key(node.this, sql)
    if isinstance(node, exp.Column):
        return node.name.lower()
    where = span(node)
    return " ".join(sql[where[0] : where[1]].lower().split()) if where else ""


_CHECKS: tuple[Check, ...] = (_misplaced, _unresolved, _ungrouped)
