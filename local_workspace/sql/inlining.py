"""Calls of functions that SQL has defined, replaced by what the functions stand for.

A SQL function on Databricks is its body: the optimizer puts it in place of the call. So it is done here, on the text,
before anything else looks at it. An argument is cast to its parameter's type, the value to the function's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from local_workspace.sql.dialect import Node, SqlSyntaxError, peek, span
from local_workspace.sql.edits import Edit, edited
from local_workspace.sql.functions import function as builtin
from local_workspace.sql.inference import TableColumns, Typing, call_of
from local_workspace.sql.rewrites.registry import spark_name
from local_workspace.sql.spark_types import of_text
from local_workspace.sql.sql_error import SqlError, not_supported
from local_workspace.sql.tokens import quote_identifier


class FunctionName(Protocol):
    """A name of three levels; as text, the levels with dots between them."""

    @property
    def table(self) -> str:
        """The last level."""

    @property
    def quoted(self) -> str:
        """All levels, in backticks."""


class FunctionParameter(Protocol):
    """One parameter, or one column of the table that is returned."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def data_type(self) -> str:
        """Its SQL type."""

    @property
    def default(self) -> str | None:
        """SQL of its default, if it has one."""


class Function(Protocol):
    """What is known of a function that SQL has defined."""

    @property
    def name(self) -> FunctionName:
        """Its full name."""

    @property
    def parameters(self) -> Sequence[FunctionParameter]:
        """Its parameters in order."""

    @property
    def columns(self) -> Sequence[FunctionParameter]:
        """The columns of the table that it returns, where they are declared."""

    @property
    def returns(self) -> str | None:
        """The type of its value; None for a table, or while it is not known."""

    @property
    def body(self) -> str:
        """The expression or query after RETURN, with names in full."""

    @property
    def is_table(self) -> bool:
        """Whether it returns a table."""


#: Gives the function of a name as written (one to three parts), or None if there is none.
Lookup = Callable[[tuple[str, ...]], "Function | None"]
_DEEPEST = 30


@dataclass(frozen=True)
class Call:
    """One call as it is in a text.

    Attributes:
        parts: The function's name.
        node: The call itself, with its arguments.
        start: Where the name begins.
        end: Where the closing parenthesis ends.
        is_source: Whether it stands where a table does.
        projection: Whether it is a column of a SELECT by itself, which is named after it.
    """

    parts: tuple[str, ...]
    node: Node
    start: int
    end: int
    is_source: bool
    projection: bool


def calls(tree: Node) -> Iterator[Call]:
    """Yield the calls in a tree that a function of SQL may be behind, the outer ones first."""
    for node in tree.walk(bfs=False):
        where = span(node)
        if not isinstance(node, exp.Anonymous) or where is None:
            continue
        outer, names = node.parent, [node.name]
        whole: Node = node
        if isinstance(outer, exp.Dot) and outer.expression is node:
            chain = _chain(outer.this)
            if chain is None:
                continue
            names, whole = [*chain, node.name], outer
        elif isinstance(outer, exp.Table):
            qualifiers = [outer.args.get("catalog"), outer.args.get("db")]
            names = [part.name for part in qualifiers if part is not None] + names
            first = span(outer)
            where = (first[0] if first is not None else where[0], where[1])
        start = span(whole)
        begin = min(where[0], start[0]) if start is not None else where[0]
        yield Call(
            tuple(names),
            node,
            begin,
            where[1],
            isinstance(outer, (exp.Table, exp.Lateral)),
            isinstance(whole.parent, exp.Select) and whole.arg_key == "expressions",
        )


def _chain(node: Node) -> list[str] | None:
    """Return the names of ``a.b``, or None for anything else."""
    if isinstance(node, exp.Identifier):
        return [node.name]
    if isinstance(node, exp.Column):
        return [part.name for part in node.parts]
    if isinstance(node, exp.Dot):
        left, right = _chain(node.this), _chain(node.expression)
        return left + right if left is not None and right is not None else None
    return None


def inline(sql: str, lookup: Lookup, tables: TableColumns, depth: int = 0) -> str:
    """Put the bodies of functions in the places of their calls.

    Args:
        sql: A statement, a query or an expression.
        lookup: Gives functions by their names.
        tables: Gives the columns of tables, to tell parameters from columns.
        depth: How many functions are open, one within the other.

    Raises:
        SqlError: A call does not fit its function, or cannot be put in its place.
    """
    if depth > _DEEPEST:
        raise SqlError(
            "UDF_MAX_COUNT_EXCEEDED", f"Functions call each other more than {_DEEPEST} deep.", "54KD6"
        )
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return sql  # the engine says what it does not understand
    edits: list[Edit] = []
    done = -1
    for call in calls(tree):
        if call.start < done or (len(call.parts) == 1 and builtin(call.parts[0]) is not None):
            continue
        found = lookup(call.parts)
        if found is None:
            continue
        if found.is_table is not call.is_source:
            kind = (
                ("NOT_A_TABLE_FUNCTION", "a table")
                if call.is_source
                else ("NOT_A_SCALAR_FUNCTION", "a value")
            )
            raise SqlError(kind[0], f"The function {found.name} does not return {kind[1]}.", "42887")
        given = [inline(text, lookup, tables, depth) for text in _arguments(found, call, sql)]
        text = _expanded(found, given, _Site(call, Typing(tables), tables))
        text = inline(text, lookup, tables, depth + 1)
        if call.is_source:
            text = _as_source(text, call, found)
        else:
            edits += _column_name(call, found, sql)
        edits.append((call.start, call.end, text))
        done = call.end
    return edited(sql, dict.fromkeys(edits))


def _column_name(call: Call, function: Function, sql: str) -> list[Edit]:
    """Return an alias for the column that has its name from an expression with the call in it."""
    node = call.node
    while node.parent is not None and not isinstance(node.parent, exp.Query):
        node = node.parent
    where = span(node)
    if not isinstance(node.parent, exp.Select) or node.arg_key != "expressions" or where is None:
        return []
    if isinstance(node, (exp.Alias, exp.Aliases)):
        return []
    name = spark_name(node, sql)
    if call.projection:
        shown = ", ".join(spark_name(a, sql) for a in call_of(call.node)[1])
        name = f"{function.name}({shown})"
    return [(max(where[1], call.end), max(where[1], call.end), f" AS {quote_identifier(name)}")]


def _as_source(text: str, call: Call, function: Function) -> str:
    lateral = any(True for _ in call.node.find_all(exp.Column)) and isinstance(call.node.parent, exp.Table)
    table = call.node.parent
    alias = table.args.get("alias") if table is not None else None
    name = "" if alias is not None else f" AS {quote_identifier(function.name.table)}"
    return f"{'LATERAL ' if lateral else ''}({text}){name}"


def _arguments(function: Function, call: Call, sql: str) -> list[str]:
    """Return the arguments in the order of the parameters, defaults included.

    Raises:
        SqlError: There are too many, too few, or one of an unknown name.
    """
    given: dict[str, str] = {}
    names = [p.name.lower() for p in function.parameters]
    nodes = call_of(call.node)[1]
    for at, node in enumerate(nodes):
        value, name = node, names[at] if at < len(names) else ""
        if isinstance(node, exp.Kwarg):
            name, value = node.this.name.lower(), node.expression
        where = span(value)
        if name not in names or name in given or where is None:
            break
        given[name] = sql[where[0] : where[1]]
    missing = [p for p in function.parameters if p.name.lower() not in given and p.default is None]
    if len(given) < len(nodes) or missing:
        wanted = len(function.parameters)
        raise SqlError(
            "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
            f"The `{function.name.table}` requires {wanted} parameters ({', '.join(names)}) but the actual number is "
            f"{len(nodes)}.",
            "42605",
        )
    return [given.get(p.name.lower(), p.default or "") for p in function.parameters]


@dataclass(frozen=True)
class _Site:
    """Where a call stands: what its arguments' columns mean there."""

    call: Call
    typing: Typing
    tables: TableColumns

    def qualified(self, text: str) -> str:
        """Return an argument whose columns are told by their tables, so that it means the same within another query.

        Raises:
            SqlError: It is not known of which table a column is.
        """
        tree = peek(text)
        edits = []
        for column in tree.find_all(exp.Column):
            where = span(column)
            if column.table or where is None or _is_variable(column):
                continue
            query = self.call.node.find_ancestor(exp.Select)
            sources = list(self.typing.sources_of(query)) if query is not None else []
            owners = [
                n
                for n, columns in sources
                if columns and column.name.lower() in {c.lower() for c, _ in columns}
            ]
            if len(owners) != 1 or not owners[0]:
                raise not_supported(
                    f"{column.name} as an argument of {'.'.join(self.call.parts)}, whose body has a query of its own",
                    f"Say of which table it is: t.{column.name}.",
                )
            edits.append((*where, f"{quote_identifier(owners[0])}.{text[where[0] : where[1]]}"))
        return edited(text, edits)


def _expanded(function: Function, given: Sequence[str], site: _Site) -> str:
    """Return the body with arguments in place of parameters, cast to what the function returns."""
    body, is_query = function.body, function.is_table
    tree = peek(body)
    if (
        isinstance(tree, exp.Select)
        and tree.args.get("from_") is None
        and not is_query
        and len(tree.expressions) == 1
    ):
        # SELECT without FROM is an expression; as one it may also stand around aggregates.
        where = span(tree.expressions[0])
        plain = {"with_", "where", "having", "qualify", "limit", "group"}
        if where is not None and not any(tree.args.get(key) for key in plain):
            body = body[where[0] : where[1]]
            tree = peek(body)
    body, tree = _apart(body, tree, given, site)
    edits: list[Edit] = []
    typing = Typing(site.tables)
    for parameter, argument in zip(function.parameters, given, strict=True):
        uses = list(_uses(tree, parameter.name.lower(), function, typing))
        if len(uses) > 1 and not _is_deterministic(argument):
            raise not_supported(
                f"{argument} as an argument of {function.name}, which would be computed {len(uses)} times",
                "Compute the value in a subquery.",
            )
        for start, end, within in uses:
            text = site.qualified(argument) if within else argument
            edits.append((start, end, f"CAST({text} AS {parameter.data_type})"))
    body = edited(body, edits)
    if is_query:
        return _as_table(body, function, typing)
    if isinstance(tree, exp.Query) and not isinstance(tree, exp.Subquery):
        body = f"({body}\n)"
    return f"CAST({body} AS {function.returns})" if function.returns else f"({body})"


def _as_table(body: str, function: Function, typing: Typing) -> str:
    """Return the query of a function that returns a table, with the columns that are declared."""
    if not function.columns:
        return body
    names = [quote_identifier(c.name) for c in function.columns]
    tree = peek(body)
    if _can_be_cast_in_place(tree) and len(tree.expressions) == len(names):
        # Without a query around it: the engine cannot look out of two of them for the columns of a LATERAL.
        edits = []
        for projection, name, column in zip(tree.expressions, names, function.columns, strict=True):
            where = span(projection)
            value = span(projection.this if isinstance(projection, exp.Alias) else projection)
            if where is not None and value is not None:
                text = f"CAST({body[value[0] : value[1]]} AS {column.data_type}) AS {name}"
                if isinstance(projection, exp.Column) and typing.type_of(projection) == of_text(
                    column.data_type
                ):
                    text = f"{body[value[0] : value[1]]} AS {name}"
                edits.append((*where, text))
        if len(edits) == len(names):
            return edited(body, edits)
    casts = ", ".join(
        f"CAST({n} AS {c.data_type}) AS {n}" for n, c in zip(names, function.columns, strict=True)
    )
    return f"SELECT {casts} FROM ({body}\n) AS f_({', '.join(names)})"


def _can_be_cast_in_place(tree: Node) -> bool:
    """Return whether a query is one SELECT whose columns nothing else in it refers to."""
    if not isinstance(tree, exp.Select) or any(
        tree.args.get(k) for k in ("order", "having", "qualify", "group")
    ):
        return False
    names = {p.alias.lower() for p in tree.expressions if isinstance(p, exp.Alias)}
    reused = any(
        c.name.lower() in names and not c.table for p in tree.expressions for c in p.find_all(exp.Column)
    )
    star = any(isinstance(p, exp.Star) or isinstance(p.this, exp.Star) for p in tree.expressions)
    return not (star or reused or tree.args.get("distinct"))


def _apart(body: str, tree: Node, given: Sequence[str], site: _Site) -> tuple[str, Node]:
    """Return the body with other aliases for its tables where an argument means a table of the same name outside of it."""
    meant = {c.table.lower() for text in given for c in peek(text).find_all(exp.Column) if c.table}
    query = site.call.node.find_ancestor(exp.Select)
    while query is not None:
        meant |= {name for name, _ in site.typing.sources_of(query)}
        query = query.find_ancestor(exp.Select)
    sources = [s for s in tree.find_all(exp.Table, exp.Subquery) if s.alias_or_name.lower() in meant]
    taken = {s.alias_or_name.lower() for s in sources} - {""}
    edits: list[Edit] = []
    for source in sources:
        alias, where = source.args.get("alias"), span(source)
        name = quote_identifier(f"{source.alias_or_name}_of_body")
        if alias is not None and (place := span(alias.this)) is not None:
            edits.append((*place, name))
        elif where is not None and alias is None and source.alias_or_name:
            edits.append((where[1], where[1], f" AS {name}"))
    for column in tree.find_all(exp.Column):
        if column.table.lower() not in taken:
            continue
        first, last = span(column.parts[0]), span(column.parts[-2])
        if first is not None and last is not None:
            edits.append((first[0], last[1], quote_identifier(f"{column.table}_of_body")))
    if not edits:
        return body, tree
    body = edited(body, edits)
    return body, peek(body)


def _uses(tree: Node, name: str, function: Function, typing: Typing) -> Iterator[tuple[int, int, bool]]:
    """Yield where a parameter is used, and whether that is within a query over tables."""
    for column in tree.find_all(exp.Column):
        parts = column.parts
        lowered = [part.name.lower() for part in parts]
        if isinstance(column.this, exp.Star) or _is_variable(column):
            continue
        at = 1 if lowered[0] == function.name.table.lower() and len(parts) > 1 and lowered[1] == name else 0
        if lowered[at] != name or (at == 0 and len(parts) > 1 and _is_source(column, name, typing)):
            continue
        if at == 0 and len(parts) == 1 and _is_column(column, name, typing):
            continue
        first, last = span(parts[0]), span(parts[at])
        if first is None or last is None:
            continue
        around = column.find_ancestor(exp.Select)
        yield first[0], last[1], around is not None and any(True for _ in _selects_with_from(column))


def _selects_with_from(node: Node) -> Iterator[exp.Select]:
    query = node.find_ancestor(exp.Select)
    while query is not None:
        if query.args.get("from_") is not None:
            yield query
        query = query.find_ancestor(exp.Select)


def _is_source(node: Node, name: str, typing: Typing) -> bool:
    return any(name == source for query in _selects_with_from(node) for source, _ in typing.sources_of(query))


def _is_column(node: Node, name: str, typing: Typing) -> bool:
    """Return whether a name is that of a column of the queries around it: those go before parameters."""
    for query in _selects_with_from(node):
        for _, columns in typing.sources_of(query):
            if columns is not None and any(name == c.lower() for c, _ in columns):
                return True
    return False


def _is_variable(column: Node) -> bool:
    around = column.find_ancestor(exp.Lambda)
    while around is not None:
        if any(e.name.lower() == column.name.lower() for e in around.expressions):
            return True
        around = around.find_ancestor(exp.Lambda)
    return False


def _is_deterministic(argument: str) -> bool:
    for node in peek(argument).walk():
        known = builtin(call_of(node)[0])
        if known is not None and not known.deterministic:
            return False
    return True


def with_full_names(sql: str, lookup: Lookup) -> str:
    """Return a body in which each function of SQL is called by its full name, so that it means the same everywhere."""
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return sql
    edits = []
    for call in calls(tree):
        if len(call.parts) == 1 and builtin(call.parts[0]) is not None:
            continue
        found = lookup(call.parts)
        if found is not None and len(call.parts) < 3:
            opened = sql.index("(", call.start)
            edits.append((call.start, opened, found.name.quoted))
    return edited(sql, edits)
