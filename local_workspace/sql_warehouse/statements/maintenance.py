"""What looks after Delta tables: OPTIMIZE, VACUUM, REORG, RESTORE, DESCRIBE HISTORY and DETAIL, ANALYZE; by delta-rs."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable

from local_workspace.catalog import Table
from local_workspace.delta.table_lock import table_lock
from local_workspace.sql.sql_error import SqlError, not_supported
from local_workspace.sql.statement_reader import StatementReader, split_items
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.listing import provider_of
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.table_facts import clustering_columns

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

_TEXT, _LONG, _WHEN = pa.string(), pa.int64(), pa.timestamp("us", "UTC")
_DEFAULT_RETENTION_HOURS = 168.0


def _table(session: Session, reader: StatementReader) -> Table:
    table = session.require_table(reader.dotted_name())
    location_of(table)
    return table


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def optimize(session: Session, reader: StatementReader) -> Result:
    """OPTIMIZE name [FULL] [ZORDER BY (..)]: small files become large ones; rows stay the same."""
    reader.expect("OPTIMIZE")
    table = _table(session, reader)
    reader.accept("FULL")
    if reader.sees("WHERE"):
        raise not_supported("OPTIMIZE ... WHERE", "Optimize the whole table.")
    columns = []
    if reader.accept("ZORDER", "BY"):
        text = reader.parenthesised() if reader.sees("(") else reader.rest()
        columns = [StatementReader(item).name() for item in split_items(text)]
    reader.end()
    with table_lock(session.warehouse.layout, table.name):
        delta = DeltaTable(location_of(table))
        metrics = delta.optimize.z_order(columns) if columns else delta.optimize.compact()
    session.catalog.touch(table.name)
    return Result.of_rows(
        [("path", _TEXT), ("metrics", _TEXT)], [(str(table.location), json.dumps(metrics, default=str))]
    )


def vacuum(session: Session, reader: StatementReader) -> Result:
    """VACUUM name [RETAIN n HOURS] [DRY RUN]: deletes files that no version within the time refers to."""
    reader.expect("VACUUM")
    table = _table(session, reader)
    hours = _DEFAULT_RETENTION_HOURS
    reader.accept("FULL")
    if reader.accept("RETAIN"):
        hours = float(reader.next().text)
        reader.expect("HOURS")
    dry_run = reader.accept("DRY", "RUN")
    reader.end()
    if hours < _DEFAULT_RETENTION_HOURS and not dry_run:
        raise SqlError(
            "DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT",
            f"Retention of {hours:g} hours is below the {_DEFAULT_RETENTION_HOURS:g} hours that keep running readers safe.",
            "22003",
        )
    with table_lock(session.warehouse.layout, table.name):
        files = DeltaTable(location_of(table)).vacuum(
            retention_hours=int(hours), dry_run=dry_run, enforce_retention_duration=False
        )
    return Result.of_rows(
        [("path", _TEXT)], [(path,) for path in files] if dry_run else [(str(table.location),)]
    )


def reorg(session: Session, reader: StatementReader) -> Result:
    """REORG TABLE name APPLY (PURGE): files with rows that are only marked as deleted are rewritten.

    This engine writes no deletion vectors and no column mapping, so its tables have no such file; a table from elsewhere
    that may have one is refused.
    """
    reader.expect("REORG", "TABLE")
    table = _table(session, reader)
    if reader.sees("WHERE"):
        raise not_supported("REORG TABLE ... WHERE", "Purge the whole table.")
    reader.expect("APPLY")
    if [token.upper() for token in split_items(reader.parenthesised())] != ["PURGE"]:
        raise not_supported("REORG TABLE ... APPLY (UPGRADE ...)", "Only APPLY (PURGE) is served.")
    reader.end()
    features = DeltaTable(location_of(table)).protocol().writer_features or []
    if soft := {"deletionVectors", "columnMapping"} & set(features):
        raise not_supported(
            f"REORG TABLE on a table with {', '.join(sorted(soft))}",
            "Write the table again by CREATE OR REPLACE.",
        )
    metrics = json.dumps({"numFilesAdded": 0, "numFilesRemoved": 0})
    return Result.of_rows([("path", _TEXT), ("metrics", _TEXT)], [(str(table.location), metrics)])


def restore(session: Session, reader: StatementReader) -> Result:
    """RESTORE [TABLE] name [TO] VERSION AS OF n | TIMESTAMP AS OF 'time'."""
    reader.expect("RESTORE")
    reader.accept("TABLE")
    table = _table(session, reader)
    reader.accept("TO")
    if reader.accept("VERSION", "AS", "OF"):
        target: int | datetime = int(reader.next().text)
    else:
        reader.expect("TIMESTAMP", "AS", "OF")
        target = _moment_of_text(reader.string())
    reader.end()
    with table_lock(session.warehouse.layout, table.name):
        metrics = DeltaTable(location_of(table)).restore(target)
    session.catalog.touch(table.name)
    return Result.of_rows(
        [("num_restored_files", _LONG), ("num_removed_files", _LONG)],
        [(metrics.get("num_restored_file"), metrics.get("num_removed_file"))],
    )


def _moment_of_text(text: str) -> datetime:
    try:
        # Python 3.10 does not read the Z.
        return datetime.fromisoformat(re.sub("Z$", "+00:00", text))
    except ValueError as error:
        raise SqlError(
            "DELTA_TIMESTAMP_INVALID",
            f"The provided timestamp ({text}) cannot be converted to a valid timestamp.",
            "42816",
        ) from error


_TEXTS = pa.map_(_TEXT, _TEXT)
_JOB = ("jobId", "jobName", "jobRunId", "runId", "jobOwnerId", "triggerType")
# Databricks documentation, "Work with table history", section "History schema"; nothing here is a job or a notebook.
_HISTORY = [
    ("version", _LONG),
    ("timestamp", _WHEN),
    ("userId", _TEXT),
    ("userName", _TEXT),
    ("operation", _TEXT),
    ("operationParameters", _TEXTS),
    ("job", pa.struct([(name, _TEXT) for name in _JOB])),
    ("notebook", pa.struct([("notebookId", _TEXT)])),
    ("clusterId", _TEXT),
    ("readVersion", _LONG),
    ("isolationLevel", _TEXT),
    ("isBlindAppend", pa.bool_()),
    ("operationMetrics", _TEXTS),
    ("userMetadata", _TEXT),
    ("engineInfo", _TEXT),
]


def describe_history(session: Session, reader: StatementReader) -> Result:
    """DESCRIBE HISTORY name [LIMIT n]: the commits, latest first."""
    reader.next()
    reader.expect("HISTORY")
    table = _table(session, reader)
    limit = int(reader.next().text) if reader.accept("LIMIT") else None
    reader.end()
    rows = [
        (
            commit.get("version"),
            _moment(commit.get("timestamp")),
            None,
            session.warehouse.user,
            commit.get("operation"),
            _text_map(commit.get("operationParameters")),
            None,
            None,
            None,
            commit.get("readVersion"),
            commit.get("isolationLevel"),
            commit.get("isBlindAppend"),
            _text_map(commit.get("operationMetrics")),
            commit.get("userMetadata"),
            commit.get("engineInfo"),
        )
        for commit in DeltaTable(location_of(table)).history(limit)
    ]
    return Result.of_rows(_HISTORY, rows)


def _text_map(values: dict[str, object] | None) -> list[tuple[str, str]]:
    return [
        (key, value if isinstance(value, str) else json.dumps(value)) for key, value in (values or {}).items()
    ]


def describe_detail(session: Session, reader: StatementReader) -> Result:
    """DESCRIBE DETAIL name: one row of facts about the table's files."""
    reader.next()
    reader.expect("DETAIL")
    table = _table(session, reader)
    reader.end()
    delta = DeltaTable(location_of(table))
    metadata, protocol = delta.metadata(), delta.protocol()
    files = pa.table(delta.get_add_actions(flatten=True))
    latest = delta.history(1)
    row = (
        provider_of(table),
        str(metadata.id),
        str(table.name),
        table.comment,
        str(table.location),
        _moment(metadata.created_time),
        _moment(latest[0].get("timestamp")) if latest else None,
        list(metadata.partition_columns),
        clustering_columns(table),
        files.num_rows,
        sum(files.column("size_bytes").to_pylist()),
        sorted({**metadata.configuration, **table.properties}.items()),
        protocol.min_reader_version,
        protocol.min_writer_version,
    )
    columns = [
        ("format", _TEXT),
        ("id", _TEXT),
        ("name", _TEXT),
        ("description", _TEXT),
        ("location", _TEXT),
        ("createdAt", _WHEN),
        ("lastModified", _WHEN),
        ("partitionColumns", pa.list_(_TEXT)),
        ("clusteringColumns", pa.list_(_TEXT)),
        ("numFiles", _LONG),
        ("sizeInBytes", _LONG),
        ("properties", pa.map_(_TEXT, _TEXT)),
        ("minReaderVersion", pa.int32()),
        ("minWriterVersion", pa.int32()),
    ]
    return Result.of_rows(columns, [row])


def analyze(session: Session, reader: StatementReader) -> Result:
    """ANALYZE TABLE name COMPUTE STATISTICS ..: nothing to do, statistics are in the Delta log."""
    reader.expect("ANALYZE", "TABLE")
    _table(session, reader)
    reader.expect("COMPUTE")
    return Result.empty(note="no effect")


HANDLERS: Handlers = {
    ("OPTIMIZE",): optimize,
    ("VACUUM",): vacuum,
    ("REORG", "TABLE"): reorg,
    ("RESTORE",): restore,
    ("DESCRIBE", "HISTORY"): describe_history,
    ("DESC", "HISTORY"): describe_history,
    ("DESCRIBE", "DETAIL"): describe_detail,
    ("DESC", "DETAIL"): describe_detail,
    ("ANALYZE", "TABLE"): analyze,
}
