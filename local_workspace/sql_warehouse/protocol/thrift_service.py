"""The Thrift service of a SQL warehouse: sessions, operations and results for databricks-sql-connector.

The wire classes are the connector's own. Which answer the connector expects to which request is read from its
``backend/thrift_backend.py`` (version 4.4); the protocol's names are those of Hive's TCLIService.
"""

from __future__ import annotations

import concurrent.futures
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from databricks.sql.thrift_api.TCLIService import ttypes as t

from local_workspace.sql_warehouse.arrow_types import ValueForms
from local_workspace.sql_warehouse.protocol import metadata_results
from local_workspace.sql_warehouse.protocol.operations import REPLY_BYTES, REPLY_ROWS, Operation
from local_workspace.sql_warehouse.protocol.thrift_wire import (
    column,
    error_status,
    failed,
    invalid_operation,
    invalid_session,
    ok,
    parameter,
)
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statement_run import ClientSession
from local_workspace.sql_warehouse.warehouse import Warehouse

PROTOCOL = t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7
# A statement that takes longer is answered with its handle, so that the client can poll and cancel it.
_DIRECT_SECONDS = 2.0
# Short, because the connector sends nothing else meanwhile, not even a cancel.
_POLL_SECONDS = 0.5


class ThriftService:
    """Answers the calls of the connector; give it to ``TCLIService.Processor``.

    Args:
        warehouse: Opens the sessions and runs the statements.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._sessions: dict[bytes, ClientSession] = {}
        self._operations: dict[bytes, Operation] = {}
        self._lock = threading.Lock()
        self._workers = concurrent.futures.ThreadPoolExecutor(64, thread_name_prefix="statement")

    # Sessions

    def OpenSession(self, req: t.TOpenSessionReq) -> t.TOpenSessionResp:  # noqa: N802
        """Open a session in the catalog and schema that the client asks for."""
        namespace = req.initialNamespace
        try:
            session = self._warehouse.open_session(
                namespace.catalogName if namespace else None,
                namespace.schemaName if namespace else None,
                dict(req.configuration or {}),
            )
        except Exception as error:  # noqa: BLE001  (every fault must reach the client as a status, not as a dropped connection)
            return t.TOpenSessionResp(status=failed(error), serverProtocolVersion=PROTOCOL)
        session_id = secrets.token_bytes(16)
        with self._lock:
            self._sessions[session_id] = session
        return t.TOpenSessionResp(
            status=ok(),
            serverProtocolVersion=PROTOCOL,
            sessionHandle=t.TSessionHandle(
                sessionId=t.THandleIdentifier(guid=session_id, secret=secrets.token_bytes(16)),
                serverProtocolVersion=PROTOCOL,
            ),
            initialNamespace=namespace,
            canUseMultipleCatalogs=True,
            configuration={},
        )

    def CloseSession(self, req: t.TCloseSessionReq) -> t.TCloseSessionResp:  # noqa: N802
        """Close a session and every operation of it."""
        guid = req.sessionHandle.sessionId.guid
        with self._lock:
            session = self._sessions.pop(guid, None)
            operations = [o for o in self._operations.values() if o.session_id == guid]
        for operation in operations:
            self._close(operation)
        if session is not None:
            session.close()
        return t.TCloseSessionResp(status=ok())

    def _session(self, handle: t.TSessionHandle) -> ClientSession | None:
        with self._lock:
            return self._sessions.get(handle.sessionId.guid)

    # Statements

    def ExecuteStatement(self, req: t.TExecuteStatementReq) -> t.TExecuteStatementResp:  # noqa: N802
        """Run a statement; a short one comes back with its first rows."""
        session = self._session(req.sessionHandle)
        if session is None:
            return t.TExecuteStatementResp(status=invalid_session())
        native = req.useArrowNativeTypes
        forms = ValueForms(
            complex_as_arrow=native is None or native.complexTypesAsArrow is not False,
            decimal_as_arrow=native is None or native.decimalAsArrow is not False,
            timestamp_as_arrow=native is None or native.timestampAsArrow is not False,
        )
        parameters = [parameter(p) for p in req.parameters or []]
        operation = Operation(req.sessionHandle.sessionId.guid, forms)
        run = session.prepare(req.statement, parameters)
        operation.cancel = run.cancel
        return self._start(operation, run, req.getDirectResults, t.TExecuteStatementResp)

    def _start(
        self,
        operation: Operation,
        run: Callable[[], Result],
        direct: t.TSparkGetDirectResults | None,
        response: type,
    ) -> Any:
        with self._lock:
            self._operations[operation.id] = operation
        operation.future = self._workers.submit(run)
        operation.future.add_done_callback(lambda _: operation.ended.set())
        answer = response(status=ok(), operationHandle=operation.handle())
        if direct is None:
            return answer
        operation.ended.wait(_DIRECT_SECONDS)
        results = t.TSparkDirectResults(operationStatus=self._status(operation))
        if results.operationStatus.operationState == t.TOperationState.FINISHED_STATE:
            try:
                results.resultSetMetadata = self._metadata(operation)
                results.resultSet = self._fetch(operation, direct.maxRows, direct.maxBytes)
            except Exception as error:  # noqa: BLE001  (the engine may fail in the middle of a result)
                results.operationStatus = error_status(error)
                results.resultSetMetadata = results.resultSet = None
        running = results.operationStatus.operationState == t.TOperationState.RUNNING_STATE
        if not running and (results.resultSet is None or not results.resultSet.hasMoreRows):
            self._close(operation)
            results.closeOperation = t.TCloseOperationResp(status=ok())
        answer.directResults = results
        return answer

    def GetOperationStatus(self, req: t.TGetOperationStatusReq) -> t.TGetOperationStatusResp:  # noqa: N802
        """Say how far an operation is; waits a moment for its end, because the connector asks again at once."""
        operation = self._operation(req.operationHandle)
        if operation is None or operation.future is None:
            return t.TGetOperationStatusResp(status=ok(), operationState=t.TOperationState.CLOSED_STATE)
        operation.ended.wait(_POLL_SECONDS)
        return self._status(operation)

    def _status(self, operation: Operation) -> t.TGetOperationStatusResp:
        future = operation.future
        if operation.canceled:
            return t.TGetOperationStatusResp(
                status=ok(),
                operationState=t.TOperationState.CANCELED_STATE,
                errorMessage="The statement was canceled.",
            )
        if future is None or not future.done():
            return t.TGetOperationStatusResp(status=ok(), operationState=t.TOperationState.RUNNING_STATE)
        error = future.exception()
        if error is not None:
            return error_status(error)
        return t.TGetOperationStatusResp(
            status=ok(),
            operationState=t.TOperationState.FINISHED_STATE,
            hasResultSet=True,
            numModifiedRows=future.result().affected_rows,
        )

    def GetResultSetMetadata(self, req: t.TGetResultSetMetadataReq) -> t.TGetResultSetMetadataResp:  # noqa: N802
        """Return the columns of a result."""
        operation = self._operation(req.operationHandle)
        if operation is None:
            return t.TGetResultSetMetadataResp(status=invalid_operation())
        try:
            return self._metadata(operation)
        except Exception as error:  # noqa: BLE001  (a canceled or failed statement has no columns)
            return t.TGetResultSetMetadataResp(status=failed(error))

    def _metadata(self, operation: Operation) -> t.TGetResultSetMetadataResp:
        schema = operation.rows.schema
        return t.TGetResultSetMetadataResp(
            status=ok(),
            schema=t.TTableSchema(columns=[column(field, i) for i, field in enumerate(schema)]),
            resultFormat=t.TSparkRowSetType.ARROW_BASED_SET,
            arrowSchema=schema.serialize().to_pybytes(),
            lz4Compressed=False,
            isStagingOperation=False,
        )

    def FetchResults(self, req: t.TFetchResultsReq) -> t.TFetchResultsResp:  # noqa: N802
        """Return the next rows of a result."""
        operation = self._operation(req.operationHandle)
        if operation is None:
            return t.TFetchResultsResp(status=invalid_operation())
        try:
            answer = self._fetch(operation, req.maxRows, req.maxBytes)
            if req.includeResultSetMetadata:
                answer.resultSetMetadata = self._metadata(operation)
        except Exception as error:  # noqa: BLE001  (the engine may fail in the middle of a result)
            return t.TFetchResultsResp(status=failed(error))
        return answer

    def _fetch(self, operation: Operation, rows: int | None, size: int | None) -> t.TFetchResultsResp:
        with operation.lock:
            source = operation.rows
            offset = source.offset
            batches = source.take(rows or REPLY_ROWS, size or REPLY_BYTES)
            return t.TFetchResultsResp(
                status=ok(),
                hasMoreRows=source.more,
                results=t.TRowSet(
                    startRowOffset=offset,
                    rows=[],
                    arrowBatches=[
                        t.TSparkArrowBatch(batch=batch.serialize().to_pybytes(), rowCount=batch.num_rows)
                        for batch in batches
                    ],
                ),
            )

    def CancelOperation(self, req: t.TCancelOperationReq) -> t.TCancelOperationResp:  # noqa: N802
        """Stop a statement; what it had not committed is not written."""
        operation = self._operation(req.operationHandle)
        if operation is not None and not (operation.future and operation.future.done()):
            operation.canceled = True
            operation.ended.set()
            operation.cancel()
        return t.TCancelOperationResp(status=ok())

    def CloseOperation(self, req: t.TCloseOperationReq) -> t.TCloseOperationResp:  # noqa: N802
        """Forget an operation and what is left of its result."""
        operation = self._operation(req.operationHandle)
        if operation is not None:
            self._close(operation)
        return t.TCloseOperationResp(status=ok())

    def _operation(self, handle: t.TOperationHandle) -> Operation | None:
        with self._lock:
            return self._operations.get(handle.operationId.guid)

    def _close(self, operation: Operation) -> None:
        with self._lock:
            self._operations.pop(operation.id, None)
        operation.close()

    # Metadata calls, answered from the catalog

    def _metadata_call(self, req: Any, response: type, build: Callable[[ClientSession], Result]) -> Any:
        session = self._session(req.sessionHandle)
        if session is None:
            return response(status=invalid_session())
        operation = Operation(req.sessionHandle.sessionId.guid, ValueForms())
        direct = req.getDirectResults or t.TSparkGetDirectResults(maxRows=REPLY_ROWS, maxBytes=REPLY_BYTES)
        return self._start(operation, lambda: build(session), direct, response)

    def GetCatalogs(self, req: t.TGetCatalogsReq) -> t.TGetCatalogsResp:  # noqa: N802
        """List catalogs."""
        return self._metadata_call(req, t.TGetCatalogsResp, metadata_results.catalogs)

    def GetSchemas(self, req: t.TGetSchemasReq) -> t.TGetSchemasResp:  # noqa: N802
        """List schemas by LIKE patterns."""
        return self._metadata_call(
            req, t.TGetSchemasResp, lambda s: metadata_results.schemas(s, req.catalogName, req.schemaName)
        )

    def GetTables(self, req: t.TGetTablesReq) -> t.TGetTablesResp:  # noqa: N802
        """List tables and views by LIKE patterns."""
        return self._metadata_call(
            req,
            t.TGetTablesResp,
            lambda s: metadata_results.tables(
                s, req.catalogName, req.schemaName, req.tableName, req.tableTypes
            ),
        )

    def GetColumns(self, req: t.TGetColumnsReq) -> t.TGetColumnsResp:  # noqa: N802
        """List columns by LIKE patterns."""
        return self._metadata_call(
            req,
            t.TGetColumnsResp,
            lambda s: metadata_results.columns(
                s, req.catalogName, req.schemaName, req.tableName, req.columnName
            ),
        )

    def close(self) -> None:
        """Close every session; running statements are canceled."""
        with self._lock:
            sessions = list(self._sessions.values())
            operations = list(self._operations.values())
            self._sessions.clear()
        for operation in operations:
            self._close(operation)
        for session in sessions:
            session.close()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def close_idle_sessions(self, seconds: float) -> None:
        """Close sessions that nobody used for some time, because their client is gone silently."""
        limit = time.monotonic() - seconds
        with self._lock:
            idle = [guid for guid, session in self._sessions.items() if session.last_used < limit]
            busy = {o.session_id for o in self._operations.values()}
            gone = [self._sessions.pop(guid) for guid in idle if guid not in busy]
        for session in gone:
            session.close()
