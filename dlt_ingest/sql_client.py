"""One way to query the marts from Python: the SQL warehouse, locally and on Databricks.

Health check, reconciliation, quarantine, export and dashboards all read through this client, so each of them runs
unchanged against a Databricks SQL warehouse: only the environment differs. It speaks through
databricks-sql-connector, the library that dbt-databricks itself uses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

import pyarrow as pa

from dlt_ingest.errors import ConfigurationError, OrdersError

# Not DBT_HOST and its like: dbt takes DBT_HOST for the address on which `dbt docs serve` listens.
_REQUIRED = ("ORDERS_WAREHOUSE_HOST", "ORDERS_WAREHOUSE_HTTP_PATH", "ORDERS_WAREHOUSE_TOKEN")


# The error classes of Databricks for a table or a schema that does not exist, with its quoted name.
_MISSING = re.compile(
    r"\[(TABLE_OR_VIEW|SCHEMA)_NOT_FOUND\] The (?:table or view|schema) (\S+) cannot be found"
)


class QueryFailedError(OrdersError):
    """The warehouse refused or could not finish a statement. The author of the statement must act."""


class UnreachableError(OrdersError):
    """The warehouse did not answer. Try again, or the operator of the network must act."""


class NotBuiltError(QueryFailedError):
    """A table that a statement reads does not exist. The caller must build it first, or correct its name."""


@dataclass(frozen=True)
class WarehouseConnection:
    """Where the SQL warehouse is.

    Attributes:
        host: Host name as in `ORDERS_WAREHOUSE_HOST`, for the local workspace with its port.
        http_path: Path of the warehouse, `/sql/1.0/warehouses/<id>`.
        token: Access token; never shown by repr.
        uri: Full address, for a warehouse that is not on port 443 (the local workspace); otherwise None.
        ca_file: Certificate authority to trust, for the local workspace's own certificate; otherwise None.
        catalog: Catalog that unqualified names resolve in; otherwise the warehouse's default.
        schema: Schema that unqualified names resolve in; otherwise the warehouse's default.
    """

    host: str
    http_path: str
    token: str = field(repr=False)
    uri: str | None = None
    ca_file: str | None = None
    catalog: str | None = None
    schema: str | None = None

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        catalog: str | None = None,
        schema: str | None = None,
    ) -> WarehouseConnection:
        """Read the variables that the dbt profile reads, so that both always mean the same warehouse.

        Raises:
            ConfigurationError: If `ORDERS_WAREHOUSE_HOST`, `ORDERS_WAREHOUSE_HTTP_PATH` or `ORDERS_WAREHOUSE_TOKEN`
                is missing.
        """
        environ = os.environ if environ is None else environ
        missing = [name for name in _REQUIRED if not environ.get(name)]
        if missing:
            raise ConfigurationError(
                "The SQL warehouse is not configured",
                got=f"no {', '.join(missing)} in the environment",
                allowed=", ".join(_REQUIRED),
                consequence="Nothing was queried",
                next_step='Run `eval "$(orders env)"` for the local workspace, or set the three variables',
            )
        return cls(
            host=environ["ORDERS_WAREHOUSE_HOST"],
            http_path=environ["ORDERS_WAREHOUSE_HTTP_PATH"],
            token=environ["ORDERS_WAREHOUSE_TOKEN"],
            uri=environ.get("ORDERS_WAREHOUSE_URI") or None,
            ca_file=environ.get("ORDERS_WAREHOUSE_CA") or None,
            catalog=catalog,
            schema=schema,
        )


class Queries(Protocol):
    """What health check, reconciliation and dashboards need of a warehouse: statements in, rows out."""

    def query(self, statement: str, parameters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return its rows; `:name` in it stands for the parameter of that name."""
        ...

    def query_arrow(self, statement: str) -> pa.Table:
        """Run one statement and return its rows as an Arrow table."""
        ...


class SparkQueries:
    """The same over the Spark session of a Databricks job, which needs neither address nor token.

    Args:
        catalog: Catalog that unqualified names resolve in.
        schema: Schema that unqualified names resolve in; otherwise the session's.
    """

    def __init__(self, catalog: str, schema: str | None = None) -> None:
        from pyspark.sql import SparkSession  # noqa: PLC0415  # present on Databricks, and only needed there

        self._spark = SparkSession.builder.getOrCreate()
        self._spark.catalog.setCurrentCatalog(catalog)
        if schema:
            self._spark.catalog.setCurrentDatabase(schema)

    def query(self, statement: str, parameters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return all its rows.

        Raises:
            QueryFailedError: With Spark's own message.
        """
        rows: list[dict[str, Any]] = self.query_arrow(statement, parameters).to_pylist()
        return rows

    def query_arrow(self, statement: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
        """Run one statement and return its result as an Arrow table."""
        from pyspark.errors import PySparkException  # noqa: PLC0415  # as above

        try:
            return self._spark.sql(statement, args=dict(parameters or {})).toArrow()
        except PySparkException as error:
            raise refused(error) from None


class SqlClient:
    """A connection to the SQL warehouse; use it as a context manager.

    Rows are dictionaries with exact types: DECIMAL is `Decimal`, TIMESTAMP is `datetime`, DATE is `date`.
    """

    def __init__(self, connection: WarehouseConnection) -> None:
        from databricks import sql  # noqa: PLC0415  # 0.7 s of imports that most commands do not need
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # comes with the connector

        extra: dict[str, Any] = {}
        if connection.uri:
            extra["_connection_uri"] = connection.uri
        if connection.ca_file:
            extra["_tls_trusted_ca_file"] = connection.ca_file
        if connection.catalog:
            extra["catalog"] = connection.catalog
        if connection.schema:
            extra["schema"] = connection.schema
        self._host = connection.host
        self._errors = sql.exc.Error
        # The connector lets those of its HTTP library through once it has retried.
        self._network_errors = (HTTPError, OSError, sql.exc.RequestError)
        try:
            self._connection = sql.connect(
                server_hostname=connection.host,
                http_path=connection.http_path,
                access_token=connection.token,
                use_cloud_fetch=connection.uri is None,
                enable_telemetry=False,
                _retry_stop_after_attempts_count=3,
                **extra,
            )
        except self._errors as error:
            raise ConfigurationError(
                "The SQL warehouse did not accept the connection",
                got=f"{connection.host}: {first_line(error)}",
                allowed="a running warehouse and a valid token",
                consequence="Nothing was queried",
                next_step=f"check {', '.join(_REQUIRED)}; locally, run `orders status`",
            ) from None
        except self._network_errors as error:
            raise self._unreachable(error) from None

    @classmethod
    def from_environment(cls, *, catalog: str | None = None, schema: str | None = None) -> SqlClient:
        """Connect to the warehouse that the environment names; see `WarehouseConnection.from_environment`."""
        return cls(WarehouseConnection.from_environment(catalog=catalog, schema=schema))

    def query(self, statement: str, parameters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return all its rows; an empty list for a statement without a result.

        Args:
            statement: SQL. `:name` in it stands for a parameter.
            parameters: Texts by name. They travel beside the statement, so none gets into the text that the
                warehouse keeps in its query history.

        Raises:
            QueryFailedError: With the warehouse's own message.
        """
        rows: list[dict[str, Any]] = self.query_arrow(statement, parameters).to_pylist()
        return rows

    def query_arrow(self, statement: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
        """Run one statement and return its result as an Arrow table (column order and types kept)."""
        with self._answering(), self._connection.cursor() as cursor:
            self._run(cursor, statement, parameters)
            return cursor.fetchall_arrow() if cursor.description else pa.table({})

    def stream(self, statement: str, batch_rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        """Run one statement and yield its rows in batches, so that memory does not grow with the result.

        The first batch is yielded even when it is empty: it carries the column names and types.
        """
        with self._answering(), self._connection.cursor() as cursor:
            self._run(cursor, statement)
            first = True
            while True:
                table = cursor.fetchmany_arrow(batch_rows)
                if table.num_rows == 0 and not first:
                    return
                if table.num_rows == 0:
                    yield pa.RecordBatch.from_pylist([], schema=table.schema)
                    return
                yield from table.combine_chunks().to_batches()
                first = False

    def execute(self, statement: str) -> None:
        """Run one statement for its effect."""
        with self._answering(), self._connection.cursor() as cursor:
            self._run(cursor, statement)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (self._errors, *self._network_errors) as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: BaseException) -> UnreachableError:
        return UnreachableError(
            "The SQL warehouse did not answer",
            got=f"{self._host}: {first_line(error)}",
            consequence="The outcome of the statement is not known",
            next_step="Run the command again; if it stays so, look at the network and at the warehouse",
        )

    # The connector publishes no cursor protocol.
    def _run(self, cursor: Any, statement: str, parameters: Mapping[str, str] | None = None) -> None:
        try:
            cursor.execute(statement, parameters=None if parameters is None else dict(parameters))
        except self._network_errors as error:
            raise self._unreachable(error) from None
        except self._errors as error:
            raise refused(error) from None

    def close(self) -> None:
        """Close the session on the warehouse."""
        try:
            self._connection.close()
        except BaseException:
            # Interrupted: the connector must not try again, and wait for a warehouse that is gone, when Python ends.
            self._connection.session.is_open = False
            raise

    def __enter__(self) -> SqlClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def refused(error: BaseException) -> QueryFailedError:
    """Return the error that a refused statement becomes."""
    text = first_line(error)
    if missing := _MISSING.search(text):
        return NotBuiltError(
            f"{missing[2].replace('`', '')} is not built yet, or has another name",
            got=f"{missing[1]}_NOT_FOUND",
            consequence="The statement had no effect",
            next_step='Build it with `orders run`, or correct the name: `orders sql "show tables in gold"` lists them',
        )
    return QueryFailedError(
        "The warehouse refused the statement",
        got=text,
        consequence="The statement had no effect",
        next_step="Correct the statement; the warehouse's message names the place",
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text: what a person needs, without the server's stack trace."""
    text = str(getattr(error, "message", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
