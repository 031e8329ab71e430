"""The Thrift service of a SQL warehouse: sessions, operations and results for databricks-sql-connector.

The wire classes are the connector's own. Which answer the connector expects to which request is read from its
``backend/thrift_backend.py`` (version 4.4); the protocol's names are those of Hive's TCLIService.
"""

from __future__ import annotations

import concurrent.futures
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes as t

from local_workspace.sql_warehouse import metadata_results
from local_workspace.sql_warehouse.arrow_types import BatchShaper, ValueForms, type_name
from local_workspace.sql_warehouse.parameters import Parameter
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.session import Session
from local_workspace.sql_warehouse.sql_error import SqlError
from local_workspace.sql_warehouse.warehouse import Warehouse

PROTOCOL = t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7
# A statement that takes longer is answered with its handle, so that the client can poll and cancel it.
_DIRECT_SECONDS = 5.0
_POLL_SECONDS = 5.0
# Most of what one reply may hold, whatever the client allows: the server's memory is to stay small.
_REPLY_BYTES = 16 * 1024 * 1024
_REPLY_ROWS = 200_000


class _Rows:
    """Batches of a result, cut to the sizes that a client asks for."""

    def __init__(self, result: Result, forms: ValueForms) -> None:
        self._shape: BatchShaper = forms.shape(result.schema)
        self.schema = self._shape.schema
        self._source: Iterator[pa.RecordBatch] = result.batches
        self._left: pa.RecordBatch | None = None
        self.offset = 0

    def _peek(self) -> pa.RecordBatch | None:
        while self._left is None or self._left.num_rows == 0:
            batch = next(self._source, None)
            if batch is None:
                return None
            self._left = self._shape(batch)
        return self._left

    @property
    def more(self) -> bool:
        """Whether at least one row is left (waits for the engine to say so)."""
        return len(self.schema) > 0 and self._peek() is not None

    def take(self, rows: int, size: int) -> list[pa.RecordBatch]:
        """The next batches, at least one row and at most about these rows and bytes."""
        taken: list[pa.RecordBatch] = []
        rows, size = min(rows, _REPLY_ROWS), min(size, _REPLY_BYTES)
        while rows > 0 and size > 0 and self.more:
            batch = self._left
            assert batch is not None
            width = max(1, batch.nbytes // batch.num_rows)
            count = min(rows, batch.num_rows, max(1, size // width))
            taken.append(batch.slice(0, count))
            self._left = batch.slice(count)
            rows -= count
            size -= count * width
            self.offset += count
        return taken

    def close(self) -> None:
        """Lets go of what was not read."""
        self._left, self._source = None, iter(())


class _Operation:
    """One running or finished statement."""

    def __init__(self, session_id: bytes, forms: ValueForms) -> None:
        self.id = secrets.token_bytes(16)
        self.secret = secrets.token_bytes(16)
        self.session_id = session_id
        self.forms = forms
        self.future: concurrent.futures.Future[Result] | None = None
        self.cancel: Callable[[], None] = lambda: None
        self.canceled = False
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self._rows: _Rows | None = None

    @property
    def rows(self) -> _Rows:
        if self.canceled or self.future is None:
            raise SqlError("OPERATION_CANCELED", "The statement was canceled by its client.", "HY008")
        if self._rows is None:
            self._rows = _Rows(self.future.result(), self.forms)
        return self._rows

    def handle(self) -> t.TOperationHandle:
        return t.TOperationHandle(
            operationId=t.THandleIdentifier(guid=self.id, secret=self.secret),
            operationType=t.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=True,
        )


class ThriftService:
    """Answers the calls of the connector; give it to ``TCLIService.Processor``.

    Args:
        warehouse: Opens the sessions and runs the statements.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._sessions: dict[bytes, Session] = {}
        self._operations: dict[bytes, _Operation] = {}
        self._lock = threading.Lock()
        self._workers = concurrent.futures.ThreadPoolExecutor(64, thread_name_prefix="statement")

    # Sessions

    def OpenSession(self, req: t.TOpenSessionReq) -> t.TOpenSessionResp:  # noqa: N802
        """Opens a session in the catalog and schema that the client asks for."""
        namespace = req.initialNamespace
        try:
            session = self._warehouse.open_session(
                namespace.catalogName if namespace else None,
                namespace.schemaName if namespace else None,
                dict(req.configuration or {}),
            )
        except Exception as error:  # noqa: BLE001  (every fault must reach the client as a status, not as a dropped connection)
            return t.TOpenSessionResp(status=_failed(error), serverProtocolVersion=PROTOCOL)
        session_id = secrets.token_bytes(16)
        with self._lock:
            self._sessions[session_id] = session
        return t.TOpenSessionResp(
            status=_ok(),
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
        """Closes a session and every operation of it."""
        guid = req.sessionHandle.sessionId.guid
        with self._lock:
            session = self._sessions.pop(guid, None)
            operations = [o for o in self._operations.values() if o.session_id == guid]
        for operation in operations:
            self._close(operation)
        if session is not None:
            session.close()
        return t.TCloseSessionResp(status=_ok())

    def _session(self, handle: t.TSessionHandle) -> Session | None:
        with self._lock:
            return self._sessions.get(handle.sessionId.guid)

    # Statements

    def ExecuteStatement(self, req: t.TExecuteStatementReq) -> t.TExecuteStatementResp:  # noqa: N802
        """Runs a statement; a short one comes back with its first rows."""
        session = self._session(req.sessionHandle)
        if session is None:
            return t.TExecuteStatementResp(status=_invalid_session())
        native = req.useArrowNativeTypes
        forms = ValueForms(
            complex_as_arrow=native is None or native.complexTypesAsArrow is not False,
            decimal_as_arrow=native is None or native.decimalAsArrow is not False,
            timestamp_as_arrow=native is None or native.timestampAsArrow is not False,
        )
        parameters = [_parameter(p) for p in req.parameters or []]
        operation = _Operation(req.sessionHandle.sessionId.guid, forms)
        run = session.prepare(req.statement, parameters)
        operation.cancel = run.cancel
        return self._start(operation, run, req.getDirectResults, t.TExecuteStatementResp)

    def _start(
        self,
        operation: _Operation,
        run: Callable[[], Result],
        direct: t.TSparkGetDirectResults | None,
        response: type,
    ) -> Any:
        with self._lock:
            self._operations[operation.id] = operation
        operation.future = self._workers.submit(run)
        operation.future.add_done_callback(lambda _: operation.ended.set())
        answer = response(status=_ok(), operationHandle=operation.handle())
        if direct is None:
            return answer
        operation.ended.wait(_DIRECT_SECONDS)
        results = t.TSparkDirectResults(operationStatus=self._status(operation))
        if results.operationStatus.operationState == t.TOperationState.FINISHED_STATE:
            try:
                results.resultSetMetadata = self._metadata(operation)
                results.resultSet = self._fetch(operation, direct.maxRows, direct.maxBytes)
            except Exception as error:  # noqa: BLE001  (the engine may fail in the middle of a result)
                results.operationStatus = _error_status(error)
                results.resultSetMetadata = results.resultSet = None
        if results.resultSet is None or not results.resultSet.hasMoreRows:
            if results.operationStatus.operationState != t.TOperationState.RUNNING_STATE:
                self._close(operation)
                results.closeOperation = t.TCloseOperationResp(status=_ok())
        answer.directResults = results
        return answer

    def GetOperationStatus(self, req: t.TGetOperationStatusReq) -> t.TGetOperationStatusResp:  # noqa: N802
        """Says how far an operation is; waits some seconds for its end, because the connector asks again at once."""
        operation = self._operation(req.operationHandle)
        if operation is None or operation.future is None:
            return t.TGetOperationStatusResp(status=_ok(), operationState=t.TOperationState.CLOSED_STATE)
        operation.ended.wait(_POLL_SECONDS)
        return self._status(operation)

    def _status(self, operation: _Operation) -> t.TGetOperationStatusResp:
        future = operation.future
        assert future is not None
        if operation.canceled:
            return t.TGetOperationStatusResp(
                status=_ok(),
                operationState=t.TOperationState.CANCELED_STATE,
                errorMessage="The statement was canceled.",
            )
        if not future.done():
            return t.TGetOperationStatusResp(status=_ok(), operationState=t.TOperationState.RUNNING_STATE)
        error = future.exception()
        if error is not None:
            return _error_status(error)
        return t.TGetOperationStatusResp(
            status=_ok(),
            operationState=t.TOperationState.FINISHED_STATE,
            hasResultSet=True,
            numModifiedRows=future.result().affected_rows,
        )

    def GetResultSetMetadata(self, req: t.TGetResultSetMetadataReq) -> t.TGetResultSetMetadataResp:  # noqa: N802
        """Gives the columns of a result."""
        operation = self._operation(req.operationHandle)
        if operation is None:
            return t.TGetResultSetMetadataResp(status=_invalid_operation())
        try:
            return self._metadata(operation)
        except Exception as error:  # noqa: BLE001  (a canceled or failed statement has no columns)
            return t.TGetResultSetMetadataResp(status=_failed(error))

    def _metadata(self, operation: _Operation) -> t.TGetResultSetMetadataResp:
        schema = operation.rows.schema
        return t.TGetResultSetMetadataResp(
            status=_ok(),
            schema=t.TTableSchema(columns=[_column(field, i) for i, field in enumerate(schema)]),
            resultFormat=t.TSparkRowSetType.ARROW_BASED_SET,
            arrowSchema=schema.serialize().to_pybytes(),
            lz4Compressed=False,
            isStagingOperation=False,
        )

    def FetchResults(self, req: t.TFetchResultsReq) -> t.TFetchResultsResp:  # noqa: N802
        """Gives the next rows of a result."""
        operation = self._operation(req.operationHandle)
        if operation is None:
            return t.TFetchResultsResp(status=_invalid_operation())
        try:
            answer = self._fetch(operation, req.maxRows, req.maxBytes)
            if req.includeResultSetMetadata:
                answer.resultSetMetadata = self._metadata(operation)
        except Exception as error:  # noqa: BLE001  (the engine may fail in the middle of a result)
            return t.TFetchResultsResp(status=_failed(error))
        return answer

    def _fetch(self, operation: _Operation, rows: int | None, size: int | None) -> t.TFetchResultsResp:
        with operation.lock:
            source = operation.rows
            offset = source.offset
            batches = source.take(rows or _REPLY_ROWS, size or _REPLY_BYTES)
            return t.TFetchResultsResp(
                status=_ok(),
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
        """Stops a statement; what it had not committed is not written."""
        operation = self._operation(req.operationHandle)
        if operation is not None and not (operation.future and operation.future.done()):
            operation.canceled = True
            operation.ended.set()
            operation.cancel()
        return t.TCancelOperationResp(status=_ok())

    def CloseOperation(self, req: t.TCloseOperationReq) -> t.TCloseOperationResp:  # noqa: N802
        """Forgets an operation and what is left of its result."""
        operation = self._operation(req.operationHandle)
        if operation is not None:
            self._close(operation)
        return t.TCloseOperationResp(status=_ok())

    def _operation(self, handle: t.TOperationHandle) -> _Operation | None:
        with self._lock:
            return self._operations.get(handle.operationId.guid)

    def _close(self, operation: _Operation) -> None:
        with self._lock:
            self._operations.pop(operation.id, None)
        if operation.future is not None and not operation.future.done():
            operation.cancel()
        elif operation._rows is not None:
            operation._rows.close()

    # Metadata calls, answered from the catalog

    def _metadata_call(self, req: Any, response: type, build: Callable[[Session], Result]) -> Any:
        session = self._session(req.sessionHandle)
        if session is None:
            return response(status=_invalid_session())
        operation = _Operation(req.sessionHandle.sessionId.guid, ValueForms())
        direct = req.getDirectResults or t.TSparkGetDirectResults(maxRows=_REPLY_ROWS, maxBytes=_REPLY_BYTES)
        return self._start(operation, lambda: build(session), direct, response)

    def GetCatalogs(self, req: t.TGetCatalogsReq) -> t.TGetCatalogsResp:  # noqa: N802
        """Lists catalogs."""
        return self._metadata_call(req, t.TGetCatalogsResp, metadata_results.catalogs)

    def GetSchemas(self, req: t.TGetSchemasReq) -> t.TGetSchemasResp:  # noqa: N802
        """Lists schemas by LIKE patterns."""
        return self._metadata_call(
            req, t.TGetSchemasResp, lambda s: metadata_results.schemas(s, req.catalogName, req.schemaName)
        )

    def GetTables(self, req: t.TGetTablesReq) -> t.TGetTablesResp:  # noqa: N802
        """Lists tables and views by LIKE patterns."""
        return self._metadata_call(
            req,
            t.TGetTablesResp,
            lambda s: metadata_results.tables(
                s, req.catalogName, req.schemaName, req.tableName, req.tableTypes
            ),
        )

    def GetColumns(self, req: t.TGetColumnsReq) -> t.TGetColumnsResp:  # noqa: N802
        """Lists columns by LIKE patterns."""
        return self._metadata_call(
            req,
            t.TGetColumnsResp,
            lambda s: metadata_results.columns(
                s, req.catalogName, req.schemaName, req.tableName, req.columnName
            ),
        )

    def close(self) -> None:
        """Closes every session; running statements are canceled."""
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
        """Closes sessions that nobody used for some time, because their client is gone without a word."""
        limit = time.monotonic() - seconds
        with self._lock:
            idle = [guid for guid, session in self._sessions.items() if session.last_used < limit]
            busy = {o.session_id for o in self._operations.values()}
            gone = [self._sessions.pop(guid) for guid in idle if guid not in busy]
        for session in gone:
            session.close()


def _ok() -> t.TStatus:
    return t.TStatus(statusCode=t.TStatusCode.SUCCESS_STATUS)


def _failed(error: BaseException) -> t.TStatus:
    return t.TStatus(
        statusCode=t.TStatusCode.ERROR_STATUS,
        errorMessage=str(error),
        displayMessage=str(error),
        sqlState=_sqlstate(error),
    )


def _invalid_session() -> t.TStatus:
    return t.TStatus(
        statusCode=t.TStatusCode.INVALID_HANDLE_STATUS,
        errorMessage="The session does not exist any more: the warehouse was restarted, or the session was idle for too long.",
    )


def _invalid_operation() -> t.TStatus:
    return t.TStatus(
        statusCode=t.TStatusCode.INVALID_HANDLE_STATUS, errorMessage="The operation does not exist any more."
    )


def _error_status(error: BaseException) -> t.TGetOperationStatusResp:
    return t.TGetOperationStatusResp(
        status=_ok(),
        operationState=t.TOperationState.ERROR_STATE,
        sqlState=_sqlstate(error),
        errorMessage=str(error),
        displayMessage=str(error),
    )


def _sqlstate(error: BaseException) -> str:
    return getattr(error, "sqlstate", "XX000")


def _parameter(p: t.TSparkParameter) -> Parameter:
    return Parameter(
        name=p.name,
        type=p.type or "STRING",
        value=p.value.stringValue if p.value is not None else None,
        items=tuple(_argument(a) for a in p.arguments or []),
    )


def _argument(a: t.TSparkParameterValueArg) -> Parameter:
    return Parameter(
        name=None,
        type=a.type or "STRING",
        value=a.value,
        items=tuple(_argument(inner) for inner in a.arguments or []),
    )


def _column(field: pa.Field, index: int) -> t.TColumnDesc:
    name = type_name(field.type)
    qualifiers = None
    if pa.types.is_decimal(field.type):
        qualifiers = t.TTypeQualifiers(
            qualifiers={
                "precision": t.TTypeQualifierValue(i32Value=field.type.precision),
                "scale": t.TTypeQualifierValue(i32Value=field.type.scale),
            }
        )
    entry = t.TPrimitiveTypeEntry(
        type=t.TTypeId._NAMES_TO_VALUES[re.sub("$", "_TYPE", name)], typeQualifiers=qualifiers
    )
    return t.TColumnDesc(
        columnName=field.name,
        typeDesc=t.TTypeDesc(types=[t.TTypeEntry(primitiveEntry=entry)]),
        position=index + 1,
        comment="",
    )
