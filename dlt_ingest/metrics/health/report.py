"""Asking all checks and putting the answers together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timezone
from typing import Any

import psycopg2
import psycopg2.extras

from dlt_ingest.metrics.health import postgres_checks, warehouse_checks
from dlt_ingest.metrics.health.model import Check, HealthLimits, HealthReport, Query
from dlt_ingest.metrics.postgres.connection import connect, scrubbed
from dlt_ingest.metrics.postgres.settings import PostgresSettings
from dlt_ingest.sql_client import NotBuiltError, QueryFailedError

# The check that a function answers, where the two differ.
_NAMES = {"rules": "rules_hold"}


def check_health(
    query: Query,
    postgres: PostgresSettings | None,
    limits: HealthLimits,
    *,
    environment: str,
    waiting_files: int | None = None,
    unreadable_files: Mapping[str, str] | None = None,
) -> HealthReport:
    """Ask every check.

    Args:
        query: Runs one SQL statement on the warehouse, unqualified schemas in the environment's catalog.
        postgres: The metrics database; None where the environment has none, its checks are then left out.
        limits: Limits of the environment.
        environment: Name of the environment, for the report.
        waiting_files: Files in landing that no update has taken yet; None where that cannot be seen from here.
        unreadable_files: Files in landing that no update could read, each with the reason; None as above.
    """
    now = datetime.now(timezone.utc)
    checks: list[Check] = []
    for ask in warehouse_checks.CHECKS:
        checks.extend(_asked(ask, query, limits))
    if waiting_files is not None:
        checks.append(_backlog(waiting_files, limits))
    if unreadable_files is not None:
        checks.append(_unreadable(unreadable_files))
    if postgres is not None:
        checks.extend(_in_postgres(query, postgres, limits, now))
    return HealthReport(environment, now, tuple(checks))


def metrics_query(postgres: PostgresSettings, statement: str) -> list[dict[str, Any]]:
    """Run one SQL statement on the metrics database and return its rows.

    Raises:
        psycopg2.Error: As the server or libpq words it.
    """
    with (
        closing(connect(postgres)) as link,
        link.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor,
    ):
        cursor.execute(statement)
        return [dict(row) for row in cursor.fetchall()]


def _asked(
    ask: Callable[[Query, HealthLimits], Sequence[Check]], query: Query, limits: HealthLimits
) -> Sequence[Check]:
    try:
        return ask(query, limits)
    except QueryFailedError as error:
        # Before the first build there is no mart to ask; one missing answer must not hide the others.
        return [
            Check(
                _NAMES.get(ask.__name__, ask.__name__),
                "fail",
                _unanswered(error),
                next_step="orders run",
            )
        ]


def _in_postgres(
    query: Query, postgres: PostgresSettings, limits: HealthLimits, now: datetime
) -> Sequence[Check]:
    checks: list[Check] = []
    try:
        for ask in postgres_checks.CHECKS:
            checks.extend(
                ask(_in_utc(query), lambda statement: metrics_query(postgres, statement), limits, now)
            )
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
        return [
            Check(
                "export_lag", "fail", "Nothing has been exported to Postgres yet", next_step="orders export"
            )
        ]
    except psycopg2.Error as error:
        return postgres_checks.unreachable(scrubbed(error, postgres))
    except QueryFailedError as error:
        # Before the first build; the checks of the marts say so too, this one must not hide dead letters.
        checks = [Check("export_lag", "fail", _unanswered(error), next_step="orders run")]
        checks.extend(postgres_checks.dead_letters(query, lambda s: metrics_query(postgres, s), limits, now))
    return checks


def _unanswered(error: QueryFailedError) -> str:
    reason = error.what if isinstance(error, NotBuiltError) else error.got
    return f"The marts do not answer: {reason}"


def _in_utc(query: Query) -> Query:
    """Return the same with moments that say their zone: the warehouse's are UTC, and some clients leave that out."""

    def asked(statement: str) -> list[dict[str, Any]]:
        return [
            {
                name: value.replace(tzinfo=timezone.utc)
                if isinstance(value, datetime) and value.tzinfo is None
                else value
                for name, value in row.items()
            }
            for row in query(statement)
        ]

    return asked


def _backlog(waiting_files: int, limits: HealthLimits) -> Check:
    late = waiting_files > limits.landing_backlog_files
    return Check(
        "landing_backlog",
        "warn" if late else "ok",
        f"{waiting_files:,} files wait in landing" if waiting_files else "No files are waiting in landing",
        value=waiting_files,
        limit=limits.landing_backlog_files,
        unit="files",
        next_step="orders run" if late else "",
    )


def _unreadable(files: Mapping[str, str]) -> Check:
    shown = "; ".join(f"{name.rsplit('/', 1)[-1]}: {reason}" for name, reason in sorted(files.items())[:3])
    more = f" (and {len(files) - 3:,} more)" if len(files) > 3 else ""
    count = f"{len(files):,} file{' was' if len(files) == 1 else 's were'} set aside"
    return Check(
        "files_readable",
        "warn" if files else "ok",
        f"{count}: {shown}{more}" if files else "Every file in landing could be read",
        value=len(files),
        limit=0,
        unit="files",
        next_step="fix or remove them; the next update loads what can be read" if files else "",
    )
