"""Refreshing a materialized view by the groups that new rows can have changed.

The rule is sound for a query that is one chain over one append-only table: row-wise operators and *stages*, each of which
computes the rows of one group from that group alone. A stage is an aggregation by columns, or window functions over
partitions of columns. Every stage's key consists of columns of the table itself, which nothing on the way changes.

With stages 1..n, keys K1..Kn and new rows D:

* Upwards: groups of stage 1 with a row in D may come out otherwise; groups of stage i + 1 may do so if any row of the table
  belongs to them and to such a group of stage i. A row that moves between groups of stage i + 1 is in both of them.
* Downwards: to compute those groups of stage n, every group of stage n - 1 is needed with which they share a row, in full;
  and so on down to stage 1.

So the query runs over the rows whose K1 is needed, its result is kept for the groups of stage n that may have changed, and
all other rows of the view stay. A group that no longer gives any row vanishes. Keys compare with `<=>`: NULL is a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from pyspark.sql.connect import functions as f
from pyspark.sql.connect.proto import expressions_pb2, relations_pb2

from local_workspace.dlt_runtime.own_columns import KEY
from local_workspace.dlt_runtime.plan import incremental, rewrite
from local_workspace.dlt_runtime.plan.plans import Relation, walk
from local_workspace.dlt_runtime.plan.session import PipelineSession, data_frame, relation_of
from local_workspace.dlt_runtime.refresh.staging import stage_query
from local_workspace.sql import functions
from local_workspace.sql.tokens import quote_identifier

_OF_THE_FRAME = frozenset({"first_value", "last_value"})
_WINDOW_PARTS = frozenset({"Window", "WindowFrame", "FrameBoundary", "SortOrder"})
_ROW_WISE = frozenset({"project", "filter", "with_columns", "with_columns_renamed", "drop", "subquery_alias"})


@dataclass(frozen=True)
class KeyedPlan:
    """A query that can be refreshed by groups.

    Attributes:
        source: The table that it reads, as written.
        keys: The key columns of each stage, from the table upwards.
    """

    source: str
    keys: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ChangedGroups:
    """What a refresh by groups needs.

    Attributes:
        groups: Where the keys of the last stage's groups are staged that may have changed.
        count: How many they are.
        rows: The rows of the table that they are computed from.
    """

    groups: Path
    count: int
    rows: Relation


def keyed_plan(plan: Relation, where: str) -> KeyedPlan | str:
    """Read the stages of a query, or say what keeps it from being refreshed by groups."""
    chain = list(_chain(plan))
    leaf = chain[-1]
    if leaf.WhichOneof("rel_type") != "read" or not leaf.read.HasField("named_table"):
        return f"PLAN_NOT_INCREMENTALIZABLE: {leaf.WhichOneof('rel_type')}"
    stages: list[tuple[int, tuple[str, ...]]] = []
    for at, relation in enumerate(chain[:-1]):
        problem = _why_not(relation, where)
        key = None if problem else _stage_key(relation)
        if problem or key == ():
            return problem or "PLAN_NOT_INCREMENTALIZABLE: a group over all rows"
        if key is not None:
            stages.append((at, key))
    if not stages:
        return "PLAN_NOT_INCREMENTALIZABLE: no group"
    # From the root down: the last stage's key has to reach the result, every key has to come up from the table unchanged.
    for at, key in stages:
        for relation in chain[at + 1 if at != stages[0][0] else 0 : -1]:
            if not all(_keeps(relation, column) for column in key):
                return f"KEY_NOT_A_COLUMN_OF_THE_SOURCE: {', '.join(key)}"
    return KeyedPlan(leaf.read.named_table.unparsed_identifier, tuple(key for _at, key in reversed(stages)))


def _chain(plan: Relation) -> Iterator[Relation]:
    """Return the operators from the root down, as long as each has one input."""
    relation = plan
    while True:
        yield relation
        kind = relation.WhichOneof("rel_type")
        if kind not in _ROW_WISE and kind != "aggregate":
            return
        relation = getattr(relation, kind).input


def _why_not(relation: Relation, where: str) -> str | None:
    kind = relation.WhichOneof("rel_type")
    also: Callable[[str], bool] = incremental.no_function
    if kind == "aggregate":
        if relation.aggregate.group_type != relations_pb2.Aggregate.GROUP_TYPE_GROUPBY:
            return "PLAN_NOT_INCREMENTALIZABLE: grouping sets"
        also = functions.is_of_its_group
    elif _windows(relation):
        also = _in_a_window
    for message in _own_messages(relation):
        if not message.DESCRIPTOR.full_name.startswith("spark.connect.Expression"):
            continue
        if also is _in_a_window and message.DESCRIPTOR.name in _WINDOW_PARTS:
            continue
        problem = incremental.why_not_expression(message, where, also=also)
        if problem is not None:
            return problem
    return None


def _in_a_window(name: str) -> bool:
    # The engine may order rows with equal keys in either way, here as on Databricks.
    return functions.is_window(name) or functions.is_of_its_group(name) or name in _OF_THE_FRAME


def _own_messages(relation: Relation) -> Iterator[Message]:
    """Return the messages of one operator without those of its input."""
    kind = relation.WhichOneof("rel_type")
    node: Any = getattr(relation, str(kind))
    for descriptor, value in node.ListFields():
        if descriptor.name == "input" or descriptor.message_type is None:
            continue
        for item in [value] if isinstance(value, Message) else value:
            if isinstance(item, Message):
                yield from walk(item)


def _windows(relation: Relation) -> list[Any]:
    return [m for m in _own_messages(relation) if isinstance(m, expressions_pb2.Expression.Window)]


def _stage_key(relation: Relation) -> tuple[str, ...] | None:
    """Return the key columns of a stage, none if it is a group over everything or not over columns; None for no stage."""
    if relation.WhichOneof("rel_type") == "aggregate":
        return _columns(relation.aggregate.grouping_expressions)
    keys = {_columns(window.partition_spec) for window in _windows(relation)}
    if not keys:
        return None
    return keys.pop() if len(keys) == 1 else ()


def _columns(expressions: Sequence[Any]) -> tuple[str, ...]:
    names = [
        e.unresolved_attribute.unparsed_identifier
        if e.WhichOneof("expr_type") == "unresolved_attribute"
        else ""
        for e in expressions
    ]
    return tuple(n.lower() for n in names) if all(n and not set(n) & set(".`") for n in names) else ()


def _keeps(relation: Relation, column: str) -> bool:
    """Whether a column of the input is the same column of the output."""
    kind = relation.WhichOneof("rel_type")
    if kind == "aggregate":
        return column in _columns(relation.aggregate.grouping_expressions)
    if kind == "project":
        return _selects(relation.project.expressions, column)
    touched: list[str] = []
    if kind == "with_columns":
        touched = [name for alias in relation.with_columns.aliases for name in alias.name]
    elif kind == "with_columns_renamed":
        renamed = relation.with_columns_renamed
        touched = [name for pair in renamed.rename_columns_map.items() for name in pair]
        touched += [name for pair in renamed.renames for name in (pair.col_name, pair.new_col_name)]
    elif kind == "drop":
        touched = [*relation.drop.column_names, *(n for e in relation.drop.columns for n in _columns([e]))]
    return column not in {name.lower() for name in touched}


def _selects(expressions: Sequence[Any], column: str) -> bool:
    found = 0
    for expression in expressions:
        what = expression.WhichOneof("expr_type")
        if what == "alias":
            if column in [name.lower() for name in expression.alias.name]:
                return False
        elif what == "unresolved_star" or _columns([expression]) == (column,):
            found += 1
        elif what != "unresolved_attribute":
            return False  # a text, or something that brings columns of its own
    return found == 1


def changed_groups(
    plan: KeyedPlan, new: Relation, table: Relation, *, session: PipelineSession, folder: Path, flow: str
) -> ChangedGroups:
    """Find the groups that new rows can have changed, and the rows that these are computed from.

    Args:
        plan: The stages.
        new: The new rows.
        table: All rows, the new ones included.
        session: A session that is not guarded.
        folder: An empty folder.
        flow: For messages.
    """

    def staged(keys: Any, name: str) -> tuple[Any, int]:
        written = stage_query(relation_of(keys, session), (), folder / name, session, flow, small=True)
        return data_frame(rewrite.parquet_read(folder / name), session), written.counts.rows

    rows = data_frame(table, session)
    keys = _distinct(data_frame(new, session), plan.keys[0])
    for below, above in pairwise(plan.keys):
        keys = _distinct(_those(rows, keys, below), above)
    changed, count = staged(keys, "changed")
    needed = changed
    for at, (above, below) in enumerate(pairwise(reversed(plan.keys))):
        needed, _count = staged(_distinct(_those(rows, needed, above), below), f"needed-{at}")
    return ChangedGroups(folder / "changed", count, relation_of(_those(rows, needed, plan.keys[0]), session))


def replaced_groups(
    plan: KeyedPlan, groups: ChangedGroups, view: Relation, computed: Relation, session: PipelineSession
) -> Relation:
    """Give the view's rows with those of the changed groups replaced.

    Args:
        plan: The stages.
        groups: The changed groups.
        view: The view as it is.
        computed: What the query gives over the rows of `groups`, in the columns of the view.
        session: A session that is not guarded.
    """
    keys = data_frame(rewrite.parquet_read(groups.groups), session)
    kept = _those(data_frame(view, session), keys, plan.keys[-1], "left_anti")
    fresh = _those(data_frame(computed, session), keys, plan.keys[-1])
    return relation_of(kept.unionByName(fresh), session)


def _distinct(rows: Any, columns: Sequence[str]) -> Any:
    return rows.select(
        *[f.col(quote_identifier(c)).alias(f"{KEY}{at}") for at, c in enumerate(columns)]
    ).distinct()


def _those(rows: Any, keys: Any, columns: Sequence[str], how: str = "left_semi") -> Any:
    condition = " AND ".join(f"{quote_identifier(c)} <=> `{KEY}{at}`" for at, c in enumerate(columns))
    return rows.join(keys, f.expr(condition), how)
