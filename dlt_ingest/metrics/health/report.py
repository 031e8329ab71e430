"""Asking all checks and putting the answers together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timezone
from typing import Any

import psycopg2
import psycopg2.extras

from dlt_ingest.metrics.health import postgres_checks, warehouse_checks
from dlt_ingest.metrics.health.model import Check, HealthLimits, HealthReport, Query
from dlt_ingest.metrics.postgres.connection import connect, scrubbed
from dlt_ingest.metrics.postgres.settings import PostgresSettings
from dlt_ingest.sql_client import QueryFailedError


def check_health(
    query: Query,
    postgres: PostgresSettings | None,
    limits: HealthLimits,
    *,
    environment: str,
    waiting_files: int | None = None,
) -> HealthReport:
    """Ask every check.

    Args:
        query: Runs one SQL statement on the warehouse, unqualified schemas in the environment's catalog.
        postgres: The metrics database; None where the environment has none, its checks are then left out.
        limits: Limits of the environment.
        environment: Name of the environment, for the report.
        waiting_files: Files in landing that no update has taken yet; None where that cannot be seen from here.
    """
    checks: list[Check] = []
    for ask in warehouse_checks.CHECKS:
        checks.extend(_asked(ask, query, limits))
    if waiting_files is not None:
        checks.append(_backlog(waiting_files, limits))
    if postgres is not None:
        checks.extend(_in_postgres(query, postgres, limits))
    return HealthReport(environment, datetime.now(timezone.utc), tuple(checks))


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
        return [Check(ask.__name__, "fail", f"The marts do not answer: {error.got}", next_step="orders run")]


def _in_postgres(query: Query, postgres: PostgresSettings, limits: HealthLimits) -> list[Check]:
    checks: list[Check] = []
    try:
        built_at = _exports_built_at(query)
        for ask in postgres_checks.CHECKS:
            checks.extend(ask(lambda statement: metrics_query(postgres, statement), built_at, limits))
    except psycopg2.errors.UndefinedTable:
        return [
            Check("export_lag", "fail", "Nothing was ever exported to Postgres", next_step="orders export")
        ]
    except psycopg2.Error as error:
        return list(postgres_checks.unreachable(scrubbed(error, postgres)))
    except QueryFailedError:
        return checks
    return checks


def _exports_built_at(query: Query) -> datetime | None:
    """When the oldest of the exported models was last built: the marts are exported at least up to there.

    The moment is that of the node's start: what an export sends was built after it, so an export is never called late for
    the time that its own model took.
    """
    rows = query(
        "select max(started_at) as built_at from gold.fct_dbt_nodes "
        "where resource_type = 'model' and node_status = 'succeeded' and substr(node_name, 1, 4) = 'exp_'"
    )
    built_at = rows[0]["built_at"] if rows else None
    return None if built_at is None else built_at.replace(tzinfo=None)


def _backlog(waiting_files: int, limits: HealthLimits) -> Check:
    late = waiting_files > limits.landing_backlog_files
    return Check(
        "landing_backlog",
        "warn" if late else "ok",
        f"{waiting_files:,} files wait in landing" if waiting_files else "No file waits in landing",
        value=waiting_files,
        limit=limits.landing_backlog_files,
        unit="files",
        next_step="orders run" if late else "",
    )
