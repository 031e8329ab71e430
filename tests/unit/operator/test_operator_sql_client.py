"""Guards what becomes of a warehouse that does not answer: one error of ours, and no wait at the end of the program."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from databricks import sql
from urllib3.exceptions import HTTPError

from dlt_ingest.sql_client import SqlClient, UnreachableError, WarehouseConnection

CONNECTION = WarehouseConnection("warehouse.example", "/sql/1.0/warehouses/x", "secret-token")


class Connection:
    """The connector's, as far as the client uses it, on a warehouse that is gone."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.session = SimpleNamespace(is_open=True)

    def cursor(self) -> Any:
        raise self.error

    def close(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error", [HTTPError("refused"), OSError("reset"), sql.exc.RequestError("gone")], ids=repr
)
def test_no_answer_is_an_error_of_ours(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against `an internal error: MaxRetryError` for a network that is down, in a statement and in its rows."""
    monkeypatch.setattr(sql, "connect", lambda **_: Connection(error))
    client = SqlClient(CONNECTION)
    with pytest.raises(UnreachableError, match=r"did not answer.*warehouse\.example") as refused:
        client.query("select 1")
    assert "secret-token" not in str(refused.value)
    with pytest.raises(UnreachableError):
        list(client.stream("select 1"))
    with pytest.raises(UnreachableError):
        client.execute("select 1")


def test_no_server_at_all_is_told_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the connection itself."""

    def refuse(**_: Any) -> None:
        raise HTTPError("refused")

    monkeypatch.setattr(sql, "connect", refuse)
    with pytest.raises(UnreachableError, match="Run the command again"):
        SqlClient(CONNECTION)


def test_a_close_that_is_interrupted_is_not_repeated_when_python_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards the end of a command: the connector's destructor closes what counts as open, with 15 s of retries."""
    connection = Connection(KeyboardInterrupt())
    monkeypatch.setattr(sql, "connect", lambda **_: connection)
    with pytest.raises(KeyboardInterrupt):
        SqlClient(CONNECTION).close()
    assert not connection.session.is_open
