"""The shape of what answers a statement: each module of statements has a table of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql_warehouse.result import Result

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

Handler = Callable[["Session", StatementReader], Result]
# By the statement's first words.
Handlers = dict[tuple[str, ...], Handler]
