"""Queries whose rows Sail 0.7.2 gets wrong without an error: put in another way, or refused.

An engine may lack things; it may not give wrong rows silently. Each fault here was measured against what Spark SQL
documents, and has a test that shows the engine alone to be wrong, so that a newer engine without the fault is noticed.

Put in another way:

* A filter that depends on literals only is moved below an aggregation without GROUP BY, which then counts no rows instead
  of vanishing: `SELECT * FROM (SELECT 'a' AS kind, count(*) AS n FROM t) WHERE kind = 'b'` gives one row. The engine moves
  no filter below a LIMIT, and a LIMIT that such an aggregation cannot exceed changes nothing.

Refused by name: functions, forms of NOT IN, EXISTS and LATERAL, and JSON files by path, see below.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql import functions
from local_workspace.sql.aggregation import aggregates, branches, gives_one_row
from local_workspace.sql.dialect import Node, SqlSyntaxError, is_within, peek, span
from local_workspace.sql.inference import call_of
from local_workspace.sql.render import edit

# More rows than any table has.
ALL_ROWS = 9223372036854775807


def avoid_faults(tree: Node, *, nested: bool) -> None:
    """Put what the engine gets wrong otherwise, before anything else in the tree is.

    Args:
        tree: What was read from a text.
        nested: The text becomes a part of a query that nobody sees here, as that of a view does.

    Raises:
        NotSupported: The engine would answer wrongly, and there is no other way to say it.
    """
    refuse_faults(tree)
    _limit_aggregations(tree, nested=nested)


def refuse_faults_of(text: str) -> None:
    """Refuse a text with what the engine gets wrong; see :func:`avoid_faults`."""
    try:
        tree = peek(text)
    except SqlSyntaxError:
        return  # the engine says what is wrong with it
    refuse_faults(tree)


def refuse_faults(tree: Node) -> None:
    """Refuse what the engine computes wrongly.

    Raises:
        NotSupported: There is such a thing in the tree.
    """
    for node in tree.walk():
        name = call_of(node)[0]
        if name:
            functions.refuse(name)
        elif isinstance(node, exp.Table):
            _refuse_json(node)
        elif isinstance(node, exp.Exists):
            _refuse_exists(node)
        elif isinstance(node, exp.Not):
            _refuse_not_in(node)
        elif isinstance(node, exp.Lateral):
            _refuse_lateral(node)


def _refuse_json(table: exp.Table) -> None:
    if table.db.lower() == "json" and "/" in table.name:
        raise NotSupported(
            "json.`path`, of which this engine leaves out columns that first come after 1000 records,",
            "Ingest the files by Auto Loader, or read them with spark.read.json in a pipeline",
        )


def _refuse_exists(node: exp.Exists) -> None:
    if any(gives_one_row(s) and s.args.get("having") is None for s in branches(node.this)):
        raise NotSupported(
            "EXISTS over an aggregate without GROUP BY, which is always true but not for this engine,",
            "Omit the condition, or compare the aggregate",
        )


def _refuse_lateral(node: exp.Lateral) -> None:
    """Refuse a table in a query that also reads columns around it: the engine finds no column of the table."""
    query = node.this.this if isinstance(node.this, exp.Subquery) else None
    if not isinstance(query, exp.Query) or query.find(exp.Table) is None:
        return
    own = {source.alias_or_name.lower() for source in query.find_all(exp.Table, exp.Subquery, exp.Lateral)}
    if any(column.table and column.table.lower() not in own for column in query.find_all(exp.Column)):
        raise NotSupported(
            "LATERAL (SELECT .. FROM a table ..) that refers to columns around it",
            "Join the table, and choose the rows by a window function with QUALIFY, or aggregate by the key",
        )


def _refuse_not_in(node: exp.Not) -> None:
    condition = node.this.unnest()
    if not isinstance(condition, exp.In) or condition.args.get("query") is None:
        return
    left, form = condition.this.unnest(), ""
    if isinstance(left, exp.Tuple):
        form = "a row of values"
    elif isinstance(left, (exp.Literal, exp.Null, exp.Boolean)):
        form = "a literal"
    if form or _is_beside_or(node):
        raise NotSupported(
            f"{form or 'a condition with OR and'} NOT IN (SELECT ..), where this engine overlooks NULLs,",
            "Use NOT EXISTS (SELECT 1 FROM .. WHERE ..)",
        )


def _is_beside_or(node: Node) -> bool:
    around = node.parent
    while around is not None and not isinstance(around, exp.Query):
        if isinstance(around, exp.Or):
            return True
        around = around.parent
    return False


def _limit_aggregations(tree: Node, *, nested: bool) -> None:
    selects = [s for s in tree.find_all(exp.Select) if _most_rows(s) is not None]
    if not selects:
        return
    for query in list(_derived_queries(tree, nested=nested)):
        if query.args.get("limit") is not None or query.args.get("offset") is not None:
            continue
        limits = [
            rows
            for branch in branches(query)
            if (rows := _most_rows(branch)) is not None
            and (nested or _may_meet_a_literal(tree.root(), branch))
        ]
        if limits:
            # Around a set operation, not in its branches: a union that loses its first branch fails over a LIMIT.
            rows = ALL_ROWS if isinstance(query, exp.SetOperation) else limits[0]
            where = span(query)
            query.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
            if where is not None:
                edit(query, where[1], where[1], f" LIMIT {rows}")


def _derived_queries(tree: Node, *, nested: bool) -> Iterator[exp.Query]:
    """Yield the queries whose rows other queries read: those of FROM, of WITH, and of views."""
    for node in tree.walk():
        if not isinstance(node, (exp.Select, exp.SetOperation)):
            continue
        parent, key = node.parent, node.arg_key
        if isinstance(parent, exp.Subquery):
            outer = parent
            while isinstance(outer.parent, exp.Subquery):
                outer = outer.parent
            is_read = isinstance(outer.parent, (exp.From, exp.Join, exp.Lateral, exp.CTE))
            in_set = isinstance(outer.parent, exp.SetOperation) and outer.arg_key in ("this", "expression")
            if is_read or in_set or (nested and outer.parent is tree):
                yield node
        elif isinstance(parent, exp.CTE) or (nested and key == "expressions" and parent is tree):
            yield node


def _most_rows(select: exp.Select) -> int | None:
    """Return a number of rows that an aggregation over all rows cannot exceed; None if this is no such aggregation."""
    group = select.args.get("group")
    if group is not None:
        over_all = any(isinstance(key, exp.Tuple) and not key.expressions for key in group.expressions)
        return ALL_ROWS if over_all or group.find(exp.Rollup, exp.Cube, exp.GroupingSets) else None
    return 1 if gives_one_row(select) else None


def _may_meet_a_literal(tree: Node, branch: exp.Select) -> bool:
    """Return whether a filter outside of an aggregation may come to depend on literals only when it is moved down to it."""
    outside = [node for node in tree.walk() if not is_within(node, branch)]
    filters = any(
        isinstance(node, (exp.Where, exp.Having))
        or (isinstance(node, exp.Join) and node.args.get("on") is not None)
        for node in outside
    )
    if not filters:
        return False
    others = [node for node in outside if isinstance(node, exp.Select) and node.parent is not None]
    return any(_is_constant(projection) for select in (branch, *others) for projection in select.expressions)


def _is_constant(projection: Node) -> bool:
    value = projection.this if isinstance(projection, exp.Alias) else projection
    return not any(isinstance(part, (exp.Column, exp.Star, exp.Query)) for part in value.walk()) and not (
        aggregates(value)
    )
