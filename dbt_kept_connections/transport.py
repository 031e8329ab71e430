"""The two HTTP clients of databricks-sql-connector, less what they do in vain for each session.

`UnifiedHttpClient` serves cloud fetch, OAuth and telemetry, and loads the system's certificates when it is made: here it
does so with its first request, which most sessions never send. `THttpClient` sends the statements, over a pool of
connections that ends with its session: here sessions share it with all others of the same server and the same TLS options.

Measured with the project's own build, 264 nodes: 23.5 CPU-seconds of a dbt that has imported and parsed, 13.0 with this.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from typing import Any, ClassVar

from databricks.sql import client
from databricks.sql.auth import thrift_http_client
from databricks.sql.common.unified_http_client import UnifiedHttpClient
from urllib3 import HTTPSConnectionPool

# A connection that was idle for longer is not used again. The other side may have given it up, and a statement that was
# sent into the void must not be repeated; load balancers give up after a minute and more.
IDLE_SECONDS = 30.0
# More than anybody's threads: what does not fit is closed, with a warning of urllib3.
_CONNECTIONS = 64


class LazyHttpClient(UnifiedHttpClient):
    """Loads certificates when it is first asked for something."""

    def __init__(self, client_context: Any) -> None:
        self._preparing = threading.Lock()
        self._is_prepared = False
        super().__init__(client_context)

    def _setup_pool_managers(self) -> None:
        # With a proxy the connector asks its client for it at once, so there is nothing to put off.
        if urllib.request.getproxies():
            self._prepare()

    def _prepare(self) -> None:
        with self._preparing:
            if not self._is_prepared:
                super()._setup_pool_managers()
                self._is_prepared = True

    def _get_pool_manager_for_url(self, url: str) -> Any:
        self._prepare()
        return super()._get_pool_manager_for_url(url)

    def close(self) -> None:
        """Close the connections; a request that comes later is refused, as by the connector's own."""
        with self._preparing:
            self._is_prepared = True
            super().close()


class _IdleLimitPool(HTTPSConnectionPool):
    """A pool that closes what was idle for too long, instead of giving it out."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:  # urllib3 puts None for a connection that broke
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn = super()._get_conn(timeout)
        idle_since = getattr(conn, "idle_since", None)
        if idle_since is not None and time.monotonic() - idle_since > IDLE_SECONDS:
            conn.close()  # it connects again by itself
        return conn


class KeptTransport(thrift_http_client.THttpClient):
    """Takes its connections from a pool that outlives the session."""

    _pools: ClassVar[dict[tuple[object, ...], _IdleLimitPool]] = {}
    _lock = threading.Lock()

    def open(self) -> None:
        """Find or make the pool. Nothing connects before the first request."""
        if self.scheme != "https" or self.using_proxy() or self._ssl_options is None:
            super().open()
            return
        tls = self._ssl_options
        key = (self.host, self.port, *sorted(vars(tls).items()))
        with self._lock:
            if key not in self._pools:
                # As the connector's own `open` makes it, but for the number and the age of connections.
                self._pools[key] = _IdleLimitPool(
                    self.host,
                    self.port,
                    maxsize=_CONNECTIONS,
                    cert_reqs="CERT_REQUIRED" if tls.tls_verify else "CERT_NONE",
                    ca_certs=tls.tls_trusted_ca_file,
                    cert_file=tls.tls_client_cert_file,
                    key_file=tls.tls_client_cert_key_file,
                    key_password=tls.tls_client_cert_key_password,
                )
            self._THttpClient__pool = self._pools[key]


def keep_connections() -> None:
    """Have the connector use both clients, in this process, from now on. Called again it changes nothing.

    A connector that has no longer the classes that these build on is left unchanged: slower, not broken.
    """
    connector: Any = client
    if connector.UnifiedHttpClient is UnifiedHttpClient and hasattr(
        UnifiedHttpClient, "_setup_pool_managers"
    ):
        connector.UnifiedHttpClient = LazyHttpClient
    transport: Any = thrift_http_client
    theirs = transport.THttpClient
    if theirs is not KeptTransport and "_THttpClient__pool" in theirs.flush.__code__.co_names:
        transport.THttpClient = KeptTransport
