"""The export without dbt around it: all declared models, or their dead letters, with a record of their outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from dlt_ingest.metrics.delivery_record import DeliveryRecord, merge_statement
from dlt_ingest.metrics.postgres import (
    ExportError,
    ExportResult,
    ExportSpec,
    PostgresSettings,
    ReplayResult,
    export_model,
    retry_dead_letters,
    statement_for,
)
from dlt_ingest.sql_client import QueryFailedError, SqlClient

TABLE = "ops.export_deliveries"


def export_models(
    client: SqlClient,
    specs: Iterable[ExportSpec],
    settings: PostgresSettings,
    *,
    run_id: str,
    tell: Callable[[str], None],
) -> Iterator[ExportResult]:
    """Export models one after the other, and record the outcome of each in `ops.export_deliveries`.

    Args:
        client: The SQL warehouse, with the marts as its schema.
        specs: The models.
        settings: The metrics database.
        run_id: Kept with every row that changes, and in the record.
        tell: Called with one sentence before each new attempt, and when the record could not be written.

    Raises:
        ExportError: As `export_model`, from the first model that was not delivered; the record is written before.
    """
    records = []
    try:
        for spec in specs:
            try:
                statement = statement_for(spec.target, spec, settings, on_retry=tell)
                rows = client.stream(statement, settings.batch_rows)
                result = export_model(rows, spec, settings, run_id=run_id, on_retry=tell)
            except ExportError as error:
                records.append(DeliveryRecord.undelivered(spec.target, run_id, error))
                raise
            records.append(DeliveryRecord.delivered(spec.target, run_id, result))
            yield result
    finally:
        _record(client, records, tell)


def replay_dead_letters(
    client: SqlClient, settings: PostgresSettings, *, run_id: str, tell: Callable[[str], None]
) -> list[ReplayResult]:
    """Deliver the rows that Postgres rejected before, and record how many are still open.

    Args:
        client: The SQL warehouse.
        settings: The metrics database.
        run_id: Kept with every row that is delivered now, and in the record.
        tell: As for `export_models`.

    Raises:
        ExportError: As `retry_dead_letters`.
    """
    results = retry_dead_letters(settings, run_id=run_id, on_retry=tell)
    _record(client, [DeliveryRecord.replayed(run_id, result) for result in results], tell)
    return results


def _record(client: SqlClient, records: Sequence[DeliveryRecord], tell: Callable[[str], None]) -> None:
    if not records:
        return
    try:
        client.execute(merge_statement(TABLE, records))
    except QueryFailedError as error:
        # The rows are in Postgres, as was asked for; a principal that may only read the marts is not a fault.
        tell(f"Not recorded in {TABLE}, so alerts see it only after the next run of the job: {error.got}")
