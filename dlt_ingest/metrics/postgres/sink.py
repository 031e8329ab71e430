"""The export of one model: batches of rows in, a table in Postgres out, in one transaction.

It knows nothing of dbt. The post-hook of `dbt build` and the command `orders export` both call
`export_model`.

What happens to the rows: they are copied to a temporary stage (straight into the table when that is empty),
one row per key is left, and those that are new or differ are merged. The row of `metrics._export_state`, the
dead letters and the metrics are one transaction, so after a kill at any point either all of it is there or
nothing. A transaction whose
answer was lost is simply repeated: the same rows change nothing.

An exp_* model is small (a year of hourly runs stays below a million rows) and is sent whole, so rows that were
restated, or missed while Postgres was down, arrive without any bookkeeping. One that outgrows this, and only ever
gains rows, declares `since`: the newest row that Postgres itself has is then the mark to go on from, and no record
elsewhere can disagree with it, not even after Postgres was restored from a backup.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TypeVar

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812  # a class, in lower case

from dlt_ingest.metrics.postgres import dead_letters
from dlt_ingest.metrics.postgres.connection import connect, explained, passes, scrubbed
from dlt_ingest.metrics.postgres.dead_letters import ReplayResult
from dlt_ingest.metrics.postgres.delivery import Delivery, ExportResult, begin, write_state
from dlt_ingest.metrics.postgres.errors import ExportDeclarationError, SchemaDriftError
from dlt_ingest.metrics.postgres.migrations import migrate
from dlt_ingest.metrics.postgres.retry import RetryPolicy
from dlt_ingest.metrics.postgres.row_encoding import encoded_ahead, prepared
from dlt_ingest.metrics.postgres.settings import SCHEMA, PostgresSettings
from dlt_ingest.metrics.postgres.spec import ExportSpec
from dlt_ingest.metrics.postgres.spool import Spool
from dlt_ingest.metrics.postgres.target_table import column_types, ensure_table, existing_table

OnRetry = Callable[[str], None]

# Rows are read again from this long before the newest one in Postgres: invocations that run side by side are not
# recorded in the order of their timestamps.
SINCE_MARGIN = timedelta(days=1)
Result = TypeVar("Result")


def export_model(
    source: Iterable[pa.RecordBatch],
    spec: ExportSpec,
    settings: PostgresSettings,
    *,
    run_id: str | None = None,
    retry: RetryPolicy | None = None,
    on_retry: OnRetry | None = None,
) -> ExportResult:
    """Deliver all rows of a model, each key once.

    Args:
        source: The model's rows; read once, in batches, so memory does not grow with them. The first batch
            names the columns and may be empty.
        spec: Table, key and options.
        settings: The metrics database. Its `policy` is for the caller: this function always raises.
        run_id: Id that joins job, update, dbt invocation and export; kept with every row that changes.
        retry: When to try again; by default `settings.attempts` times.
        on_retry: Called with one sentence before each pause.

    Returns:
        Counts of what was read and written.

    Raises:
        ExportDeclarationError: If the model cannot be exported as declared.
        SchemaDriftError: If model and table no longer fit.
        ServerUnavailableError: If Postgres was not there for all attempts.
        ServerRefusedError: If Postgres is there and does not take the rows.
        ExportSettingsError: If Postgres does not accept the connection.
    """
    began = time.monotonic()
    retry = retry or RetryPolicy(attempts=settings.attempts)
    with Spool(prepared(source, settings.batch_rows), keep=retry.attempts > 1) as spool:

        def deliver(link: Connection, attempt: int) -> ExportResult:
            return replace(_deliver(link, spool, spec, settings, run_id), attempts=attempt)

        result = _with_retries(deliver, settings, retry, on_retry)
    return replace(result, duration_s=time.monotonic() - began)


def statement_for(
    relation: str, spec: ExportSpec, settings: PostgresSettings, *, on_retry: OnRetry | None = None
) -> str:
    """Build the query for the rows that an export has to send: all, or under `since` those that Postgres may lack.

    Args:
        relation: The model's relation as the warehouse names it.
        spec: Table, key and options.
        settings: The metrics database, which is asked how far it is.
        on_retry: Called with one sentence before each pause.

    Raises:
        ExportError: As `export_model`.
    """
    statement = f"select * from {relation}"
    if spec.since is None:
        return statement
    column = spec.since

    def newest(link: Connection, _: int) -> datetime | None:
        with link, link.cursor() as cursor:
            table = existing_table(cursor, spec.target)
            if table is None or column not in table.columns:
                return None
            cursor.execute(sql.SQL("select max({}) from {}").format(sql.Identifier(column), table.name))
            found = cursor.fetchone()
            return found[0] if found else None

    mark = _with_retries(newest, settings, RetryPolicy(attempts=settings.attempts), on_retry)
    if mark is None:
        return statement
    begin_at = (mark - SINCE_MARGIN).astimezone(timezone.utc)
    return f"{statement} where {column} >= timestamp'{begin_at:%Y-%m-%d %H:%M:%S}+00:00'"


def retry_dead_letters(
    settings: PostgresSettings,
    *,
    targets: Iterable[str] | None = None,
    run_id: str | None = None,
    on_retry: OnRetry | None = None,
) -> list[ReplayResult]:
    """Deliver the rows that Postgres rejected before, after their cause was corrected.

    Every letter is tried on its own and keeps its reason if it is rejected again.

    Args:
        settings: The metrics database.
        targets: Tables without their schema; all that have open letters by default.
        run_id: Kept with every row that is delivered now.
        on_retry: Called with one sentence before each pause.

    Returns:
        One result per table, empty when no letter is open.

    Raises:
        ExportError: As `export_model`.
    """
    chosen = None if targets is None else list(targets)

    def replay_all(link: Connection, _: int) -> list[ReplayResult]:
        with link, link.cursor() as cursor:
            names = dead_letters.open_targets(cursor) if chosen is None else chosen
        return [_replay(link, name, run_id) for name in names]

    return _with_retries(replay_all, settings, RetryPolicy(attempts=settings.attempts), on_retry)


def _with_retries(
    work: Callable[[Connection, int], Result],
    settings: PostgresSettings,
    retry: RetryPolicy,
    on_retry: OnRetry | None,
) -> Result:
    """Run work on a fresh connection each time, and word its last error for the person who has to act."""
    tried = 0

    def attempt(number: int) -> Result:
        nonlocal tried
        tried = number
        with closing(connect(settings)) as link:
            migrate(link, settings)
            return work(link, number)

    def tell(number: int, pause_s: float, error: Exception) -> None:
        if on_retry is not None:
            on_retry(
                f"Postgres at {settings.address}: {scrubbed(error, settings)};"
                f" attempt {number} of {retry.attempts} failed, the next one in {pause_s:.1f} s"
            )

    try:
        return retry.run(
            attempt, passes=lambda error: isinstance(error, psycopg2.Error) and passes(error), on_retry=tell
        )
    except psycopg2.Error as error:
        # `from None`: a chained traceback would print libpq's own text beside the scrubbed one.
        raise explained(error, settings, attempts=tried) from None


def _deliver(
    link: Connection, spool: Spool, spec: ExportSpec, settings: PostgresSettings, run_id: str | None
) -> ExportResult:
    with link, link.cursor() as cursor:
        begin(cursor, spec.target, run_id)
        batches = encoded_ahead(spool)
        first, encoded = next(batches, (None, b""))
        if first is None:
            raise ExportDeclarationError(
                f"The source of {spec.target} returned neither rows nor columns",
                allowed="at least one batch; an empty one for a model without rows",
                consequence="Nothing of this model was exported",
                next_step="Pass a batch that carries the model's columns",
            )
        table = ensure_table(cursor, spec, column_types(first.schema, spec), settings)
        delivery = Delivery(cursor, spec, table)
        delivery.add(first, encoded)
        for batch, encoded in batches:
            delivery.add(batch, encoded)
        result = delivery.finish()
        delivery.rejected.write(cursor, run_id, whole=spec.since is None)
        result = replace(result, open_letters=dead_letters.open_count(cursor, spec.target))
        write_state(cursor, result, run_id, delivery.batches)
    return result


def _replay(link: Connection, target: str, run_id: str | None) -> ReplayResult:
    with link, link.cursor() as cursor:
        begin(cursor, target, run_id)
        table = existing_table(cursor, target)
        if table is None:
            raise SchemaDriftError(
                f"Table {SCHEMA}.{target} does not exist, or has no primary key",
                consequence="Its dead letters stay open",
                next_step="Export the model once, which creates the table and closes the dead letters",
            )
        return dead_letters.replay(cursor, target, table)
