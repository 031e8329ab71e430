"""Running a client's statements: one after the other, each logged, each to be canceled from another thread."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Sequence

from pyspark.errors import PySparkException

from local_workspace.delta.commit import AppendOnly
from local_workspace.errors import InvalidName, LocalWorkspaceError, NotFound, WorkspaceBusy
from local_workspace.sql.diagnosis import explained
from local_workspace.sql.parameters import Parameter, bind, named_identifiers
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.statement_reader import strip_statement
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.session import Session
from local_workspace.sql_warehouse.statements import dispatch

# For about ten seconds.
_INTERRUPTS = 100
# Error class by the kind of what is missing; a volume is told as a table.
_MISSING = {"CATALOG": "NO_SUCH_CATALOG_EXCEPTION", "SCHEMA": "SCHEMA_NOT_FOUND"}


class ClientSession(Session):
    """A session as a client has it: it runs statements."""

    def prepare(self, sql: str, parameters: Sequence[Parameter] = ()) -> StatementRun:
        """Return a statement that is ready to run, and to be canceled from another thread."""
        return StatementRun(self, sql, parameters)

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> Result:
        """Run one statement.

        Args:
            sql: The statement.
            parameters: Values for its markers.

        Raises:
            SqlError: It failed; nothing was changed unless the text says so.
        """
        return self.prepare(sql, parameters)()


class StatementRun:
    """One statement, to be run once.

    Args:
        session: Runs it.
        sql: As the client sent it.
        parameters: Values for its markers.
    """

    def __init__(self, session: Session, sql: str, parameters: Sequence[Parameter]) -> None:
        self._session = session
        self._sql = sql
        self._parameters = parameters
        self._tag = f"statement-{secrets.token_hex(8)}"
        self._canceled = False
        self._finished = threading.Event()

    def cancel(self) -> None:
        """Stop the statement and return at once; any thread may call it."""
        self._canceled = True
        threading.Thread(target=self._interrupt, name="cancel", daemon=True).start()

    def _interrupt(self) -> None:
        # More than once: the statement may be between two of its queries, or not yet at its first.
        for _ in range(_INTERRUPTS):
            try:
                self._session.engine.interrupt(self._tag)
            except Exception:  # noqa: BLE001  (the session may be closed already, and then nothing of it runs)
                return
            if self._finished.wait(0.1):
                return

    def __call__(self) -> Result:
        """Run the statement and log it.

        Raises:
            SqlError: It failed.
        """
        if self._canceled:
            raise _canceled()
        try:
            return self._run()
        finally:
            self._finished.set()

    def _run(self) -> Result:
        started = time.monotonic()
        log = self._session.warehouse.statement_log
        try:
            sql = strip_statement(named_identifiers(bind(self._sql, self._parameters)))
            with self._session.running(self._tag):
                result = dispatch.run(self._session, sql)
        except Exception as error:
            failure = _canceled() if self._canceled else self._explained(self._as_sql_error(error))
            log.write(self._session, self._sql, time.monotonic() - started, error=failure)
            if failure is error:
                raise
            raise failure from error
        log.write(self._session, self._sql, time.monotonic() - started, result=result)
        return result

    def _explained(self, error: SqlError) -> SqlError:
        try:
            sql = strip_statement(named_identifiers(bind(self._sql, self._parameters)))
            return explained(error, sql, self._session.columns)
        except Exception:  # noqa: BLE001  (what is known of the error must not be lost over what could be)
            return error

    def _as_sql_error(self, error: Exception) -> SqlError:  # noqa: PLR0911  (one for each kind)
        if isinstance(error, SqlError):
            return error
        if isinstance(error, WorkspaceBusy):
            return SqlError("DELTA_CONCURRENT_WRITE", str(error))
        if isinstance(error, AppendOnly):
            return SqlError("DELTA_CANNOT_MODIFY_APPEND_ONLY", str(error), "42809")
        if isinstance(error, NotFound):
            # It was there when the statement began: clients take these classes for an answer, not for a fault.
            return SqlError(_MISSING.get(error.kind, "TABLE_OR_VIEW_NOT_FOUND"), str(error))
        if isinstance(error, InvalidName):
            text = f"{error.got} is not a valid name for tables/schemas. Valid are {error.allowed}."
            return SqlError("INVALID_SCHEMA_OR_RELATION_NAME", text, "42602")
        if isinstance(error, LocalWorkspaceError):
            return SqlError(_workspace_class(error), str(error), "XX000")
        if isinstance(error, PySparkException):
            return self._session.engine.error(error)
        return SqlError("INTERNAL_ERROR", f"{type(error).__name__}: {error}", "XX000")


def _canceled() -> SqlError:
    return SqlError("OPERATION_CANCELED", "The statement was canceled by its client.", "HY008")


def _workspace_class(error: LocalWorkspaceError) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).upper()
