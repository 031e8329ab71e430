"""Queries that the engine does not know, or runs in another order than Spark, in plain SQL.

Sail 0.7.2 has no QUALIFY, PIVOT, UNPIVOT, ``* EXCEPT``, GROUP BY ALL, ORDER BY ALL and no lateral column aliases, forgets
the tables' names after JOIN .. USING, and lets ``LATERAL explode`` keep rows without elements. Each is put as a query that
says the same; for a star the columns have to be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql import spark_types as types
from local_workspace.sql.aggregation import aggregates
from local_workspace.sql.dialect import Node
from local_workspace.sql.functions import is_aggregate
from local_workspace.sql.inference import Columns, Typing, call_of, source_nodes
from local_workspace.sql.render import put, render
from local_workspace.sql.rewrites.registry import spark_name
from local_workspace.sql.sql_error import unresolved_column
from local_workspace.sql.tokens import quote_identifier, quote_string

_QUALIFIED = "q_"
_GENERATORS = frozenset(
    {"explode", "explode_outer", "posexplode", "posexplode_outer", "inline", "inline_outer"}
)


class Desugaring:
    """One text whose queries are put in plain SQL.

    Args:
        sql: The text.
        typing: Columns of its tables and queries.
    """

    def __init__(self, sql: str, typing: Typing) -> None:
        self._sql = sql
        self._typing = typing

    def apply(self, tree: Node) -> None:
        """Put every query of a tree otherwise that has to be, the inner ones first."""
        for node in reversed(list(tree.walk(bfs=False))):
            if isinstance(node, exp.Select):
                _Select(node, self._sql, self._typing).apply()
            elif isinstance(node, exp.SetOperation):
                self._order_by_all(node)

    def _order_by_all(self, node: exp.SetOperation) -> None:
        order = node.args.get("order")
        if order is None or not _is_all(order):
            return
        columns = self._typing.columns_of(node)
        if columns is None:
            raise _needs_columns("ORDER BY ALL", "Name the columns")
        put(order, _literally(_by_places(order, len(columns), self._sql)))


class _Select:
    """One SELECT."""

    def __init__(self, node: exp.Select, sql: str, typing: Typing) -> None:
        self._node = node
        self._sql = sql
        self._typing = typing
        self._changed = False
        self._items: list[str] = []
        self._names: list[str] = []
        self._conditions: list[str] = []

    def apply(self) -> None:
        node = self._node
        # What it gives must be known to the queries around it, however it is said.
        columns = self._typing.columns_of(node) if _may_change(node) else None
        if not _may_change(node):
            return
        for source in list(source_nodes(node)):
            self._pivots(source)
        if columns is None and self._changed:
            # Of what a PIVOT or UNPIVOT gives, the columns are known once it is put in plain SQL.
            self._typing.forget(node)
            columns = self._typing.columns_of(node)
        self._laterals()
        self._using()
        self._aliases()
        expanded = self._expand_stars()
        group = self._group_by_all()
        order = self._order_by_all(expanded)
        if node.args.get("qualify") is not None:
            self._replace(self._qualified(expanded, group, order), columns)
        elif self._changed or group is not None or order is not None:
            self._replace(self._text(expanded or self._rendered(), group, order), columns)

    def _replace(self, text: str, columns: Columns | None) -> None:
        new = put(self._node, _literally(text))
        if columns is not None:
            self._typing.remember(new, columns)

    def _render(self, node: Node) -> str:
        return render(node, self._sql)

    def _rendered(self) -> list[str]:
        return [self._render(e) for e in self._node.expressions]

    # The parts of the text

    def _text(
        self,
        items: Sequence[str],
        group: str | None,
        order: str | None,
        *,
        inner: bool = False,
    ) -> str:
        node = self._node
        for clause in ("cluster", "distribute", "sort", "connect", "match"):
            if node.args.get(clause):
                raise NotSupported(
                    f"{clause.upper()} BY together with QUALIFY, GROUP BY ALL or aliases of the same SELECT",
                    "Put one into a subquery of the other",
                )
        with_ = node.args.get("with_")
        parts = [self._render(with_)] if with_ is not None and not inner else []
        parts.append("SELECT")
        if node.args.get("distinct") and not inner:
            parts.append("DISTINCT")
        parts.append(", ".join(items))
        from_ = node.args.get("from_")
        if from_ is not None:
            parts.append(self._render(from_))
        parts.extend(self._render(join) for join in node.args.get("joins") or ())
        parts.extend(self._render(lateral) for lateral in node.args.get("laterals") or ())
        where = node.args.get("where")
        conditions = [f"({self._render(where.this)})"] if where is not None else []
        conditions += self._conditions
        if conditions:
            parts.append("WHERE " + " AND ".join(conditions))
        if group is not None:
            parts.append(group)
        elif node.args.get("group") is not None:
            parts.append(self._render(node.args["group"]))
        having = node.args.get("having")
        if having is not None:
            parts.append(f"HAVING {self._render(having.this)}")
        if node.args.get("windows"):
            parts.append("WINDOW " + ", ".join(self._render(w) for w in node.args["windows"]))
        if not inner:
            parts.extend(self._end(order))
        return " ".join(part for part in parts if part)

    def _end(self, order: str | None) -> list[str]:
        node = self._node
        parts = []
        if order is not None:
            parts.append(order)
        elif node.args.get("order") is not None:
            parts.append(self._render(node.args["order"]))
        ends = [(c, node.args[c]) for c in ("limit", "offset") if node.args.get(c) is not None]
        return parts + [f"{clause.upper()} {self._render(end.expression)}" for clause, end in ends]

    # Stars

    def _expand_stars(self) -> list[str] | None:
        """Return the SELECT list with stars as columns; None where there is no star that has to be."""
        needed = self._node.args.get("qualify") is not None
        for projection in self._node.expressions:
            star = _star_of(projection)
            needed = needed or (star is not None and bool(_left_out(star) or star.args.get("replace")))
        if not needed:
            return None
        items: list[str] = []
        for projection in self._node.expressions:
            star = _star_of(projection)
            if star is None:
                items.append(self._render(projection))
                self._names.append(_name_of(projection, self._sql))
                continue
            qualifier = projection.table if isinstance(projection, exp.Column) else None
            columns = self._star(star, qualifier)
            items.extend(item for item, _ in columns)
            self._names.extend(name for _, name in columns)
        if any(_left_out(star) for p in self._node.expressions if (star := _star_of(p)) is not None):
            self._changed = True
        return items

    def _star(self, star: exp.Star, qualifier: str | None) -> list[tuple[str, str]]:
        left_out = {name.lower() for name in _left_out(star)}
        if star.args.get("replace") or star.args.get("rename"):
            raise NotSupported("* REPLACE", "Name the columns")
        merged = _merged_columns(self._node) if qualifier is None else []
        found: list[tuple[str, str]] = [(quote_identifier(name), name) for name in merged]
        skip = {name.lower() for name in merged}
        hidden = _hidden(self._node)
        for at, (name, columns) in enumerate(self._typing.sources_of(self._node)):
            if (qualifier is not None and name != qualifier.lower()) or (qualifier is None and at in hidden):
                continue
            if columns is None:
                raise _needs_columns("A star with EXCEPT or QUALIFY", "Name the columns")
            source = f"{quote_identifier(name)}." if name else ""
            found += [(f"{source}{quote_identifier(c)}", c) for c, _ in columns if c.lower() not in skip]
        known = {name.lower() for _, name in found}
        unknown = left_out - known
        if unknown:
            raise unresolved_column([sorted(unknown)[0]], sorted(known))
        return [(item, name) for item, name in found if name.lower() not in left_out]

    # JOIN .. USING

    def _using(self) -> None:
        joins = self._node.args.get("joins") or []
        names = {i.name.lower() for j in joins for i in j.args.get("using") or ()}
        if not names:
            return
        sides = _sides(self._node)
        for column in list(self._node.find_all(exp.Column)):
            if not column.table or column.name.lower() not in names or column.args.get("db"):
                continue
            if column.find_ancestor(exp.Select) is not self._node or column.find_ancestor(exp.Join) in joins:
                continue
            side = sides.get(column.table.lower())
            if side is None:
                continue
            if side not in ("either", "kept"):
                raise NotSupported(
                    f"{column.table}.{column.name} after an outer JOIN .. USING ({column.name})",
                    f"Join ON the columns instead of USING, or name {column.name} alone",
                )
            put(column, _literally(quote_identifier(column.name)))
            self._changed = True

    # Lateral column aliases

    def _aliases(self) -> None:
        known: dict[str, Node] = {}
        for projection in self._node.expressions:
            for column in list(projection.find_all(exp.Column)):
                self._alias(column, known, projection)
            if isinstance(projection, exp.Alias):
                known.setdefault(projection.alias.lower(), projection)
        qualify = self._node.args.get("qualify")
        if qualify is not None:
            for column in list(qualify.find_all(exp.Column)):
                self._alias(column, known, qualify)

    def _alias(self, column: exp.Column, known: dict[str, Node], within: Node) -> None:
        if column.table or column.name.lower() not in known:
            return
        if column.find_ancestor(exp.Select) is not self._node or _is_variable(column, within):
            return
        for _, columns in self._typing.sources_of(self._node):
            if columns is None:
                if within.arg_key == "qualify":
                    continue
                return
            if any(name.lower() == column.name.lower() for name, _ in columns):
                return
        value = known[column.name.lower()].this
        put(column, _literally(f"({self._render(value)})"))
        self._changed = True

    # GROUP BY ALL, ORDER BY ALL

    def _group_by_all(self) -> str | None:
        group = self._node.args.get("group")
        if group is None or not group.args.get("all"):
            return None
        keys = []
        for projection in self._node.expressions:
            value = projection.this if isinstance(projection, exp.Alias) else projection
            if _star_of(projection) is not None:
                raise NotSupported("GROUP BY ALL with a star", "Name the columns")
            if not aggregates(value) and not isinstance(value, exp.Literal):
                keys.append(self._render(value))
        return f"GROUP BY {', '.join(keys)}" if keys else ""

    def _order_by_all(self, expanded: list[str] | None) -> str | None:
        order = self._node.args.get("order")
        if order is None or not _is_all(order):
            return None
        count = len(expanded) if expanded is not None else len(self._node.expressions)
        if expanded is None and any(_star_of(p) is not None for p in self._node.expressions):
            columns = self._typing.columns_of(self._node)
            if columns is None:
                raise _needs_columns("ORDER BY ALL with a star", "Name the columns")
            count = len(columns)
        return _by_places(order, count, self._sql)

    # QUALIFY

    def _qualified(self, items: list[str] | None, group: str | None, order: str | None) -> str:
        assert items is not None  # noqa: S101  (QUALIFY has the stars expanded)
        node = self._node
        inner = [
            f"{_unaliased(item, p)} AS c_{at}"
            for at, (item, p) in enumerate(self._with_projections(items), 1)
        ]
        inner.append(f"{self._render(node.args['qualify'].this)} AS {_QUALIFIED}")
        if order is None and node.args.get("order") is not None:
            order, more = self._outer_order(node.args["order"])
            inner += more
        outer = ", ".join(f"c_{at} AS {quote_identifier(name)}" for at, name in enumerate(self._names, 1))
        with_ = node.args.get("with_")
        start = f"{self._render(with_)} " if with_ is not None else ""
        distinct = "DISTINCT " if node.args.get("distinct") else ""
        rows = self._text(inner, group, None, inner=True)
        text = f"{start}SELECT {distinct}{outer} FROM ({rows}) AS qualified_ WHERE {_QUALIFIED}"
        return " ".join([text, *self._end(order if order is not None else "")])

    def _with_projections(self, items: list[str]) -> Iterable[tuple[str, Node | None]]:
        """Each item of the SELECT list with the projection that it is; None for a column of a star."""
        at = 0
        for projection in self._node.expressions:
            star = _star_of(projection)
            if star is None:
                yield items[at], projection
                at += 1
                continue
            qualifier = projection.table if isinstance(projection, exp.Column) else None
            for item, _ in self._star(star, qualifier):
                yield item, None
                at += 1

    def _outer_order(self, order: Node) -> tuple[str, list[str]]:
        """ORDER BY for the outer query, and what the inner one has to give for it."""
        names = {name.lower(): at for at, name in reversed(list(enumerate(self._names, 1)))}
        keys: list[str] = []
        more: list[str] = []
        for ordered in order.expressions:
            key = ordered.this if isinstance(ordered, exp.Ordered) else ordered
            ending = self._render(ordered)[len(self._render(key)) :]
            if isinstance(key, exp.Literal) and not key.is_string:
                keys.append(self._render(ordered))
            elif (
                isinstance(key, exp.Column)
                and key.name.lower() in names
                and not (key.table and self._node.args.get("distinct"))
            ):
                keys.append(
                    f"c_{names[key.name.lower()]}{ending}"
                    if not self._node.args.get("distinct")
                    else f"{names[key.name.lower()]}{ending}"
                )
            else:
                more.append(f"{self._render(key)} AS o_{len(more) + 1}")
                keys.append(f"o_{len(more)}{ending}")
        return f"ORDER BY {', '.join(keys)}", more

    # LATERAL VIEW, LATERAL explode

    def _laterals(self) -> None:
        """Drop the row of an empty or missing array: without OUTER there is none, but in a join the engine keeps it."""
        for join in self._node.args.get("joins") or ():
            lateral = join.this
            if not isinstance(lateral, exp.Lateral) or lateral.args.get("view"):
                continue
            name, arguments = call_of(lateral.this)
            if name in _GENERATORS and len(arguments) == 1:
                self._changed = True
                if join.side == "LEFT" and isinstance(join.args.get("on"), exp.Boolean):
                    put(join, _literally(f"LEFT JOIN {self._render(lateral)}"))
                else:
                    self._conditions.append(f"cardinality({self._render(arguments[0])}) > 0")
        if self._node.args.get("where") is not None:
            for view in self._node.args.get("laterals") or ():
                self._joined(view)

    def _joined(self, view: Node) -> None:
        """Write a LATERAL VIEW as a join: the engine does not know the columns of a view in the WHERE beside it."""
        name, arguments = call_of(view.this)
        if not view.args.get("view") or name not in _GENERATORS or len(arguments) != 1:
            return
        alias = view.args.get("alias")
        columns = [c.name for c in alias.columns] if alias is not None else []
        given = self._typing.generated(name, arguments)
        if not columns:
            columns = [n for n, _ in given] if given is not None else ["col"]
        quoted = ", ".join(quote_identifier(c) for c in columns)
        table = quote_identifier((alias.name if alias is not None else "") or f"{name}_")
        outer = view.args.get("outer") or name.endswith("_outer")
        if not outer:
            self._conditions.append(f"cardinality({self._render(arguments[0])}) > 0")
        put(
            view,
            _literally(
                f"{'LEFT ' if outer else ''}JOIN LATERAL {self._render(view.this)} AS {table}({quoted})"
            ),
        )
        self._changed = True

    # PIVOT, UNPIVOT

    def _pivots(self, source: Node) -> None:
        pivots = source.args.get("pivots") or []
        if not pivots:
            return
        if len(pivots) > 1:
            raise NotSupported("several PIVOTs of one table", "Put the first into a subquery")
        pivot = pivots[0]
        source.set("pivots", None)
        self._typing.forget(source)
        name, columns = self._typing.source(source)
        if columns is None:
            raise _needs_columns("PIVOT", "Select from a subquery that names its columns")
        inner = self._source_text(source)
        if pivot.args.get("unpivot"):
            text, given = _Unpivot(pivot, columns, self._sql, self._typing).text(inner)
        else:
            text, given = _Pivot(pivot, columns, self._sql).text(inner)
        alias = pivot.args.get("alias")
        quoted = quote_identifier(alias.name if alias is not None else name or "pivoted_")
        names = [c.name for c in alias.columns] if alias is not None else []
        if names:
            quoted += f"({', '.join(quote_identifier(n) for n in names)})"
            given = [(n, kind) for n, (_, kind) in zip(names, given, strict=False)]
        new = put(source, _literally(f"({text}) AS {quoted}"))
        new.set("alias", None)
        self._typing.remember(new, given)
        new.meta["source"] = (alias.name if alias is not None else name or "pivoted_").lower()
        self._changed = True

    def _source_text(self, source: Node) -> str:
        text = self._sql
        from local_workspace.sql.dialect import span  # noqa: PLC0415

        where = span(source)
        assert where is not None  # noqa: S101
        pivot_at = _pivot_start(text, where)
        copied = source.copy()
        copied.meta["span"] = (where[0], pivot_at)
        return render(copied, text).strip()


class _Pivot:
    def __init__(self, pivot: Node, columns: Columns, sql: str) -> None:
        self._pivot, self._columns, self._sql = pivot, columns, sql

    def text(self, source: str) -> tuple[str, Columns]:
        """Return the pivoted rows: a group per value of the columns not mentioned, a column per value and aggregate."""
        fields = self._pivot.args["fields"]
        if len(fields) != 1 or not isinstance(fields[0], exp.In):
            raise NotSupported("this form of PIVOT", "Use PIVOT (aggregate FOR column IN (values))")
        keys = fields[0].this.expressions if isinstance(fields[0].this, exp.Tuple) else [fields[0].this]
        aggregates = [
            (a.this, a.alias) if isinstance(a, exp.Alias) else (a, "") for a in self._pivot.expressions
        ]
        used = {c.name.lower() for a, _ in aggregates for c in a.find_all(exp.Column)} | {
            k.name.lower() for k in keys
        }
        groups = [(name, kind) for name, kind in self._columns if name.lower() not in used]
        items = [quote_identifier(name) for name, _ in groups]
        given: list[tuple[str, object]] = list(groups)
        for value in fields[0].expressions:
            cells, label = self._cell(value)
            condition = " AND ".join(
                f"{render(k, self._sql)} <=> {c}" for k, c in zip(keys, cells, strict=True)
            )
            for aggregate, alias in aggregates:
                name = (
                    label if len(aggregates) == 1 else f"{label}_{alias or spark_name(aggregate, self._sql)}"
                )
                items.append(f"{self._filtered(aggregate, condition)} AS {quote_identifier(name)}")
                given.append((name, None))
        by = f" GROUP BY {', '.join(quote_identifier(name) for name, _ in groups)}" if groups else ""
        return f"SELECT {', '.join(items)} FROM {source}{by}", given  # type: ignore[return-value]

    def _cell(self, value: Node) -> tuple[list[str], str]:
        label = ""
        if isinstance(value, (exp.PivotAlias, exp.Alias)):
            label, value = value.args["alias"].name, value.this
        cells = list(value.expressions) if isinstance(value, exp.Tuple) else [value]
        texts = [render(c, self._sql) for c in cells]
        return texts, label or "_".join(
            c.name if isinstance(c, exp.Literal) else spark_name(c, self._sql) for c in cells
        )

    def _filtered(self, aggregate: Node, condition: str) -> str:
        name = call_of(aggregate)[0]
        if not is_aggregate(name):
            raise NotSupported(
                f"{spark_name(aggregate, self._sql)} in PIVOT",
                "Use a plain aggregate in PIVOT and compute around it",
            )
        call = f"{render(aggregate, self._sql)} FILTER (WHERE {condition})"
        if name in ("count", "count_if", "approx_count_distinct", "collect_list", "collect_set", "array_agg"):
            # No row at all for a value is NULL, not none.
            return f"CASE WHEN count_if({condition}) > 0 THEN {call} END"
        return call


class _Unpivot:
    def __init__(self, pivot: Node, columns: Columns, sql: str, typing: Typing) -> None:
        self._pivot, self._columns, self._sql, self._typing = pivot, columns, sql, typing

    def text(self, source: str) -> tuple[str, Columns]:
        """Return one row for each of the named columns."""
        fields = self._pivot.args["fields"]
        values = self._pivot.expressions
        if len(fields) != 1 or len(values) != 1 or isinstance(values[0], exp.Tuple):
            raise NotSupported("UNPIVOT of several columns at a time", "Use UNION ALL")
        value, label = values[0].name, fields[0].this.name
        taken: list[tuple[str, str]] = []
        for part in fields[0].expressions:
            alias = part.args["alias"].name if isinstance(part, (exp.PivotAlias, exp.Alias)) else ""
            column = part.this if alias else part
            taken.append((column.name, alias or column.name))
        by_name = {name.lower(): kind for name, kind in self._columns}
        missing = [name for name, _ in taken if name.lower() not in by_name]
        if missing:
            raise unresolved_column([missing[0]], [name for name, _ in self._columns])
        kind = types.common_of([by_name[name.lower()] for name, _ in taken])
        cast = f"CAST({{}} AS {types.sql_name(kind)})" if kind is not None else "{}"
        rows = ", ".join(
            f"named_struct('n_', {quote_string(name)}, 'v_', {cast.format(quote_identifier(column))})"
            for column, name in taken
        )
        used = {name.lower() for name, _ in taken}
        kept = [(name, k) for name, k in self._columns if name.lower() not in used]
        items = [quote_identifier(name) for name, _ in kept]
        items += [f"n_ AS {quote_identifier(label)}", f"v_ AS {quote_identifier(value)}"]
        # The filter stands outside: the engine does not know the columns of a LATERAL VIEW in its own WHERE.
        nulls = (
            "" if self._pivot.args.get("include_nulls") else f" WHERE {quote_identifier(value)} IS NOT NULL"
        )
        text = f"SELECT {', '.join(items)} FROM {source} LATERAL VIEW inline(array({rows})) u_ AS n_, v_"
        text = f"SELECT * FROM ({text}) AS unpivoted_{nulls}"
        return text, [*kept, (label, types.STRING), (value, kind)]


def _may_change(node: exp.Select) -> bool:
    """Return whether a SELECT has anything that has to be said otherwise."""
    group, order = node.args.get("group"), node.args.get("order")
    if node.args.get("qualify") is not None or (group is not None and group.args.get("all")):
        return True
    if order is not None and _is_all(order):
        return True
    if any(_left_out(star) for p in node.expressions if (star := _star_of(p)) is not None):
        return True
    for source in source_nodes(node):
        if source.args.get("pivots"):
            return True
        if isinstance(source, exp.Lateral) and (
            not source.args.get("view") or node.args.get("where") is not None
        ):
            return True
    if any(join.args.get("using") for join in node.args.get("joins") or ()):
        return True
    aliases = [p.alias.lower() for p in node.expressions if isinstance(p, exp.Alias)]
    return bool(aliases) and any(
        not c.table and c.name.lower() in aliases for p in node.expressions for c in p.find_all(exp.Column)
    )


def _star_of(projection: Node) -> exp.Star | None:
    star = projection.this if isinstance(projection, exp.Column) else projection
    return star if isinstance(star, exp.Star) else None


def _left_out(star: exp.Star) -> list[str]:
    return [e.name for e in star.args.get("except_") or []]


def _is_all(order: Node) -> bool:
    keys = order.expressions
    if len(keys) != 1:
        return False
    key = keys[0].this if isinstance(keys[0], exp.Ordered) else keys[0]
    return isinstance(key, exp.Var) and key.name.upper() == "ALL"


def _by_places(order: Node, count: int, sql: str) -> str:
    ordered = order.expressions[0]
    ending = " DESC" if ordered.args.get("desc") else ""
    written = render(ordered, sql).upper().split()
    if "NULLS" in written:
        ending += f" NULLS {written[written.index('NULLS') + 1]}"
    return "ORDER BY " + ", ".join(f"{place}{ending}" for place in range(1, count + 1))


def _name_of(projection: Node, sql: str) -> str:
    if isinstance(projection, (exp.Alias, exp.Column)):
        return projection.alias_or_name
    return spark_name(projection, sql)


def _unaliased(item: str, projection: Node | None) -> str:
    if not isinstance(projection, exp.Alias):
        return item
    from local_workspace.sql.tokens import tokenize  # noqa: PLC0415

    tokens = tokenize(item)
    last = tokens[-1]
    before = tokens[-2] if len(tokens) > 1 else None
    end = before.start if before is not None and before.upper == "AS" else last.start
    return item[:end].rstrip()


def _is_variable(column: exp.Column, within: Node) -> bool:
    node: Node | None = column
    while node is not None and node is not within:
        if isinstance(node, exp.Lambda) and any(
            v.name.lower() == column.name.lower() for v in node.expressions
        ):
            return True
        node = node.parent
    return False


def _merged_columns(node: exp.Select) -> list[str]:
    names: list[str] = []
    for join in node.args.get("joins") or ():
        names += [
            i.name for i in join.args.get("using") or () if i.name.lower() not in {n.lower() for n in names}
        ]
    return names


def _hidden(node: exp.Select) -> set[int]:
    """Return the places of sources that a star leaves out: the right sides of LEFT SEMI and LEFT ANTI joins."""
    hidden, place = set(), 1
    for join in node.args.get("joins") or ():
        if join.kind in ("SEMI", "ANTI"):
            hidden.add(place)
        place += 1 + len(join.this.args.get("laterals") or ())
    return hidden


def _sides(node: exp.Select) -> dict[str, str]:
    """For each source by name, whether its column of USING is the merged one: ``kept``, ``either`` or ``lost``."""
    sources = [node.args["from_"].this] if node.args.get("from_") is not None else []
    sides = {sources[0].alias_or_name.lower(): "kept"} if sources else {}
    for join in node.args.get("joins") or ():
        name = join.this.alias_or_name.lower()
        if not join.args.get("using"):
            continue
        if join.side == "LEFT" or join.kind in ("SEMI", "ANTI"):
            sides[name] = "lost"
        elif join.side == "RIGHT":
            sides = dict.fromkeys(sides, "lost")
            sides[name] = "kept"
        elif join.side == "FULL":
            sides = dict.fromkeys(sides, "lost")
            sides[name] = "lost"
        else:
            sides[name] = "either"
    return sides


def _pivot_start(sql: str, where: tuple[int, int]) -> int:
    """Return where PIVOT or UNPIVOT begins in the text of a source, outside of parentheses."""
    from local_workspace.sql.tokens import tokenize  # noqa: PLC0415

    depth = 0
    for token in tokenize(sql):
        if token.start < where[0] or token.end > where[1]:
            continue
        if token.kind == "symbol":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.kind == "word" and token.upper in ("PIVOT", "UNPIVOT"):
            return token.start
    return where[1]


def _literally(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _needs_columns(what: str, way_out: str) -> NotSupported:
    return NotSupported(f"{what} over a source with unknown columns", way_out)
