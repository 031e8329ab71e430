"""Metric views: dimensions and measures by name, of which a query asks ``MEASURE(name)``.

A metric view is read as a view of its dimensions and of the columns that its measures need, under names of their own;
``MEASURE(name)`` becomes the measure's expression over those. So a measure is computed from the rows of the source in
each group of the query that asks for it. Source: "Unity Catalog metric views" of the Databricks documentation, with its
YAML reference, versions 0.1 and 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from sqlglot import exp

from local_workspace.sql.dialect import Node, SqlSyntaxError, peek, span
from local_workspace.sql.edits import edited
from local_workspace.sql.sql_error import SqlError, not_supported, unresolved_column
from local_workspace.sql.tokens import quote_identifier

MENTIONS_MEASURE = re.compile(r"\bmeasure\s*\(", re.IGNORECASE)
_SOURCE = "source"
_NEEDED = "__measured_"
# What the definition and its columns may say. What only describes, such as the format of a number, changes no value.
_KEYS = frozenset({"version", "source", "filter", "dimensions", "measures", "comment"})
_COLUMN_KEYS = frozenset({"name", "expr", "comment", "display_name", "format", "synonyms"})
Names = tuple[str, ...]


@dataclass(frozen=True)
class MetricView:
    """A metric view.

    Attributes:
        source: The table or the query that it reads.
        filter: A condition on the rows of the source, if there is one.
        dimensions: Expression by name.
        measures: Expression by name.
        comments: Comment of a dimension or measure by name in lower case.
    """

    source: str
    filter: str | None
    dimensions: Mapping[str, str]
    measures: Mapping[str, str]
    comments: Mapping[str, str]

    def query(self) -> str:
        """Return the query of the rows from which dimensions and measures are computed."""
        columns = [f"({expression}) AS {quote_identifier(n)}" for n, expression in self.dimensions.items()]
        needed = {c.lower(): c for e in self.measures.values() for c in self._columns_of(e)}
        columns += [
            f"{_SOURCE}.{quote_identifier(column)} AS {quote_identifier(_NEEDED + name)}"
            for name, column in needed.items()
        ]
        is_query = re.match(r"\s*(\(|select\b|with\b)", self.source, re.IGNORECASE)
        source = f"({self.source}\n)" if is_query else self.source
        where = "" if self.filter is None else f" WHERE ({self.filter})"
        return f"SELECT {', '.join(columns) or '1'} FROM {source} AS {_SOURCE}{where}"

    def columns_query(self) -> str:
        """Return a query with each dimension and measure as a column."""
        dimensions = [quote_identifier(name) for name in self.dimensions]
        measures = [f"{self.measure(name)} AS {quote_identifier(name)}" for name in self.measures]
        group = f" GROUP BY {', '.join(dimensions)}" if dimensions else ""
        return f"SELECT {', '.join([*dimensions, *measures])} FROM ({self.query()}){group}"

    def measure(self, name: str, outer: Names = ()) -> str:
        """Return the expression of a measure over the columns of :meth:`query`.

        Raises:
            SqlError: There is no such measure (UNRESOLVED_COLUMN), or it is made of itself.
        """
        known = next((n for n in self.measures if n.lower() == name.lower()), None)
        if known is None:
            raise unresolved_column([name], list(self.measures))
        if known in outer:
            raise _invalid(f"measure {known} is computed from itself")
        text = self.measures[known]
        edits = []
        for node in _read(text, f"measure {known}").walk():
            if _is_measure(node):
                edits.append((*_place(node), self.measure(_asked(node), (*outer, known))))
            elif isinstance(node, exp.Column) and not _is_measure(node.parent):
                first, where = _first_part(node)
                if first is not None and not self._is_dimension(first):
                    edits.append((*where, quote_identifier(_NEEDED + first.lower())))
        return f"({edited(text, edits)})"

    def _is_dimension(self, name: str) -> bool:
        return name.lower() in {dimension.lower() for dimension in self.dimensions}

    def _columns_of(self, expression: str) -> Iterator[str]:
        for node in _read(expression, "a measure").find_all(exp.Column):
            first, _ = _first_part(node)
            if first is not None and not _is_measure(node.parent) and not self._is_dimension(first):
                yield first


def read_metric_view(text: str) -> MetricView:
    """Return the metric view that a text in YAML defines, which may stand between ``$$``.

    Raises:
        SqlError: It is not YAML (METRIC_VIEW_INVALID_VIEW_DEFINITION), or says what a workspace cannot do.
    """
    text = text.strip()
    if text.startswith("$$") and text.endswith("$$") and len(text) >= len("$$$$"):
        text = text[2:-2]
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _invalid(f"its YAML cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(said, dict) or not isinstance(said.get("source"), str):
        raise _invalid("it has no source")
    _only(said, _KEYS)
    comments: dict[str, str] = {}
    columns = {key: _expressions(said.get(key) or [], comments) for key in ("dimensions", "measures")}
    if len({n.lower() for names in columns.values() for n in names}) < sum(map(len, columns.values())):
        raise _invalid("two of its dimensions and measures have one name")
    if not columns["measures"]:
        raise _invalid("it has no measures")
    where = said.get("filter")
    return MetricView(
        said["source"],
        None if where is None else str(where),
        columns["dimensions"],
        columns["measures"],
        comments,
    )


def with_measures(sql: str, lookup: Callable[[Names], MetricView | None]) -> str:
    """Return the text with the expressions of measures in place of ``MEASURE(name)``.

    Args:
        sql: A query.
        lookup: Gives the metric view of a name as written, or None if it is none.

    Raises:
        SqlError: A query of a metric view is of a form that a workspace does not support, or a measure is unknown.
    """
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return sql  # the engine says what it does not understand
    edits = []
    for select in tree.find_all(exp.Select):
        source = select.args.get("from_") or select.args.get("from")
        joined = [join.this for join in select.args.get("joins") or ()]
        tables = [t for t in (source and source.this, *joined) if isinstance(t, exp.Table)]
        views = [view for t in tables if (view := lookup(tuple(p.name for p in t.parts))) is not None]
        if not views:
            continue
        if joined or select.args.get("laterals"):
            raise not_supported("a join of a metric view", "Query it in a subquery, and join that.")
        if any(isinstance(p, exp.Star) or isinstance(p.this, exp.Star) for p in select.expressions):
            raise _needs_measure()
        own = [n for n in select.walk() if _is_measure(n) and n.find_ancestor(exp.Select) is select]
        if not own:
            raise _needs_measure()
        for node in own:
            name = _asked(node)
            is_column = node.parent is select and node.arg_key == "expressions"
            alias = f" AS {quote_identifier(f'measure({name})')}" if is_column else ""
            edits.append((*_place(node), views[0].measure(name) + alias))
    return edited(sql, edits)


def refuse_without_measure(sql: str) -> None:
    """Refuse to read a metric view by a text that asks for no measure.

    Raises:
        SqlError: METRIC_VIEW_MISSING_MEASURE_FUNCTION.
    """
    if not MENTIONS_MEASURE.search(sql):
        raise _needs_measure()


def _needs_measure() -> SqlError:
    return SqlError(
        "METRIC_VIEW_MISSING_MEASURE_FUNCTION",
        "A query of a metric view names its dimensions, groups by them, and asks for measures by MEASURE(name).",
        "42803",
    )


def _invalid(why: str) -> SqlError:
    return SqlError(
        "METRIC_VIEW_INVALID_VIEW_DEFINITION", f"The metric view definition is invalid: {why}.", "42K0L"
    )


def _only(said: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(str(key) for key in said if key not in known)
    if unknown:
        raise not_supported(
            f"{', '.join(unknown)} in a metric view",
            f"Use {', '.join(sorted(known))}; join in a view below it.",
        )


def _expressions(items: Any, comments: dict[str, str]) -> dict[str, str]:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _invalid("dimensions and measures are lists, each item with name and expr")
    for item in items:
        _only(item, _COLUMN_KEYS)
        if not item.get("name") or item.get("expr") is None:
            raise _invalid("a dimension or measure lacks its name or its expr")
        if item.get("comment"):
            comments[str(item["name"]).lower()] = str(item["comment"])
    return {str(item["name"]): str(item["expr"]) for item in items}


def _read(text: str, what: str) -> Node:
    try:
        return peek(text)
    except SqlSyntaxError as error:
        raise _invalid(f"the expression of {what} cannot be read: {error.message}") from error


def _is_measure(node: Node | None) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == "measure"


def _asked(node: Node) -> str:
    """Return the name that a MEASURE asks for; a qualifier says nothing more."""
    if len(node.expressions) != 1 or not isinstance(node.expressions[0], exp.Column):
        raise SqlError(
            "METRIC_VIEW_INVALID_MEASURE_FUNCTION_INPUT", "MEASURE takes one name of a measure.", "42K0L"
        )
    return str(node.expressions[0].name)


def _first_part(column: exp.Column) -> tuple[str | None, tuple[int, int]]:
    """Return the name of the column of the source, without fields within it, and where it stands in the text."""
    parts = list(column.parts)
    where = [span(part) for part in parts]
    if not all(where) or isinstance(column.this, exp.Star):
        return None, (0, 0)
    qualified = len(parts) > 1 and parts[0].name.lower() == _SOURCE
    last = where[1] if qualified else where[0]
    return parts[1 if qualified else 0].name, (where[0][0], last[1])  # type: ignore[index]


def _place(node: Node) -> tuple[int, int]:
    where = span(node)
    if where is None:
        raise not_supported("MEASURE at this place", "Ask for it in the SELECT list of a subquery.")
    return where
