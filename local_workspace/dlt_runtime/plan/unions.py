"""Set operations: both sides get Spark's least common types, and by name the columns that one side lacks."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql.connect.proto import relations_pb2
from pyspark.sql.types import DataType

from local_workspace.sql import spark_types as types
from local_workspace.sql.inference import Columns
from local_workspace.sql.rewrites.common_types import cast_template
from local_workspace.sql.tokens import quote_identifier

Relation = relations_pb2.Relation


def united(relation: Relation, columns_of: Callable[[Relation], Columns | None]) -> None:
    """Change a set operation in place. Of a plan, the engine takes the types of the left side.

    Args:
        relation: The operation.
        columns_of: Gives the columns of a relation.
    """
    node = relation.set_op
    left, right = columns_of(node.left_input), columns_of(node.right_input)
    if left is None or right is None:
        return
    if node.by_name:
        wanted = _by_name(left, right, missing=node.allow_missing_columns)
        if wanted is None:
            return  # the engine says what is wrong with it
        _select(node.left_input, left, wanted, by_name=True)
        _select(node.right_input, right, wanted, by_name=True)
        node.by_name, node.allow_missing_columns = False, False
    elif len(left) == len(right):
        wanted = [(name, types.common_type(a, b)) for (name, a), (_, b) in zip(left, right, strict=True)]
        _select(node.left_input, left, wanted, by_name=False)
        _select(node.right_input, right, wanted, by_name=False)


def unpivoted(relation: Relation, columns_of: Callable[[Relation], Columns | None]) -> None:
    """Bring the columns that an unpivot puts into one to their least common type, in place."""
    node = relation.unpivot
    columns = columns_of(node.input)
    if columns is None or not node.HasField("values"):
        return
    kinds = {name.lower(): kind for name, kind in columns}
    names = [v.unresolved_attribute.unparsed_identifier.strip("`").lower() for v in node.values.values]
    common = types.common_of([kinds.get(name) for name in names])
    if common is None or len(kinds) != len(columns):
        return
    wanted = [(name, common if name.lower() in names else kind) for name, kind in columns]
    _select(node.input, columns, wanted, by_name=False)


def _by_name(left: Columns, right: Columns, *, missing: bool) -> Columns | None:
    ours, theirs = ({name.lower(): kind for name, kind in side} for side in (left, right))
    if len(ours) != len(left) or len(theirs) != len(right):
        return None
    if not missing and ours.keys() != theirs.keys():
        return None
    if any(_struct_differs(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()):
        return None
    common = [
        (name, types.common_type(kind, theirs[name.lower()]) if name.lower() in theirs else kind)
        for name, kind in left
    ]
    return [*common, *((name, kind) for name, kind in right if name.lower() not in ours)]


def _struct_differs(a: DataType | None, b: DataType | None) -> bool:
    """Return whether two types have structs within that differ, of which fields are matched by name."""
    return a != b and "struct" in f"{a} {b}".lower()


def _select(side: Relation, given: Columns, wanted: Columns, *, by_name: bool) -> None:
    """Cast the columns of one side."""
    at = {name.lower(): place for place, (name, _) in enumerate(given)}
    values: list[str] = []
    is_same = len(given) == len(wanted)
    for place, (name, kind) in enumerate(wanted):
        source = at.get(name.lower()) if by_name else place
        if source is None:
            values.append("CAST(NULL AS " + (types.sql_name(kind) if kind is not None else "STRING") + ")")
            is_same = False
            continue
        own = given[source][1]
        value = quote_identifier(f"c_{source}")
        if own is not None and kind is not None and own != kind:
            value = cast_template(own, kind).replace("{0}", value).replace("{{", "{").replace("}}", "}")
            is_same = False
        is_same = is_same and source == place
        values.append(value)
    if is_same:
        return
    inner = Relation()
    inner.to_df.input.CopyFrom(side)
    inner.to_df.column_names.extend(f"c_{place}" for place in range(len(given)))
    plan_id = side.common.plan_id if side.common.HasField("plan_id") else None
    inner.to_df.input.ClearField("common")
    side.Clear()
    if plan_id is not None:
        side.common.plan_id = plan_id
    side.project.input.CopyFrom(inner)
    for (name, _), value in zip(wanted, values, strict=True):
        alias = side.project.expressions.add().alias
        alias.expr.expression_string.expression = value
        alias.name.append(name)
