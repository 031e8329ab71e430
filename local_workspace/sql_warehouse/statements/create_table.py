"""CREATE TABLE in its forms, and DROP TABLE.

Every form is one Delta commit: a table is there with its rows, its columns and its properties, or as it was before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from local_workspace.catalog import Constraint, Table, TableName
from local_workspace.catalog.char_types import DECLARED_TYPE, declared_type
from local_workspace.delta.commit import commit_replacement
from local_workspace.delta.shape import CHECK_PREFIX, TableShape
from local_workspace.delta.staging import stage
from local_workspace.delta.table_lock import table_lock
from local_workspace.sql.sql_error import SqlError, not_supported, table_not_found
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.listing import CLUSTERING_PROPERTY, SHALLOW_CLONE_OF
from local_workspace.sql_warehouse.statements.policies import apply_policies, read_policy, refuse_policies
from local_workspace.sql_warehouse.statements.staging_area import clear_staging
from local_workspace.sql_warehouse.statements.table_checks import verify
from local_workspace.sql_warehouse.statements.table_definition import (
    ColumnDefinition,
    ConstraintDefinition,
    TableClauses,
    check_columns,
    constraint_name,
    read_clauses,
    read_columns,
    require_different,
)

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

    from local_workspace.sql_warehouse.session import Session

# Properties that Delta readers and writers act on and that every engine here can honour. Others are recorded in the
# catalog only: deletion vectors, column mapping and change data feed would make the table unreadable for the local
# engine.
_DELTA_LOG_PROPERTIES = (
    "delta.logRetentionDuration",
    "delta.deletedFileRetentionDuration",
    "delta.appendOnly",
    "delta.checkpointInterval",
    "delta.dataSkippingNumIndexedCols",
    "delta.randomizeFilePrefixes",
)
# Names of operations in the history are those of Delta.
_WITHOUT_ROWS = "CREATE OR REPLACE TABLE"


def log_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Those table properties that belong into the Delta log."""
    return {key: value for key, value in properties.items() if key in _DELTA_LOG_PROPERTIES}


def create(session: Session, reader: StatementReader) -> Result:
    """CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name [(columns)] clauses [AS query | SHALLOW CLONE t | DEEP CLONE t]."""
    reader.expect("CREATE")
    replace = reader.accept("OR", "REPLACE")
    reader.expect("TABLE")
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = session.table_name(reader.dotted_name())
    session.require_schema(name.catalog, name.schema)
    columns: list[ColumnDefinition] = []
    constraints: list[ConstraintDefinition] = []
    if reader.sees("(") and not _is_query(reader):
        columns, constraints = read_columns(reader.parenthesised())
        check_columns(columns)
    shallow = reader.accept("SHALLOW", "CLONE")
    if shallow or reader.accept("DEEP", "CLONE") or reader.accept("CLONE"):
        return _clone(session, reader, name, replace, if_not_exists, shallow=shallow)
    if reader.sees("LIKE"):
        raise not_supported("CREATE TABLE ... LIKE", "Use CREATE TABLE ... AS SELECT * FROM ... WHERE false.")
    clauses = read_clauses(reader)
    reader.accept("AS")
    query = reader.rest()
    if not query and not columns:
        raise not_supported("CREATE TABLE without columns and query", "Name the columns, or add AS SELECT.")
    if query and columns:
        raise SqlError(
            "PARSE_SYNTAX_ERROR", "CREATE TABLE ... AS SELECT takes its columns from the query.", "42601"
        )
    with table_lock(session.warehouse.layout, name):
        if _is_there(session, name, replace, if_not_exists):
            return Result.empty()
        return _write(
            session,
            name,
            query or _empty_query(columns),
            columns,
            constraints,
            clauses=clauses,
            operation="CREATE OR REPLACE TABLE AS SELECT" if query else _WITHOUT_ROWS,
        )


def _is_query(reader: StatementReader) -> bool:
    following = reader.peek(1)
    return following is not None and following.upper in ("SELECT", "WITH", "(", "VALUES")


def _is_there(session: Session, name: TableName, replace: bool, if_not_exists: bool) -> bool:
    """Whether nothing is to be done, since the table exists and IF NOT EXISTS was said."""
    existing = session.catalog.get(name)
    if existing is None:
        return False
    if existing.is_view:
        raise SqlError(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
            f"{name.quoted} is a view, not a table. Drop it first.",
            "42809",
        )
    if existing.kind != "TABLE":
        raise SqlError(
            "STREAMING_TABLE_OPERATION_NOT_ALLOWED.REQUIRES_PIPELINE",
            f"{name.quoted} is a {existing.kind.lower().replace('_', ' ')} of a pipeline; only its pipeline may replace it.",
            "42601",
        )
    if if_not_exists:
        return True
    if not replace:
        raise SqlError(
            "TABLE_OR_VIEW_ALREADY_EXISTS",
            f"Cannot create table {name.quoted} because it already exists. Use CREATE OR REPLACE TABLE.",
            "42P07",
        )
    return False


def _empty_query(columns: Sequence[ColumnDefinition]) -> str:
    values = ", ".join(f"CAST(NULL AS {c.type}) AS {quote_identifier(c.name)}" for c in columns)
    return f"SELECT {values} WHERE false"


def _write(
    session: Session,
    name: TableName,
    query: str,
    columns: Sequence[ColumnDefinition],
    constraints: Sequence[ConstraintDefinition],
    *,
    clauses: TableClauses,
    operation: str,
) -> Result:
    location = session.warehouse.layout.table_path(*name.key)
    clear_staging(location)
    # Read before anything is written: a table whose mask cannot be made must not be there without it.
    policies = [read_policy(session, StatementReader(c.mask), column=c.name) for c in columns if c.mask]
    if clauses.row_filter:
        policies.append(read_policy(session, StatementReader(clauses.row_filter)))
    frame = session.frame(query)
    _refuse_bad_columns(frame.schema)
    by_name = {n.lower(): n for n in frame.schema.names}
    partition_columns = [_known(by_name, column, name) for column in clauses.partition_columns]
    cluster_columns = [c if c == "AUTO" else _known(by_name, c, name) for c in clauses.cluster_columns]
    staged = stage(frame, location, partition_columns)
    try:
        declared = {c.name.lower(): c for c in columns}
        keys = {c.lower() for d in constraints if d.type == "PRIMARY KEY" for c in d.columns}
        fields = [_field(field, declared.get(field["name"].lower()), keys) for field in staged.fields]
        checks = {
            constraint_name(name.table, d): d.expression or "" for d in constraints if d.type == "CHECK"
        }
        verify(session, staged.folder, staged.adds, fields, checks, table=name)
        shape = TableShape(
            fields,
            partition_columns,
            {**log_properties(clauses.properties), **{CHECK_PREFIX + n: e for n, e in checks.items()}},
            clauses.comment,
        )
        commit_replacement(location, staged, shape, operation=operation, statement=session.tag or session.id)
    finally:
        staged.discard()
    properties: dict[str, str | None] = dict(clauses.properties)
    if cluster_columns:
        properties[CLUSTERING_PROPERTY] = ",".join(cluster_columns)
    session.catalog.put_table(
        name,
        kind="TABLE",
        location=location,
        comment=clauses.comment,
        properties=properties,
        column_comments={c.name: c.comment for c in columns if c.comment},
        replace_existing=True,
    )
    for definition in constraints:
        session.catalog.add_constraint(name, resolved_constraint(session, name, definition))
    if policies:
        apply_policies(session, session.require_table(name.key), policies)
    return Result.of_affected(None if operation == _WITHOUT_ROWS else staged.rows)


def _known(by_name: Mapping[str, str], column: str, table: TableName) -> str:
    if column.lower() not in by_name:
        raise SqlError(
            "COLUMN_NOT_DEFINED_IN_TABLE",
            f"The partition or clustering column {column} is not defined in table {table.quoted}; "
            f"defined are {', '.join(by_name.values())}.",
            "42703",
        )
    return by_name[column.lower()]


def _refuse_bad_columns(schema: StructType) -> None:
    require_different(schema.names)
    for field in schema.fields:
        column = field.name
        if field.dataType.simpleString() == "void":
            raise not_supported(
                f"a column of type VOID ({column})", f"Give NULL a type: CAST(NULL AS STRING) AS {column}."
            )
        if any(character in " ,;{}()\n\t=" for character in column):
            raise SqlError(
                "DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES",
                f"Found invalid character(s) among ' ,;{{}}()\\n\\t=' in the column name "
                f"{column!r}. Give the column an alias.",
                "42K05",
            )


def _field(field: Mapping[str, Any], declared: ColumnDefinition | None, keys: set[str]) -> dict[str, Any]:
    result = dict(field)
    if declared is not None:
        # A primary key column is NOT NULL even where that is not said, as on Databricks.
        result["nullable"] = not (declared.not_null or declared.name.lower() in keys)
        if declared.comment:
            result["metadata"] = {**field.get("metadata", {}), "comment": declared.comment}
        limited = declared_type(declared.type)
        if limited is not None:
            result["metadata"] = {**result.get("metadata", {}), DECLARED_TYPE: limited}
    return result


def resolved_constraint(session: Session, name: TableName, definition: ConstraintDefinition) -> Constraint:
    """Return a declared constraint with full names, checked against what is there.

    Raises:
        SqlError: The table that a foreign key points to does not exist.
    """
    target, referenced = None, definition.referenced_columns
    if definition.type == "FOREIGN KEY":
        target = session.table_name(definition.references)
        if session.catalog.get(target) is None:
            raise table_not_found(target.quoted)
        if not referenced:
            key = session.catalog.primary_key(target)
            if key is None:
                raise SqlError(
                    "FOREIGN_KEY_MISMATCH",
                    f"{target.quoted} has no primary key that the foreign key could refer to.",
                    "42830",
                )
            referenced = key.columns
    return Constraint(
        constraint_name(name.table, definition),
        definition.type,
        definition.columns,
        definition.expression,
        target,
        referenced,
    )


def _clone(
    session: Session,
    reader: StatementReader,
    name: TableName,
    replace: bool,
    if_not_exists: bool,
    *,
    shallow: bool,
) -> Result:
    # A shallow clone refers to its origin's files; here it is a copy, which can do all that a clone can and costs the space.
    source = session.require_table(reader.dotted_name())
    travel = reader.rest()
    if source.location is None:
        raise SqlError(
            "DELTA_CLONE_UNSUPPORTED_SOURCE",
            f"{source.name.quoted} is a view; only tables can be cloned.",
            "0AKDC",
        )
    refuse_policies(session, source, "a clone")
    clauses = TableClauses(comment=source.comment, properties=dict(source.properties))
    clauses.properties.pop(SHALLOW_CLONE_OF, None)
    if shallow:
        clauses.properties[SHALLOW_CLONE_OF] = str(source.name)
    clustering = clauses.properties.pop(CLUSTERING_PROPERTY, "")
    clauses.cluster_columns = [c for c in clustering.split(",") if c]
    columns = session.catalog.columns(source)
    clauses.partition_columns = [
        c.name for c in sorted(columns, key=lambda c: c.partition_index or 0) if c.partition_index is not None
    ]
    definitions = [ColumnDefinition(c.name, c.data_type, not c.nullable, c.comment) for c in columns]
    with table_lock(session.warehouse.layout, name):
        if _is_there(session, name, replace, if_not_exists):
            return Result.empty()
        query = f"SELECT * FROM {source.name.quoted} {travel}".strip()
        result = _write(
            session, name, query, definitions if not travel else [], [], clauses=clauses, operation="CLONE"
        )
    for column, comment in source.column_comments.items():
        session.catalog.set_column_comment(name, column, comment)
    result.note = "copied in full"
    return result


def drop_table(session: Session, reader: StatementReader) -> Result:
    """DROP TABLE [IF EXISTS] name [PURGE]: the entry and the files."""
    reader.expect("DROP", "TABLE")
    if_exists = reader.accept("IF", "EXISTS")
    parts = reader.dotted_name()
    reader.accept("PURGE")
    reader.end()
    name = session.table_name(parts)
    with table_lock(session.warehouse.layout, name):
        table: Table | None = session.catalog.get(name)
        if table is None:
            if if_exists:
                return Result.empty()
            raise table_not_found(name.quoted)
        if table.is_view:
            raise SqlError(
                "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
                f"{name.quoted} is a view. Use DROP VIEW instead.",
                "42809",
            )
        session.catalog.drop(table.name, if_exists=True)
    return Result.empty()


HANDLERS: Handlers = {
    ("CREATE", "TABLE"): create,
    ("CREATE", "OR", "REPLACE", "TABLE"): create,
    ("DROP", "TABLE"): drop_table,
}
