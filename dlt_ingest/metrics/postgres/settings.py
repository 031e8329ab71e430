"""Where the metrics database is, how it is reached, and what a failed delivery means."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from dlt_ingest.metrics.postgres.errors import ExportSettingsError

Policy = Literal["warn", "fail"]

# One schema for all metrics; the DDL files name it, so it is not a setting.
SCHEMA = "metrics"

_REQUIRED = ("POSTGRES_HOST", "POSTGRES_DATABASE", "POSTGRES_USER")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class PostgresSettings:
    """The metrics database and the manners of the export.

    Attributes:
        host: Host name, address, or the folder of a unix socket.
        database: Database that holds schema `metrics`.
        user: Role that connects; needs `metrics_exporter`, or ownership of the schema.
        password: Its password; None leaves the choice to libpq (PGPASSFILE, a client certificate). Never in
            repr.
        port: TCP port.
        sslmode: libpq's TLS mode. From the environment it defaults to `verify-full` for a host that is not
            this machine.
        sslrootcert: Certificates to trust: a file, or `system` for the operating system's.
        policy: `fail` raises when the rows could not be delivered; `warn` reports it and lets the caller go
            on. Every export sends the whole relation, so the next one delivers what was missed, once.
        attempts: How often a delivery is tried when the connection or the serialisation fails.
        batch_rows: Rows of one COPY.
        connect_timeout_s: Seconds to wait for a connection.
        lock_timeout_s: Seconds to wait for another exporter of the same table.
        statement_timeout_s: Seconds that one statement may take, and that the source may be silent for.
    """

    host: str
    database: str
    user: str
    password: str | None = field(default=None, repr=False)
    port: int = 5432
    sslmode: str = "prefer"
    sslrootcert: str | None = None
    policy: Policy = "fail"
    attempts: int = 5
    batch_rows: int = 50_000
    connect_timeout_s: int = 5
    lock_timeout_s: int = 120
    statement_timeout_s: int = 900

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> PostgresSettings:
        """Read POSTGRES_* and ORDERS_EXPORT_* variables.

        POSTGRES_HOST, POSTGRES_DATABASE and POSTGRES_USER are needed; POSTGRES_PORT, POSTGRES_PASSWORD or
        POSTGRES_PASSWORD_FILE, POSTGRES_SSLMODE, POSTGRES_SSLROOTCERT, ORDERS_EXPORT_POLICY,
        ORDERS_EXPORT_ATTEMPTS and ORDERS_EXPORT_BATCH_ROWS are optional.

        Raises:
            ExportSettingsError: For a missing or impossible value; the text names the variable, never a
                password.
        """
        environ = os.environ if environ is None else environ
        missing = [name for name in _REQUIRED if not environ.get(name)]
        if missing:
            raise ExportSettingsError(
                "The metrics database is not configured",
                got=f"no {', '.join(missing)} in the environment",
                allowed=", ".join(_REQUIRED),
                consequence="No metrics were exported",
                next_step='Set them, or run `eval "$(orders env)"` for the local workspace',
            )
        host = environ["POSTGRES_HOST"]
        near = _is_this_machine(host)
        sslmode = environ.get("POSTGRES_SSLMODE") or ("prefer" if near else "verify-full")
        if sslmode not in _SSL_MODES:
            raise _refused("POSTGRES_SSLMODE", sslmode, ", ".join(_SSL_MODES))
        rootcert = environ.get("POSTGRES_SSLROOTCERT") or None
        if rootcert is None and sslmode.startswith("verify"):
            rootcert = "system"
        if rootcert not in (None, "system") and not Path(str(rootcert)).is_file():
            raise _refused("POSTGRES_SSLROOTCERT", rootcert, "a readable PEM file, or the word system")
        policy = environ.get("ORDERS_EXPORT_POLICY") or "fail"
        return cls(
            host=host,
            database=environ["POSTGRES_DATABASE"],
            user=environ["POSTGRES_USER"],
            password=_password(environ),
            port=_whole(environ, "POSTGRES_PORT", 5432, 1, 65535),
            sslmode=sslmode,
            sslrootcert=rootcert,
            policy=parse_policy(policy, "ORDERS_EXPORT_POLICY"),
            attempts=_whole(environ, "ORDERS_EXPORT_ATTEMPTS", 5, 1, 100),
            batch_rows=_whole(environ, "ORDERS_EXPORT_BATCH_ROWS", 50_000, 1, 1_000_000),
        )

    @property
    def address(self) -> str:
        """Host, port and database for messages: what an operator looks for, and no secret."""
        return f"{self.host}:{self.port}/{self.database}"


def parse_policy(value: str, where: str) -> Policy:
    """Check a failure policy that came from `where` (a variable's name).

    Raises:
        ExportSettingsError: If it is neither `warn` nor `fail`.
    """
    policies: tuple[Policy, ...] = get_args(Policy)
    for policy in policies:
        if value == policy:
            return policy
    raise _refused(where, value, "warn, fail")


def _refused(name: str, got: object, allowed: str) -> ExportSettingsError:
    return ExportSettingsError(
        f"{name} has an invalid value",
        got=got,
        allowed=allowed,
        consequence="No metrics were exported",
        next_step=f"Correct {name}",
    )


def _whole(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise _refused(name, text, f"a whole number from {low} to {high}")
    return int(text)


def _password(environ: Mapping[str, str]) -> str | None:
    if environ.get("POSTGRES_PASSWORD"):
        return environ["POSTGRES_PASSWORD"]
    name = environ.get("POSTGRES_PASSWORD_FILE")
    if not name:
        return None
    path = Path(name)
    if not path.is_file():
        raise _refused("POSTGRES_PASSWORD_FILE", name, "a readable file")
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _refused("POSTGRES_PASSWORD_FILE", f"{name}, which others may read", "a file of mode 0600")
    return path.read_text(encoding="utf-8").rstrip("\r\n")


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
