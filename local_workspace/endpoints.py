"""Where the servers of a workspace are reached. Passwords and tokens are in no `repr`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from local_workspace.errors import ConfigurationError
from local_workspace.ports import LOOPBACK

# What a process that does not need it must not inherit.
SECRET_VARIABLES = frozenset(
    {"POSTGRES_PASSWORD", "PGPASSWORD", "ORDERS_WAREHOUSE_TOKEN", "DBT_ACCESS_TOKEN", "DATABRICKS_TOKEN"}
)


@dataclass(frozen=True)
class PostgresEndpoint:
    """A Postgres database and the account for it.

    Attributes:
        sslmode: As libpq takes it; the embedded server has no TLS and listens on loopback only.
        embedded: Whether it is the workspace's own server.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "disable"
    embedded: bool = True

    def uri(self) -> str:
        """Return the libpq URI, with the password in it: for the user and for pipes, never for a log.

        As an argument of a program it shows in the process list; `uri_without_password` does not.
        """
        return self._uri(f"{quote(self.user, safe='')}:{quote(self.password, safe='')}")

    def uri_without_password(self, passfile: Path | None = None) -> str:
        """Return the libpq URI without the password, which libpq reads from a file instead.

        Args:
            passfile: A file that `passfile_line` was written to; without one libpq takes PGPASSWORD or ~/.pgpass.
        """
        uri = self._uri(quote(self.user, safe=""))
        return uri if passfile is None else f"{uri}&passfile={quote(str(passfile), safe='/')}"

    def passfile_line(self) -> str:
        """Return the line of a libpq password file for this account (Postgres manual, "The Password File")."""
        fields = (self.host, str(self.port), "*", self.user, self.password)
        return ":".join(re.sub(r"([\\:])", r"\\\1", field) for field in fields) + "\n"

    def _uri(self, account: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            f"postgresql://{account}@{host}:{self.port}/{quote(self.database, safe='')}"
            f"?sslmode={quote(self.sslmode, safe='')}"
        )

    def environment(self) -> dict[str, str]:
        """Return the variables from which an export reads its target."""
        return {
            "POSTGRES_HOST": self.host,
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DATABASE": self.database,
            "POSTGRES_USER": self.user,
            "POSTGRES_PASSWORD": self.password,
            "POSTGRES_SSLMODE": self.sslmode,
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, database: str) -> PostgresEndpoint | None:
        """Read the server that `POSTGRES_HOST` and the related variables name; None if `POSTGRES_HOST` is not set.

        Args:
            environment: The variables.
            database: If `POSTGRES_DATABASE` is not set.

        Raises:
            ConfigurationError: The port is not a number.
        """
        host = environment.get("POSTGRES_HOST", "").strip()
        if not host:
            return None
        port = environment.get("POSTGRES_PORT", "").strip() or "5432"
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigurationError("POSTGRES_PORT is not a port number", got=port, allowed="1 to 65535")
        return cls(
            host=host,
            port=int(port),
            database=environment.get("POSTGRES_DATABASE", "").strip() or database,
            user=environment.get("POSTGRES_USER", "").strip() or "postgres",
            password=environment.get("POSTGRES_PASSWORD", ""),
            sslmode=environment.get("POSTGRES_SSLMODE", "").strip()
            or ("prefer" if host in LOOPBACK else "require"),
            embedded=False,
        )


@dataclass(frozen=True)
class WarehouseEndpoint:
    """The SQL warehouse of a workspace.

    Attributes:
        host: Always `localhost`, for which the certificate is.
        port: On 127.0.0.1.
        http_path: As in a Databricks connection: `/sql/1.0/warehouses/local`.
        token: The access token.
        ca_file: The certificate (PEM) that the server shows; nothing else trusts it.
        ca_bundle: The same with the public authorities, for clients that take one bundle for all hosts.
    """

    host: str
    port: int
    http_path: str
    token: str = field(repr=False)
    ca_file: Path
    ca_bundle: Path

    def environment(self) -> dict[str, str]:
        """Return the variables that profiles.yml and the SQL client read.

        None is a name that dbt, libpq or Databricks' own tools read: DBT_HOST would move `dbt docs serve`.
        """
        return {
            "ORDERS_WAREHOUSE_HOST": f"{self.host}:{self.port}",
            "ORDERS_WAREHOUSE_HTTP_PATH": self.http_path,
            "ORDERS_WAREHOUSE_TOKEN": self.token,
            "ORDERS_WAREHOUSE_URI": f"https://{self.host}:{self.port}{self.http_path}",
            "ORDERS_WAREHOUSE_CA": str(self.ca_file),
            # databricks-sdk, inside dbt-databricks, asks the host for its metadata by `requests`, which has no other
            # setting; it would try for five minutes.
            "REQUESTS_CA_BUNDLE": str(self.ca_bundle),
        }
