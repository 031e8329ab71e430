"""What the post-hook runs: the rows of a built relation, from the adapter's own connection, into the sink."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
from dbt.adapters.events.logging import AdapterLogger
from dbt_common.exceptions import DbtRuntimeError

from dlt_ingest.metrics.postgres import (
    ExportDeclarationError,
    ExportError,
    ExportSpec,
    PostgresSettings,
    export_model,
)
from dlt_ingest.metrics.postgres.settings import parse_policy

_log = AdapterLogger("Postgres export")


def export_relation(
    adapter: Any,
    relation: Any,
    *,
    model: str,
    export: object,
    run_id: str,
    policy: str | None = None,
) -> dict[str, str]:
    """Export one built relation; called by the macro `export_to_postgres`.

    Args:
        adapter: The adapter that built the relation.
        relation: Where the model was built.
        model: The model's name, which is the table's name in Postgres.
        export: `meta.export` of the model.
        run_id: Id that joins job, update, dbt invocation and export.
        policy: `warn` or `fail`; else ORDERS_EXPORT_POLICY decides, else `fail`.

    Returns:
        `status` (`exported` or `undelivered`) and a `message` for the log.

    Raises:
        DbtRuntimeError: If the rows were not delivered and the policy is `fail`, or the model declares
            something that cannot be exported. The text has no secret and dbt prints no trace for it.
    """
    tolerant = (policy or os.environ.get("ORDERS_EXPORT_POLICY")) == "warn"
    try:
        if policy:
            parse_policy(policy, "dbt variable export_policy")
        spec = ExportSpec.from_meta(model, export)
        settings = PostgresSettings.from_environment()
        settings = replace(settings, policy="warn" if tolerant else "fail")
        result = export_model(
            _batches(adapter, relation, settings.batch_rows),
            spec,
            settings,
            run_id=run_id,
            on_retry=_log.warning,
        )
    except ExportError as error:
        if tolerant and not isinstance(error, ExportDeclarationError):
            return {
                "status": "undelivered",
                "message": f"Model {model} was built but not exported (export policy is warn). {error}",
            }
        # Not chained: dbt writes chained traces to its debug log.
        raise DbtRuntimeError(f"Model {model} was built but not exported. {error}") from None
    if result.rejected:
        _log.warning(
            f"{result.rejected} rows of {model} were rejected by Postgres and are in metrics._dead_letter"
            " with the reason; put the cause right, then run `orders export --retry-dead-letters`"
        )
    return {"status": "exported", "message": f"Exported {result}"}


def _batches(adapter: Any, relation: Any, rows: int) -> Iterator[pa.RecordBatch]:
    """Read a relation in Arrow batches on the thread's own connection.

    Not `run_query`: agate holds all rows as Python objects and makes numbers of them by guessing.
    """
    kind = adapter.type()
    if kind != "databricks":
        raise ExportDeclarationError(
            "The post-hook reads rows through dbt-databricks only",
            got=f"adapter type {kind}",
            allowed="databricks",
            consequence="Nothing was exported",
            next_step="Run `orders export`, which reads through the SQL warehouse",
        )
    _, cursor = adapter.connections.add_query(f"select * from {relation.render()}", auto_begin=False)
    try:
        yield from _arrow_batches(cursor, rows)
    finally:
        cursor.close()


def _arrow_batches(cursor: Any, rows: int) -> Iterator[pa.RecordBatch]:
    # CursorWrapper has no Arrow methods; the cursor that it wraps does (databricks-sql-connector,
    # Cursor.fetchmany_arrow).
    arrow = cursor._cursor
    first = True
    while True:
        table = arrow.fetchmany_arrow(rows)
        if table.num_rows == 0:
            if first:
                yield pa.RecordBatch.from_pylist([], schema=table.schema)
            return
        yield from table.combine_chunks().to_batches()
        first = False
