"""Fixtures of the export's tests, used by integration and fault tests alike."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from postgres_under_test import PostgresUnderTest

from dlt_ingest.metrics.postgres import ExportResult, ExportSpec, PostgresSettings, export_model
from dlt_ingest.metrics.postgres.retry import RetryPolicy

FAST = RetryPolicy(attempts=8, base_s=0.05, cap_s=0.4)
ONCE = RetryPolicy(attempts=1)
SCHEMA = pa.schema(
    [
        ("metric_date", pa.date32()),
        ("metric_name", pa.string()),
        ("unit", pa.string()),
        ("metric_value", pa.decimal128(18, 2)),
    ]
)
KEY = ("metric_date", "metric_name")


def row(
    day: int = 0, name: str | None = "net_revenue", value: str = "1.00", unit: str = "USD"
) -> dict[str, Any]:
    """One row of a business metric."""
    return {
        "metric_date": date(2024, 1, 1) + timedelta(days=day),
        "metric_name": name,
        "unit": unit,
        "metric_value": Decimal(value),
    }


def batch(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    """Rows as Arrow, as the warehouse sends them."""
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def many(count: int, batch_rows: int = 1000) -> Iterator[pa.RecordBatch]:
    """`count` rows with distinct keys and distinct values, in batches."""
    for start in range(0, count, batch_rows):
        numbers = range(start, min(start + batch_rows, count))
        yield batch(
            [row(number % 3000, f"m{number // 3000}", f"{number}.{number % 100:02d}") for number in numbers]
        )


@dataclass
class Database:
    """An empty database on the server under test."""

    server: PostgresUnderTest
    name: str
    settings: PostgresSettings

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Run one statement as the owner."""
        return self.server.sql(statement, self.name, params)

    def export(
        self, rows: list[dict[str, Any]], spec: ExportSpec | None = None, **options: Any
    ) -> ExportResult:
        """Export rows of business metrics, by default to their own table."""
        return self.export_batches([batch(rows)], spec, **options)

    def export_batches(self, batches: Any, spec: ExportSpec | None = None, **options: Any) -> ExportResult:
        """Export batches, by default to the table of business metrics."""
        options.setdefault("retry", FAST)
        return export_model(batches, spec or business(), self.settings, **options)

    def table(self, name: str = "exp_business_metrics") -> list[tuple[Any, ...]]:
        """The table's rows, ordered by key."""
        return self.sql(
            f"select metric_date, metric_name, unit, metric_value from metrics.{name} order by 1, 2"
        )

    def checksum(self, name: str = "exp_business_metrics") -> tuple[int, str]:
        """Number of rows, and a hash over all their values in the order of the key."""
        return checksum_of(self.table(name))

    def letters(self) -> list[tuple[Any, ...]]:
        """The dead letters: reason, status, attempts, payload."""
        return self.sql(
            "select reason, status, attempts, payload from metrics._dead_letter order by reason, payload"
        )


def checksum_of(rows: list[tuple[Any, ...]]) -> tuple[int, str]:
    """Number of rows, and a hash over all their values."""
    return len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()


def expected(batches: Iterator[pa.RecordBatch]) -> tuple[int, str]:
    """The checksum that a table must have which holds exactly these rows."""
    rows = [tuple(item.values()) for part in batches for item in part.to_pylist()]
    return checksum_of(sorted(rows, key=lambda item: (item[0], item[1])))


def business(**options: Any) -> ExportSpec:
    """The export of the business metrics."""
    return ExportSpec(target="exp_business_metrics", key=KEY, **options)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresUnderTest]:
    """One server for all tests of a folder; a test that stops it starts it again."""
    under_test = PostgresUnderTest()
    try:
        under_test.start()
        yield under_test
    finally:
        under_test.close()


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    return (f"test_{number}" for number in itertools.count())


@pytest.fixture
def database(server: PostgresUnderTest, database_names: Iterator[str]) -> Database:
    """An empty database, so that no test sees another one's rows."""
    name = next(database_names)
    server.sql(f"create database {name}")
    return Database(server, name, server.settings(name))
