"""SQL queries over streams that need rows of earlier batches, as the operators that keep state for DataFrames.

`GROUP BY`, `DISTINCT`, a join of two streams and `WATERMARK ... DELAY OF` in the text of a query become the operators of
:mod:`local_workspace.dlt_runtime.plan.stateful`, so both languages mean the same. Expressions stay the text that their
author wrote. Grammar: Databricks' page "SELECT".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql.connect import functions as f
from sqlglot import exp

from local_workspace.dlt_runtime.plan.plans import STATE
from local_workspace.dlt_runtime.plan.sql_watermarks import StreamingText, read
from local_workspace.errors import NotSupported, PipelineCodeError
from local_workspace.sql import functions, pipeline_sql
from local_workspace.sql.dialect import Node, span
from local_workspace.sql.edits import Edit, edited
from local_workspace.sql.inference import call_of
from local_workspace.sql.tokens import quote_identifier

_SUPPORTED = frozenset(
    {"expressions", "from_", "from", "joins", "where", "group", "having", "distinct", "order", "limit", "with_", "with",
     "kind", "hint", "operation_modifiers"}
)  # fmt: skip
_JOINS = {"": "inner", "INNER": "inner", "LEFT": "left", "RIGHT": "right", "FULL": "full", "CROSS": "cross"}


def as_frames(text: str, session: Any) -> Any:
    """Give a query over streams that needs state as a DataFrame; None for every other query.

    Args:
        text: The query; files that it reads have names already.
        session: The pipeline's session.

    Raises:
        NotSupported: It has state in a form that is not served.
        PipelineCodeError: It cannot be parsed.
    """
    found = read(text)
    if not found.streams:
        return None
    tree = pipeline_sql.parse(found.text, "spark.sql")
    query = _Query(found, session)
    return query.frame(tree) if query.has_state(tree) else None


class _Query:
    """Turns the parts of a query into DataFrames."""

    def __init__(self, found: StreamingText, session: Any) -> None:
        self.found, self.session = found, session
        self.queries: dict[str, Node] = {}

    def refuse(self, operation: str, way_out: str = STATE) -> NotSupported:
        """Make the refusal of an operation; whoever plans the flow adds where it stands."""
        return NotSupported(f"{operation} on a streaming source", way_out)

    # --- what there is

    def has_state(self, node: Node) -> bool:
        """Say whether a query does something that batches of new rows alone cannot answer."""
        if self.found.watermarks:
            return True
        streaming = [select for select in node.find_all(exp.Select) if self._streams(select)]
        return any(
            select.args.get("distinct")
            or select.args.get("group")
            or self._aggregates(select)
            or sum(self._streams(part) for part in self._sources(select)) > 1
            for select in streaming
        )

    def _sources(self, select: Node) -> list[Node]:
        start = select.args.get("from_") or select.args.get("from")
        return [
            *([start.this] if start is not None else []),
            *(j.this for j in select.args.get("joins") or ()),
        ]

    def _streams(self, node: Node) -> bool:
        for table in node.find_all(exp.Table):
            name = table.name.lower()
            if table.name in self.found.streams:
                return True
            cte = next((c for c in node.root().find_all(exp.CTE) if c.alias.lower() == name), None)
            if cte is not None and cte is not node.find_ancestor(exp.CTE) and self._streams(cte.this):
                return True
        return False

    def _aggregates(self, select: Node) -> list[Node]:
        parts = [*select.expressions, *([select.args["having"]] if select.args.get("having") else [])]
        return [found for part in parts for found in self._calls(part)]

    def _calls(self, node: Node) -> list[Node]:
        """List the outermost aggregations of an expression, each with its FILTER."""
        if isinstance(node, exp.Window):
            return []
        inner = node.this if isinstance(node, exp.Filter) else node
        name = call_of(inner)[0]
        if name and functions.is_aggregate(name):
            return [node]
        if isinstance(node, (exp.Select, exp.Subquery)):
            return []
        return [found for child in node.iter_expressions() for found in self._calls(child)]

    # --- text

    def text(self, node: Node, replaced: Callable[[Node], str | None] = lambda _: None) -> str:
        """Give the text of a node as written, parts of it replaced."""
        place = span(node)
        if place is None:
            raise NotSupported(
                "This form of a streaming query in SQL",
                "Write it as a DataFrame: spark.readStream.table(...).groupBy(...)",
                got=node.sql(dialect="databricks")[:80],
            )
        begin, end = place
        edits = [(start - begin, stop - begin, new) for start, stop, new in _replacements(node, replaced)]
        return edited(self.found.text[begin:end], edits)

    # --- frames

    def frame(self, node: Node) -> Any:
        """Give a query as a DataFrame."""
        with_ = node.args.get("with_") or node.args.get("with")
        for cte in with_.expressions if with_ is not None else ():
            self.queries[cte.alias.lower()] = cte.this
        if isinstance(node, (exp.Subquery, exp.Paren)) and not node.args.get("joins"):
            return self.frame(node.this)
        if isinstance(node, exp.Union):
            if node.args.get("distinct"):
                raise self.refuse("UNION, which removes duplicates,", "Write UNION ALL")
            return self.frame(node.left).union(self.frame(node.right))
        if not isinstance(node, exp.Select):
            raise self.refuse(type(node).__name__.upper(), "Write it as a SELECT")
        unknown = [key for key, value in node.args.items() if value and key not in _SUPPORTED]
        if unknown:
            raise self.refuse(unknown[0].strip("_").upper().replace("_", " "))
        window = next(node.find_all(exp.Window), None)
        if window is not None:
            raise self.refuse("A window function")
        return self._select(node)

    def _select(self, node: Node) -> Any:
        frame = self._from(node)
        if node.args.get("where"):
            frame = frame.where(f.expr(self.text(node.args["where"].this)))
        if node.args.get("group") or self._aggregates(node):
            frame = self._grouped(node, frame)
        else:
            if node.args.get("order") or node.args.get("limit"):
                raise self.refuse("ORDER BY" if node.args.get("order") else "LIMIT")
            frame = self._projected(node, frame)
        return frame.distinct() if node.args.get("distinct") else frame

    def _from(self, node: Node) -> Any:
        start = node.args.get("from_") or node.args.get("from")
        if start is None:
            raise self.refuse("A query without FROM beside a stream")
        frame = self._source(start.this)
        for join in node.args.get("joins") or ():
            side, kind = str(join.side or "").upper(), str(join.kind or "").upper()
            how = {"SEMI": "left_semi", "ANTI": "left_anti"}.get(kind) or _JOINS.get(side or kind)
            other = self._source(join.this)
            if how is None:
                raise self.refuse(f"{side} {kind} JOIN".strip())
            if join.args.get("using"):
                frame = frame.join(other, [name.name for name in join.args["using"]], how)
            elif join.args.get("on"):
                frame = frame.join(other, f.expr(self.text(join.args["on"])), how)
            else:
                frame = frame.crossJoin(other)
        return frame

    def _source(self, node: Node) -> Any:
        if isinstance(node, exp.Subquery):
            frame = (
                self.frame(node.this)
                if self._needs_frames(node.this)
                else self.session.sql(self.text(node.this))
            )
            return frame.alias(node.alias) if node.alias else frame
        if not isinstance(node, exp.Table):
            raise self.refuse(type(node).__name__.upper())
        if node.name in self.found.streams:
            table = self.found.streams[node.name]
            frame = self.session.readStream.table(table)
            watermark = self.found.watermarks.get(node.name)
            if watermark is not None:
                frame = frame.withWatermark(watermark.column, watermark.delay)
            return frame.alias(node.alias or table.rpartition(".")[2].strip("`"))
        query = self.queries.get(node.name.lower()) if len(node.parts) == 1 else None
        frame = self.frame(query) if query is not None else self.session.table(self.text_of_table(node))
        return frame.alias(node.alias or node.name)

    def _needs_frames(self, node: Node) -> bool:
        return self._streams(node) or any(
            len(t.parts) == 1 and t.name.lower() in self.queries for t in node.find_all(exp.Table)
        )

    def text_of_table(self, table: exp.Table) -> str:
        """Give the name of a table as a query would write it."""
        return ".".join(quote_identifier(part.name) for part in table.parts)

    def _projected(self, node: Node, frame: Any) -> Any:
        columns: list[Any] = []
        for item in node.expressions:
            star = item.this if isinstance(item, exp.Column) else item
            if not isinstance(star, exp.Star):
                columns.append(self._named(item, self.text(item.unalias())))
                continue
            left_out = star.args.get("except_") or star.args.get("except")
            if (star.args.get("replace") or star.args.get("rename")) or (
                left_out and (len(node.expressions) > 1 or isinstance(item, exp.Column))
            ):
                raise self.refuse(
                    "A star with EXCEPT beside other columns",
                    "List the columns, or compute them in a view before",
                )
            if left_out:
                return frame.drop(*(column.name for column in left_out))
            columns.append(f.col(f"{item.table}.*" if isinstance(item, exp.Column) else "*"))
        return frame.select(*columns)

    def _named(self, item: Node, text: str) -> Any:
        if not item.alias and isinstance(item, (exp.Column, exp.Dot)):
            # `window.start` and `t.id` are called by their last part.
            return f.expr(text).alias(item.name if isinstance(item, exp.Column) else item.expression.name)
        return f.expr(text).alias(item.alias or self.text(item))

    def _grouped(self, node: Node, frame: Any) -> Any:
        group = node.args.get("group")
        if group is not None and any(
            group.args.get(key) for key in ("rollup", "cube", "grouping_sets", "totals")
        ):
            raise self.refuse("GROUP BY ROLLUP, CUBE or GROUPING SETS")
        keys = self._keys(node, group)
        calls: list[Node] = []
        for call in self._aggregates(node):
            if next(call.find_all(exp.Distinct), None) is not None:
                raise self.refuse(
                    f"{self.text(call)}",
                    "Use approx_count_distinct, or a materialized view: CREATE OR REFRESH MATERIALIZED VIEW",
                )
            if call not in calls:
                calls.append(call)
        names = {f"__k{at}": key for at, key in enumerate(keys)}
        results: dict[str, Node | None] = {f"__a{at}": call for at, call in enumerate(calls)} or {
            "__a0": None
        }
        aggregated = frame.groupBy(*[f.expr(self.text(key)).alias(name) for name, key in names.items()]).agg(
            *[
                (f.count(f.lit(1)) if call is None else f.expr(self.text(call))).alias(name)
                for name, call in results.items()
            ]
        )
        replaced = _of_groups(names, results)
        if node.args.get("having"):
            aggregated = aggregated.where(f.expr(self._over_groups(node, node.args["having"].this, replaced)))
        columns = []
        for item in node.expressions:
            if isinstance(item, exp.Star) or (
                isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
            ):
                raise self.refuse("A star with GROUP BY", "List the columns")
            columns.append(self._named(item, self.text(item.unalias(), replaced)))
        result = aggregated.select(*columns)
        if node.args.get("limit"):
            raise self.refuse(
                "LIMIT", "Leave it out, and take the first rows in a materialized view that reads the table"
            )
        return result  # ORDER BY says nothing of a table

    def _over_groups(self, node: Node, condition: Node, replaced: Callable[[Node], str | None]) -> str:
        """Give a HAVING over the groups, in which names of the select list stand for what they are."""
        items = {item.alias.lower(): item.unalias() for item in node.expressions if item.alias}

        def by_alias(part: Node) -> str | None:
            found = replaced(part)
            if (
                found is None
                and isinstance(part, exp.Column)
                and not part.table
                and part.name.lower() in items
            ):
                return f"({self.text(items[part.name.lower()], replaced)})"
            return found

        return self.text(condition, by_alias)

    def _keys(self, node: Node, group: Node | None) -> list[Node]:
        if group is None:
            return []
        if group.args.get("all"):
            return [item.unalias() for item in node.expressions if not self._calls(item)]
        items = {item.alias.lower(): item.unalias() for item in node.expressions if item.alias}
        keys = []
        for key in group.expressions:
            if isinstance(key, exp.Literal) and not key.is_string:
                at = int(key.name)
                if not 1 <= at <= len(node.expressions):
                    raise PipelineCodeError(
                        "GROUP BY names a position that the SELECT does not have", got=key.name
                    )
                keys.append(node.expressions[at - 1].unalias())
            elif isinstance(key, exp.Column) and not key.table and key.name.lower() in items:
                # As in Spark, a column of the input comes before an alias; here the alias is of that column, or of more.
                keys.append(items[key.name.lower()])
            else:
                keys.append(key)
        return keys


def _of_groups(keys: Mapping[str, Node], results: Mapping[str, Node | None]) -> Callable[[Node], str | None]:
    """Say what stands for a part of an expression above an aggregation: the column of a key or of a result."""

    def replaced(node: Node) -> str | None:
        for name, part in (*results.items(), *keys.items()):
            if part is not None and _same(node, part):
                return name
        if (
            isinstance(node, exp.Column)
            and node.table.lower() in {"window", "session_window"}
            and len(node.parts) == 2
        ):
            window = next((n for n, key in keys.items() if call_of(key)[0] == node.table.lower()), None)
            return None if window is None else f"{window}.{node.name}"
        if isinstance(node, exp.Column) and not node.table and node.name.lower() == "window":
            return next((n for n, key in keys.items() if call_of(key)[0] == "window"), None)
        return None

    return replaced


def _same(one: Node, other: Node) -> bool:
    if one == other:
        return True
    if not (isinstance(one, exp.Column) and isinstance(other, exp.Column)):
        return False
    return one.name.lower() == other.name.lower() and not (one.table and other.table)


def _replacements(node: Node, replaced: Callable[[Node], str | None]) -> list[Edit]:
    new, place = replaced(node), span(node)
    if new is not None and place is not None:
        return [(*place, new)]
    return [found for child in node.iter_expressions() for found in _replacements(child, replaced)]
