"""What CREATE TABLE says: columns with their constraints, and the clauses after them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from local_workspace.catalog import Constraint
from local_workspace.sql.sql_error import SqlError, not_supported, parse_error
from local_workspace.sql.statement_reader import StatementReader, property_pairs, split_items
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.statements.listing import PROVIDER

_COLUMN_ENDS = frozenset(
    {
        "NOT",
        "NULL",
        "COMMENT",
        "CONSTRAINT",
        "PRIMARY",
        "REFERENCES",
        "FOREIGN",
        "DEFAULT",
        "GENERATED",
        "MASK",
        "COLLATE",
    }
)
_KEY_OPTIONS = frozenset(
    [
        "NOT",
        "ENFORCED",
        "DEFERRABLE",
        "INITIALLY",
        "DEFERRED",
        "NORELY",
        "RELY",
        "MATCH",
        "FULL",
        "ON",
        "UPDATE",
        "DELETE",
        "NO",
        "ACTION",
        "TIMESERIES",
    ]
)


@dataclass(frozen=True)
class ColumnDefinition:
    """One column as declared.

    Attributes:
        name: As written.
        type: SQL type as written.
        not_null: Whether NULL is refused.
        comment: Its comment, if it has one.
        mask: What follows MASK: the function, and the other columns that it gets.
    """

    name: str
    type: str
    not_null: bool = False
    comment: str | None = None
    mask: str | None = None


@dataclass(frozen=True)
class ConstraintDefinition:
    """A constraint as declared; a name that is missing is made from the table's.

    Attributes:
        name: As written, or None.
        type: ``PRIMARY KEY``, ``FOREIGN KEY`` or ``CHECK``.
        columns: The table's own columns of a key.
        expression: Of a CHECK.
        references: Name parts of the table that a foreign key points to.
        referenced_columns: Its columns; none means its primary key.
    """

    name: str | None
    type: str
    columns: tuple[str, ...] = ()
    expression: str | None = None
    references: tuple[str, ...] = ()
    referenced_columns: tuple[str, ...] = ()


@dataclass
class TableClauses:
    """What stands between the columns and the query.

    Attributes:
        partition_columns: PARTITIONED BY.
        cluster_columns: CLUSTER BY; ``["AUTO"]`` for automatic clustering. Recorded, not acted on.
        comment: COMMENT.
        properties: TBLPROPERTIES.
        row_filter: What follows ROW FILTER: the function, and the columns that it gets.
    """

    partition_columns: list[str] = field(default_factory=list)
    cluster_columns: list[str] = field(default_factory=list)
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    row_filter: str | None = None


def read_columns(text: str) -> tuple[list[ColumnDefinition], list[ConstraintDefinition]]:
    """Read the inside of ``( column type ..., constraint ... )``.

    Args:
        text: Without the outer parentheses.

    Raises:
        SqlError: Something in it is neither a column nor a constraint, or is not supported.
    """
    columns: list[ColumnDefinition] = []
    constraints: list[ConstraintDefinition] = []
    for item in split_items(text):
        reader = StatementReader(item)
        if (
            reader.sees("CONSTRAINT")
            or reader.sees("PRIMARY", "KEY")
            or reader.sees("FOREIGN", "KEY")
            or reader.sees("CHECK", "(")
        ):
            constraints.append(read_constraint(reader))
            reader.end()
        else:
            columns.append(_read_column(reader, constraints))
    return columns, constraints


def _read_column(reader: StatementReader, constraints: list[ConstraintDefinition]) -> ColumnDefinition:
    name = reader.name()
    data_type = read_type(reader)
    not_null, comment, mask = False, None, None
    while not reader.at_end:
        if reader.accept("NOT", "NULL"):
            not_null = True
        elif reader.accept("NULL"):
            not_null = False
        elif reader.accept("COMMENT"):
            comment = reader.string()
        elif reader.sees("DEFAULT") or reader.sees("GENERATED"):
            raise not_supported(
                f"DEFAULT and GENERATED (column {name})", "Compute the value in the model's query."
            )
        elif reader.accept("MASK"):
            mask = _policy_text(reader, ("USING", "COLUMNS"))
        elif reader.sees("COLLATE"):
            raise not_supported(f"COLLATE (column {name})", "Omit it, or use lower() in comparisons.")
        else:
            constraints.append(read_constraint(reader, column=name))
    return ColumnDefinition(name, data_type, not_null, comment, mask)


def _policy_text(reader: StatementReader, words: tuple[str, ...]) -> str:
    """Return a function's name and the columns that it gets, as written."""
    first = reader.position
    reader.dotted_name()
    if reader.accept(*words):
        reader.parenthesised()
    return reader.sql[reader.tokens[first].start : reader.tokens[reader.position - 1].end]


def read_type(reader: StatementReader) -> str:
    """Read a column's type: everything up to the next column option."""
    first = reader.next()
    depth, end = 0, first.end
    while (token := reader.peek()) is not None:
        if depth == 0 and token.upper in _COLUMN_ENDS:
            break
        if token.text in "(<":
            depth += 1
        elif token.text in ")>":
            depth -= 1
        end = reader.next().end
    return reader.sql[first.start : end]


def read_constraint(reader: StatementReader, *, column: str | None = None) -> ConstraintDefinition:
    """Read ``[CONSTRAINT name] PRIMARY KEY .. | FOREIGN KEY .. REFERENCES .. | CHECK (..)``.

    Args:
        reader: Stands at the constraint.
        column: The column that the constraint is written with, if it is.
    """
    name = reader.name() if reader.accept("CONSTRAINT") else None
    if reader.accept("PRIMARY", "KEY"):
        columns = _names(reader) if column is None else (column,)
        _skip_key_options(reader)
        return ConstraintDefinition(name, "PRIMARY KEY", columns)
    if reader.accept("FOREIGN", "KEY") or (column is not None and reader.sees("REFERENCES")):
        columns = _names(reader) if column is None else (column,)
        reader.expect("REFERENCES")
        target = reader.dotted_name()
        referenced = _names(reader) if reader.sees("(") else ()
        _skip_key_options(reader)
        return ConstraintDefinition(name, "FOREIGN KEY", columns, None, target, referenced)
    if reader.accept("CHECK"):
        expression = reader.parenthesised().strip()
        reader.accept("ENFORCED")
        return ConstraintDefinition(name, "CHECK", (), expression)
    token = reader.peek()
    raise parse_error(
        repr(token.text) if token else "end of input",
        reader.sql,
        expected="PRIMARY KEY, FOREIGN KEY or CHECK",
    )


def _names(reader: StatementReader) -> tuple[str, ...]:
    # PRIMARY KEY (customer_id, day TIMESERIES)
    return tuple(StatementReader(item).name() for item in split_items(reader.parenthesised()))


def _skip_key_options(reader: StatementReader) -> None:
    # RELY, NOT ENFORCED and the like: keys are informational on Databricks, and here.
    while (token := reader.peek()) is not None and token.upper in _KEY_OPTIONS:
        reader.next()


_REFUSED_CLAUSES = {
    ("LOCATION",): (
        "LOCATION (external tables)",
        "Omit it: the table is then managed by the workspace.",
    ),
    ("OPTIONS",): ("OPTIONS in CREATE TABLE", "Use TBLPROPERTIES."),
    ("CLUSTERED", "BY"): (
        "CLUSTERED BY ... INTO BUCKETS",
        "Use CLUSTER BY: Delta has no buckets, on Databricks neither.",
    ),
}
_QUERY_STARTS = ("AS", "SELECT", "WITH", "(")


def read_clauses(reader: StatementReader) -> TableClauses:  # noqa: PLR0912  (one for each clause)
    """Read the clauses up to AS, CLONE or the end.

    Raises:
        SqlError: A clause is unknown or not supported.
    """
    clauses = TableClauses()
    while not reader.at_end:
        for words, (what, way_out) in _REFUSED_CLAUSES.items():
            if reader.sees(*words):
                raise not_supported(what, way_out)
        if any(reader.sees(word) for word in _QUERY_STARTS) and not reader.sees("WITH", "ROW", "FILTER"):
            break
        if reader.accept("USING"):
            provider = reader.name()
            if provider.lower() == "iceberg":
                clauses.properties[PROVIDER] = "iceberg"
            elif provider.lower() != "delta":
                raise not_supported(f"tables in format {provider}", "Use Delta, which is the default.")
        elif reader.accept("PARTITIONED", "BY"):
            clauses.partition_columns = [
                _partition_column(item) for item in split_items(reader.parenthesised())
            ]
        elif reader.accept("CLUSTER", "BY"):
            clauses.cluster_columns = _cluster_columns(reader)
        elif reader.accept("COMMENT"):
            clauses.comment = reader.string()
        elif reader.accept("TBLPROPERTIES"):
            clauses.properties.update(property_pairs(reader.parenthesised()))
        elif reader.accept("WITH", "ROW", "FILTER"):
            clauses.row_filter = _policy_text(reader, ("ON",))
        else:
            raise parse_error(repr(reader.next().text), reader.sql)
    if clauses.partition_columns and clauses.cluster_columns:
        raise SqlError(
            "SPECIFY_CLUSTER_BY_WITH_PARTITIONED_BY_IS_NOT_ALLOWED",
            "Cannot specify both CLUSTER BY and PARTITIONED BY for a table.",
            "42908",
        )
    if PROVIDER in clauses.properties and clauses.partition_columns:
        # Databricks makes clustering keys of them, too: a managed Iceberg table has no partitions.
        clauses.partition_columns, clauses.cluster_columns = [], clauses.partition_columns
    return clauses


def _cluster_columns(reader: StatementReader) -> list[str]:
    if reader.accept("AUTO"):
        return ["AUTO"]
    return [] if reader.accept("NONE") else list(_names(reader))


def _partition_column(item: str) -> str:
    reader = StatementReader(item)
    name = reader.name()
    if not reader.at_end:
        raise not_supported(f"PARTITIONED BY ({item})", "Name columns of the table only.")
    return name


def constraint_name(table: str, definition: ConstraintDefinition) -> str:
    """Return the name of a constraint; Databricks makes one up from the table's name where none is given."""
    if definition.name:
        return definition.name
    suffix = {"PRIMARY KEY": "pk", "FOREIGN KEY": "fk", "CHECK": "check"}[definition.type]
    extra = (
        re.sub(r"\W+", "_", "_".join(definition.columns) or definition.expression or "")
        .strip("_")
        .lower()[:40]
    )
    return (
        f"{table.lower()}_{suffix}"
        if definition.type == "PRIMARY KEY"
        else f"{table.lower()}_{extra}_{suffix}"
    )


def check_columns(columns: list[ColumnDefinition]) -> None:
    """Refuse two columns of one name.

    Raises:
        SqlError: COLUMN_ALREADY_EXISTS.
    """
    require_different([column.name for column in columns])


def require_different(names: Sequence[str]) -> None:
    """Refuse a list of columns in which one stands twice; upper and lower case are one.

    Raises:
        SqlError: COLUMN_ALREADY_EXISTS.
    """
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise SqlError(
                "COLUMN_ALREADY_EXISTS",
                f"The column {quote_identifier(name)} already exists. Choose another name or rename the existing column.",
                "42711",
            )
        seen.add(name.lower())


__all__ = [
    "ColumnDefinition",
    "Constraint",
    "ConstraintDefinition",
    "TableClauses",
    "check_columns",
    "constraint_name",
    "read_clauses",
    "read_columns",
    "read_constraint",
    "read_type",
]
