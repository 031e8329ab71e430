"""What the hooks run: the rows of a built relation, from the adapter's own connection, into the sink.

Post-hooks run on dbt's threads, the record of them is written once, at the end of the invocation: the outcome of each
export waits in this module until then.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from dbt.adapters.events.logging import AdapterLogger
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id

from dlt_ingest.metrics.delivery_record import DeliveryRecord, merge_statement
from dlt_ingest.metrics.postgres import (
    ExportDeclarationError,
    ExportError,
    ExportSettingsError,
    ExportSpec,
    PostgresSettings,
    ServerUnavailableError,
    export_model,
    statement_for,
)
from dlt_ingest.metrics.postgres.settings import parse_policy

_log = AdapterLogger("Postgres export")

# By invocation and model; one process may run several invocations.
_records: defaultdict[str, dict[str, DeliveryRecord]] = defaultdict(dict)


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
        policy: `warn` or `fail`; else ORDERS_EXPORT_POLICY decides, otherwise `fail`.

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
        _check_environment(adapter)
        settings = PostgresSettings.from_environment()
        settings = replace(
            settings,
            policy="warn" if tolerant else "fail",
            # A server that was away for one model's attempts has had its time: the others ask it once.
            attempts=1 if _server_was_away() else settings.attempts,
        )
        statement = statement_for(relation.render(), spec, settings, on_retry=_log.warning)
        result = export_model(
            _batches(adapter, statement, settings.batch_rows),
            spec,
            settings,
            run_id=run_id,
            on_retry=_log.warning,
        )
    except ExportError as error:
        _records[get_invocation_id()][model] = DeliveryRecord.undelivered(model, run_id, error)
        if tolerant and not isinstance(error, ExportDeclarationError):
            return {
                "status": "undelivered",
                "message": f"Model {model} was built but not exported (export policy is warn). {error}",
            }
        # Not chained: dbt writes chained traces to its debug log.
        raise DbtRuntimeError(f"Model {model} was built but not exported. {error}") from None
    _records[get_invocation_id()][model] = DeliveryRecord.delivered(model, run_id, result)
    if result.rejected:
        _log.warning(
            f"{result.rejected} rows of {model} were rejected by Postgres and are in metrics._dead_letter"
            " with the reason; correct the cause, then run `orders export --retry-dead-letters`"
        )
    return {"status": "exported", "message": f"Exported {result}"}


def export_at_run_end(
    adapter: Any,
    table: Any,
    *,
    at_run_end: Sequence[dict[str, Any]],
    built: Sequence[dict[str, str]],
    run_id: str,
    policy: str | None = None,
) -> dict[str, str]:
    """Export what waits for the end of the invocation, then record all its exports; called by macro `export_at_run_end`.

    Args:
        adapter: The adapter that ran the invocation.
        table: Relation of `ops.export_deliveries`.
        at_run_end: Relation, model and `meta.export` of each model to export now.
        built: Name and status of each model that its post-hook exports and that this invocation came to.
        run_id: Id that joins job, update, dbt invocation and export.
        policy: As for `export_relation`.

    Returns:
        As `export_relation`, the messages joined; and `failed` if an export of now was not delivered under the policy
        `fail`. Not raised: an error while a hook is rendered ends dbt before it has written its run results.
    """
    records = _records[get_invocation_id()]
    for node in built:
        # One that was built and has no record was not to be exported.
        if node["model"] not in records and node["status"] != "success":
            records[node["model"]] = DeliveryRecord.not_built(node["model"], run_id, node["status"])
    messages, failures, undelivered = [], [], False
    for item in at_run_end:
        try:
            outcome = export_relation(adapter, **item, run_id=run_id, policy=policy)
        except DbtRuntimeError as error:
            failures.append(str(error.msg))
        else:
            messages.append(outcome["message"])
            undelivered = undelivered or outcome["status"] == "undelivered"
    if records:
        adapter.execute(
            merge_statement(table.render(), list(records.values())), auto_begin=False, fetch=False
        )
    del _records[get_invocation_id()]
    if failures:
        return {"status": "failed", "message": "\n".join(failures)}
    return {"status": "undelivered" if undelivered else "exported", "message": "\n".join(messages)}


def _check_environment(adapter: Any) -> None:
    """Refuse to send the metrics of one environment to the Postgres of another: POSTGRES_* come with ORDERS_ENV."""
    environment, target = os.environ.get("ORDERS_ENV"), adapter.config.target_name
    if environment and environment != target:
        raise ExportSettingsError(
            "POSTGRES_* in this shell are of another environment than the dbt target",
            got=f"ORDERS_ENV={environment} and target {target}",
            allowed=f"ORDERS_ENV={target}",
            consequence=f"No metrics were exported, because {target}'s would replace those of {environment}",
            next_step=f"Set ORDERS_ENV={target} and POSTGRES_* of {target}, or build --target {environment}",
        )


def _server_was_away() -> bool:
    return any(
        record.error_class == ServerUnavailableError.__name__
        for record in list(_records[get_invocation_id()].values())
    )


def _batches(adapter: Any, statement: str, rows: int) -> Iterator[pa.RecordBatch]:
    """Read the rows of a query in Arrow batches on the thread's own connection.

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
    _, cursor = adapter.connections.add_query(statement, auto_begin=False)
    try:
        yield from _arrow_batches(cursor, rows)
    finally:
        cursor.close()


def _arrow_batches(cursor: Any, rows: int) -> Iterator[pa.RecordBatch]:
    # CursorWrapper has no Arrow methods; the cursor that it wraps does (databricks-sql-connector,
    # Cursor.fetchmany_arrow).
    arrow = cursor._cursor  # noqa: SLF001
    first = True
    while True:
        table = arrow.fetchmany_arrow(rows)
        if table.num_rows == 0:
            if first:
                yield pa.RecordBatch.from_pylist([], schema=table.schema)
            return
        yield from table.combine_chunks().to_batches()
        first = False
