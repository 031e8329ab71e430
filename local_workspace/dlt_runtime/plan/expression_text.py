"""Expressions of a plan as SQL text, so that they are read by the rules for SQL: there is no second list for plans.

What no text says (a column of one of two DataFrames of a join, a Python function, a subquery) gets a name, by which
:mod:`local_workspace.dlt_runtime.plan.expression_message` finds it again. Names of functions are those of
`pyspark.sql.connect.functions` and of `pyspark.sql.connect.column`, for operators.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from google.protobuf.message import Message
from pyspark.sql.connect.proto import expressions_pb2
from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type
from pyspark.sql.types import ArrayType, DataType, DayTimeIntervalType, MapType, StructField, StructType

from local_workspace.sql import spark_types as types
from local_workspace.sql.tokens import quote_identifier, quote_string

Expression = expressions_pb2.Expression
KEPT = "__kept_"

_BINARY = {
    "+": "+",
    "-": "-",
    "*": "*",
    "/": "/",
    "%": "%",
    "==": "=",
    "=": "=",
    "!=": "!=",
    "<>": "!=",
    "<=>": "<=>",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
    "and": "AND",
    "or": "OR",
    "&": "&",
    "|": "|",
    "^": "^",
}
_UNARY = {"not": "NOT", "!": "NOT", "negative": "-", "~": "~"}
_CALLABLE = re.compile(r"^[A-Za-z_]\w*$")
# A name in a column's path: with backticks, or up to the next dot.
_PART = re.compile(r"`((?:[^`]|``)*)`|([^.`]+)")


def attribute_parts(name: str) -> list[str] | None:
    """Return the parts of a column's name as `F.col` takes it; None if it is none."""
    parts, at = [], 0
    while at < len(name):
        found = _PART.match(name, at)
        if found is None:
            return None
        parts.append(found[1].replace("``", "`") if found[1] is not None else found[2])
        at = found.end()
        if at < len(name):
            if name[at] != "." or at + 1 == len(name):
                return None
            at += 1
    return parts or None


@dataclass
class ExpressionText:
    """Writes expressions of one operator of a plan.

    Attributes:
        rewritten: Puts an expression within something that is kept as it is so that the engine answers it rightly.
        type_of_column: The type of a column that is named by its DataFrame.
        type_of_text: The type of SQL text.
        kept: Name -> what it stands for, put rightly within.
        kinds: Name -> its type.
        originals: What is in the plan for each name, in the same order.
    """

    rewritten: Callable[[Expression], object]
    type_of_column: Callable[[Expression.UnresolvedAttribute], DataType | None]
    type_of_text: Callable[[str], DataType | None]
    kept: dict[str, Expression] = field(default_factory=dict)
    kinds: dict[str, DataType | None] = field(default_factory=dict)
    originals: list[Expression] = field(default_factory=list)

    def write(self, expression: Expression) -> str:
        """Return the text of an expression."""
        kind = expression.WhichOneof("expr_type")
        write = getattr(self, f"_{kind}", None)
        text = write(getattr(expression, str(kind))) if write is not None else None
        return text if text is not None else self._keep(expression)

    def _keep(self, expression: Expression) -> str:
        """Return a name for an expression; what is within is put rightly by itself."""
        copy = Expression()
        copy.CopyFrom(expression)
        for inner in _inner_expressions(copy):
            self.rewritten(inner)
        name = f"{KEPT}{len(self.kept)}"
        self.kinds[name] = self._kind(expression)
        self.kept[name] = copy
        self.originals.append(expression)
        return name

    def _kind(self, expression: Expression) -> DataType | None:
        kind = expression.WhichOneof("expr_type")
        if kind == "unresolved_attribute":
            return self.type_of_column(expression.unresolved_attribute)
        if kind == "common_inline_user_defined_function":
            function = expression.common_inline_user_defined_function
            if function.HasField("python_udf"):
                return plain(proto_schema_to_pyspark_data_type(function.python_udf.output_type))
        if kind == "unresolved_extract_value":
            return self._extracted(expression.unresolved_extract_value)
        if kind == "literal" and expression.literal.WhichOneof("literal_type") == "day_time_interval":
            return DayTimeIntervalType(0, 3)
        return None

    def _extracted(self, extract: Expression.UnresolvedExtractValue) -> DataType | None:
        # Written apart: the names that it gives are of no use here.
        apart = ExpressionText(lambda _inner: None, self.type_of_column, self.type_of_text)
        text = apart.write(extract.child)
        of = apart.kinds[text] if text in apart.kinds else self.type_of_text(text)
        if isinstance(of, StructType):
            name = extract.extraction.literal.string.lower()
            return next((f.dataType for f in of.fields if f.name.lower() == name), None)
        if isinstance(of, ArrayType):
            if isinstance(of.elementType, StructType) and extract.extraction.literal.string:
                return None
            return of.elementType
        return of.valueType if isinstance(of, MapType) else None

    # One method for each kind of expression; None where no text says the same.

    def _literal(self, literal: Expression.Literal) -> str | None:
        return literal_text(literal)

    def _unresolved_attribute(self, attribute: Expression.UnresolvedAttribute) -> str | None:
        if attribute.HasField("plan_id") or attribute.is_metadata_column:
            return None
        parts = attribute_parts(attribute.unparsed_identifier)
        return None if parts is None else ".".join(quote_identifier(part) for part in parts)

    def _unresolved_star(self, star: Expression.UnresolvedStar) -> str | None:
        return None if star.HasField("unparsed_target") or star.HasField("plan_id") else "*"

    def _expression_string(self, text: Expression.ExpressionString) -> str:
        return f"({text.expression})" if text.expression.strip() != "*" else "*"

    def _alias(self, alias: Expression.Alias) -> str | None:
        if len(alias.name) != 1 or alias.HasField("metadata"):
            return None
        return f"{self.write(alias.expr)} AS {quote_identifier(alias.name[0])}"

    def _cast(self, cast: Expression.Cast) -> str:
        to = (
            types.sql_name(proto_schema_to_pyspark_data_type(cast.type))
            if cast.HasField("type")
            else cast.type_str
        )
        tried = cast.eval_mode == Expression.Cast.EVAL_MODE_TRY
        return f"{'TRY_CAST' if tried else 'CAST'}({self.write(cast.expr)} AS {to})"

    def _unresolved_function(self, call: Expression.UnresolvedFunction) -> str | None:
        if call.is_user_defined_function:
            return None
        return self._called(call.function_name, list(call.arguments), distinct=call.is_distinct)

    def _call_function(self, call: expressions_pb2.CallFunction) -> str | None:
        return self._called(call.function_name, list(call.arguments), distinct=False)

    def _called(  # noqa: PLR0911  (one for each form)
        self, name: str, arguments: list[Expression], *, distinct: bool
    ) -> str | None:
        lowered = name.lower()
        parts = [
            self.write(a) for a in arguments if lowered == "struct" or a.WhichOneof("expr_type") != "alias"
        ]
        if len(parts) != len(arguments):
            return None
        if lowered in _BINARY and len(parts) == 2:
            return f"({parts[0]} {_BINARY[lowered]} {parts[1]})"
        if lowered in _UNARY and len(parts) == 1:
            return f"({_UNARY[lowered]} {parts[0]})"
        if lowered == "when" and len(parts) > 1:
            cases = " ".join(f"WHEN {c} THEN {v}" for c, v in zip(parts[::2], parts[1::2], strict=False))
            default = f" ELSE {parts[-1]}" if len(parts) % 2 else ""
            return f"CASE {cases}{default} END"
        if lowered == "in" and len(parts) > 1:
            return f"({parts[0]} IN ({', '.join(parts[1:])}))"
        if not _CALLABLE.match(name):
            return None
        return f"{name}({'DISTINCT ' if distinct else ''}{', '.join(parts)})"

    def _lambda_function(self, function: Expression.LambdaFunction) -> str:
        names = [".".join(v.name_parts) for v in function.arguments]
        before = names[0] if len(names) == 1 else f"({', '.join(names)})"
        return f"{before} -> {self.write(function.function)}"

    def _unresolved_named_lambda_variable(self, variable: Expression.UnresolvedNamedLambdaVariable) -> str:
        return ".".join(variable.name_parts)

    def _window(self, window: Expression.Window) -> str | None:
        frame = _frame(window.frame_spec) if window.HasField("frame_spec") else ""
        if frame is None:
            return None
        partition = ", ".join(self.write(e) for e in window.partition_spec)
        order = ", ".join(self.order(o) for o in window.order_spec)
        inside = [
            f"PARTITION BY {partition}" if partition else "",
            f"ORDER BY {order}" if order else "",
            frame,
        ]
        return f"{self.write(window.window_function)} OVER ({' '.join(part for part in inside if part)})"

    def order(self, order: Expression.SortOrder) -> str:
        """Return a key of an order."""
        descending = order.direction == Expression.SortOrder.SORT_DIRECTION_DESCENDING
        first = order.null_ordering == Expression.SortOrder.SORT_NULLS_FIRST
        last = order.null_ordering == Expression.SortOrder.SORT_NULLS_LAST
        nulls = " NULLS FIRST" if first else " NULLS LAST" if last else ""
        return f"{self.write(order.child)} {'DESC' if descending else 'ASC'}{nulls}"


def _inner_expressions(message: Message) -> list[Expression]:
    """Return the expressions right within one."""
    found: list[Expression] = []
    pending: list[Any] = [getattr(message, str(message.WhichOneof("expr_type")))]
    while pending:
        current = pending.pop()
        if isinstance(current, Expression):
            found.append(current)
            continue
        if not isinstance(current, Message):
            continue
        for descriptor, value in current.ListFields():
            if descriptor.message_type is None or descriptor.message_type.GetOptions().map_entry:
                continue
            pending.extend(value if descriptor.is_repeated else [value])
    return found


def _frame(frame: Expression.Window.WindowFrame) -> str | None:
    kind = "ROWS" if frame.frame_type == Expression.Window.WindowFrame.FRAME_TYPE_ROW else "RANGE"
    bounds = [_bound(frame.lower, "PRECEDING"), _bound(frame.upper, "FOLLOWING")]
    return None if None in bounds else f"{kind} BETWEEN {bounds[0]} AND {bounds[1]}"


def _bound(bound: Expression.Window.WindowFrame.FrameBoundary, side: str) -> str | None:
    kind = bound.WhichOneof("boundary")
    if kind == "current_row":
        return "CURRENT ROW"
    if kind == "unbounded":
        return f"UNBOUNDED {side}"
    literal = bound.value.literal
    number_kind = literal.WhichOneof("literal_type")
    if number_kind not in ("integer", "long"):
        return None
    number = getattr(literal, number_kind)
    return f"{abs(number)} {'PRECEDING' if number < 0 else 'FOLLOWING'}"


def literal_text(literal: Expression.Literal) -> str | None:  # noqa: PLR0911  (one for each type)
    """Return the text of a literal, or None where it has none."""
    kind = literal.WhichOneof("literal_type")
    value: Any = getattr(literal, str(kind), None)
    if kind == "null":
        of = proto_schema_to_pyspark_data_type(literal.null)
        return "NULL" if of == types.VOID else f"CAST(NULL AS {types.sql_name(of)})"
    if kind == "boolean":
        return "TRUE" if value else "FALSE"
    if kind == "string":
        return quote_string(str(value))
    if kind == "integer":
        return _number(int(value or 0))
    if kind in ("byte", "short", "long"):
        name = {"byte": "TINYINT", "short": "SMALLINT", "long": "BIGINT"}[kind]
        number = int(value or 0)
        return f"CAST({_number(number)} AS {name})" if number != -(2**63) else None
    if kind == "double":
        text = repr(float(value or 0))
        return (
            f"CAST('{text}' AS DOUBLE)" if "n" in text else f"{text}D" if value >= 0 else f"(- {text[1:]}D)"
        )
    if kind == "float":
        return f"CAST('{value!r}' AS FLOAT)"
    if kind == "decimal":
        return _decimal(literal.decimal)
    try:
        if kind == "date":
            return f"DATE '{datetime.date(1970, 1, 1) + datetime.timedelta(days=int(value or 0))}'"
        if kind in ("timestamp", "timestamp_ntz"):
            moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=int(value or 0))  # noqa: DTZ001
            return f"{kind.upper()} '{moment.isoformat(sep=' ')}'"
    except OverflowError:
        return None
    return None


def _number(number: int) -> str:
    # A blank before it: two signs side by side would begin a comment.
    return str(number) if number >= 0 else f" {number}"


def _decimal(literal: Expression.Literal.Decimal) -> str:
    # As LiteralValueProtoConverter of Apache Spark: what the client says of its digits is the least, not the most.
    value = Decimal(literal.value)
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    precision = max(len(digits), scale)
    if literal.HasField("precision"):
        precision = max(precision, literal.precision)
    if literal.HasField("scale"):
        scale = max(scale, literal.scale)
    return f"CAST('{value:f}' AS DECIMAL({max(precision, scale)},{scale}))"


def plain(kind: DataType) -> DataType:
    """Return a type without what does not matter to results: comments, and where NULL may be."""
    if isinstance(kind, ArrayType):
        return ArrayType(plain(kind.elementType))
    if isinstance(kind, MapType):
        return MapType(plain(kind.keyType), plain(kind.valueType))
    if isinstance(kind, StructType):
        return StructType([StructField(f.name, plain(f.dataType)) for f in kind.fields])
    if isinstance(kind, DataType) and kind.typeName() in ("varchar", "char"):
        return types.STRING
    return kind
