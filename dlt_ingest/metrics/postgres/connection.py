"""Connecting to Postgres, and telling faults that pass from faults that somebody has to fix."""

from __future__ import annotations

import re

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # a class, in lower case

from dlt_ingest.metrics.postgres.errors import (
    ExportError,
    ExportSettingsError,
    ServerRefusedError,
    ServerUnavailableError,
)
from dlt_ingest.metrics.postgres.settings import PostgresSettings

# libpq gives no SQLSTATE for a connection that was not made, only text. What is on this list passes by
# itself; anything else (password, database, certificate, address) would fail the same way again and is not
# retried.
_PASSING_TEXTS = (
    "connection refused",
    "connection reset",
    "connection timed out",
    "timeout expired",
    "server closed the connection unexpectedly",
    "no route to host",
    "network is unreachable",
    "temporary failure in name resolution",
    "could not send startup packet",
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "no such file or directory\n\tis the server running locally",
    # A server that dies in the TLS handshake or in a running statement.
    "ssl syscall error",
    "eof detected",
    "unexpected eof",
    "connection already closed",
    "lost synchronization with server",
)
_TLS_TEXTS = (
    "certificate",
    "ssl error",
    "ssl connection",
    "does not support ssl",
    "sslmode",
    "sslrootcert",
    "tls",
)
# PostgreSQL documentation, appendix A "PostgreSQL Error Codes": 08 connection exception, 40001 serialization
# failure, 40P01 deadlock, 53300 too many connections, 57P01-57P05 the server is going down, starting, or
# dropped the session.
_PASSING_STATES = ("08", "40001", "40P01", "53300", "57P")
_REASONS = {
    "25006": ("it is read-only", "Point the export at the primary, or unset default_transaction_read_only"),
    "42501": (
        "the role lacks the right",
        "Grant it metrics_exporter, or let the owner of schema metrics run the export",
    ),
    "53100": ("its disk is full", "Free disk space on the server and run again"),
    "53200": ("it is out of memory", "Give the server more memory and run again"),
    "53400": ("one of its limits was reached", "Raise the limit that the message names and run again"),
    "55P03": ("another export of the same table holds it", "Wait for the other export, then run again"),
    "57014": (
        "a statement took longer than its timeout",
        "See what blocks it in pg_stat_activity, then run again",
    ),
    "58030": ("its disk reports an error", "See the server's log, then run again"),
}


def connect(settings: PostgresSettings) -> Connection:
    """Open one connection with time limits on everything that could otherwise wait forever.

    Raises:
        psycopg2.OperationalError: As libpq words it; `explained` makes an ExportError of it.
    """
    link = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password,
        sslmode=settings.sslmode,
        sslrootcert=settings.sslrootcert,
        connect_timeout=settings.connect_timeout_s,
        application_name="orders-export",
        client_encoding="UTF8",
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
        tcp_user_timeout=30_000,
    )
    try:
        with link.cursor() as cursor:
            # Not libpq's `options`: connection poolers refuse it.
            cursor.execute(
                "select set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
                " set_config('idle_in_transaction_session_timeout', %s, false),"
                " set_config('timezone', 'UTC', false), set_config('search_path', 'pg_catalog', false)",
                # The transaction is idle while the warehouse computes; a hung one gives the table free in the end,
                # and is delivered again from the spool if it wakes up.
                (
                    f"{settings.statement_timeout_s}s",
                    f"{settings.lock_timeout_s}s",
                    f"{settings.statement_timeout_s}s",
                ),
            )
        link.commit()
    except BaseException:
        link.close()
        raise
    return link


def passes(error: psycopg2.Error) -> bool:
    """Return whether trying again may help: connection and serialisation faults."""
    if error.pgcode is not None:
        return str(error.pgcode).startswith(_PASSING_STATES)
    if isinstance(error, psycopg2.InterfaceError):
        return True
    if not isinstance(error, (psycopg2.OperationalError, psycopg2.DatabaseError)):
        return False
    return all(_passing_text(block) for block in _blocks(error))


def explained(
    error: psycopg2.Error,
    settings: PostgresSettings,
    *,
    attempts: int = 1,
    undone: str = "Nothing of this export was written; the next one delivers each metric once",
) -> ExportError:
    """Make the error that says who has to act, without any secret and without a stack of libpq lines.

    Args:
        error: As psycopg2 raised it.
        settings: Whose password must not be repeated.
        attempts: How often it was tried.
        undone: The consequence, for whoever does something else than export.
    """
    text = scrubbed(error, settings)
    if passes(error):
        return ServerUnavailableError(
            f"Postgres at {settings.address} could not be reached or did not stay up",
            got=f"{text}, {attempts} attempt{'s' if attempts != 1 else ''}",
            consequence=undone,
            next_step="Start Postgres, or check POSTGRES_HOST and POSTGRES_PORT, then run again",
        )
    if error.pgcode is None:
        tls = any(words in text.lower() for words in _TLS_TEXTS)
        return ExportSettingsError(
            f"Postgres at {settings.address} refused the connection as {settings.user}",
            got=text,
            # libpq does not say which of these it was.
            allowed="a certificate of this host, not expired, from an authority in POSTGRES_SSLROOTCERT"
            if tls
            else None,
            consequence=undone,
            next_step="Check POSTGRES_SSLMODE and POSTGRES_SSLROOTCERT, or renew the server's certificate"
            if tls
            else "Check POSTGRES_USER, its password, POSTGRES_DATABASE and the server's pg_hba.conf",
        )
    reason, step = _REASONS.get(
        error.pgcode, ("it refused a statement", "See the server's message; then run again")
    )
    return ServerRefusedError(
        f"Postgres at {settings.address} refused: {reason}",
        got=f"{text}, SQLSTATE {error.pgcode}",
        consequence=undone,
        next_step=step,
    )


def scrubbed(error: BaseException, settings: PostgresSettings) -> str:
    """Return one line of a database error's text, without the password wherever a server or libpq repeats it."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    blocks = [str(primary)] if primary else _blocks(error)
    telling = next((block for block in blocks if not _passing_text(block)), blocks[-1])
    lines = [line.strip() for line in telling.splitlines() if line.strip()]
    # What follows the first line is libpq's hint ("Is the server running on that host ...?").
    text = lines[0] if lines else type(error).__name__
    return text.replace(settings.password, "***") if settings.password else text


def _blocks(error: BaseException) -> list[str]:
    """Split a connect error by address: `localhost` is tried on ::1 and 127.0.0.1, each with its reason."""
    parts = re.split(r"(?=connection to server )", str(error))
    return [part for part in parts if part.strip()] or [type(error).__name__]


def _passing_text(text: str) -> bool:
    lowered = text.lower()
    return "certificate" not in lowered and any(words in lowered for words in _PASSING_TEXTS)
