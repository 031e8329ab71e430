"""Streaming operators that need rows of earlier batches: which there are in a plan, and what they ask of their state.

Served are those of Spark's append mode: `dropDuplicates`, `dropDuplicatesWithinWatermark`, aggregation by windows of event
time, and inner joins of two streams; and of its complete mode, aggregation without a watermark. The names and rules are
those of Apache Spark's guide to Structured Streaming
(section "Operations on streaming DataFrames/Datasets").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql.connect.proto import expressions_pb2, relations_pb2
from sqlglot import exp

from local_workspace.dlt_runtime.plan.plans import Relation, children_of, refusals, streams, walk
from local_workspace.errors import NotSupported, PipelineCodeError
from local_workspace.sql import pipeline_sql
from local_workspace.sql.inference import call_of

#: Gives the plan that a name stands for, if it is a view of the pipeline.
ViewPlan = Callable[[str], Relation | None]

_UNITS = {
    "microsecond": 1, "millisecond": 1_000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000,
    "day": 86_400_000_000, "week": 7 * 86_400_000_000,
}  # fmt: skip
_PART = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+?)s?\b")
_KEEPS_NAMES = frozenset(
    {
        "filter",
        "hint",
        "repartition",
        "repartition_by_expression",
        "subquery_alias",
        "drop_na",
        "deduplicate",
        "set_op",
    }
)


@dataclass(frozen=True)
class EventTime:
    """A column that carries the event time of a watermark.

    Attributes:
        name: Of the column, in the operator that is looked at.
        window: Whether it is a window, whose end counts.
        delay: Of the watermark, in microseconds.
    """

    name: str
    window: bool
    delay: int


def duration(text: str, what: str) -> int:
    """Read a duration such as `10 minutes` or `interval 1 hour 30 minutes`, in microseconds.

    Raises:
        PipelineCodeError: It cannot be read, or it has months, whose length varies.
    """
    rest = text.strip().lower().removeprefix("interval").strip().replace("'", " ").replace('"', " ")
    found = _PART.findall(rest)
    if not found or _PART.sub("", rest).strip():
        raise PipelineCodeError(
            f"{what} is no duration", got=repr(text), allowed="for example '10 minutes' or '1 day'"
        )
    total = 0
    for number, unit in found:
        if unit not in _UNITS:
            raise PipelineCodeError(
                f"{what} has a unit without a fixed length", got=repr(text), allowed=", ".join(_UNITS)
            )
        total += round(float(number) * _UNITS[unit])
    return total


def is_join_of_streams(relation: Relation) -> bool:
    """Say whether both sides of a join stream."""
    return relation.WhichOneof("rel_type") == "join" and all(streams(side) for side in children_of(relation))


def is_stateful(relation: Relation) -> bool:
    """Say whether an operator over a stream needs rows of earlier batches."""
    kind = relation.WhichOneof("rel_type")
    if kind in {"deduplicate", "aggregate"}:
        return streams(relation)
    return is_join_of_streams(relation)


def stateful_operators(plan: Relation) -> list[Relation]:
    """List the operators of a plan that need state, from the sources upwards."""
    found = [m for m in walk(plan) if isinstance(m, Relation) and is_stateful(m)]
    return found[::-1]


def check(plan: Relation, refuse: Callable[..., NotSupported]) -> None:
    """Refuse what Spark's append mode refuses, and the combinations that are not served.

    Raises:
        NotSupported: The operator is named.
    """
    operators = stateful_operators(plan)
    for operator in operators:
        kind = operator.WhichOneof("rel_type")
        below = [m for m in operators if m is not operator and any(m is inner for inner in walk(operator))]
        if any(m.WhichOneof("rel_type") != "deduplicate" for m in below):
            raise refuse(
                "A second operator with state above an aggregation or a join",
                "Write the first into a streaming table of its own, and read that as a stream",
            )
        if kind == "aggregate":
            _check_aggregate(operator.aggregate, refuse)
        if kind == "join" and operator.join.join_type != relations_pb2.Join.JOIN_TYPE_INNER:
            name = relations_pb2.Join.JoinType.Name(operator.join.join_type).removeprefix("JOIN_TYPE_")
            raise refuse(
                f"A {name.replace('_', ' ').lower()} join of two streams",
                "Write an inner join, or put the join into a @dlt.table whose query is a batch one (a materialized view)",
            )


def _check_aggregate(aggregate: Any, refuse: Callable[..., NotSupported]) -> None:
    if aggregate.group_type != relations_pb2.Aggregate.GROUP_TYPE_GROUPBY:
        raise refuse("Aggregation by pivot, cube, rollup or grouping sets")
    for expression in aggregate.aggregate_expressions:
        for message in walk(expression):
            if isinstance(message, expressions_pb2.Expression.UnresolvedFunction) and message.is_distinct:
                raise refuse(
                    f"Aggregation by {message.function_name}(DISTINCT ...)",
                    "Use approx_count_distinct, or a @dlt.table whose query is a batch one (a materialized view)",
                )
            if isinstance(message, expressions_pb2.Expression.Window):
                raise refuse("A window function")
    for expression in aggregate.grouping_expressions:
        if any(_calls(m, "session_window") for m in walk(expression)):
            raise refuse(
                "Aggregation by session_window",
                "Use window, or a @dlt.table whose query is a batch one (a materialized view)",
            )


def _calls(message: Any, name: str) -> bool:
    return (
        isinstance(message, expressions_pb2.Expression.UnresolvedFunction)
        and message.function_name.lower() == name
    )


def spell_out_windows(plan: Relation) -> None:
    """Turn windows that a grouping writes as SQL text, `expr("window(at, '5 minutes')")`, into calls, which can be read."""
    for message in walk(plan):
        if not isinstance(message, Relation) or message.WhichOneof("rel_type") != "aggregate":
            continue
        for expression in message.aggregate.grouping_expressions:
            for part in walk(expression):
                if (
                    isinstance(part, expressions_pb2.Expression)
                    and part.WhichOneof("expr_type") == "expression_string"
                ):
                    _spell_out(part)


def _spell_out(expression: Any) -> None:
    tree = pipeline_sql.parse(expression.expression_string.expression, "a grouping")
    name, arguments = call_of(tree.unalias())
    if name != "window" or not arguments:
        return
    column = arguments[0]
    if not isinstance(column, exp.Column) or not all(
        isinstance(a, exp.Literal) and a.is_string for a in arguments[1:]
    ):
        raise NotSupported(
            "A window over more than a column, or of a length that is not a constant, in SQL text",
            "Compute the time as a column before, and write the length as text: window(at, '5 minutes')",
            got=expression.expression_string.expression[:80],
        )
    target, alias = expression, tree.alias
    expression.Clear()
    if alias:
        expression.alias.name.append(alias)
        target = expression.alias.expr
    target.unresolved_function.function_name = "window"
    given = target.unresolved_function.arguments.add()
    given.unresolved_attribute.unparsed_identifier = ".".join(part.name for part in column.parts)
    for argument in arguments[1:]:
        target.unresolved_function.arguments.add().literal.string = argument.name


def described(operator: Relation) -> str:
    """Describe an operator by what its state depends on: under another description the state means nothing."""
    kind = operator.WhichOneof("rel_type")
    if kind == "deduplicate":
        keys = ", ".join(operator.deduplicate.column_names) or "all columns"
        within = "WithinWatermark" if operator.deduplicate.within_watermark else ""
        return f"dropDuplicates{within}({keys})"
    if kind == "aggregate":
        return f"aggregation by {', '.join(map(_shown, operator.aggregate.grouping_expressions))}"
    return "inner join"


def _shown(expression: Any) -> str:
    parts = []
    for message in walk(expression):
        kind = message.DESCRIPTOR.name
        if kind == "UnresolvedAttribute":
            parts.append(message.unparsed_identifier)
        elif kind == "UnresolvedFunction":
            parts.append(message.function_name)
        elif kind == "ExpressionString":
            parts.append(message.expression)
        elif kind == "Literal":
            parts.append(str(getattr(message, str(message.WhichOneof("literal_type")))))
    return " ".join(parts)


def event_times(  # noqa: PLR0911  (one an operator)
    relation: Relation, view_plan: ViewPlan
) -> list[EventTime]:
    """List the columns of a query that carry the event time of a watermark, under the names they have there."""
    kind = relation.WhichOneof("rel_type")
    node: Any = getattr(relation, kind) if kind else None
    if kind == "read":
        if not relation.read.HasField("named_table"):
            return []
        view = view_plan(relation.read.named_table.unparsed_identifier)
        return [] if view is None else event_times(view, view_plan)
    if kind == "with_watermark":
        name = node.event_time.rpartition(".")[2].strip("`")
        below = [e for e in event_times(node.input, view_plan) if e.name.lower() != name.lower()]
        return [
            *below,
            EventTime(name, window=False, delay=duration(node.delay_threshold, "The delay of withWatermark")),
        ]
    if kind == "join":
        return [*event_times(node.left, view_plan), *event_times(node.right, view_plan)]
    children = children_of(relation)
    if not children:
        return []
    below = event_times(children[0], view_plan)
    if kind in _KEEPS_NAMES or not below:
        return below
    if kind == "project":
        return list(_projected(node.expressions, below))
    if kind == "aggregate":
        return list(_projected(node.grouping_expressions, below))
    if kind == "with_columns":
        given = {alias.name[0].lower() for alias in node.aliases if alias.name}
        kept = [e for e in below if e.name.lower() not in given]
        return [*kept, *(found for alias in node.aliases for found in _of_alias(alias, below))]
    if kind == "with_columns_renamed":
        renamed = {old.lower(): new for old, new in node.rename_columns_map.items()}
        renamed |= {pair.col_name.lower(): pair.new_col_name for pair in node.renames}
        return [EventTime(renamed.get(e.name.lower(), e.name), e.window, e.delay) for e in below]
    if kind == "drop":
        gone = {n.lower() for n in node.column_names} | {
            n.lower() for c in node.columns for n in _attribute(c)
        }
        return [e for e in below if e.name.lower() not in gone]
    return []


def _projected(expressions: Sequence[Any], below: list[EventTime]) -> Iterator[EventTime]:
    for expression in expressions:
        kind = expression.WhichOneof("expr_type")
        if kind == "unresolved_star" or (
            kind == "expression_string" and expression.expression_string.expression.strip() == "*"
        ):
            yield from below
        elif kind == "alias":
            yield from _of_alias(expression.alias, below)
        else:
            yield from _of_expression(expression, below, None)


def _of_alias(alias: Any, below: list[EventTime]) -> Iterator[EventTime]:
    yield from _of_expression(alias.expr, below, alias.name[0] if alias.name else None)


def _of_expression(expression: Any, below: list[EventTime], name: str | None) -> Iterator[EventTime]:
    """Return what an expression makes of an event time: the column itself, or a window of it."""
    for attribute in _attribute(expression):
        for known in below:
            if known.name.lower() == attribute.lower():
                yield EventTime(name or known.name, known.window, known.delay)
    if expression.WhichOneof("expr_type") == "unresolved_function":
        call = expression.unresolved_function
        if call.function_name.lower() == "window" and call.arguments:
            for known in below:
                if known.name.lower() in [a.lower() for a in _attribute(call.arguments[0])]:
                    yield EventTime(name or "window", window=True, delay=known.delay)


def _attribute(expression: Any) -> list[str]:
    """Return the name of a column that an expression is nothing but; none if it is more."""
    kind = expression.WhichOneof("expr_type")
    if kind == "unresolved_attribute":
        text = expression.unresolved_attribute.unparsed_identifier
    elif kind == "expression_string":
        text = expression.expression_string.expression
    else:
        return []
    last = re.fullmatch(r"(?:(?:\w+|`[^`]+`)\.)*(\w+|`[^`]+`)", text.strip())
    return [last[1].strip("`")] if last else []


def longest_window(aggregate: Any) -> int:
    """Give the length of the windows of an aggregation in microseconds; 0 if it groups by the event time itself."""
    calls = [
        message
        for expression in aggregate.grouping_expressions
        for message in walk(expression)
        if _calls(message, "window") and len(message.arguments) > 1
    ]
    lengths = [duration(call.arguments[1].literal.string, "The length of a window") for call in calls]
    return max(lengths, default=0)


def no_watermark(operation: str, flow: str) -> NotSupported:
    """Make the refusal of an operator that no watermark ever closes."""
    return NotSupported(
        f"{operation} on a streaming source without a watermark on what it goes by (flow {flow})",
        "Give it one: withWatermark('at', '10 minutes').groupBy(window('at', '5 minutes')); or put the operation into"
        " a @dlt.table whose query is a batch one (a materialized view)",
    )


def check_watermarks(plan: Relation, view_plan: ViewPlan, flow: str, *, alone: bool = True) -> None:
    """Refuse doubles within a watermark that nothing closes, and what cannot stand beside a complete aggregation.

    Args:
        plan: The query.
        view_plan: Gives the plans of views.
        flow: For messages.
        alone: Whether the flow is the only one of a table, which each update may therefore replace.

    Raises:
        NotSupported: There is one.
    """
    refuse = refusals(flow)
    for operator in stateful_operators(plan):
        if (
            operator.WhichOneof("rel_type") == "deduplicate"
            and operator.deduplicate.within_watermark
            and not event_times(operator, view_plan)
        ):
            raise no_watermark("dropDuplicatesWithinWatermark", flow)
    whole = gives_all(plan, view_plan)
    if whole and not alone:
        raise refuse(
            "Aggregation without a watermark in one of several flows, or in a flow into a sink,",
            "Each update would replace the rows of the other flows: write the aggregation into a table of its own, or give "
            "it a watermark: withWatermark('at', '10 minutes').groupBy(window('at', '5 minutes'))",
        )
    for message in walk(plan):
        if not isinstance(message, Relation):
            continue
        kind = message.WhichOneof("rel_type")
        if kind in {"set_op", "join"} and len(children_of(message)) > 1:
            sides = [(streams(side), gives_all(side, view_plan)) for side in children_of(message)]
            if any(all_rows for _, all_rows in sides) and all(streaming for streaming, _ in sides):
                raise refuse(
                    "A union or join of a stream with an aggregation without a watermark",
                    "Write the aggregation into a table of its own, or put the whole into a @dlt.table whose query is a"
                    " batch one (a materialized view)",
                )
        if kind in {"sort", "limit"} and streams(message) and not whole:
            raise refuse("Sorting" if kind == "sort" else "limit")


def gives_all(plan: Relation, view_plan: ViewPlan) -> bool:
    """Say whether each update of a query gives its whole result, as Spark's complete mode does, not only new rows.

    It does where rows are aggregated without a watermark that would ever close a group.
    """
    for message in walk(plan):
        if not isinstance(message, Relation):
            continue
        kind = message.WhichOneof("rel_type")
        if kind == "aggregate" and streams(message) and not event_times(message, view_plan):
            return True
        names: list[str] = []
        if kind == "read" and message.read.HasField("named_table") and message.read.is_streaming:
            names = [message.read.named_table.unparsed_identifier]
        elif kind == "sql":
            names = [
                r.name for r in pipeline_sql.table_references(message.sql.query, "a query") if r.streaming
            ]
        for view in filter(None, map(view_plan, names)):
            if gives_all(view, view_plan):
                return True
    return False
