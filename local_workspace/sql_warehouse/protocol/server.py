"""The warehouse's HTTPS server on loopback: Thrift for SQL clients, REST for the statement execution API."""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from databricks.sql.thrift_api.TCLIService import TCLIService
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from local_workspace.endpoints import WarehouseEndpoint
from local_workspace.sql_warehouse.protocol.certificate import Credentials, ensure_credentials
from local_workspace.sql_warehouse.protocol.rest_service import RestService
from local_workspace.sql_warehouse.protocol.thrift_service import ThriftService
from local_workspace.sql_warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)

HTTP_PATH = "/sql/1.0/warehouses/local"
_IDLE_SECONDS = 12 * 3600.0
_MAX_REQUEST = 256 * 1024 * 1024
_SOCKET_SECONDS = 3600.0


class WarehouseServer:
    """A running server; :func:`serve` starts it.

    Args:
        warehouse: Runs the statements.
        credentials: Certificate and token.
        port: On 127.0.0.1; 0 takes a free one.
    """

    def __init__(self, warehouse: Warehouse, credentials: Credentials, port: int = 0) -> None:
        self._warehouse = warehouse
        self._thrift = ThriftService(warehouse)
        self._rest = RestService(warehouse)
        self._processor = TCLIService.Processor(self._thrift)
        self._credentials = credentials
        self._http = _HttpServer(("127.0.0.1", port), self, credentials.ssl_context())
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.2,), name="warehouse", daemon=True),
            threading.Thread(target=self._close_idle, name="warehouse-idle", daemon=True),
        ]

    @property
    def endpoint(self) -> WarehouseEndpoint:
        """How to reach it."""
        return WarehouseEndpoint(
            "localhost",
            self._http.server_address[1],
            HTTP_PATH,
            self._credentials.token,
            self._credentials.authority,
            self._credentials.bundle,
        )

    def start(self) -> WarehouseServer:
        """Begin to answer; returns at once."""
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._warm_up, name="warehouse-warm-up", daemon=True).start()
        return self

    def _warm_up(self) -> None:
        # The first query pays for loading the engine's client; better now than when somebody waits.
        with contextlib.suppress(Exception):
            engine = self._warehouse.engines.take()
            engine.query("SELECT 1").table()
            self._warehouse.engines.give_back(engine)

    def stop(self) -> None:
        """Stop answering; running statements are canceled."""
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thrift.close()
        self._rest.close()
        self._warehouse.engines.close()

    def _close_idle(self) -> None:
        while not self._stopped.wait(60):
            self._thrift.close_idle_sessions(_IDLE_SECONDS)

    def __enter__(self) -> WarehouseServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_authorized(self, header: str | None) -> bool:
        """Return whether an Authorization header carries the token; takes the same time for every wrong one."""
        expected = f"Bearer {self._credentials.token}"
        return hmac.compare_digest((header or "").encode(), expected.encode())

    def answer_thrift(self, request: bytes) -> bytes:
        """Return one Thrift call."""
        reply = TMemoryBuffer()
        self._processor.process(TBinaryProtocol(TMemoryBuffer(request)), TBinaryProtocol(reply))
        return bytes(reply.getvalue())

    def answer_rest(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return one REST call: status and JSON document."""
        return self._rest.answer(method, path, body, self.endpoint.port)


def serve(warehouse: Warehouse, *, port: int = 0) -> WarehouseServer:
    """Start a server for a warehouse, with the certificate and token of its workspace.

    Args:
        warehouse: Runs the statements.
        port: On 127.0.0.1; 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """
    return WarehouseServer(warehouse, ensure_credentials(warehouse.services.layout.run), port).start()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], server: WarehouseServer, context: ssl.SSLContext) -> None:
        self.warehouse_server = server
        self._context = context
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = super().get_request()
        plain.settimeout(_SOCKET_SECONDS)
        # The handshake happens in the connection's own thread: a client that never speaks must not hold up the others.
        wrapped = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        log.debug("connection from %s ended", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Whole replies in one packet and no waiting for a fuller one: else every statement takes 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _HttpServer

    def do_GET(self) -> None:
        self._answer("GET")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        server = self.server.warehouse_server
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_REQUEST:
            self._reply(413, b'{"message": "The request is too large."}', "application/json")
            self.close_connection = True
            return
        body = self.rfile.read(length)
        path = self.path.partition("?")[0]
        if path == "/.well-known/databricks-config":
            host = f"https://localhost:{server.endpoint.port}"
            document = {"oidc_endpoint": f"{host}/oidc", "host_type": "workspace", "workspace_id": "1"}
            self._reply(200, json.dumps(document).encode(), "application/json")
        elif not server.is_authorized(self.headers.get("Authorization")):
            # The header is where Databricks' clients look for the reason.
            self._reply(
                403,
                b'{"error_code": "403", "message": "Invalid access token."}',
                "application/json",
                {"x-databricks-reason-phrase": "Invalid access token."},
            )
        elif method == "POST" and path.startswith("/sql/"):
            self._reply(200, server.answer_thrift(body), "application/x-thrift")
        else:
            status, document = server.answer_rest(method, self.path, body)
            self._reply(status, json.dumps(document).encode(), "application/json")

    def _reply(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the statement log has what matters, and request lines could carry secrets."""
