"""MERGE: rows of one table changed by those of another, in one Delta commit; see :mod:`row_changes`.

On Databricks a MERGE sees the target as it was when the statement began, also in its source. So the source is taken first:
a table as its files at one version, a query or a view as the rows that it has, staged beside the target. A killed statement
leaves a stage that no reader looks at and that the next writer deletes.

Source: "MERGE INTO" of the Databricks SQL language reference. Several source rows for one target row are an error where
their clauses' conditions hold, as since Databricks Runtime 16.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import DeltaTable

from local_workspace.catalog import Table
from local_workspace.delta.log import current_files, position_of
from local_workspace.delta.shape import TableShape, shape_of
from local_workspace.delta.slices import make_slice
from local_workspace.delta.staging import stage
from local_workspace.errors import NotSupported
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.stand_in import StandIn
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.insert import require_writable
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.merge_statement import (
    Assignment,
    Clause,
    Match,
    MergeStatement,
    read_merge,
)
from local_workspace.sql_warehouse.statements.row_changes import (
    Change,
    Changed,
    ChangingRows,
    change_rows,
    slice_folder,
    stand_in_of,
)
from local_workspace.sql_warehouse.statements.set_columns import Target, values_of
from local_workspace.sql_warehouse.statements.staging_area import held_for_change

if TYPE_CHECKING:
    from pyspark.sql.types import StructField

    from local_workspace.sql_warehouse.session import Session

_COUNTS = ("num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows")


def merge(session: Session, reader: StatementReader) -> Result:
    """MERGE [WITH SCHEMA EVOLUTION] INTO name [alias] USING source ON .. WHEN .."""
    statement = read_merge(reader)
    table = session.require_table(statement.target)
    require_writable(table)
    with held_for_change(session, table) as held:
        changed = _merged(session, held, statement)
    counts = (changed.affected, changed.updated, changed.deleted, changed.inserted)
    result = Result.of_rows([(name, pa.int64()) for name in _COUNTS], [counts])
    result.affected_rows = changed.affected
    return result


def _merged(session: Session, table: Table, statement: MergeStatement) -> Changed:
    source, columns = _source(session, table, statement)
    shape = shape_of(DeltaTable(location_of(table)))
    evolved = _evolved(shape, statement, columns) if statement.evolves else shape
    target = Target(table.name, statement.target_alias, evolved.fields)
    names = [name for name, _ in columns]
    clauses = tuple(_spelled_out(clause, target, names, statement) for clause in statement.clauses)
    change = Change(
        "MERGE",
        statement.target_alias,
        clauses,
        ChangingRows(statement.source_alias, source, statement.condition),
        {clause: values_of(target, clause) for clause in clauses if clause.action != "DELETE"},
        shape=None if evolved is shape else evolved,
        parameters=_parameters(statement),
    )
    return change_rows(session, table, change)


def _source(
    session: Session, table: Table, statement: MergeStatement
) -> tuple[StandIn, Sequence[tuple[str, Mapping[str, Any]]]]:
    """Return the source as it is now, for the engine, and its columns as in a Delta schema."""
    location = location_of(table)
    read = _read_table(session, statement.source)
    if read is not None:
        place, fields = read, json.loads(DeltaTable(read).schema().to_json())["fields"]
        delta = DeltaTable(place)
        folder = slice_folder(location)
        try:
            make_slice(place, position_of(delta), current_files(delta), folder)
        except NotSupported:
            pass  # the engine may read it in one piece
        else:
            return stand_in_of(folder, fields, [f["name"] for f in fields]), [(f["name"], f) for f in fields]
    frame = session.frame(f"SELECT * FROM {statement.source}")
    schema = frame.schema
    names = schema.names
    plain = frame.toDF(*[f"c{i}" for i in range(len(names))])
    fields = [{**field, "name": f"c{i}"} for i, field in enumerate(json.loads(schema.json())["fields"])]
    untyped = [f"c{i}" for i, field in enumerate(schema.fields) if _is_untyped(field)]
    typed = plain.drop(*untyped)
    if not typed.columns:
        from pyspark.sql.connect import functions as f  # noqa: PLC0415

        typed = typed.withColumn("row", f.lit(1))
    staged = stage(typed, location)
    return stand_in_of(staged.folder, fields, names), list(zip(names, fields, strict=True))


def _read_table(session: Session, source: str) -> Path | None:
    """Return the folder of the table that a source is, if it is one and nothing but its alias is said of it."""
    reader = StatementReader(source)
    first = reader.peek()
    if first is None or not first.is_name:
        return None
    parts = reader.dotted_name()
    reader.accept("AS")
    if not reader.at_end:
        reader.next()
    if not reader.at_end or len(parts) > 3 or session.temporary_view(parts) is not None:
        return None
    try:
        found = session.catalog.get(session.table_name(parts))
    except SqlError:
        return None  # files by their path; the query says who may read them
    if found is None or session.catalog.policies(found.name):
        return None  # of a table with a row filter or masks, the query gives what may be seen
    return found.location


def _is_untyped(field: StructField) -> bool:
    """Whether a column is a bare NULL, for which Delta has no type."""
    return bool(field.dataType.simpleString() == "void")


def _spelled_out(clause: Clause, target: Target, source: Sequence[str], statement: MergeStatement) -> Clause:
    """Return a clause whose ``*`` is written out: every column of the table by that of the source with its name.

    With SCHEMA EVOLUTION a column that the source lacks is kept, or NULL in a new row.

    Raises:
        SqlError: The source lacks a column (DELTA_MERGE_UNRESOLVED_EXPRESSION).
    """
    if clause.assignments is not None:
        return clause
    by_name = {name.lower(): name for name in source}
    missing = [f["name"] for f in target.fields if f["name"].lower() not in by_name]
    if missing and not statement.evolves:
        raise SqlError(
            "DELTA_MERGE_UNRESOLVED_EXPRESSION",
            f"Cannot resolve {', '.join(missing)} in {clause.action} clause given columns {', '.join(source)}.",
            "42601",
        )
    alias = quote_identifier(statement.source_alias)
    return replace(
        clause,
        assignments=tuple(
            Assignment((f["name"],), f"{alias}.{quote_identifier(by_name[f['name'].lower()])}")
            for f in target.fields
            if f["name"].lower() in by_name
        ),
    )


def _evolved(
    shape: TableShape, statement: MergeStatement, source: Sequence[tuple[str, Mapping[str, Any]]]
) -> TableShape:
    """Return the table's columns and those that the source brings: all of them with ``*``, else those that are assigned."""
    present = {f["name"].lower() for f in shape.fields}
    writing = [clause for clause in statement.clauses if clause.action != "DELETE"]
    takes_all = any(clause.assignments is None for clause in writing)
    assigned = {a.column[-1].lower() for clause in writing for a in clause.assignments or ()}
    new = [
        {"name": name, "type": f["type"], "nullable": True, "metadata": {}}
        for name, f in source
        if name.lower() not in present and (takes_all or name.lower() in assigned) and f["type"] != "void"
    ]
    return replace(shape, fields=[*shape.fields, *new]) if new else shape


def _parameters(statement: MergeStatement) -> dict[str, str]:
    """Return what DESCRIBE HISTORY says of a MERGE on Databricks."""
    predicates: dict[Match, list[dict[str, str]]] = {match: [] for match in Match}
    for clause in statement.clauses:
        condition = {} if clause.condition is None else {"predicate": clause.condition}
        predicates[clause.match].append({**condition, "actionType": clause.action.lower()})
    return {
        "predicate": json.dumps([statement.condition]),
        "matchedPredicates": json.dumps(predicates[Match.MATCHED]),
        "notMatchedPredicates": json.dumps(predicates[Match.BY_TARGET]),
        "notMatchedBySourcePredicates": json.dumps(predicates[Match.BY_SOURCE]),
    }


HANDLERS: Handlers = {("MERGE",): merge}
