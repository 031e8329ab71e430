"""Guards the transport that dbt's sessions share: connections kept, TLS as strict as before, nothing read in vain."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from databricks.sql import client
from databricks.sql.auth import thrift_http_client
from databricks.sql.common.http import HttpMethod
from databricks.sql.exc import RequestError
from databricks.sql.types import SSLOptions
from databricks.sql.utils import build_client_context
from urllib3.exceptions import MaxRetryError

from dbt_kept_connections import transport as kept
from local_workspace.sql_warehouse.protocol.certificate import Credentials, ensure_credentials


class _Server(ThreadingHTTPServer):
    """Answers any POST, and counts the connections that it took."""

    daemon_threads = True
    connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _NoToken:
    def add_headers(self, headers: dict[str, str]) -> None:
        headers["Authorization"] = "Bearer none"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return ensure_credentials(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(credentials: Credentials) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Answers)
    server.socket = credentials.ssl_context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _session(server: _Server, **tls: Any) -> kept.KeptTransport:
    """What the connector makes for each session."""
    transport = kept.KeptTransport(
        auth_provider=_NoToken(),
        uri_or_host=f"https://localhost:{server.server_address[1]}/sql/1.0/warehouses/local",
        ssl_options=SSLOptions(**tls),
    )
    transport.setCustomHeaders({"User-Agent": "test"})
    transport.open()
    return transport


def _send(transport: kept.KeptTransport) -> None:
    transport.write(b"statement")
    transport.flush()
    assert transport.code == 200
    transport.close()


def test_sessions_share_a_connection_until_it_was_idle_for_too_long(
    server: _Server, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the saving, and that no statement is sent into a connection that the other side may have given up."""
    ca = str(credentials.authority)
    for _ in range(3):
        _send(_session(server, tls_trusted_ca_file=ca))
    assert server.connections == 1
    monkeypatch.setattr(kept, "IDLE_SECONDS", -1.0)
    _send(_session(server, tls_trusted_ca_file=ca))
    assert server.connections == 2


def test_a_connection_is_for_those_who_trust_the_same(
    server: _Server, credentials: Credentials, tmp_path: Path
) -> None:
    """Guards TLS: a session that does not trust the server gets no connection that another one opened."""
    _send(_session(server, tls_trusted_ca_file=str(credentials.authority)))
    other = ensure_credentials(tmp_path)
    for tls in ({"tls_trusted_ca_file": str(other.authority)}, {}):
        with pytest.raises(MaxRetryError, match="CERTIFICATE_VERIFY_FAILED"):
            _send(_session(server, **tls))
    with pytest.raises(FileNotFoundError):
        _session(server, tls_trusted_ca_file=str(tmp_path / "missing.pem"))


def test_certificates_are_read_for_the_first_request(
    credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards what costs dbt most: the system's certificates; and that a closed client stays closed."""
    loaded = []
    real = ssl.create_default_context

    def create_default_context(*arguments: Any, **keywords: Any) -> ssl.SSLContext:
        loaded.append(1)
        return real(*arguments, **keywords)

    monkeypatch.setattr(ssl, "create_default_context", create_default_context)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    context = build_client_context("localhost", "4", _tls_trusted_ca_file=str(credentials.authority))
    http = kept.LazyHttpClient(context)
    assert not http.using_proxy()
    assert not loaded
    assert http._get_pool_manager_for_url("https://localhost:1/") is not None
    assert len(loaded) == 1
    http.close()
    unused = kept.LazyHttpClient(context)
    unused.close()
    for closed in (http, unused):
        with pytest.raises(RequestError, match="closed"):
            closed.request(HttpMethod.GET, "https://localhost:1/")
    assert len(loaded) == 1
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert kept.LazyHttpClient(context).using_proxy()


def test_the_connector_uses_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the seam: an upgrade of the connector that moves it must fail here, not make dbt slow again."""
    monkeypatch.setattr(client, "UnifiedHttpClient", kept.UnifiedHttpClient)
    monkeypatch.setattr(thrift_http_client, "THttpClient", kept.KeptTransport.__bases__[0])
    for _ in range(2):
        kept.keep_connections()
        assert client.UnifiedHttpClient is kept.LazyHttpClient
        assert thrift_http_client.THttpClient is kept.KeptTransport
