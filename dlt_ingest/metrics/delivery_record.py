"""The outcome of each export, written back to the lakehouse: `ops.export_deliveries`.

Postgres knows what it received, but not what was never sent, and nobody can ask it while it is down. So each run says
of every exported model how its export ended, in a Delta table beside dbt's own results. SQL alerts and the monitoring
dashboard read it there and need no way to Postgres.

The table is made by dbt's on-run-start (macro `create_export_deliveries_table`). Its rows are written by dbt's
on-run-end for post-hooks, and by `orders export`, with the same statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Literal

from dlt_ingest.errors import OrdersError
from dlt_ingest.metrics.postgres import ExportResult, ReplayResult

Outcome = Literal["delivered", "undelivered", "not_built"]

# Columns with their types, in the table's order; macro export_deliveries_columns has them with comments.
COLUMNS = {
    "model_name": "string",
    "run_id": "string",
    "outcome": "string",
    "rows_read": "bigint",
    "rows_changed": "bigint",
    "rows_rejected": "bigint",
    "open_dead_letters": "bigint",
    "attempts": "bigint",
    "duration_seconds": "decimal(18,3)",
    "error_class": "string",
    "error_message": "string",
    "attempted_at": "timestamp",
    "delivered_at": "timestamp",
    "recorded_at": "timestamp",
}
_KEY = ("model_name", "run_id")
_MESSAGE_LENGTH = 500


@dataclass(frozen=True)
class DeliveryRecord:
    """How the export of one model ended in one run.

    Attributes:
        model_name: Name of the exported model.
        run_id: Run that exported it.
        outcome: `delivered`; `undelivered`, when Postgres did not take the rows; `not_built`, when there was nothing
            new to deliver since the model failed or was skipped.
        rows_read: Rows that were sent.
        rows_changed: Rows that are different in Postgres after the export.
        rows_rejected: Rows that became dead letters in this export.
        open_dead_letters: Dead letters of the table that are open after it; None when Postgres could not be asked.
        attempts: Deliveries tried, the successful one included.
        duration_seconds: Seconds that the export took.
        error_class: Class of the error, which says who must act; None when delivered.
        error_message: Its text, shortened; it carries no secret.
        attempted_at: When the export ended, one way or the other.
    """

    model_name: str
    run_id: str
    outcome: Outcome
    attempted_at: datetime
    rows_read: int | None = None
    rows_changed: int | None = None
    rows_rejected: int | None = None
    open_dead_letters: int | None = None
    attempts: int | None = None
    duration_seconds: float | None = None
    error_class: str | None = None
    error_message: str | None = None

    @classmethod
    def delivered(cls, model: str, run_id: str, result: ExportResult) -> DeliveryRecord:
        """Return the record of an export that came through."""
        return cls(
            model,
            run_id,
            "delivered",
            _now(),
            rows_read=result.rows,
            rows_changed=result.changed,
            rows_rejected=result.rejected,
            open_dead_letters=result.open_letters,
            attempts=result.attempts,
            duration_seconds=round(result.duration_s, 3),
        )

    @classmethod
    def undelivered(cls, model: str, run_id: str, error: OrdersError) -> DeliveryRecord:
        """Return the record of an export that Postgres did not take."""
        return cls(
            model,
            run_id,
            "undelivered",
            _now(),
            error_class=type(error).__name__,
            error_message=str(error)[:_MESSAGE_LENGTH],
        )

    @classmethod
    def not_built(cls, model: str, run_id: str, status: str) -> DeliveryRecord:
        """Return the record of a model that dbt did not build: `status` is dbt's word for it."""
        return cls(model, run_id, "not_built", _now(), error_message=f"dbt: {status}")

    @classmethod
    def replayed(cls, run_id: str, result: ReplayResult) -> DeliveryRecord:
        """Return the record of a replay of dead letters."""
        return cls(
            result.target,
            run_id,
            "delivered",
            _now(),
            rows_read=result.tried,
            rows_changed=result.delivered,
            rows_rejected=result.rejected,
            open_dead_letters=result.rejected,
            attempts=1,
        )


def merge_statement(table: str, records: Sequence[DeliveryRecord]) -> str:
    """Build the statement that writes records: one row per model and run, however often it is sent.

    A later attempt of the same run replaces the earlier one, but rows that waited keep the time from which they did:
    `attempted_at` moves on only after a delivery.

    Args:
        table: The table as the warehouse names it.
        records: At least one, each of another model.
    """
    recorded_at = _now()
    rows = [
        {
            **asdict(record),
            "attempted_at": _utc(record.attempted_at),
            "delivered_at": _utc(record.attempted_at) if record.outcome == "delivered" else None,
            "recorded_at": _utc(recorded_at),
        }
        for record in records
    ]
    # One JSON literal needs no type juggling for NULLs, and only the literal's own two characters need escaping.
    literal = json.dumps(rows).replace("\\", "\\\\").replace("'", "\\'")
    casts = ", ".join(f"cast(delivery.{name} as {kind}) as {name}" for name, kind in COLUMNS.items())
    structure = ", ".join(f"{name}: string" for name in COLUMNS)
    changed = {
        **{name: f"new.{name}" for name in COLUMNS if name not in _KEY},
        "attempted_at": "case when new.attempted_at > old.delivered_at then new.attempted_at else old.attempted_at end",
    }
    return f"""
merge into {table} as old
using (
    select {casts}
    from (select explode(from_json('{literal}', 'array<struct<{structure}>>')) as delivery) as deliveries
) as new
on old.model_name = new.model_name and old.run_id = new.run_id
when matched then update set {", ".join(f"{name} = {value}" for name, value in changed.items())}
when not matched then insert ({", ".join(COLUMNS)}) values ({", ".join(f"new.{name}" for name in COLUMNS)})
""".strip()


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
