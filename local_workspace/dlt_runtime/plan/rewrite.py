"""Rewriting query plans: names become Delta folders, Auto Loader the staged files, `_metadata` a hidden column.

A plan is changed as a protobuf message before the engine sees it. A replaced node keeps its plan id, since
`df["x"]` refers to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from google.protobuf.message import Message
from pyspark.sql.connect.proto import expressions_pb2, relations_pb2
from pyspark.sql.types import StructType

from local_workspace.dlt_runtime.auto_loader.rows import HIDDEN_METADATA
from local_workspace.dlt_runtime.files.reads import is_file_source, no_delta_folder
from local_workspace.dlt_runtime.plan.answers import as_spark_answers
from local_workspace.dlt_runtime.plan.plans import (
    FILES,
    NamedRead,
    Relation,
    children_of_node,
    cloud_files_reads,
    frame_names,
    walk,
)
from local_workspace.sql import functions, pipeline_sql
from local_workspace.sql.aggregation import text_aggregates
from local_workspace.sql.engine_faults import refuse_faults_of
from local_workspace.sql.tokens import quote_identifier

#: Names of temporary views that stand for the sources of SQL text begin with this.
TEMP_VIEW = "__dlt_view_"
_HIDDEN = f"`{HIDDEN_METADATA}`"
_METADATA = re.compile(r"(?i)(?<![\w.`])`?_metadata`?(?=\s*(\.|$|[^\w.`(]))")
_KEEPS_HIDDEN = frozenset(
    {
        "filter",
        "subquery_alias",
        "with_columns",
        "with_columns_renamed",
        "hint",
        "repartition",
        "repartition_by_expression",
        "with_watermark",
        "drop",
        "limit",
        "sample",
        "sort",
    }
)


class SourceResolver(Protocol):
    """Says what the sources of a plan are replaced by."""

    def table(self, read: NamedRead) -> Relation:
        """Give the relation that a named table stands for."""

    def cloud_files(self, read: relations_pb2.Read) -> Relation:
        """Give the staged rows of an Auto Loader source."""

    def has_column(self, read: relations_pb2.Read, name: str) -> bool:
        """Say whether the files of an Auto Loader source have a column."""

    def path(self, path: str) -> str:
        """Give the place on this machine of a path as pipeline code writes it."""

    def view_name(self, read: NamedRead) -> str:
        """Give the name under which SQL text can read the relation that a named table stands for."""

    def schema(self, relation: Relation) -> StructType | None:
        """Ask the engine for the schema of a relation whose sources are replaced; None where it cannot say."""


def resolve(plan: Relation, resolver: SourceResolver, where: str) -> Relation:  # noqa: PLR0912  (one for each source)
    """Return a copy of a plan in which every source is replaced, ready for the engine."""
    copy = Relation()
    copy.CopyFrom(plan)
    own = frame_names(copy)
    # As in Spark: a column of the files comes first, and only `DataFrame.metadataColumn` still gives the hidden one.
    shadowed = any(resolver.has_column(read, "_metadata") for read in cloud_files_reads(copy))
    if _hide_metadata(copy, by_name=not shadowed):
        _drop_hidden(copy)
    for message in reversed(list(walk(copy))):
        if isinstance(message, Relation) and message.WhichOneof("rel_type") == "sql":
            _end_metadata(message)
    for message in reversed(list(walk(copy))):
        if isinstance(message, Relation) and message.WhichOneof("rel_type") == "with_watermark":
            _end_watermark(message)
    # A list: what takes the place of a source is not to be looked at again.
    messages = list(walk(copy))
    sources: list[Relation] = []
    for message in messages:
        if isinstance(message, Relation) and message.WhichOneof("rel_type") == "read":
            if _replace_read(message, resolver, where):
                sources.append(message)
        elif isinstance(message, relations_pb2.SQL):
            message.query = _replace_text(message.query, resolver, where, own)
        elif isinstance(message, expressions_pb2.Expression.ExpressionString):
            message.expression = _replace_text(message.expression, resolver, where, own)
        elif isinstance(message, expressions_pb2.Expression.UnresolvedFunction):
            functions.refuse(message.function_name)
    finished = {id(part) for source in sources for part in walk(source)}
    as_spark_answers(copy, resolver.schema, sources)
    for message in list(walk(copy)):
        if isinstance(message, expressions_pb2.Expression.ExpressionString) and id(message) not in finished:
            refuse_faults_of(message.expression)
    _limit_aggregations(copy)
    balance_unions(copy)
    return copy


def _end_metadata(relation: Relation) -> None:
    """Keep a star in SQL text from bringing along what `_metadata.file_path` beside it needs of files."""
    text = relation.sql.query
    if (
        FILES in text
        and re.search(r"(?i)\b_metadata`?\s*\.", text)
        and not re.search(r"(?i)\b_metadata\b`?\s*(?![\s.`])", text)
    ):
        inner = Relation()
        inner.CopyFrom(relation)
        relation.Clear()
        relation.CopyFrom(drop_columns(inner, ["_metadata"]))


def _end_watermark(relation: Relation) -> None:
    """Leave out a watermark, which says when state may go: nothing that is served here has any."""
    inner = Relation()
    inner.CopyFrom(relation.with_watermark.input)
    # A node stays, since columns may be named by its plan id.
    relation.project.input.CopyFrom(inner)
    relation.project.expressions.add().unresolved_star.SetInParent()


def files_for_text(staged: Relation, text: str) -> Relation:
    """Give staged files as SQL text sees them: with `_metadata` if the text names it, else without."""
    if not re.search(r"(?i)\b_metadata\b", text):
        return drop_columns(staged, [HIDDEN_METADATA])
    result = Relation()
    result.with_columns_renamed.input.CopyFrom(staged)
    result.with_columns_renamed.rename_columns_map[HIDDEN_METADATA] = "_metadata"
    return result


def _limit_aggregations(plan: Relation) -> None:
    """Keep filters from being moved below an aggregation that has a row without input, see `sql.engine_faults`."""
    # From the leaves upwards: what is wrapped is copied.
    for message in reversed(list(walk(plan))):
        rows = _most_rows(message) if isinstance(message, Relation) else None
        if rows is not None:
            inner = Relation()
            inner.CopyFrom(message)
            message.Clear()
            # The star between: a union that loses its first branch fails over a LIMIT.
            message.project.expressions.add().unresolved_star.SetInParent()
            message.project.input.limit.input.CopyFrom(inner)
            message.project.input.limit.limit = rows


def _most_rows(relation: Relation) -> int | None:
    kind = relation.WhichOneof("rel_type")
    if kind == "aggregate":
        if relation.aggregate.group_type != relations_pb2.Aggregate.GROUP_TYPE_GROUPBY:
            return 2**31 - 1  # a plan holds the number in 32 bits
        return None if relation.aggregate.grouping_expressions else 1
    if kind == "project" and any(_has_aggregate(expression) for expression in relation.project.expressions):
        return 1
    return None


def _has_aggregate(expression: Message) -> bool:
    messages = list(walk(expression))
    if any(isinstance(message, expressions_pb2.Expression.Window) for message in messages):
        return False  # an aggregate beside it in one SELECT list would need GROUP BY
    return any(
        (
            isinstance(message, expressions_pb2.Expression.UnresolvedFunction)
            and functions.is_aggregate(message.function_name)
        )
        or (
            isinstance(message, expressions_pb2.Expression.ExpressionString)
            and text_aggregates(message.expression)
        )
        for message in messages
    )


def _replace_text(text: str, resolver: SourceResolver, where: str, own: set[str]) -> str:
    def replaced(reference: pipeline_sql.TableReference) -> str:
        if reference.name in own or reference.name.startswith(TEMP_VIEW):
            return text[reference.start : reference.end]
        name = resolver.view_name(NamedRead(reference.name, reference.streaming, {"text": text}))
        # The rest of the text may say `orders.id` of a table that it did not give another name.
        alias = reference.called if not reference.name.startswith(FILES) else ""
        return f"{name} AS {quote_identifier(alias)}" if alias else name

    return pipeline_sql.replace_tables(text, where, replaced)


def _replace_read(relation: Relation, resolver: SourceResolver, where: str) -> bool:
    """Put what a read stands for in its place; say whether that is a relation of its own."""
    read = relation.read
    if read.HasField("named_table"):
        replacement = resolver.table(
            NamedRead(read.named_table.unparsed_identifier, read.is_streaming, dict(read.named_table.options))
        )
    elif read.HasField("data_source") and is_file_source(read.data_source):
        replacement = resolver.cloud_files(read)
    else:
        _replace_paths(read.data_source, resolver, where)
        return False
    plan_id = relation.common.plan_id if relation.HasField("common") else None
    relation.CopyFrom(replacement)
    if plan_id is not None:
        relation.common.plan_id = plan_id
    return True


def _replace_paths(source: relations_pb2.Read.DataSource, resolver: SourceResolver, where: str) -> None:
    def local(path: str) -> str:
        place = resolver.path(path)
        if source.format.lower() == "delta" and not (Path(place) / "_delta_log").is_dir():
            raise no_delta_folder(path, where)
        return place

    source.paths[:] = [local(path) for path in source.paths]
    for key in source.options:
        if key.lower() == "path":
            source.options[key] = local(source.options[key])


def delta_read(path: Path, version: int) -> Relation:
    """Read a Delta table at a version."""
    relation = Relation()
    relation.read.data_source.format = "delta"
    relation.read.data_source.paths.append(str(path))
    relation.read.data_source.options["versionAsOf"] = str(version)
    return relation


def parquet_read(path: Path) -> Relation:
    """Read a folder of staged parquet."""
    relation = Relation()
    relation.read.data_source.format = "parquet"
    relation.read.data_source.paths.append(str(path))
    return relation


def sql_relation(text: str) -> Relation:
    """Run SQL text as a relation."""
    relation = Relation()
    relation.sql.query = text
    return relation


def drop_columns(relation: Relation, names: Sequence[str]) -> Relation:
    """Leave columns out."""
    result = Relation()
    result.drop.input.CopyFrom(relation)
    result.drop.column_names.extend(names)
    return result


def filter_true(relation: Relation, conditions: Sequence[str]) -> Relation:
    """Keep the rows for which every condition is true."""
    result = Relation()
    result.filter.input.CopyFrom(relation)
    result.filter.condition.expression_string.expression = " AND ".join(f"({c})" for c in conditions)
    return result


def _drop_hidden(relation: Relation) -> None:
    inner = Relation()
    inner.CopyFrom(relation)
    relation.CopyFrom(drop_columns(inner, [HIDDEN_METADATA]))


def _hide_metadata(relation: Relation, *, by_name: bool) -> bool:
    """Make `_metadata` mean the hidden column of the staged files; say whether the relation still has it.

    On Databricks `_metadata` is a hidden column: any query above the source may ask for it, and a star does
    not bring it along. Here the hidden column is carried upwards as long as the operators are row-wise, and
    dropped below any other one.
    `by_name` says whether the plain name means the hidden column.
    """
    kind = relation.WhichOneof("rel_type")
    if kind is None:
        return False
    node = getattr(relation, kind)
    if kind == "read":
        return bool(node.HasField("data_source") and is_file_source(node.data_source))
    flags = [(child, _hide_metadata(child, by_name=by_name)) for child in children_of_node(node)]
    if kind == "project" and flags and flags[0][1]:
        return _hide_in_project(node, by_name=by_name)
    if kind in _KEEPS_HIDDEN and flags and flags[0][1]:
        _rename_in_expressions(node, by_name=by_name)
        if kind == "with_columns" and any("_metadata" in [n.lower() for n in a.name] for a in node.aliases):
            _drop_hidden(node.input)
            return False
        return True
    for child, hidden in flags:
        if hidden:
            _drop_hidden(child)
    return False


def _hide_in_project(node: Any, *, by_name: bool) -> bool:
    whole = False
    for expression in node.expressions if by_name else ():
        kind = expression.WhichOneof("expr_type")
        if (
            kind == "unresolved_attribute"
            and expression.unresolved_attribute.unparsed_identifier.lower() == "_metadata"
        ):
            whole = True
            original = expressions_pb2.Expression()
            original.CopyFrom(expression)
            expression.alias.expr.CopyFrom(original)
            expression.alias.name.append("_metadata")
        elif kind == "alias" and [n.lower() for n in expression.alias.name] == ["_metadata"]:
            whole = True
    star = any(_is_star(e) for e in node.expressions)
    _rename_in_expressions(node, by_name=by_name)
    if whole:
        # From here on `_metadata` is an ordinary column, so the hidden one ends.
        if star:
            inner = Relation()
            inner.project.CopyFrom(node)
            node.Clear()
            node.input.CopyFrom(drop_columns(inner, [HIDDEN_METADATA]))
            node.expressions.add().unresolved_star.SetInParent()
        return False
    if not star:
        node.expressions.add().unresolved_attribute.unparsed_identifier = _HIDDEN
    return True


def _is_star(expression: Any) -> bool:
    kind = expression.WhichOneof("expr_type")
    if kind == "expression_string":
        return bool(expression.expression_string.expression.strip() == "*")
    return bool(kind == "unresolved_star")


def _rename_in_expressions(node: Message, *, by_name: bool) -> None:
    for _descriptor, value in node.ListFields():
        if isinstance(value, (Relation, str, bytes, int, bool, float)):
            continue
        for item in [value] if isinstance(value, Message) else value:
            if isinstance(item, Message) and not isinstance(item, Relation):
                _rename_metadata(item, by_name=by_name)


def _rename_metadata(expression: Message, *, by_name: bool) -> None:
    for message in walk(expression):
        kind = message.DESCRIPTOR.name
        if kind == "UnresolvedAttribute":
            name: str = message.unparsed_identifier
            head, dot, tail = name.partition(".")
            if head.strip("`").lower() == "_metadata" and (by_name or message.is_metadata_column):
                message.Clear()
                message.unparsed_identifier = _HIDDEN + dot + tail
        elif kind == "ExpressionString" and by_name:
            parts = re.split(r"('(?:[^'\\]|\\.)*')", message.expression)
            parts[::2] = [_METADATA.sub(_HIDDEN, part) for part in parts[::2]]
            message.expression = "".join(parts)


def balance_unions(plan: Relation) -> None:
    """Turn long chains of UNION ALL into balanced trees.

    The engine recurses over a plan, and a chain of hundreds kills it.
    """
    for message in walk(plan):
        if not isinstance(message, Relation) or not _is_union(message):
            continue
        leaves: list[Relation] = []
        pending = [message]
        while pending:
            current = pending.pop()
            if _is_union(current) and _same_union(current, message):
                pending.extend((current.set_op.right_input, current.set_op.left_input))
            else:
                leaves.append(current)
        if len(leaves) > 4:
            settings = relations_pb2.SetOperation()
            settings.CopyFrom(message.set_op)
            settings.ClearField("left_input")
            settings.ClearField("right_input")
            message.set_op.CopyFrom(_tree(leaves, settings).set_op)


def _is_union(relation: Relation) -> bool:
    return (
        relation.WhichOneof("rel_type") == "set_op"
        and relation.set_op.set_op_type == relations_pb2.SetOperation.SET_OP_TYPE_UNION
        and relation.set_op.is_all
    )


def _same_union(a: Relation, b: Relation) -> bool:
    # By name, the columns of the first branch count, so only plain unions may be regrouped freely; by-name
    # ones keep that property when their order is kept, and do not when missing columns are allowed.
    return a.set_op.by_name == b.set_op.by_name and not a.set_op.allow_missing_columns


def _tree(leaves: Sequence[Relation], settings: relations_pb2.SetOperation) -> Relation:
    if len(leaves) == 1:
        return leaves[0]
    middle = len(leaves) // 2
    result = Relation()
    result.set_op.CopyFrom(settings)
    result.set_op.left_input.CopyFrom(_tree(leaves[:middle], settings))
    result.set_op.right_input.CopyFrom(_tree(leaves[middle:], settings))
    return result
