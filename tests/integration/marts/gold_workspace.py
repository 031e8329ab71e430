"""A workspace with Silver tables written by the test, and dbt building Gold over them through the SQL warehouse."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from dbt_process import dbt_process
from deltalake import DeltaTable, write_deltalake

from local_workspace.catalog import Catalog
from local_workspace.catalog.names import TableName
from local_workspace.layout import WorkspaceLayout

PROJECT = Path(__file__).resolve().parents[3]
CATALOG = "ecommerce_local"

_TEXT, _MONEY, _TIME = pa.string(), pa.decimal128(18, 2), pa.timestamp("us", tz="UTC")
SILVER_ORDERS = pa.schema(
    [
        ("order_event_id", _TEXT),
        ("order_id", _TEXT),
        ("customer_id", _TEXT),
        ("order_line", _TEXT),
        ("order_item", _TEXT),
        ("status", _TEXT),
        ("items_ordered", pa.int64()),
        ("price", _MONEY),
        ("order_value", _MONEY),
        ("date_ordered", pa.date32()),
        ("order_timestamp", _TIME),
        ("order_year", pa.int32()),
        ("order_month", pa.int32()),
        ("order_day_of_week", pa.int32()),
        ("order_hour", pa.int32()),
        ("replay_of", _TEXT),
        ("failed_rules", pa.list_(_TEXT)),
        ("batch_id", _TEXT),
        ("source_file", _TEXT),
        ("ingested_at", _TIME),
    ]
)
SILVER_QUARANTINE = pa.schema(
    [
        ("quarantine_id", _TEXT),
        ("order_id", _TEXT),
        ("order_item", _TEXT),
        ("price", pa.decimal128(38, 10)),
        ("items_ordered", pa.int64()),
        ("status", _TEXT),
        ("date_ordered", pa.date32()),
        ("customer_id", _TEXT),
        ("order_timestamp", _TIME),
        ("order_line", _TEXT),
        ("replay_of", _TEXT),
        ("_corrupt_record", _TEXT),
        ("_rescued_data", _TEXT),
        ("source_file", _TEXT),
        ("ingested_at", _TIME),
        ("batch_id", _TEXT),
        ("failed_rules", pa.list_(_TEXT)),
        ("update_id", _TEXT),
        ("quarantined_at", _TIME),
    ]
)
SILVER_CUSTOMERS = pa.schema(
    [
        ("customer_id", _TEXT),
        ("first_order_date", pa.date32()),
        ("last_order_date", pa.date32()),
        ("orders", pa.int64()),
        (
            "order_history",
            pa.list_(
                pa.struct(
                    [
                        ("order_id", _TEXT),
                        ("date_ordered", pa.date32()),
                        ("status", _TEXT),
                        ("order_value", _MONEY),
                    ]
                )
            ),
        ),
    ]
)


@dataclass(frozen=True)
class OrderEvent:
    """One event of an order, as a shop would send it."""

    order_id: str
    customer_id: str
    status: str
    date_ordered: date
    order_timestamp: datetime
    price: Decimal = Decimal("10.00")
    items_ordered: int = 1
    order_item: str = "mug"
    order_line: str | None = None

    @property
    def order_event_id(self) -> str:
        """The same for the same record, as in Silver."""
        return hashlib.sha256(repr(sorted(asdict(self).items())).encode()).hexdigest()

    def silver_row(self, source_file: str, ingested_at: datetime) -> dict[str, Any]:
        """The row that silver.orders has of one delivery of this event."""
        return {
            "order_event_id": self.order_event_id,
            **asdict(self),
            "order_value": self.price * self.items_ordered,
            "order_year": self.date_ordered.year,
            "order_month": self.date_ordered.month,
            "order_day_of_week": self.date_ordered.isoweekday() % 7 + 1,
            "order_hour": self.order_timestamp.hour,
            "replay_of": None,
            "failed_rules": [],
            "batch_id": Path(source_file).stem,
            "source_file": source_file,
            "ingested_at": ingested_at,
        }


class GoldWorkspace:
    """Starts a warehouse on a folder of its own, lands Silver rows and runs dbt.

    Args:
        home: Folder of the workspace; made if it is not there.
        project: The dbt project; by default this one.
    """

    def __init__(self, home: Path, project: Path = PROJECT) -> None:
        self.home = home
        self.project = project
        self.layout = WorkspaceLayout(home).create()
        self._server: subprocess.Popen[bytes] | None = None
        self._environment: dict[str, str] = {}

    def __enter__(self) -> GoldWorkspace:
        schemas = [
            argument for name in ("bronze", "silver", "gold", "ops") for argument in ("--schema", name)
        ]
        self._server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "local_workspace.sql_warehouse",
                "--home",
                self.home,
                "--catalog",
                CATALOG,
                *schemas,
            ],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._server.stdout is not None
        for line in self._server.stdout:
            name, _, value = line.decode().removeprefix("export ").strip().partition("=")
            self._environment[name] = shlex.split(value)[0]
            if name == "ORDERS_WAREHOUSE_CA":
                break
        assert "ORDERS_WAREHOUSE_CA" in self._environment, "the warehouse did not start"
        for table, schema in (
            ("orders", SILVER_ORDERS),
            ("orders_quarantine", SILVER_QUARANTINE),
            ("customers", SILVER_CUSTOMERS),
        ):
            self._write("silver", table, pa.Table.from_pylist([], schema))
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            # It ends when its standard input does.
            self._server.communicate(timeout=30)

    def land(self, deliveries: Iterable[OrderEvent], source_file: str, ingested_at: datetime) -> None:
        """Append one file of events to silver.orders, in one commit."""
        rows = [event.silver_row(source_file, ingested_at) for event in deliveries]
        self._write("silver", "orders", pa.Table.from_pylist(rows, SILVER_ORDERS))

    def _write(self, schema: str, table: str, rows: pa.Table) -> None:
        location = self.layout.table_path(CATALOG, schema, table)
        write_deltalake(location, rows, mode="append")
        with_catalog = Catalog.open(self.layout)
        try:
            with_catalog.put_table(
                TableName(CATALOG, schema, table), kind="STREAMING_TABLE", location=location
            )
        finally:
            with_catalog.close()

    def dbt(self, *arguments: str) -> str:
        """Run dbt and return what it printed.

        Raises:
            AssertionError: dbt failed; the text is its output.
        """
        success, output = self.try_dbt(*arguments)
        assert success, output
        return output

    def try_dbt(self, *arguments: str) -> tuple[bool, str]:
        """Run dbt, whatever comes of it, and return whether it succeeded and what it printed."""
        outcome = dbt_process().run(arguments, folder=self.project, environment=self._dbt_environment())
        return outcome.success, outcome.said

    def _dbt_environment(self) -> dict[str, str]:
        foreign = ("DBT_", "ORDERS_", "POSTGRES_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            **self._environment,
            # The adapter asks the host for its configuration by another client than the one it sends SQL by.
            "REQUESTS_CA_BUNDLE": self._environment["ORDERS_WAREHOUSE_CA"],
            "DBT_PROFILES_DIR": str(PROJECT / "profiles"),
            "DBT_TARGET_PATH": str(self.home / "target"),
            "DBT_LOG_PATH": str(self.home / "logs" / "dbt"),
            "DBT_LOG_LEVEL_FILE": "none",
            "DBT_WRITE_JSON": "false",
            "DBT_USE_COLORS": "false",
        }

    def rows(self, table: str, schema: str = "gold") -> list[dict[str, Any]]:
        """All rows of a table, read from its files and not through the engine that wrote them."""
        return DeltaTable(self.layout.table_path(CATALOG, schema, table)).to_pyarrow_table().to_pylist()


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[str, Any], ...]]:
    """Rows in an order that depends on their values alone, to be compared."""
    return sorted((tuple(sorted(row.items())) for row in rows), key=repr)


def utc(text: str) -> datetime:
    """A moment in UTC from its ISO text."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
