"""Running and finished statements of the Thrift service, and their rows in portions."""

from __future__ import annotations

import concurrent.futures
import secrets
import threading
from collections.abc import Callable, Iterator

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes as t

from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.arrow_types import BatchShaper, ValueForms
from local_workspace.sql_warehouse.result import Result

# Most of what one reply may hold, whatever the client allows: the server's memory is to stay small.
REPLY_BYTES = 16 * 1024 * 1024
REPLY_ROWS = 200_000


class OperationRows:
    """Batches of a result, cut to the sizes that a client asks for.

    Args:
        result: What the statement gave.
        forms: How the client wants its values.

    Attributes:
        schema: As the client gets it.
        offset: Rows that were taken so far.
    """

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
        """Return the next batches, at least one row and at most about these rows and bytes."""
        taken: list[pa.RecordBatch] = []
        rows, size = min(rows, REPLY_ROWS), min(size, REPLY_BYTES)
        while rows > 0 and size > 0 and len(self.schema) > 0:
            batch = self._peek()
            if batch is None:
                break
            width = max(1, batch.nbytes // batch.num_rows)
            count = min(rows, batch.num_rows, max(1, size // width))
            taken.append(batch.slice(0, count))
            self._left = batch.slice(count)
            rows -= count
            size -= count * width
            self.offset += count
        return taken

    def close(self) -> None:
        """Release what was not read."""
        self._left, self._source = None, iter(())


class Operation:
    """One running or finished statement.

    Args:
        session_id: The session that runs it.
        forms: How the client wants its values.

    Attributes:
        id: By which the client names it.
        future: Its result, when it is there.
        cancel: Stops it.
        canceled: Whether the client has asked for that.
        ended: Set when it is finished or canceled.
        lock: Held while rows are taken.
    """

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
        self._rows: OperationRows | None = None

    def close(self) -> None:
        """Stop the statement if it runs, and release the rest of its result."""
        if self.future is not None and not self.future.done():
            self.cancel()
        elif self._rows is not None:
            self._rows.close()

    @property
    def rows(self) -> OperationRows:
        """The result's rows.

        Raises:
            SqlError: The statement was canceled, or failed.
        """
        if self.canceled or self.future is None:
            raise SqlError("OPERATION_CANCELED", "The statement was canceled by its client.", "HY008")
        if self._rows is None:
            self._rows = OperationRows(self.future.result(), self.forms)
        return self._rows

    def handle(self) -> t.TOperationHandle:
        """Return what names the statement on the wire."""
        return t.TOperationHandle(
            operationId=t.THandleIdentifier(guid=self.id, secret=self.secret),
            operationType=t.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=True,
        )
