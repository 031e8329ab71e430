"""INSERT in its forms: into, overwrite, replace where, replace on; each is one Delta commit.

Rows are aligned to the table's columns by name (BY NAME), by the column list, or by position; a column that is left
out is NULL, and a value is cast to the column's type. Databricks refuses some of these casts (its "store assignment"
does not read numbers from text); the local warehouse only refuses values that cannot be cast.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_workspace.catalog import Table, TableName
from local_workspace.catalog.char_types import fitted, limit_of
from local_workspace.delta.delta_commit import (
    Staged,
    TableShape,
    commit_append,
    commit_replacement,
    open_table,
    stage,
)
from local_workspace.delta.table_lock import table_lock
from local_workspace.sql import spark_types as types
from local_workspace.sql.rewrites.common_types import cast_template as as_spark_casts
from local_workspace.sql.sql_error import SqlError, not_supported, table_not_found
from local_workspace.sql.sql_text import StatementReader, split_items
from local_workspace.sql.tokens import quote_identifier, tokenize
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.create_table import CHECK_PREFIX, clear_staging
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.table_checks import verify

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from local_workspace.sql_warehouse.session import Session


@dataclass
class InsertStatement:
    """What an INSERT says.

    Attributes:
        name: Name parts of the target.
        overwrite: OVERWRITE: the rows become the whole table.
        by_name: BY NAME.
        columns: The column list, if there is one.
        replace_where: Condition of REPLACE WHERE.
        replace_on: Condition of REPLACE ON.
        target_alias: The name of the target in ``replace_on``.
        source_alias: The name of the rows in ``replace_on``.
        query: The rows.
    """

    name: tuple[str, ...]
    overwrite: bool = False
    by_name: bool = False
    columns: tuple[str, ...] = ()
    replace_where: str | None = None
    replace_on: str | None = None
    target_alias: str | None = None
    source_alias: str | None = None
    query: str = ""


def read_insert(reader: StatementReader) -> InsertStatement:
    """Reads an INSERT statement.

    Raises:
        SqlError: A clause is unknown or not supported.
    """
    reader.expect("INSERT")
    overwrite = reader.accept("OVERWRITE")
    if not overwrite:
        reader.expect("INTO")
    elif reader.sees("DIRECTORY"):
        raise not_supported("INSERT OVERWRITE DIRECTORY", "Write into a table.")
    reader.accept("TABLE")
    statement = InsertStatement(reader.dotted_name(), overwrite)
    if reader.accept("AS"):
        statement.target_alias = reader.name()
    if reader.sees("PARTITION", "("):
        raise not_supported(
            "INSERT ... PARTITION (...)", "Use REPLACE WHERE, or let dbt use REPLACE ON (its default)."
        )
    if reader.accept("BY", "NAME"):
        statement.by_name = True
    elif reader.sees("(") and not _starts_query(reader):
        statement.columns = tuple(
            StatementReader(item).name() for item in split_items(reader.parenthesised())
        )
    if reader.accept("REPLACE", "WHERE"):
        statement.replace_where = _condition(reader)
    elif reader.accept("REPLACE", "ON"):
        statement.replace_on = reader.parenthesised()
    elif reader.sees("REPLACE", "USING"):
        raise not_supported("INSERT ... REPLACE USING", "Use REPLACE ON (t.key <=> s.key).")
    if statement.replace_on is not None and reader.sees("("):
        statement.query = reader.parenthesised()
        reader.accept("AS")
        statement.source_alias = reader.name()
        reader.end()
    else:
        statement.query = reader.rest()
    if not statement.query:
        raise SqlError("PARSE_SYNTAX_ERROR", "INSERT has no rows: expected a query or VALUES.", "42601")
    return statement


def _starts_query(reader: StatementReader) -> bool:
    following = reader.peek(1)
    return following is not None and following.upper in ("SELECT", "WITH", "VALUES", "FROM", "TABLE", "(")


def _condition(reader: StatementReader) -> str:
    """The condition of REPLACE WHERE: everything before the query that follows it."""
    first = reader.peek()
    depth, end = 0, 0
    while (token := reader.peek()) is not None:
        if (
            depth == 0
            and token.kind == "word"
            and token.upper in ("SELECT", "TABLE", "VALUES", "WITH", "FROM")
            and end
        ):
            break
        following = reader.peek(1)
        if (
            depth == 0
            and token.text == "("
            and end
            and following is not None
            and following.upper in ("SELECT", "WITH", "TABLE")
        ):
            before = reader.tokens[reader.position - 1].upper
            if before not in ("IN", "EXISTS", "=", "<", ">", "<=", ">=", "<>", "!=", "AND", "OR", "NOT"):
                break
        depth += {"(": 1, ")": -1}.get(token.text if token.kind == "symbol" else "", 0)
        end = reader.next().end
    if first is None or not end:
        raise SqlError("PARSE_SYNTAX_ERROR", "REPLACE WHERE has no condition.", "42601")
    return reader.sql[first.start : end]


def insert(session: Session, reader: StatementReader) -> Result:
    """INSERT INTO | INSERT OVERWRITE | INSERT INTO .. REPLACE WHERE | INSERT INTO .. REPLACE ON."""
    statement = read_insert(reader)
    table = session.require_table(statement.name)
    name = table.name
    require_writable(table)
    with table_lock(session.warehouse.layout, name):
        table = session.catalog.get(name) or table
        location = location_of(table)
        clear_staging(location)
        frame = session.engine.frame(session.engine_sql(statement.query), tag=session.tag)
        target = open_table(location)
        if target is None:
            raise table_not_found(name.quoted)
        fields = json.loads(target.schema().to_json())["fields"]
        aligned = _aligned(frame, fields, statement, name)
        partition_columns = list(target.metadata().partition_columns)
        configuration = dict(target.metadata().configuration)
        staged = stage(aligned, location, [] if statement.replace_on else partition_columns)
        try:
            checks = {
                k[len(CHECK_PREFIX) :]: v for k, v in configuration.items() if k.startswith(CHECK_PREFIX)
            }
            verify(session, staged.folder, fields, checks, name)
            tag = session.tag or session.id
            everything = statement.overwrite
            if statement.replace_where is not None:
                everything = _replaces_everything(session, table, statement.replace_where, staged)
            if statement.replace_on is not None:
                _replace_on(session, table, statement, staged, [f["name"] for f in fields])
            elif everything:
                shape = TableShape(fields, partition_columns, configuration, target.metadata().description)
                commit_replacement(location, staged, shape, operation="WRITE", statement=tag)
            elif statement.replace_where is not None:
                _replace_where(session, table, statement.replace_where, staged, [f["name"] for f in fields])
            else:
                commit_append(location, staged, statement=tag)
        finally:
            staged.discard()
    session.catalog.touch(name)
    return Result.of_affected(staged.rows)


def require_writable(table: Table) -> None:
    """Refuses to change rows of a view, or of a table that a pipeline owns.

    Raises:
        SqlError: It is one of these.
    """
    if table.is_view:
        raise SqlError(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
            f"{table.name.quoted} is a view; rows cannot be changed.",
            "42809",
        )
    if table.kind == "MATERIALIZED_VIEW":
        raise SqlError(
            "MATERIALIZED_VIEW_OPERATION_NOT_ALLOWED.MV_NOT_SUPPORTED",
            f"{table.name.quoted} is a materialized view of a pipeline; its rows come from its query.",
            "42601",
        )


def _aligned(
    frame: DataFrame, fields: Sequence[dict[str, Any]], statement: InsertStatement, name: TableName
) -> DataFrame:
    names = [field["name"] for field in fields]
    given = frame.schema.names
    if statement.by_name:
        order = {column.lower(): i for i, column in enumerate(given)}
        unknown = [column for column in given if column.lower() not in {n.lower() for n in names}]
        if unknown:
            raise SqlError(
                "INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS",
                f"Cannot write to {name.quoted}: the table has no column {', '.join(unknown)}; it has {', '.join(names)}.",
                "21S01",
            )
    else:
        listed = statement.columns or names
        unknown = [column for column in listed if column.lower() not in {n.lower() for n in names}]
        if unknown:
            raise SqlError(
                "UNRESOLVED_COLUMN.WITH_SUGGESTION",
                f"A column with name {', '.join(unknown)} cannot be resolved in {name.quoted}. "
                f"Did you mean one of {', '.join(names)}?",
                "42703",
            )
        if len(listed) != len(given):
            many = "TOO_MANY" if len(given) > len(listed) else "NOT_ENOUGH"
            raise SqlError(
                f"INSERT_COLUMN_ARITY_MISMATCH.{many}_DATA_COLUMNS",
                f"Cannot write to {name.quoted}, the reason is {many.lower().replace('_', ' ')} data columns. "
                f"Table columns: {', '.join(listed)}. Data columns: {', '.join(given)}.",
                "21S01",
            )
        order = {column.lower(): i for i, column in enumerate(listed)}
    from pyspark.sql.connect import functions as f  # noqa: PLC0415

    plain = frame.toDF(*[f"c{i}" for i in range(len(given))])
    columns = []
    for field in fields:
        at = order.get(field["name"].lower())
        kind = _spark_type(field["type"])
        if at is None:
            columns.append(f.lit(None).cast(kind).alias(field["name"]))
            continue
        source = frame.schema.fields[at].dataType
        # The engine has no cast of a VARIANT to what it is.
        value = f.col(f"c{at}") if source == kind else f.col(f"c{at}").cast(kind)
        if types.is_fraction(source):
            # Spark makes texts and decimals of doubles otherwise than the engine does.
            value = f.expr(as_spark_casts(source, kind).format(f"c{at}"))
        if limit_of(field) is not None:
            value = f.expr(fitted(f"CAST(c{at} AS STRING)", field))
        columns.append(value.alias(field["name"]))
    return plain.select(*columns)


def _spark_type(delta_type: Any) -> Any:
    from pyspark.sql.types import StructField  # noqa: PLC0415

    return StructField.fromJson({"name": "c", "type": delta_type, "nullable": True, "metadata": {}}).dataType


def _replaces_everything(session: Session, table: Table, condition: str, staged: Staged) -> bool:
    """Whether every row that the table has meets the condition: what is staged is then the table.

    The engine would write the staged rows once more.

    Raises:
        SqlError: A staged row does not meet the condition (DELTA_REPLACE_WHERE_MISMATCH).
    """
    count = _rows_outside(session, f"delta.`{staged.folder}`", condition)
    if count:
        raise SqlError(
            "DELTA_REPLACE_WHERE_MISMATCH",
            f"Written data does not conform with the partial table overwrite condition or constraint '{condition}': "
            f"{count} rows. Nothing was written.",
            "44000",
        )
    return not _rows_outside(session, session.engine.table(table.name, location_of(table)), condition)


def _rows_outside(session: Session, rows: str, condition: str) -> int:
    query = f"SELECT count(*) AS n FROM {rows} WHERE ({condition}) IS NOT TRUE"
    return int(session.engine.query(query).table().column("n")[0].as_py())


def _replace_where(
    session: Session, table: Table, condition: str, staged: Staged, columns: Sequence[str]
) -> None:
    target = session.engine.table(table.name, location_of(table))
    if staged.adds:
        # By name: the engine puts partition columns last in what it stages.
        every = ", ".join(quote_identifier(c) for c in columns)
        session.engine.frame(
            f"INSERT INTO {target} REPLACE WHERE {condition} SELECT {every} FROM delta.`{staged.folder}`",
            tag=session.tag,
        )
    else:
        session.engine.frame(f"DELETE FROM {target} WHERE {condition}", tag=session.tag)


def _replace_on(
    session: Session, table: Table, statement: InsertStatement, staged: Staged, columns: Sequence[str]
) -> None:
    """Deletes the rows that match and inserts the new ones, as one MERGE and so as one commit.

    The rows take part twice: once as keys (which only delete), once as rows (which match nothing, so are inserted).
    """
    if not staged.adds:
        return
    keys = equality_keys(statement.replace_on or "", statement.target_alias, statement.source_alias)
    if keys is None:
        raise not_supported(
            f"INSERT ... REPLACE ON ({statement.replace_on})",
            "Compare columns by `t.column <=> s.column`, joined by AND.",
        )
    target = session.engine.table(table.name, location_of(table))
    source = f"delta.`{staged.folder}`"
    every = ", ".join(quote_identifier(c) for c in columns)
    keyed = {source_key.lower() for _, source_key in keys}
    only_keys = ", ".join(
        quote_identifier(c) if c.lower() in keyed else f"NULL AS {quote_identifier(c)}" for c in columns
    )
    flag = quote_identifier("_replace_on")
    view = session.engine.frame(
        f"SELECT {every}, false AS {flag} FROM {source} UNION ALL SELECT {only_keys}, true AS {flag} "
        f"FROM (SELECT DISTINCT {', '.join(quote_identifier(k) for _, k in keys)} FROM {source})"
    )
    temporary = session.engine.view_of_query(f"replace_on_{staged.folder.name}", view)
    condition = " AND ".join(f"t.{quote_identifier(a)} <=> s.{quote_identifier(b)}" for a, b in keys)
    session.engine.frame(
        f"MERGE INTO {target} AS t USING {temporary} AS s ON s.{flag} AND {condition} WHEN MATCHED THEN DELETE "
        f"WHEN NOT MATCHED AND NOT s.{flag} THEN INSERT ({every}) "
        f"VALUES ({', '.join('s.' + quote_identifier(c) for c in columns)})",
        tag=session.tag,
    )


def equality_keys(condition: str, target: str | None, source: str | None) -> list[tuple[str, str]] | None:
    """The column pairs of ``t.a <=> s.a AND t.b <=> s.b``, or None if the condition has another form.

    Args:
        condition: Of REPLACE ON.
        target: Alias of the target.
        source: Alias of the rows.
    """
    tokens = list(tokenize(condition))
    pairs: list[tuple[str, str]] = []
    while tokens:
        operator = next((i for i, t in enumerate(tokens) if t.text == "<=>"), None)
        if operator != 3 or len(tokens) < 7 or tokens[1].text != "." or tokens[5].text != ".":
            return None
        left, right = (tokens[0].value, tokens[2].value), (tokens[4].value, tokens[6].value)
        sides = {left[0].lower(): left[1], right[0].lower(): right[1]}
        if target is None or source is None or set(sides) != {target.lower(), source.lower()}:
            return None
        pairs.append((sides[target.lower()], sides[source.lower()]))
        tokens = tokens[7:]
        if tokens and tokens.pop(0).upper != "AND":
            return None
    return pairs or None


HANDLERS: Handlers = {("INSERT",): insert}
