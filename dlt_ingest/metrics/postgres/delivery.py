"""One delivery: all rows of a model into its table within one transaction."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # a class, in lower case

from dlt_ingest.metrics.postgres import merging
from dlt_ingest.metrics.postgres.dead_letters import DeadLetters, first_line
from dlt_ingest.metrics.postgres.errors import ExportDeclarationError, SchemaDriftError
from dlt_ingest.metrics.postgres.loading import copy_batch
from dlt_ingest.metrics.postgres.row_encoding import row_texts
from dlt_ingest.metrics.postgres.settings import SCHEMA
from dlt_ingest.metrics.postgres.spec import ExportSpec
from dlt_ingest.metrics.postgres.target_table import TargetTable

# More rejected rows than this are not bad rows: the model does not fit its table.
MAX_REJECTED = 10_000


@dataclass(frozen=True)
class ExportResult:
    """What one export did.

    Attributes:
        target: The table, with its schema.
        rows: Rows read from the model.
        inserted: Keys that Postgres did not have.
        updated: Keys whose values differed.
        deleted: Keys that had left the model (only under `mirror`).
        rejected: Rows that went to the dead letters.
        open_letters: Dead letters of this table that are open after the export.
        columns_added: Columns that the table did not have before.
        attempts: Deliveries tried, the successful one included.
        duration_s: Seconds, the reading of the model included.
    """

    target: str
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rejected: int = 0
    open_letters: int = 0
    columns_added: tuple[str, ...] = ()
    attempts: int = 1
    duration_s: float = 0.0

    @property
    def changed(self) -> int:
        """Rows that are different after the export; 0 when the same rows were exported before."""
        return self.inserted + self.updated + self.deleted

    def __str__(self) -> str:
        text = (
            f"{self.target}: {self.rows:,} rows read, {self.changed:,} changed ({self.inserted:,} new,"
            f" {self.updated:,} updated, {self.deleted:,} deleted), {self.rejected:,} rejected,"
            f" {self.duration_s:.2f} s"
        )
        if self.columns_added:
            text += f", columns added: {', '.join(self.columns_added)}"
        return text + (f", {self.attempts} attempts" if self.attempts > 1 else "")


def begin(cursor: Cursor, target: str, run_id: str | None) -> None:
    """Take the table for this transaction: one exporter at a time, the others wait for `lock_timeout`."""
    cursor.execute("select set_config('orders.run_id', %s, true)", (run_id or "",))
    cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{SCHEMA}.{target}",))


def write_state(cursor: Cursor, result: ExportResult, run_id: str | None, batches: int) -> None:
    """Record the export beside its rows; an `exported_at` beyond the schedule tells that exports stopped."""
    cursor.execute(
        "insert into metrics._export_state as s"
        " (target, run_id, rows_read, rows_inserted, rows_updated, rows_deleted, rows_rejected, batches)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (target) do update set run_id = excluded.run_id, rows_read = excluded.rows_read,"
        " rows_inserted = excluded.rows_inserted, rows_updated = excluded.rows_updated,"
        " rows_deleted = excluded.rows_deleted, rows_rejected = excluded.rows_rejected,"
        " batches = excluded.batches,"
        " exported_at = now(), changed_at = case when excluded.rows_inserted + excluded.rows_updated"
        " + excluded.rows_deleted > 0 then now() else s.changed_at end",
        (
            result.target.removeprefix(f"{SCHEMA}."),
            run_id,
            result.rows,
            result.inserted,
            result.updated,
            result.deleted,
            result.rejected,
            batches,
        ),
    )


class Delivery:
    """Takes batch after batch, then settles the table.

    Args:
        cursor: Inside a transaction that holds the table's advisory lock.
        spec: What the model declares.
        target: The table, which fits the model.
    """

    def __init__(self, cursor: Cursor, spec: ExportSpec, target: TargetTable) -> None:
        self.rejected = DeadLetters(spec.target)
        self.batches = 0
        self._cursor = cursor
        self._spec = spec
        self._target = target
        self._rows = 0
        self._straight = 0
        self._kept = False
        # Room to sort and hash a million keys without temporary files; only within this transaction.
        cursor.execute("set local work_mem = '128MB'")
        cursor.execute(sql.SQL("select not exists (select from {})").format(target.name))
        # An empty table has nothing to merge with: COPY writes it directly, in half the time.
        self._empty_before: bool = cursor.fetchone()[0]
        if not self._empty_before:
            merging.create_stage(cursor, target)

    def add(self, batch: pa.RecordBatch, encoded: bytes) -> None:
        """Copy one prepared batch, given with its CSV.

        Raises:
            SchemaDriftError: If so many rows are rejected that it is not the rows' fault.
        """
        self._rows += batch.num_rows
        self.batches += 1
        if self._empty_before:
            try:
                self._straight += self._copy(self._target.name, batch, encoded)
            except psycopg2.errors.UniqueViolation:
                self._empty_before, self._straight = False, 0
                merging.create_stage(self._cursor, self._target)
                merging.take_back(self._cursor, self._target)
            else:
                return
        self._copy(merging.STAGE, batch, encoded)

    def finish(self) -> ExportResult:
        """Merge what was staged and tell the counts."""
        deleted = 0
        if self._empty_before:
            merged = merging.Merged(inserted=self._straight)
        else:
            merging.drop_duplicates(self._cursor, self._target, self._reject_duplicate)
            merged = merging.merge(self._cursor, self._target, self._reject)
            if self._spec.deletes == "mirror":
                deleted = self._delete_absent()
        return ExportResult(
            target=f"{SCHEMA}.{self._spec.target}",
            rows=self._rows,
            inserted=merged.inserted,
            updated=merged.updated,
            deleted=deleted,
            rejected=self.rejected.rows,
            columns_added=self._target.added,
        )

    def _copy(self, table: sql.Composable, batch: pa.RecordBatch, encoded: bytes) -> int:
        bad: list[tuple[int, psycopg2.Error]] = []

        def note(row: int, error: psycopg2.Error) -> None:
            bad.append((row, error))
            self._check_rejected(len(bad), error)

        self._cursor.execute("savepoint batch")
        try:
            copied = copy_batch(self._cursor, table, batch, encoded, note)
        except psycopg2.errors.UniqueViolation:
            # Only an empty table that is written directly has unique indexes: two rows of the model do not go
            # together.
            self._cursor.execute("rollback to savepoint batch")
            raise
        self._cursor.execute("release savepoint batch")
        for row, error in bad:
            self._reject(row_texts(batch, row), error)
        return copied

    def _reject(self, row: merging.Row, error: psycopg2.Error) -> None:
        # The stage is an inner matter: an operator knows the table.
        message = first_line(error).replace(merging.STAGE.string, self._spec.target)
        self._dead_letter(row, error.pgcode or "", message)
        self._check_rejected(0, error)

    def _reject_duplicate(self, row: merging.Row) -> None:
        self._dead_letter(
            row, "21000", f"another row with the same {', '.join(self._target.key)} has other values"
        )

    def _dead_letter(self, row: merging.Row, sqlstate: str, message: str) -> None:
        self.rejected.add(row, sqlstate, message)
        if self._spec.deletes == "mirror" and not self._empty_before:
            merging.keep_key(self._cursor, self._target, row)
            self._kept = True

    def _check_rejected(self, more: int, error: psycopg2.Error) -> None:
        if self.rejected.rows + more <= MAX_REJECTED:
            return
        raise SchemaDriftError(
            f"Postgres rejects too many rows of {self._spec.target}",
            got=f"more than {MAX_REJECTED}, the last one with: {first_line(error)}",
            allowed=f"at most {MAX_REJECTED} dead letters in one export",
            consequence="Nothing of this export was written; all rows are still in the warehouse",
            next_step="Correct the model, or the constraint of the table that the message names",
        )

    def _delete_absent(self) -> int:
        if self._rows == 0 and not self._spec.allow_empty:
            raise ExportDeclarationError(
                f"Model {self._spec.target} has no rows, and mirroring it would empty its table",
                got="0 rows",
                allowed="at least one row, or meta.export.allow_empty: true",
                consequence="Nothing was deleted; Postgres keeps the rows of the last export",
                next_step="Find out why the model is empty; if this is intended, set allow_empty",
            )
        return merging.delete_absent(self._cursor, self._target, some_kept=self._kept)
