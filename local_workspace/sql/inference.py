"""What type each expression of a statement has by Spark's rules, and which columns its queries give.

Types are looked for only where somebody asks, so that a statement without arithmetic costs nothing. What is not known
is None, and spreads: no rule concludes anything from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    IntegerType,
    MapType,
    NullType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
    VariantType,
    YearMonthIntervalType,
)
from sqlglot import exp

from local_workspace.sql import function_types
from local_workspace.sql import spark_types as types
from local_workspace.sql.dialect import Node, is_within
from local_workspace.sql.functions import function
from local_workspace.sql.spark_types import BIGINT, BOOLEAN, DOUBLE, INT, STRING

Column = tuple[str, "DataType | None"]
Columns = Sequence[Column]
#: Gives the columns of a table by its name as written, or None if they are not known.
TableColumns = Callable[[tuple[str, ...]], "Columns | None"]
#: Gives the names and the columns of the relations that an expression is computed over.
Around = Callable[[], "Sequence[tuple[str, Columns | None]]"]

_PREDICATES = (
    exp.Predicate,
    exp.Connector,
    exp.Not,
    exp.Exists,
    exp.Boolean,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.RegexpLike,
)
_OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
_NO_PAREN: dict[type[exp.Expr], DataType] = {
    exp.CurrentDate: types.DATE,
    exp.CurrentTimestamp: types.TIMESTAMP,
    exp.CurrentUser: STRING,
    exp.SessionUser: STRING,
}
_INTERVAL_UNITS = ("DAY", "HOUR", "MINUTE", "SECOND")
_UNKNOWN = object()


class Typing:
    """Types within one tree.

    Args:
        tables: Gives the columns of a table.
        around: Gives what an expression by itself stands in: the names by which columns are qualified, and the columns.
    """

    def __init__(self, tables: TableColumns, around: Around | None = None) -> None:
        self._tables, self._around = tables, around
        self._kinds: dict[int, tuple[Node, DataType | None]] = {}
        self._columns: dict[int, tuple[Node, Columns | None]] = {}
        self._open: set[int] = set()

    def type_of(self, node: Node | None) -> DataType | None:
        """Return the type of an expression, or None where it is not known."""
        if not isinstance(node, exp.Expr):
            return None
        known: DataType | object | None = node.meta.get("type", _UNKNOWN)
        if known is not _UNKNOWN:
            return cast("DataType | None", known)
        found = self._kinds.get(id(node))
        if found is not None:
            return found[1]
        if id(node) in self._open:
            return None
        self._open.add(id(node))
        try:
            kind = self._infer(node)
        finally:
            self._open.discard(id(node))
        self._kinds[id(node)] = (node, kind)
        return kind

    def keep(self, node: Node) -> DataType | None:
        """As :meth:`type_of`, and note it with the node, so that it stays when its parts are put otherwise."""
        kind = self.type_of(node)
        node.meta["type"] = kind
        return kind

    def _infer(self, node: Node) -> DataType | None:  # noqa: PLR0912  (one for each form of expression)
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(
            node, (exp.Paren, exp.Alias, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
        ):
            return self.type_of(node.this)
        if isinstance(node, exp.Window):
            return self.type_of(node.this)
        if isinstance(node, exp.Identifier):
            variable = self._lambda_variable(node, node.name)
            return variable if isinstance(variable, DataType) else None
        if isinstance(node, exp.Literal):
            return literal_type(node)
        if isinstance(node, (exp.Cast, exp.TryCast)):
            return types.of_node(node.args["to"])
        if isinstance(node, exp.Null):
            return types.VOID
        if isinstance(node, exp.DPipe):
            return function_types.of_call(
                "concat", "concat", [self.type_of(node.left), self.type_of(node.right)], ()
            )
        if isinstance(node, exp.IntDiv):
            return BIGINT
        operator = _OPERATORS.get(type(node))
        if operator is not None and isinstance(node, exp.Binary):
            return self._arithmetic(operator, node)
        if isinstance(node, exp.Neg):
            return self._negated(node)
        if isinstance(node, _PREDICATES):
            return BOOLEAN
        if isinstance(node, exp.Case):
            values = [branch.args["true"] for branch in node.args["ifs"]]
            kinds = [self.type_of(v) for v in values]
            default = node.args.get("default")
            return types.common_of([*kinds, self.type_of(default)] if default is not None else kinds)
        if isinstance(node, (exp.Subquery, exp.Select)):
            columns = self.columns_of(node)
            return columns[0][1] if columns is not None and len(columns) == 1 else None
        if isinstance(node, exp.Interval):
            return _interval_type(node)
        if isinstance(node, exp.Bracket):
            return self._bracket(node)
        if isinstance(node, exp.Dot):
            return _field(self.type_of(node.this), node.expression.name)
        if isinstance(node, exp.JSONExtract):
            return types.VARIANT if isinstance(self.type_of(node.this), VariantType) else STRING
        return self._call(node)

    # Calls and operators

    def _call(self, node: Node) -> DataType | None:
        plain = _NO_PAREN.get(type(node))
        if plain is not None:
            return plain
        name, arguments = call_of(node)
        if not name:
            return None
        if name in function_types.CASTS and len(arguments) == 1:
            return function_types.CASTS[name]
        arguments = [
            a.expressions[0] if isinstance(a, exp.Distinct) and a.expressions else a for a in arguments
        ]
        known = function(name)
        if known is None:
            return None
        if known.result == "lambda":
            return self._with_lambda(name, arguments)
        return function_types.of_call(name, known.result, [self.type_of(a) for a in arguments], arguments)

    def _with_lambda(self, name: str, arguments: Sequence[Node]) -> DataType | None:
        kinds = [self.type_of(a) if not isinstance(a, exp.Lambda) else None for a in arguments]
        first, last = kinds[0] if kinds else None, arguments[-1] if arguments else None
        if name in ("exists", "forall", "any_match"):
            return BOOLEAN
        if name in ("filter", "map_filter"):
            return first
        body = self.type_of(last.this) if isinstance(last, exp.Lambda) else None
        if name in ("transform", "zip_with"):
            return None if body is None else ArrayType(body)
        if name in ("aggregate", "reduce"):
            return kinds[1] if len(arguments) == 3 and kinds[1] == body else None
        if isinstance(first, MapType) and body is not None:
            if name == "transform_keys":
                return MapType(body, first.valueType)
            if name in ("transform_values", "map_zip_with"):
                return MapType(first.keyType, body)
        return None

    def _arithmetic(self, operator: str, node: exp.Binary) -> DataType | None:
        left, right = self.type_of(node.left), self.type_of(node.right)
        times = (DateType, TimestampType, TimestampNTZType)
        if isinstance(left, times) or isinstance(right, times):
            return _time_arithmetic(operator, left, right)
        intervals = (DayTimeIntervalType, YearMonthIntervalType)
        if isinstance(left, intervals) or isinstance(right, intervals):
            return None
        return function_types.arithmetic(operator, left, right, node.left, node.right)

    def _negated(self, node: exp.Neg) -> DataType | None:
        inner = node.this
        if isinstance(inner, exp.Literal) and not inner.is_string:
            # -2147483648 and -9223372036854775808 are literals of their own.
            if inner.name == "2147483648":
                return INT
            if inner.name == "9223372036854775808":
                return BIGINT
        kind = self.type_of(inner)
        return DOUBLE if isinstance(kind, StringType) else kind

    def _bracket(self, node: exp.Bracket) -> DataType | None:
        kind = self.type_of(node.this)
        if isinstance(kind, StructType) and node.expressions:
            return _field(kind, node.expressions[0].name)
        if isinstance(kind, ArrayType):
            return kind.elementType
        return kind.valueType if isinstance(kind, MapType) else None

    # Columns

    def _column(self, node: exp.Column) -> DataType | None:
        if isinstance(node.this, exp.Star):
            return None
        parts = [part.name for part in node.parts]
        if len(parts) == 1:
            variable = self._lambda_variable(node, parts[0])
            if variable is not _UNKNOWN:
                return variable  # type: ignore[return-value]
        for query in _queries_around(node):
            found = self._resolve(parts, query, node)
            if found is not _UNKNOWN:
                return found  # type: ignore[return-value]
        if self._around is not None:
            found = self._among(parts, self._around())
            if found is not _UNKNOWN:
                return found  # type: ignore[return-value]
        return None

    def _resolve(self, parts: Sequence[str], query: Node, node: Node) -> object:
        lowered = [part.lower() for part in parts]
        if isinstance(query, exp.SetOperation):
            columns = self.columns_of(query)
            return _UNKNOWN if columns is None else _lookup(lowered[-1], columns)
        if not isinstance(query, exp.Select):
            return self._among(parts, [self.source(source) for source in _changed_sources(query)])
        in_order = _clause(node, query) == "order"
        if in_order and len(parts) == 1:
            found = self._alias(lowered[0], query, node)
            if found is not _UNKNOWN:
                return found
        found = self._among(parts, list(self.sources_of(query)))
        return self._alias(lowered[0], query, node) if found is _UNKNOWN and not in_order else found

    @staticmethod
    def _among(parts: Sequence[str], sources: Sequence[tuple[str, Columns | None]]) -> object:
        """Return the type of a column among sources; None where it may be one of unknown columns."""
        lowered = [part.lower() for part in parts]
        for length in range(1, len(parts)):
            qualifier = lowered[length - 1]
            for name, columns in sources:
                if name == qualifier:
                    if columns is None:
                        return None
                    found = _lookup(lowered[length], columns)
                    if found is not _UNKNOWN:
                        return _through(found, parts[length + 1 :])
        for _name, columns in sources:
            if columns is None:
                return None
            found = _lookup(lowered[0], columns)
            if found is not _UNKNOWN:
                return _through(found, parts[1:])
        return _UNKNOWN

    def _alias(self, name: str, query: exp.Select, node: Node) -> object:
        for projection in query.expressions:
            if isinstance(projection, exp.Alias) and projection.alias.lower() == name:
                return None if is_within(node, projection) else self.type_of(projection.this)
        return _UNKNOWN

    def _lambda_variable(self, node: Node, name: str) -> object:
        inner: Node = node
        while inner.parent is not None and not isinstance(inner, exp.Query):
            outer = inner.parent
            if isinstance(outer, exp.Lambda) and inner.arg_key == "this":
                names = [variable.name.lower() for variable in outer.expressions]
                if name.lower() in names:
                    return self._variable_type(outer, names.index(name.lower()))
            inner = outer
        return _UNKNOWN

    def _variable_type(self, node: exp.Lambda, at: int) -> DataType | None:
        name, arguments = call_of(node.parent) if node.parent is not None else ("", [])
        if not arguments or arguments[0] is node:
            return None
        kind = self.type_of(arguments[0])
        if isinstance(kind, ArrayType):
            if name in ("aggregate", "reduce"):
                return kind.elementType if at == 1 else self.type_of(arguments[1])
            if name == "zip_with" and at == 1:
                other = self.type_of(arguments[1])
                return other.elementType if isinstance(other, ArrayType) else None
            return (
                kind.elementType if at == 0 else INT if name in ("transform", "filter") else kind.elementType
            )
        if isinstance(kind, MapType) and name != "map_zip_with":
            return kind.keyType if at == 0 else kind.valueType
        return None

    # Queries

    def columns_of(self, query: Node | None) -> Columns | None:
        """Return the columns that a query gives, or None where they are not known."""
        if query is None:
            return None
        found = self._columns.get(id(query))
        if found is not None:
            return found[1]
        if id(query) in self._open:
            return None
        self._open.add(id(query))
        try:
            columns = self._query_columns(query)
        finally:
            self._open.discard(id(query))
        self._columns[id(query)] = (query, columns)
        return columns

    def remember(self, query: Node, columns: Columns) -> None:
        """Note the columns of what takes the place of a query."""
        self._columns[id(query)] = (query, columns)

    def forget(self, query: Node) -> None:
        """Look for the columns of a query again."""
        self._columns.pop(id(query), None)

    def _query_columns(self, query: Node) -> Columns | None:
        if isinstance(query, exp.Subquery):
            if query.args.get("joins") or query.args.get("pivots"):
                return None
            return self.columns_of(query.this)
        if isinstance(query, exp.SetOperation):
            return self._united(query)
        if isinstance(query, exp.Values):
            return self._values(query)
        return self._projected(query) if isinstance(query, exp.Select) else None

    def _united(self, query: exp.SetOperation) -> Columns | None:
        left, right = self.columns_of(query.left), self.columns_of(query.right)
        if left is None or right is None or query.args.get("by_name") or len(left) != len(right):
            return None
        return [(name, types.common_type(a, b)) for (name, a), (_, b) in zip(left, right, strict=True)]

    def _values(self, query: exp.Values) -> Columns | None:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in query.expressions]
        if len({len(row) for row in rows}) != 1:
            return None
        kinds = [types.common_of([self.type_of(v) for v in column]) for column in zip(*rows, strict=True)]
        return [(f"col{at}", kind) for at, kind in enumerate(kinds, 1)]

    def _projected(self, query: exp.Select) -> Columns | None:
        if query.args.get("kind"):
            return None
        columns: list[Column] = []
        for projection in query.expressions:
            star = projection.this if isinstance(projection, exp.Column) else projection
            if isinstance(star, exp.Star):
                qualifier = projection.table if isinstance(projection, exp.Column) else None
                expanded = self.star_columns(query, star, qualifier)
                if expanded is None:
                    return None
                columns.extend(expanded)
                continue
            if isinstance(projection, exp.Aliases) or _is_generator(projection):
                return None
            columns.append((projection.alias_or_name, self.type_of(projection)))
        return columns

    def star_columns(self, query: exp.Select, star: exp.Star, qualifier: str | None) -> Columns | None:
        """Return the columns that a star stands for, or None where they are not known."""
        if star.args.get("replace") or star.args.get("rename"):
            return None
        joins = query.args.get("joins") or []
        if qualifier is None and any(j.method == "NATURAL" for j in joins):
            return None
        left_out = {e.name.lower() for e in star.args.get("except_") or []}
        columns: list[Column] = []
        found = False
        if qualifier is None:
            merged = list(dict.fromkeys(i.name.lower() for j in joins for i in j.args.get("using") or ()))
            if merged:
                kinds = [self._merged_type(query, name) for name in merged]
                columns = [(n, k) for n, k in zip(merged, kinds, strict=True) if n not in left_out]
                left_out |= set(merged)
        for (name, source), hidden in zip(self.sources_of(query), _hidden_sides(query), strict=False):
            if qualifier is not None and name != qualifier.lower():
                continue
            if qualifier is None and hidden:
                continue
            found = True
            if source is None:
                return None
            columns.extend(c for c in source if c[0].lower() not in left_out)
        return columns if found else None

    def _merged_type(self, query: exp.Select, name: str) -> DataType | None:
        kinds = []
        for _, columns in self.sources_of(query):
            found = _lookup(name, columns) if columns is not None else None
            if found is not _UNKNOWN:
                kinds.append(found if isinstance(found, DataType) else None)
        return types.common_of(kinds)

    def sources_of(self, query: exp.Select) -> Iterator[tuple[str, Columns | None]]:
        """Return what stands in FROM: the name in lower case by which columns refer to it, and its columns."""
        for source in source_nodes(query):
            yield self.source(source)

    def source(self, source: Node) -> tuple[str, Columns | None]:
        """As :meth:`sources_of`, for one of them."""
        made = source.meta.get("source")
        if isinstance(made, str):
            return made, self.columns_of(source)
        alias = source.args.get("alias")
        names = [c.name for c in alias.columns] if isinstance(alias, exp.TableAlias) else []
        if isinstance(source, exp.Lateral):
            return source.alias.lower(), self._generated(source, names)
        if isinstance(source, exp.Table):
            name, columns = source.alias_or_name.lower(), self._table(source)
            if source.args.get("pivots") or source.args.get("joins"):
                columns = None
        else:
            name, columns = source.alias.lower(), self.columns_of(source)
            if source.args.get("pivots"):
                columns = None
        if columns is not None and names:
            columns = (
                [(n, kind) for n, (_, kind) in zip(names, columns, strict=True)]
                if len(names) == len(columns)
                else None
            )
        return name, columns

    def _table(self, table: exp.Table) -> Columns | None:
        if isinstance(table.this, exp.Anonymous):
            return [("id", BIGINT)] if str(table.this.this).lower() == "range" else None
        parts = tuple(part.name for part in table.parts)
        if len(parts) == 1:
            cte = cte_of(table, parts[0])
            if cte is not None:
                columns = self.columns_of(cte.this)
                names = [c.name for c in cte.args["alias"].columns]
                if names and columns is not None and len(names) == len(columns):
                    return [(n, kind) for n, (_, kind) in zip(names, columns, strict=True)]
                return None if names else columns
        return self._tables(parts)

    def _generated(self, source: exp.Lateral, names: Sequence[str]) -> Columns | None:
        inner = source.this
        if isinstance(inner, exp.Subquery):
            columns = self.columns_of(inner)
        else:
            name, arguments = call_of(inner)
            columns = self.generated(name, arguments)
        if columns is None:
            return [(n, None) for n in names] if names else None
        if not names:
            return columns
        return [(n, kind) for n, (_, kind) in zip(names, columns, strict=False)]

    def generated(self, name: str, arguments: Sequence[Node]) -> Columns | None:
        """Return the columns of a generator function."""
        kind = self.type_of(arguments[0]) if arguments else None
        name = name.removesuffix("_outer")
        columns: list[Column]
        if name in ("explode", "posexplode"):
            if isinstance(kind, ArrayType):
                columns = [("col", kind.elementType)]
            elif isinstance(kind, MapType):
                columns = [("key", kind.keyType), ("value", kind.valueType)]
            else:
                return None
            return [("pos", INT), *columns] if name == "posexplode" else columns
        if name == "inline" and isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType):
            return [(f.name, f.dataType) for f in kind.elementType.fields]
        if name == "json_tuple":
            return [(f"c{at}", STRING) for at in range(len(arguments) - 1)]
        return None


def call_of(node: Node | None) -> tuple[str, list[Node]]:
    """Return a call's name in lower case and its arguments; "" for what is no call."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower(), list(node.expressions)
    if isinstance(node, exp.Substring):
        return "substring", [
            a for a in (node.this, node.args.get("start"), node.args.get("length")) if a is not None
        ]
    if isinstance(node, exp.Trim):
        return "trim", [node.this]
    if isinstance(node, exp.StrPosition):
        return "position", [node.args["substr"], node.this]
    if isinstance(node, exp.Extract):
        return "date_part", [node.this, node.expression]
    if isinstance(node, exp.Overlay):
        return "overlay", [node.this]
    return "", []


def literal_type(node: exp.Literal) -> DataType:
    """Return the type of a literal: ``1`` is INT, ``1.0`` is DECIMAL(2,1), ``1e3`` is DOUBLE."""
    if node.is_string:
        return STRING
    text = node.name.lower()
    if "e" in text:
        return DOUBLE
    if "." in text:
        whole, _, fraction = text.partition(".")
        digits = len(whole.lstrip("0")) + len(fraction)
        return DecimalType(max(digits, len(fraction), 1), len(fraction))
    number = int(text)
    if number < 2**31:
        return INT
    return BIGINT if number < 2**63 else DecimalType(len(text.lstrip("0")), 0)


def source_nodes(query: exp.Select) -> Iterator[Node]:
    """Return the tables, queries and generators that a SELECT reads, in order."""
    from_ = query.args.get("from_")
    if from_ is not None:
        yield from_.this
        yield from from_.this.args.get("laterals") or ()
        yield from (join.this for join in from_.this.args.get("joins") or ())
    for join in query.args.get("joins") or ():
        yield join.this
        yield from join.this.args.get("laterals") or ()
    yield from query.args.get("laterals") or ()


def _changed_sources(query: Node) -> Iterator[Node]:
    """Return the tables that an UPDATE, DELETE or MERGE names."""
    for key in ("this", "using", "from_"):
        value = query.args.get(key)
        for source in value if isinstance(value, list) else [value]:
            inner = source.this if isinstance(source, exp.From) else source
            if isinstance(inner, (exp.Table, exp.Subquery, exp.Values)):
                yield inner


def _hidden_sides(query: exp.Select) -> Iterator[bool]:
    """For each source, whether a star leaves it out: the right side of LEFT SEMI and LEFT ANTI."""
    from_ = query.args.get("from_")
    if from_ is not None:
        yield False
        yield from (False for _ in from_.this.args.get("laterals") or ())
    for join in query.args.get("joins") or ():
        yield join.kind in ("SEMI", "ANTI")
        yield from (False for _ in join.this.args.get("laterals") or ())
    yield from (False for _ in query.args.get("laterals") or ())


def _is_generator(node: Node) -> bool:
    name, _ = call_of(node.unalias() if isinstance(node, exp.Alias) else node)
    known = function(name) if name else None
    return known is not None and known.kind.value == "generator"


def _queries_around(node: Node) -> Iterator[Node]:
    inner, outer = node, node.parent
    while outer is not None:
        is_end_of_union = isinstance(outer, exp.SetOperation) and inner.arg_key in ("order", "limit")
        changes_rows = isinstance(outer, exp.Update) and outer.args.get("this") is not None
        if is_end_of_union or changes_rows or isinstance(outer, (exp.Select, exp.Merge, exp.Delete)):
            yield outer
        inner, outer = outer, outer.parent


def _clause(node: Node, query: Node) -> str:
    inner = node
    while inner.parent is not None and inner.parent is not query:
        inner = inner.parent
    return inner.arg_key or ""


def _lookup(name: str, columns: Columns) -> object:
    for column, kind in columns:
        if column.lower() == name:
            return kind
    return _UNKNOWN


def _through(kind: object, fields: Sequence[str]) -> object:
    for name in fields:
        kind = _field(kind if isinstance(kind, DataType) else None, name)
    return kind


def _field(kind: DataType | None, name: str) -> DataType | None:
    if isinstance(kind, ArrayType):
        inner = _field(kind.elementType, name)
        return None if inner is None else ArrayType(inner)
    if isinstance(kind, StructType):
        return next((f.dataType for f in kind.fields if f.name.lower() == name.lower()), None)
    return kind.valueType if isinstance(kind, MapType) else None


def cte_of(table: exp.Table, name: str) -> exp.CTE | None:
    """Return the query of a WITH that a table's name means, if there is one."""
    inner: Node = table
    while inner.parent is not None:
        outer = inner.parent
        with_ = outer.args.get("with_")
        if isinstance(with_, exp.With) and inner is not with_:
            found: list[exp.CTE] = [cte for cte in with_.expressions if cte.alias.lower() == name.lower()]
            if found:
                return found[-1]
        if isinstance(outer, exp.With):
            before = outer.expressions[: inner.index or 0]
            if outer.args.get("recursive"):
                return None
            found = [cte for cte in before if cte.alias.lower() == name.lower()]
            if found:
                return found[-1]
            inner = outer.parent or outer
            continue
        inner = outer
    return None


def _interval_type(node: exp.Interval) -> DataType | None:
    unit = node.args.get("unit")
    if isinstance(unit, exp.IntervalSpan):
        names = [unit.this.name.upper().rstrip("S"), unit.expression.name.upper().rstrip("S")]
    elif isinstance(unit, exp.Expr):
        names = [unit.name.upper().removesuffix("S")] * 2
    else:
        return None
    if "WEEK" in names:
        names = ["DAY", "DAY"]
    if all(name in _INTERVAL_UNITS for name in names):
        start, end = (_INTERVAL_UNITS.index(name) for name in names)
        return DayTimeIntervalType(start, end)
    if all(name in ("YEAR", "MONTH") for name in names):
        return YearMonthIntervalType(*(("YEAR", "MONTH").index(name) for name in names))
    return None


def _time_arithmetic(operator: str, left: DataType | None, right: DataType | None) -> DataType | None:
    if operator == "-" and isinstance(left, (DateType, NullType)) and isinstance(right, (DateType, NullType)):
        return DayTimeIntervalType(0, 0)
    if (
        operator == "-"
        and isinstance(left, (DateType, TimestampType))
        and isinstance(right, (DateType, TimestampType))
    ):
        return DayTimeIntervalType(0, 3)
    moment, other = (
        (left, right) if isinstance(left, (DateType, TimestampType, TimestampNTZType)) else (right, left)
    )
    if isinstance(other, YearMonthIntervalType):
        return moment
    if isinstance(other, DayTimeIntervalType):
        days = other.startField == other.endField == 0
        return types.TIMESTAMP if isinstance(moment, DateType) and not days else moment
    if isinstance(moment, DateType) and isinstance(other, (IntegerType, NullType)):
        return types.DATE
    return None
