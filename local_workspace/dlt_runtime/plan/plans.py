"""Reading query plans of Spark Connect: what a query reads, whether it streams, whether its answer is stable.

A plan is a protobuf message that no engine has looked at yet, so it can name tables that do not exist. Field
names are those of `spark/connect/relations.proto` (Apache Spark 4.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from pyspark.sql.connect.proto import expressions_pb2, relations_pb2

from local_workspace.dlt_runtime.files.reads import FORMATS, FileRead, check_source, is_file_source
from local_workspace.dlt_runtime.plan.sql_streams import UNION_WAY_OUT, sql_streams
from local_workspace.errors import NotSupported, PipelineCodeError
from local_workspace.sql import functions, pipeline_sql
from local_workspace.sql.tokens import tokenize

Relation = relations_pb2.Relation


def walk(message: Message) -> Iterator[Message]:
    """Give a message and every message inside it, parents first. A loop, not a recursion.

    Plans may be deep.
    """
    pending = [message]
    while pending:
        current = pending.pop()
        yield current
        children: list[Message] = []
        for descriptor, value in current.ListFields():
            if descriptor.message_type is None:
                continue
            if descriptor.message_type.GetOptions().map_entry:
                children.extend(v for v in value.values() if isinstance(v, Message))
            elif isinstance(value, Message):
                children.append(value)
            else:
                children.extend(value)
        pending.extend(reversed(children))


@dataclass(frozen=True)
class NamedRead:
    """A table that a query reads by name."""

    name: str
    streaming: bool
    options: dict[str, str] = field(default_factory=dict, hash=False, compare=False)

    @property
    def by_path(self) -> bool:
        """Whether the name stands for files or a folder that the query names by path."""
        return self.name.startswith(FILES)


def named_reads(plan: Relation, where: str) -> list[NamedRead]:
    """List the tables that a plan reads, those in SQL text included, in order of appearance."""
    found: list[NamedRead] = []
    own = frame_names(plan)
    for message in walk(plan):
        if isinstance(message, relations_pb2.Read) and message.HasField("named_table"):
            found.append(
                NamedRead(
                    message.named_table.unparsed_identifier,
                    message.is_streaming,
                    dict(message.named_table.options),
                )
            )
        else:
            text = text_of(message)
            if text is not None:
                references = pipeline_sql.table_references(text, where)
                found.extend(NamedRead(r.name, r.streaming) for r in references if r.name not in own)
    return found


def rename_tables(plan: Relation, renamed: Callable[[str], str], where: str) -> None:
    """Give the tables that a plan reads other names, those in SQL text included."""
    own = frame_names(plan)

    def in_text(reference: pipeline_sql.TableReference) -> str:
        name = reference.name if reference.name in own else renamed(reference.name)
        return f"STREAM({name})" if reference.streaming else name

    for message in walk(plan):
        if isinstance(message, relations_pb2.Read) and message.HasField("named_table"):
            message.named_table.unparsed_identifier = renamed(message.named_table.unparsed_identifier)
        elif isinstance(message, relations_pb2.SQL):
            message.query = pipeline_sql.replace_tables(message.query, where, in_text)
        elif isinstance(message, expressions_pb2.Expression.ExpressionString):
            message.expression = pipeline_sql.replace_tables(message.expression, where, in_text)


def frame_names(plan: Relation) -> set[str]:
    """List the names under which `spark.sql("... {frame}", frame=df)` gives DataFrames to its text."""
    return {
        reference.subquery_alias.alias
        for message in walk(plan)
        if isinstance(message, relations_pb2.WithRelations)
        for reference in message.references
    }


def text_of(message: Message) -> str | None:
    """Return the SQL text that a message carries, or None."""
    kind = message.DESCRIPTOR.name
    if kind == "SQL":
        return str(message.query)
    if kind == "ExpressionString":
        return str(message.expression)
    return None


def cloud_files_reads(plan: Relation) -> list[relations_pb2.Read]:
    """List the reads of files, in order of appearance."""
    return [
        m
        for m in walk(plan)
        if isinstance(m, relations_pb2.Read) and m.HasField("data_source") and is_file_source(m.data_source)
    ]


def is_volatile(plan: Relation, where: str) -> bool:
    """Say whether the plan's answer can change while its inputs do not.

    It asks for time, chance or the user, or runs Python.
    """
    for message in walk(plan):
        kind = message.DESCRIPTOR.name
        if kind == "UnresolvedFunction" and functions.is_volatile(message.function_name):
            return True
        if isinstance(message, relations_pb2.Read) and (
            message.HasField("data_source") or message.named_table.unparsed_identifier.startswith(FILES)
        ):
            return True  # files have no version that could be compared
        if kind in {"CommonInlineUserDefinedFunction", "CommonInlineUserDefinedTableFunction", "Sample"}:
            return True
        text = text_of(message)
        if text is not None and (FILES in text or pipeline_sql.is_volatile(text, where)):
            return True
    return False


def calls(plan: Relation, functions: set[str]) -> bool:
    """Say whether a plan calls one of the functions that pipeline code has registered: their code has no version."""
    if not functions:
        return False
    for message in walk(plan):
        if message.DESCRIPTOR.name == "UnresolvedFunction" and message.function_name.lower() in functions:
            return True
        text = text_of(message)
        if text is not None and any(
            token.value.lower() in functions for token in tokenize(text) if token.is_name
        ):
            return True
    return False


def fingerprint(plan: Relation, *extra: str) -> str:
    """Hash what a plan computes: the same code gives the same hash in another process.

    Where in a file an expression stood is left out; plan ids, which differ between two runs, are numbered
    anew in order of appearance, since `df1.x` and `df2.x` are told apart by them.
    """
    copy = Relation()
    copy.CopyFrom(plan)
    numbers: dict[int, int] = {}
    variables: dict[str, str] = {}
    for message in walk(copy):
        if message.DESCRIPTOR.name == "UnresolvedNamedLambdaVariable":
            # pyspark numbers the variables of lambdas through the whole process.
            names = [variables.setdefault(part, f"v{len(variables)}") for part in message.name_parts]
            message.name_parts[:] = names
        fields = {d.name for d in message.DESCRIPTOR.fields}
        if (
            "common" in fields
            and message.HasField("common")
            and message.common.DESCRIPTOR.name == "ExpressionCommon"
        ):
            message.ClearField("common")
        if message.DESCRIPTOR.name == "RelationCommon":
            message.ClearField("origin")
            message.ClearField("source_info")
        if "plan_id" in fields and message.HasField("plan_id"):
            message.plan_id = numbers.setdefault(message.plan_id, len(numbers))
    digest = hashlib.sha256(copy.SerializeToString(deterministic=True))
    for part in extra:
        digest.update(b"\x00" + part.encode())
    return digest.hexdigest()


_ROW_WISE = frozenset(
    {
        "project",
        "filter",
        "with_columns",
        "with_columns_renamed",
        "drop",
        "subquery_alias",
        "to_df",
        "to_schema",
        "hint",
        "repartition",
        "repartition_by_expression",
        "with_watermark",
        "unpivot",
        "fill_na",
        "drop_na",
        "replace",
        "map_partitions",
        "parse",
    }
)
STATE = (
    "Keep the streaming table row-wise and put this operation into a @dlt.table whose query is a batch one"
    " (a materialized view)"
)

_OPERATIONS = {
    "sort": "Sorting", "group_map": "applyInPandas",
    "co_group_map": "applyInPandas of two groups", "as_of_join": "A join of the nearest rows",
    "lateral_join": "A lateral join", "summary": "summary", "describe": "describe",
}  # fmt: skip


def streams(plan: Relation) -> bool:
    """Say whether the rows of a plan are those of a stream."""
    kind = plan.WhichOneof("rel_type")
    if kind == "read":
        return bool(plan.read.is_streaming)
    if kind == "sql":
        return any(r.streaming for r in pipeline_sql.table_references(plan.sql.query, "a query"))
    return any(streams(child) for child in children_of(plan))


def refusals(flow: str) -> Callable[..., NotSupported]:
    """Make the refusals of what a streaming query of a flow cannot do."""

    def refuse(operation: str, way_out: str = STATE) -> NotSupported:
        return NotSupported(f"{operation} on a streaming source (flow {flow})", way_out)

    return refuse


def check_streaming(plan: Relation, flow: str) -> bool:
    """Say whether a plan streams, and refuse a streaming plan that can be computed neither by batches nor with state.

    Each update gives the query only the rows that are new, so an operation that needs rows of earlier batches as well
    (a window function, a sort, a limit) would give wrong rows. The operators that keep state are looked at by
    `stateful.check`.

    Raises:
        NotSupported: Such an operation stands above a streaming source; the operation and the flow are named.
    """
    refuse = refusals(flow)

    def visit(relation: Relation) -> bool:  # noqa: PLR0911, PLR0912  (one an operator)
        kind = relation.WhichOneof("rel_type")
        if kind == "read":
            _check_stream_source(relation.read, flow)
            return bool(relation.read.is_streaming)
        node: Any = getattr(relation, kind) if kind else None
        if kind == "sql":
            return sql_streams(relation.sql.query, f"flow {flow}", refuse)
        if kind == "with_relations" and node.root.WhichOneof("rel_type") == "sql":
            given = [r.subquery_alias.alias for r in node.references if visit(r)]
            return sql_streams(node.root.sql.query, f"flow {flow}", refuse, given)
        children = children_of_node(node) if node is not None else []
        flags = [visit(child) for child in children]
        if not any(flags):
            return False
        if kind in _ROW_WISE:
            _check_expressions(node, refuse)
            return True
        if kind == "set_op":
            if node.set_op_type == relations_pb2.SetOperation.SET_OP_TYPE_UNION:
                if not all(flags):
                    raise refuse("A union with a batch query", UNION_WAY_OUT)
                return True
            raise refuse("INTERSECT or EXCEPT")
        if kind == "join":
            if not all(flags):
                _check_join(node, flags, refuse)
            return True
        if kind in {"deduplicate", "aggregate"}:
            return True
        if kind in {"sort", "limit"} and any(_aggregates(child) for child in children):
            return True  # `stateful.check_watermarks` sees whether the whole result is there to be sorted
        if kind == "apply_in_pandas_with_state" or (
            kind == "group_map" and node.HasField("transform_with_state_info")
        ):
            name = "applyInPandasWithState" if kind == "apply_in_pandas_with_state" else "transformWithState"
            raise refuse(
                name, "Write it as groupBy(...).applyInPandas(...) in a @dlt.table whose query is a batch one"
            )
        raise refuse(_OPERATIONS.get(str(kind), str(kind)))

    return visit(plan)


def _aggregates(relation: Relation) -> bool:
    return any(isinstance(m, Relation) and m.WhichOneof("rel_type") == "aggregate" for m in walk(relation))


#: Tables of this name stand for files that SQL text reads by path; the session knows which.
FILES = "__files_"


def name_direct_reads(plan: Relation, known: MutableMapping[str, FileRead]) -> None:
    """Give Delta folders that a plan reads by path a name, as SQL text has; note what each stands for."""
    for message in walk(plan):
        if not isinstance(message, relations_pb2.Read):
            continue
        if message.HasField("named_table"):
            kind, dot, path = message.named_table.unparsed_identifier.partition(".")
            if not dot or kind.lower() not in FORMATS | {"delta"} or "/" not in path:
                continue
            read = FileRead(kind.lower(), path.strip("`"), dict(message.named_table.options))
        elif (
            message.is_streaming
            and message.data_source.format.lower() == "delta"
            and message.data_source.paths
        ):
            read = FileRead("delta", message.data_source.paths[0], dict(message.data_source.options))
            message.named_table.options.update(read.options)
        else:
            continue
        known[read.name] = read
        message.named_table.unparsed_identifier = read.name


def _check_stream_source(read: relations_pb2.Read, flow: str) -> None:
    if read.HasField("data_source"):
        check_source(read.data_source, flow)
    if read.is_streaming and read.HasField("data_source") and not is_file_source(read.data_source):
        raise NotSupported(
            f"spark.readStream.format({read.data_source.format!r}) (flow {flow})",
            "Read files with format('cloudFiles'), and tables with spark.readStream.table",
        )
    if read.is_streaming and read.HasField("data_source"):
        source = read.data_source
        kind = source.format.lower()
        if not source.schema and kind not in {"cloudfiles", "text", "binaryfile"}:
            raise PipelineCodeError(
                f"spark.readStream.format({source.format!r}) needs a schema (flow {flow})",
                next_step="Give .schema('name TYPE, ...'), or use format('cloudFiles'), which infers one",
            )


def children_of(relation: Relation) -> list[Relation]:
    """List the inputs of an operator, from left to right."""
    kind = relation.WhichOneof("rel_type")
    return children_of_node(getattr(relation, kind)) if kind else []


def children_of_node(node: Message) -> list[Relation]:
    """List the relations that a message of an operator holds."""
    children: list[Relation] = []
    for descriptor, value in node.ListFields():
        if isinstance(value, Relation):
            children.append(value)
        elif (
            descriptor.message_type is not None
            and descriptor.message_type.name == "Relation"
            and descriptor.is_repeated
        ):
            children.extend(value)
    return children


def _check_expressions(node: Message, refuse: Callable[[str], NotSupported]) -> None:
    for _descriptor, value in node.ListFields():
        for message in _expression_messages(value):
            kind = message.DESCRIPTOR.name
            if kind == "Window":
                raise refuse("A window function")
            if kind == "UnresolvedFunction" and functions.is_aggregate(message.function_name):
                raise refuse(f"Aggregation by {message.function_name}()")
            if kind == "ExpressionString" and message.expression.strip() != "*":
                problem = pipeline_sql.needs_other_rows(message.expression, "an expression")
                if problem is not None:
                    raise refuse(problem)


def _expression_messages(value: Any) -> Iterator[Message]:
    values = (
        [value]
        if isinstance(value, Message)
        else value
        if not isinstance(value, (str, bytes, int, bool, float))
        else []
    )
    for item in values:
        if isinstance(item, Message) and not isinstance(item, Relation):
            yield from walk(item)


def _check_join(node: Any, flags: list[bool], refuse: Callable[[str], NotSupported]) -> None:
    left_streams = bool(flags[0])
    join = relations_pb2.Join.JoinType.Name(node.join_type)
    allowed = {
        "JOIN_TYPE_INNER": True,
        "JOIN_TYPE_CROSS": True,
        "JOIN_TYPE_LEFT_OUTER": left_streams,
        "JOIN_TYPE_LEFT_SEMI": left_streams,
        "JOIN_TYPE_LEFT_ANTI": left_streams,
        "JOIN_TYPE_RIGHT_OUTER": not left_streams,
    }
    if not allowed.get(join, False):
        raise refuse(f"{join.removeprefix('JOIN_TYPE_')} join with the stream on this side")
