"""Guards the record of exports in the lakehouse, whose table is made by a macro, described in a source and filled here."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlt_ingest.metrics.delivery_record import COLUMNS, DeliveryRecord, merge_statement
from dlt_ingest.metrics.exporting import replay_dead_letters
from dlt_ingest.metrics.postgres import (
    ExportDeclarationError,
    ExportSpec,
    PostgresSettings,
    ReplayResult,
    ServerUnavailableError,
)
from dlt_ingest.sql_client import QueryFailedError

PROJECT = Path(__file__).parents[3]


def test_the_table_is_the_one_that_is_written() -> None:
    """Guards the three places that name the columns: from_json ignores a name that nobody writes."""
    macro = (PROJECT / "macros/export/export_deliveries_columns.sql").read_text()
    assert dict(re.findall(r"'name': '(\w+)', 'type': '([^']+)'", macro)) == COLUMNS
    sources: dict[str, Any] = yaml.safe_load(
        (PROJECT / "dbt_project/models/staging/dbt/_dbt__sources.yml").read_text()
    )
    (table,) = [table for table in sources["sources"][0]["tables"] if table["name"] == "export_deliveries"]
    assert [column["name"] for column in table["columns"]] == list(COLUMNS)
    written = merge_statement("t", [DeliveryRecord("m", "r", "delivered", datetime.now(timezone.utc))])
    assert [name for name in COLUMNS if f'"{name}": ' not in written] == []


def test_an_error_text_cannot_leave_its_literal() -> None:
    """Guards the statement against what Postgres says: quotes and backslashes in a message."""
    error = ServerUnavailableError("it's \\' gone\n", got="a'); drop table x; --")
    statement = merge_statement("t", [DeliveryRecord.undelivered("m", "r", error)])
    inside = statement.split("from_json('", 1)[1].split("', 'array<struct<", 1)[0]
    assert re.sub(r"\\.", "", inside).count("'") == 0
    assert "ServerUnavailableError" in statement


@pytest.mark.parametrize(
    ("meta", "named"),
    [
        ({"key": ["id"], "when": "later"}, "when"),
        ({"key": ["id"], "since": "a b"}, "since"),
        ({"key": ["id"], "since": "at", "deletes": "mirror"}, "since"),
    ],
)
def test_a_declaration_that_would_lose_rows_is_refused(meta: dict[str, Any], named: str) -> None:
    """Guards against an export that reads a part and takes the rest for deleted."""
    with pytest.raises(ExportDeclarationError, match=f"meta.export.{named}"):
        ExportSpec.from_meta("exp_x", meta)


def test_who_may_not_write_the_record_still_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the export by a principal that may only read: what it delivered counts, and it is told what is missing."""

    class ReadOnly:
        def execute(self, statement: str) -> None:
            raise QueryFailedError("The warehouse refused the statement", got="no privilege MODIFY")

    replayed = [ReplayResult("exp_days", delivered=2, rejected=1)]
    monkeypatch.setattr("dlt_ingest.metrics.exporting.retry_dead_letters", lambda *_, **__: replayed)
    said: list[str] = []
    settings = PostgresSettings(host="localhost", database="d", user="u")
    assert replay_dead_letters(ReadOnly(), settings, run_id="r", tell=said.append) == replayed  # type: ignore[arg-type]
    assert "no privilege MODIFY" in said[0]
