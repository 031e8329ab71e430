"""Whether the text of a SQL query streams, and what it does to a stream that batches alone cannot compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql import pipeline_sql
from local_workspace.sql.dialect import Node

#: Makes the refusal of an operation; the second argument is the way out, if it is not the usual one.
Refuse = Callable[..., NotSupported]

#: For a union of a stream and a batch: Spark refuses it, because the rows of the batch would come with every update.
UNION_WAY_OUT = (
    "Read both as streams, or give each a flow of its own into one table: @dlt.append_flow, with once=True for that of "
    "the batch"
)
_MARK = "__stream_"


def sql_streams(text: str, where: str, refuse: Refuse, given: Iterable[str] = ()) -> bool:
    """Say whether a query streams, and refuse what each batch of new rows alone cannot answer.

    Args:
        text: The query.
        where: For messages.
        refuse: Makes a refusal.
        given: Names in the text that stand for streaming DataFrames.

    Raises:
        NotSupported: Such an operation is there.
    """
    streaming = {name.lower() for name in given}
    if not streaming and not any(r.streaming for r in pipeline_sql.table_references(text, where)):
        return False
    for kind, name in (
        (exp.Group, "GROUP BY"),
        (exp.Distinct, "DISTINCT"),
        (exp.Window, "A window function"),
        (exp.Order, "ORDER BY"),
        (exp.Limit, "LIMIT"),
        (exp.Except, "EXCEPT"),
        (exp.Intersect, "INTERSECT"),
    ):
        if pipeline_sql.parse(text, where).find(kind) is not None:
            raise refuse(name)
    problem = pipeline_sql.needs_other_rows(text, where)
    if problem is not None:
        raise refuse(problem)

    def marked(reference: pipeline_sql.TableReference) -> str:
        if not reference.streaming:
            return text[reference.start : reference.end]
        streaming.add(name := f"{_MARK}{reference.start}")
        return name

    tree = pipeline_sql.parse(pipeline_sql.replace_tables(text, where, marked), where)
    return _Query(refuse, streaming).streams(tree)


class _Query:
    """A query whose streaming tables have names that are known."""

    def __init__(self, refuse: Refuse, streaming: set[str]) -> None:
        self.refuse, self.streaming = refuse, set(streaming)

    def streams(self, node: Node | None) -> bool:
        """Say whether the rows of a query or table are those of a stream."""
        if node is None:
            return False
        with_ = node.args.get("with_") or node.args.get("with")
        for cte in with_.expressions if with_ is not None else ():
            if self.streams(cte.this):
                self.streaming.add(cte.alias.lower())
        if isinstance(node, exp.SetOperation):
            return self._union(node)
        if isinstance(node, exp.Select):
            return self._select(node)
        if isinstance(node, exp.Table):
            return self._joined(len(node.parts) == 1 and node.name.lower() in self.streaming, node)
        if isinstance(node, (exp.Subquery, exp.Paren)):
            return self._joined(self.streams(node.this), node)
        return False

    def _union(self, node: exp.SetOperation) -> bool:
        flags = self.streams(node.left), self.streams(node.right)
        if any(flags) and node.args.get("distinct"):
            raise self.refuse(
                "UNION, which removes duplicates,", "Write UNION ALL, and remove duplicates in a batch query"
            )
        if any(flags) and not all(flags):
            raise self.refuse("A union with a batch query", UNION_WAY_OUT)
        return all(flags)

    def _select(self, node: exp.Select) -> bool:
        start = node.args.get("from_") or node.args.get("from")
        result = self._joined(start is not None and self.streams(start.this), node)
        mine = {id(start), *map(id, node.args.get("joins") or ())}
        for part in (child for child in node.iter_expressions() if id(child) not in mine):
            for query in [] if isinstance(part, exp.With) else part.find_all(exp.Select):
                if self.streams(query):
                    raise self.refuse("A subquery within an expression")
        return result

    def _joined(self, left: bool, node: Node) -> bool:
        for join in node.args.get("joins") or ():
            right = self.streams(join.this)
            if left and right:
                raise self.refuse("A join with another stream")
            side, kind = str(join.side or "").upper(), str(join.kind or "").upper()
            if (right and (side in {"LEFT", "FULL"} or kind in {"SEMI", "ANTI"})) or (
                left and side in {"RIGHT", "FULL"}
            ):
                raise self.refuse(
                    f"{side or 'LEFT'} {kind} JOIN with the stream on this side".replace("  ", " ")
                )
            left = left or right
        return left
