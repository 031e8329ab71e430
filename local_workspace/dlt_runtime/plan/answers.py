"""A plan for the engine as SQL text is for it: every expression put so that the answer is Spark's, by the same rules.

Expressions of DataFrame code reach a plan as messages. Each is written as SQL text, its columns get the types of the
operator below, the rules of :mod:`local_workspace.sql.rewrites` look at it, and only what they change is put back. So
`F.col("a") / F.col("b")`, `F.expr("a / b")` and `SELECT a / b` are one thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from google.protobuf.message import Message
from pyspark.sql.connect.proto import expressions_pb2, relations_pb2
from pyspark.sql.types import DataType, StructType

from local_workspace.dlt_runtime.plan.expression_message import ExpressionMessage, NoMessage
from local_workspace.dlt_runtime.plan.expression_text import KEPT, ExpressionText, attribute_parts, plain
from local_workspace.dlt_runtime.plan.qualifiers import SAME_COLUMNS, requalified
from local_workspace.dlt_runtime.plan.unions import united, unpivoted
from local_workspace.errors import LocalWorkspaceError, NotSupported, PipelineCodeError
from local_workspace.sql.dialect import SqlSyntaxError
from local_workspace.sql.functions import Kind, function
from local_workspace.sql.inference import Around, Columns, TableColumns
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql.translation import column_name, for_engine, has_alias, type_of

Relation = relations_pb2.Relation
Expression = expressions_pb2.Expression
Sources = Sequence[tuple[str, "Columns | None"]]
#: Gives the schema of a relation, or None where the engine cannot say.
SchemaOf = Callable[[Relation], "StructType | None"]

_SAME_ROWS = SAME_COLUMNS | {"collect_metrics"}
_ONE_SIDED = frozenset({relations_pb2.Join.JOIN_TYPE_LEFT_SEMI, relations_pb2.Join.JOIN_TYPE_LEFT_ANTI})
_LAMBDA = re.compile(r"->")


def as_spark_answers(plan: Relation, schema_of: SchemaOf, finished: Iterable[Relation]) -> None:
    """Change a plan in place, so that the engine answers it as Spark would.

    Args:
        plan: Ready for the engine otherwise.
        schema_of: Asks the engine.
        finished: Parts of the plan that have been put rightly before.

    Raises:
        NotSupported: The engine would answer an expression wrongly, and there is no other way to say it.
    """
    _Answers(schema_of, {id(part) for part in finished}).relation(plan)


def expression_for_engine(text: str, columns: Columns | None) -> str:
    """Put one expression over known columns as :func:`as_spark_answers` does those of a plan.

    Args:
        text: A rule, as pipeline code writes it.
        columns: What it may name.
    """
    return _put(text, lambda _name: None, lambda: [("", columns)])


def _put(text: str, tables: TableColumns, around: Around | None = None) -> str:
    try:
        return for_engine(text, tables, around)
    except SqlSyntaxError:
        return text  # the engine says what is wrong with it
    except SqlError as error:
        raise PipelineCodeError(f"[{error.error_class}] {error.message}") from error


def columns_of_schema(schema: StructType | None) -> Columns | None:
    """Return the columns of a schema as the rules for types see them."""
    return None if schema is None else [(f.name, plain(f.dataType)) for f in schema.fields]


class _Answers:
    def __init__(self, schema_of: SchemaOf, finished: set[int]) -> None:
        self._schema_of, self._finished = schema_of, finished
        self._columns: dict[int, tuple[Relation, Columns | None]] = {}
        self._by_plan: dict[int, Relation] = {}
        self._frames: dict[str, Relation] = {}

    # Relations

    def relation(self, relation: Relation) -> None:
        """Put a relation rightly, what it reads first. A loop: plans may be deep."""
        for current in self._from_the_leaves(relation):
            if current.HasField("common") and current.common.HasField("plan_id"):
                self._by_plan[current.common.plan_id] = current
            if id(current) not in self._finished:
                self._operator(current)

    def _from_the_leaves(self, plan: Relation) -> list[Relation]:
        order: list[Relation] = []
        pending = [plan]
        while pending:
            current = pending.pop()
            order.append(current)
            if id(current) in self._finished:
                continue
            kind = current.WhichOneof("rel_type")
            node: Any = getattr(current, str(kind), None)
            if kind == "with_relations":
                for reference in node.references:
                    if reference.HasField("subquery_alias"):
                        self._frames[reference.subquery_alias.alias.lower()] = reference
                # Its own query last, so that what stands for a name in it comes first.
                pending.extend([*node.references, node.root])
                order[-1:] = [current]
            elif node is not None:
                pending.extend(_inputs(node))
        return order[::-1]

    def columns(self, relation: Relation) -> Columns | None:
        """Return the columns that a relation gives, or None where they are not known."""
        known = self._columns.get(id(relation))
        if known is None:
            known = self._columns[id(relation)] = (relation, columns_of_schema(self._schema_of(relation)))
        return known[1]

    def sources(self, relation: Relation) -> Sources:
        """Return the names by which columns of a relation may be qualified, with the columns of each."""
        kind = relation.WhichOneof("rel_type")
        node: Any = getattr(relation, str(kind), None)
        if kind == "subquery_alias":
            return [(node.alias.lower(), self.columns(relation))]
        if kind == "join" and not node.using_columns:
            right = [] if node.join_type in _ONE_SIDED else self.sources(node.right)
            return [*self.sources(node.left), *right]
        if kind in _SAME_ROWS:
            return self.sources(node.input)
        return [("", self.columns(relation))]

    def _table(self, parts: tuple[str, ...]) -> Columns | None:
        if len(parts) != 1:
            return None
        frame = self._frames.get(parts[0].lower())
        if frame is not None:
            return self.columns(frame)
        table = Relation()
        table.read.named_table.unparsed_identifier = parts[0]
        return columns_of_schema(self._schema_of(table))

    def _operator(self, relation: Relation) -> None:
        kind = relation.WhichOneof("rel_type")
        node: Any = getattr(relation, str(kind), None)
        if kind == "sql":
            node.query = self._query(node.query)
        elif kind == "set_op":
            united(relation, self.columns)
        elif kind == "unpivot":
            unpivoted(relation, self.columns)
        elif kind in ("project", "with_columns", "filter", "aggregate", "sort", "join"):
            _Operator(self, node, str(kind)).apply()

    def _query(self, text: str) -> str:
        return _put(text, self._table)

    # Expressions

    def text(self, text: str, sources: Callable[[], Sources]) -> str:
        """Return the SQL text of an expression, rewritten for the engine."""
        return _put(text, self._table, sources)

    def type_of_column(self, attribute: Expression.UnresolvedAttribute) -> DataType | None:
        """Return the type of a column that is named by its DataFrame."""
        relation = self._by_plan.get(attribute.plan_id)
        if relation is None:
            return None
        parts = ".".join(
            quote_identifier(part) for part in attribute_parts(attribute.unparsed_identifier) or ()
        )
        return type_of(parts, lambda: self.sources(relation)) if parts else None

    def schema_names(self, relation: Relation) -> list[str] | None:
        """Return the names of a relation's columns as the engine tells them."""
        schema = self._schema_of(relation)
        return None if schema is None else list(schema.names)


class _Operator:
    """The expressions of one operator."""

    def __init__(self, answers: _Answers, node: Any, kind: str) -> None:
        self._answers, self._node, self._kind = answers, node, kind
        self._known: Sources | None = None

    def sources(self) -> Sources:
        """Return what the expressions are computed over."""
        if self._known is None:
            node = self._node
            if self._kind == "join":
                self._known = [*self._answers.sources(node.left), *self._answers.sources(node.right)]
            else:
                self._known = self._answers.sources(node.input)
        return self._known

    def apply(self) -> None:
        node = self._node
        if self._kind == "project":
            self._named(node.expressions)
        elif self._kind == "with_columns":
            for alias in node.aliases:
                self.rewrite(alias.expr)
                self._above_the_scan(alias.expr)
        elif self._kind == "filter":
            self.rewrite(node.condition)
            self._above_the_scan(node.condition)
        elif self._kind == "sort":
            for order in node.order:
                self.rewrite(order.child)
        elif self._kind == "join":
            if node.HasField("join_condition"):
                self.rewrite(node.join_condition)
        else:
            self._named(node.grouping_expressions)
            self._named(node.aggregate_expressions)
            if node.HasField("pivot"):
                self.rewrite(node.pivot.col)
            for grouping in node.grouping_sets:
                for expression in grouping.grouping_set:
                    self.rewrite(expression)

    def _named(self, expressions: Sequence[Expression]) -> None:
        """Put expressions rightly whose text, as it was, is the name of their column."""
        for expression in expressions:
            before = Expression()
            before.CopyFrom(expression)
            changed = self.rewrite(expression)
            if self._kind == "project" and not _is_over_many_rows(before):
                inside = (
                    expression.alias.expr if expression.WhichOneof("expr_type") == "alias" else expression
                )
                changed = self._above_the_scan(inside) or changed
            if changed and not _has_name(before):
                # A generator gives several columns, and names them itself.
                if _is_generator(before):
                    continue
                name = self._name(before)
                inner = Expression()
                inner.CopyFrom(expression)
                expression.Clear()
                expression.alias.expr.CopyFrom(inner)
                expression.alias.name.append(name)

    def _name(self, expression: Expression) -> str:
        """Return the name that Spark gives the column of an expression."""
        if expression.WhichOneof("expr_type") == "expression_string":
            return column_name(expression.expression_string.expression)
        probe = Relation()
        if self._kind == "aggregate":
            probe.aggregate.input.CopyFrom(self._node.input)
            probe.aggregate.group_type = relations_pb2.Aggregate.GROUP_TYPE_GROUPBY
            probe.aggregate.aggregate_expressions.append(expression)
        else:
            probe.project.input.CopyFrom(self._node.input)
            probe.project.expressions.append(expression)
        names = self._answers.schema_names(probe)
        if names is not None and len(names) == 1:
            return names[0]
        return column_name(self._texts().write(expression)).replace("`", "")

    def _texts(self) -> ExpressionText:
        return ExpressionText(
            rewritten=self.rewrite,
            type_of_column=self._answers.type_of_column,
            type_of_text=lambda text: type_of(text, self.sources),
        )

    def rewrite(self, expression: Expression) -> bool:  # noqa: PLR0911  (one for each kind)
        """Put an expression rightly; say whether it is another one now."""
        kind = expression.WhichOneof("expr_type")
        if kind is None or kind in ("unresolved_star", "unresolved_regex", "literal"):
            return False
        if kind == "alias":
            return self.rewrite(expression.alias.expr)
        if kind == "sort_order":
            return self.rewrite(expression.sort_order.child)
        if kind == "unresolved_attribute":
            return requalified(expression.unresolved_attribute, self._node, self._kind)
        texts = self._texts()
        plain_text = expression.expression_string.expression if kind == "expression_string" else None
        if plain_text is not None and plain_text.strip() == "*":
            return False
        if plain_text is None:
            for attribute in _attributes(expression):
                requalified(attribute, self._node, self._kind)
        place = _place(expression)
        try:
            text = plain_text if plain_text is not None else texts.write(expression)
            new = self._answers.text(text, partial(self._with_kept, texts))
            if new == text:
                return self._inner(texts)
            if KEPT not in new:
                expression.Clear()
                expression.expression_string.expression = new
                return True
            made = ExpressionMessage(new, texts.kept).make()
        except NoMessage as error:
            raise NotSupported(
                f"{error} over columns that are named by their DataFrame (df.a, df['a'])",
                "Name them by F.col('a'), with an alias for the DataFrame where two have the name",
            ) from error
        except LocalWorkspaceError as error:
            if place and place not in str(error):
                error.args = (f"{error} ({place})", *error.args[1:])
            raise
        expression.CopyFrom(made)
        return True

    def _inner(self, texts: ExpressionText) -> bool:
        """Put back the parts that only a plan has, with what is right within them."""
        changed = False
        for original, copy in zip(texts.originals, texts.kept.values(), strict=True):
            if original != copy:
                original.CopyFrom(copy)
                changed = True
        return changed

    def _with_kept(self, texts: ExpressionText) -> Sources:
        kept: Columns = list(texts.kinds.items())
        return [("", kept), *self.sources()] if kept else self.sources()

    @staticmethod
    def _above_the_scan(condition: Expression) -> bool:
        """Keep what has a lambda above the scan, see :mod:`local_workspace.sql.rewrites.lambdas`; say whether it has one."""
        if not any(
            isinstance(part, Expression.LambdaFunction)
            or (isinstance(part, Expression.ExpressionString) and _LAMBDA.search(part.expression))
            for part in _walk(condition)
        ):
            return False
        inner = Expression()
        inner.CopyFrom(condition)
        condition.Clear()
        condition.unresolved_function.function_name = "when"
        condition.unresolved_function.arguments.add().expression_string.expression = "rand() >= 0"
        condition.unresolved_function.arguments.append(inner)
        return True


def _has_name(expression: Expression) -> bool:
    kind = expression.WhichOneof("expr_type")
    if kind == "expression_string":
        return has_alias(expression.expression_string.expression)
    return kind in ("alias", "unresolved_attribute", "sort_order")


def _is_over_many_rows(expression: Expression) -> bool:
    """Whether an expression aggregates, or gives several rows, so that it can be no part of a CASE."""
    for part in _walk(expression):
        name = ""
        if isinstance(part, Expression.UnresolvedFunction):
            name = part.function_name
        elif isinstance(part, Expression.ExpressionString):
            return True  # not looked into: its lambdas are rare, and an aggregate within would be wrong
        found = function(name) if name else None
        if found is not None and found.kind is not Kind.ROW:
            return True
    return False


def _is_generator(expression: Expression) -> bool:
    found = function(expression.unresolved_function.function_name)
    return found is not None and found.kind is Kind.GENERATOR


def _place(message: Message) -> str:
    """File and line of an expression, as pyspark notes them."""
    for part in _walk(message):
        if isinstance(part, Expression) and part.common.origin.python_origin.call_site:
            return str(part.common.origin.python_origin.call_site)
    return ""


def _attributes(message: Message) -> list[Expression.UnresolvedAttribute]:
    return [part for part in _walk(message) if isinstance(part, Expression.UnresolvedAttribute)]


def _walk(message: Message) -> Iterable[Message]:
    pending = [message]
    while pending:
        current = pending.pop()
        yield current
        for descriptor, value in current.ListFields():
            if descriptor.message_type is None or descriptor.message_type.GetOptions().map_entry:
                continue
            pending.extend(value if descriptor.is_repeated else [value])


def _inputs(node: Message) -> list[Relation]:
    """Return the relations that an operator reads, in order."""
    found: list[Relation] = []
    for descriptor, value in node.ListFields():
        if descriptor.message_type is None or descriptor.message_type.name != "Relation":
            continue
        found.extend(value if descriptor.is_repeated else [value])
    return found
