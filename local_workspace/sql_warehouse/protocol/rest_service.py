"""The REST statement execution API, so that a ``WorkspaceClient`` can run dashboard and alert SQL here.

"Databricks REST API reference", section *Statement Execution*: disposition INLINE with format JSON_ARRAY, in chunks.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa

from local_workspace.sql.parameters import Parameter
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.arrow_types import ValueForms, json_text, type_name, type_text, value_text
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statement_run import StatementRun
from local_workspace.sql_warehouse.warehouse import Warehouse

_ROWS_A_CHUNK = 5_000
_MAX_INLINE_BYTES = 25 * 1024 * 1024
_KEPT_STATEMENTS = 200
Answer = tuple[int, dict[str, Any]]


class _Statement:
    def __init__(self, run: StatementRun, row_limit: int | None) -> None:
        self.id = f"01{secrets.token_hex(15)}"
        self.run = run
        self.row_limit = row_limit
        self.done = threading.Event()
        self.state = "PENDING"
        self.error: SqlError | None = None
        self.columns: list[dict[str, Any]] = []
        self.rows: list[list[str | None]] = []
        self.truncated = False

    def execute(self) -> None:
        self.state = "RUNNING"
        try:
            self._read(self.run())
            self.state = "SUCCEEDED"
        except SqlError as error:
            self.error = error
            self.state = "CANCELED" if error.error_class == "OPERATION_CANCELED" else "FAILED"
        except Exception as error:  # noqa: BLE001  (the client must get an answer for any fault)
            self.error, self.state = SqlError("INTERNAL_ERROR", str(error)), "FAILED"
        finally:
            self.done.set()

    def _read(self, result: Result) -> None:
        shape = ValueForms().shape(result.schema)
        self.columns = [
            {
                "name": field.name,
                "position": i,
                "type_name": type_name(field.type),
                "type_text": type_text(field.type),
                **_decimal(field.type),
            }
            for i, field in enumerate(shape.schema)
        ]
        size = 0
        for batch in result.batches:
            for row in zip(*(_texts(column) for column in shape(batch).columns), strict=True):
                if self.row_limit is not None and len(self.rows) >= self.row_limit:
                    self.truncated = True
                    return
                self.rows.append(list(row))
                size += sum(len(value or "") for value in row)
            if size > _MAX_INLINE_BYTES:
                raise SqlError(
                    "INLINE_RESULT_TOO_LARGE",
                    "Inline results are limited to 25 MiB. Ask for fewer rows, or use Thrift.",
                    "54000",
                )


def _decimal(kind: pa.DataType) -> dict[str, int]:
    if not pa.types.is_decimal(kind):
        return {}
    return {"type_precision": kind.precision, "type_scale": kind.scale}


def _texts(column: pa.Array) -> list[str | None]:
    if pa.types.is_nested(column.type):
        return [None if v is None else json_text(v, column.type) for v in column.to_pylist()]
    return [None if v is None else value_text(v) for v in column.to_pylist()]


class RestService:
    """Answers REST calls.

    Args:
        warehouse: Runs the statements.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._statements: dict[str, _Statement] = {}
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Cancel what runs."""
        with self._lock:
            statements = list(self._statements.values())
            sessions = list(self._sessions.values())
        for statement in statements:
            if not statement.done.is_set():
                statement.run.cancel()
        for session in sessions:
            session.close()

    def answer(self, method: str, path: str, body: bytes, port: int) -> Answer:
        """Answer one call.

        Args:
            method: GET, POST or DELETE.
            path: With its query.
            body: JSON, or nothing.
            port: The server's own, for what it says of itself.
        """
        path, _, query = path.partition("?")
        try:
            document = json.loads(body) if body else {}
        except ValueError:
            return 400, {"error_code": "MALFORMED_REQUEST", "message": "The body is not a JSON document."}
        path = path.rstrip("/")
        routes: list[tuple[str, str, Callable[[re.Match[str]], Answer]]] = [
            ("POST", "/api/2.0/sql/statements", lambda _: self._execute(document)),
            (
                "GET|POST",
                r"/api/2.0/sql/statements/(\w+)(/cancel|/result/chunks/(\d+))?",
                lambda m: self._about(method, m[1], m[2], m[3]),
            ),
            ("GET", "/api/2.0/sql/warehouses", lambda _: (200, {"warehouses": [_description(port)]})),
            ("GET", r"/api/2.0/sql/warehouses/\w+", lambda _: (200, _description(port))),
            (
                "GET",
                "/api/2.0/preview/scim/v2/Me",
                lambda _: (200, {"id": "1", "userName": self._warehouse.services.user}),
            ),
            ("POST", "/api/2.0/sql/sessions", lambda _: self._open_session(document)),
            ("DELETE", r"/api/2.0/sql/sessions/(\w+)", lambda m: self._close_session(m[1])),
        ]
        for methods, pattern, act in routes:
            match = re.fullmatch(pattern, path)
            if match and method in methods.split("|"):
                return act(match)
        return _not_found(f"The local warehouse does not support {method} {path} {sorted(parse_qs(query))}.")

    def _close_session(self, key: str) -> Answer:
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.close()
        return 200, {}

    def _open_session(self, document: dict[str, Any]) -> Answer:
        try:
            session = self._warehouse.open_session(document.get("catalog"), document.get("schema"))
        except SqlError as error:
            return 400, {"error_code": "BAD_REQUEST", "message": str(error)}
        key = secrets.token_hex(16)
        with self._lock:
            self._sessions[key] = session
        return 200, {"session_id": key}

    def _execute(self, document: dict[str, Any]) -> Answer:
        if not isinstance(document.get("statement"), str):
            return 400, {
                "error_code": "INVALID_PARAMETER_VALUE",
                "message": "The field `statement` is missing.",
            }
        if document.get("disposition", "INLINE") not in ("INLINE", "INLINE_OR_EXTERNAL_LINKS"):
            return 400, {
                "error_code": "INVALID_PARAMETER_VALUE",
                "message": "The local warehouse supports only disposition INLINE.",
            }
        if document.get("format", "JSON_ARRAY") != "JSON_ARRAY":
            return 400, {
                "error_code": "INVALID_PARAMETER_VALUE",
                "message": "The local warehouse supports only format JSON_ARRAY.",
            }
        parameters = [
            Parameter(
                p.get("name"), p.get("type") or "STRING", None if p.get("value") is None else str(p["value"])
            )
            for p in document.get("parameters") or []
        ]
        shared = self._sessions.get(document.get("session_id") or "")
        try:
            session = shared or self._warehouse.open_session(document.get("catalog"), document.get("schema"))
        except SqlError as error:
            return 400, {"error_code": "BAD_REQUEST", "message": str(error)}
        statement = _Statement(session.prepare(document["statement"], parameters), document.get("row_limit"))
        with self._lock:
            self._statements[statement.id] = statement
            for old in [s for s in self._statements.values() if s.done.is_set()][:-_KEPT_STATEMENTS]:
                del self._statements[old.id]

        def work() -> None:
            statement.execute()
            if shared is None:
                session.close()

        threading.Thread(target=work, name="rest-statement", daemon=True).start()
        wait = _seconds(document.get("wait_timeout", "10s"))
        if not statement.done.wait(wait) and document.get("on_wait_timeout") == "CANCEL":
            statement.run.cancel()
            statement.done.wait(10)
        return 200, self._document(statement)

    def _about(self, method: str, key: str, action: str | None, chunk: str | None) -> Answer:
        statement = self._statements.get(key)
        if statement is None:
            return _not_found(
                f"Statement {key} does not exist; the warehouse keeps the last {_KEPT_STATEMENTS}."
            )
        if action == "/cancel" and method == "POST":
            statement.run.cancel()
            return 200, {}
        if chunk is not None and method == "GET":
            return 200, _chunk(statement, int(chunk))
        return 200, self._document(statement)

    def _document(self, statement: _Statement) -> dict[str, Any]:
        status: dict[str, Any] = {"state": statement.state}
        document: dict[str, Any] = {"statement_id": statement.id, "status": status}
        if statement.error is not None:
            status["error"] = {"error_code": "BAD_REQUEST", "message": str(statement.error)}
            status["sql_state"] = statement.error.sqlstate
        if statement.state == "SUCCEEDED":
            chunks = max(1, -(-len(statement.rows) // _ROWS_A_CHUNK))
            document["manifest"] = {
                "format": "JSON_ARRAY",
                "schema": {"column_count": len(statement.columns), "columns": statement.columns},
                "total_chunk_count": chunks,
                "total_row_count": len(statement.rows),
                "truncated": statement.truncated,
                "chunks": [
                    {
                        "chunk_index": i,
                        "row_offset": i * _ROWS_A_CHUNK,
                        "row_count": min(_ROWS_A_CHUNK, len(statement.rows) - i * _ROWS_A_CHUNK),
                    }
                    for i in range(chunks)
                ],
            }
            document["result"] = _chunk(statement, 0)
        return document


def _not_found(message: str) -> Answer:
    return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": message}


def _chunk(statement: _Statement, index: int) -> dict[str, Any]:
    start = index * _ROWS_A_CHUNK
    rows = statement.rows[start : start + _ROWS_A_CHUNK]
    chunk: dict[str, Any] = {
        "chunk_index": index,
        "row_offset": start,
        "row_count": len(rows),
        "data_array": rows,
    }
    if start + _ROWS_A_CHUNK < len(statement.rows):
        chunk["next_chunk_index"] = index + 1
        chunk["next_chunk_internal_link"] = (
            f"/api/2.0/sql/statements/{statement.id}/result/chunks/{index + 1}"
        )
    return chunk


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)s", text)
    return float(match[1]) if match else 10.0


def _description(port: int) -> dict[str, Any]:
    return {
        "id": "local",
        "name": "local",
        "state": "RUNNING",
        "odbc_params": {
            "hostname": "localhost",
            "path": "/sql/1.0/warehouses/local",
            "port": port,
            "protocol": "https",
        },
    }
