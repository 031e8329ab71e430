"""A workspace with an event log of known updates, and the operations marts that dbt builds over it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbt_process import Outcome, dbt_process

from dlt_ingest.sql_client import SqlClient, WarehouseConnection
from local_workspace.layout import WorkspaceLayout
from local_workspace.workspace import Workspace, WorkspaceOptions

PROJECT = Path(__file__).parents[3]
FOREIGN = ("DBT_", "ORDERS_", "POSTGRES_")
CATALOG = "ecommerce_local"
LANDING = f"dbfs:/Volumes/{CATALOG}/bronze/files/orders/landing"
SELECTION = (
    "staging.event_log staging.dbt staging.billing stg_orders__order_events stg_orders__quarantined_orders "
    "int_orders__loaded intermediate.operations marts.operations freshness_slas"
)
# For a build over another one: its views are there, and would be made again as they are.
TABLES_ONLY = ("--exclude", "config.materialized:view")

EVENT_LOG = """
    create table ops.event_log (
        id string,
        sequence struct<control_plane_seq_no: bigint>,
        origin struct<
            pipeline_id: string, pipeline_name: string, update_id: string, flow_name: string, dataset_name: string
        >,
        timestamp timestamp,
        message string,
        level string,
        maturity_level string,
        error struct<fatal: boolean, exceptions: array<struct<class_name: string, message: string>>>,
        details string,
        event_type string
    ) using delta
"""
EVENT_FIELDS = ", ".join(
    f"{name}: string"
    for name in ("id", "update_id", "dataset", "timestamp", "message", "level", "details", "event_type")
)
SILVER_ORDERS = """
    create table silver.orders (
        order_event_id string, order_id string, customer_id string, order_line string,
        order_item string, status string,
        items_ordered bigint, price decimal(18,2), order_value decimal(18,2), date_ordered date,
        order_timestamp timestamp, order_year int, order_month int, order_day_of_week int, order_hour int,
        replay_of string, failed_rules array<string>, batch_id string, source_file string, ingested_at timestamp
    ) using delta
"""
SILVER_QUARANTINE = """
    create table silver.orders_quarantine (
        quarantine_id string, order_id string, order_item string, price decimal(38,10), items_ordered bigint,
        status string, date_ordered date, customer_id string, order_timestamp timestamp, order_line string,
        replay_of string, _corrupt_record string, _rescued_data string, source_file string, ingested_at timestamp,
        batch_id string, failed_rules array<string>, update_id string, quarantined_at timestamp
    ) using delta
"""


def literal(value: Any) -> str:
    """A JSON string literal of SQL."""
    text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


@dataclass
class Update:
    """Events of one pipeline update, in the shape that the platform writes.

    Args:
        update_id: Its id; the run id is the same with `run_` before it.
        began: Time of the first event; each further event is a second later.
    """

    update_id: str
    began: datetime
    events: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, event_type: str, details: dict[str, Any], *, dataset: str | None = None, **changed: str
    ) -> Update:
        position = len(self.events)
        self.events.append(
            {
                "id": f"{self.update_id}-{position}",
                "update_id": self.update_id,
                "dataset": dataset and f"{CATALOG}.{dataset}",
                "timestamp": (self.began + timedelta(seconds=position)).isoformat() + "Z",
                "message": f"event {position} of {self.update_id}",
                "level": "INFO",
                "details": json.dumps({event_type: details}),
                "event_type": event_type,
                **changed,
            }
        )
        return self

    def begin(self, *, full_refresh: bool = False, full_refresh_selection: Sequence[str] = ()) -> Update:
        started = {
            "cause": "USER_ACTION",
            "full_refresh": full_refresh,
            "full_refresh_selection": list(full_refresh_selection),
            "config": {"configuration": {"orders.run_id": f"run_{self.update_id}"}},
        }
        self.add("create_update", started)
        for dataset, inputs in (
            ("bronze.orders", []),
            ("silver.orders", ["bronze.orders"]),
            ("silver.orders_quarantine", ["bronze.orders"]),
        ):
            named = [f"{CATALOG}.{name}" for name in inputs]
            self.add(
                "flow_definition",
                {"output_dataset": f"{CATALOG}.{dataset}", "input_datasets": named, "flow_type": "append"},
                dataset=dataset,
            )
        return self.add("update_progress", {"state": "RUNNING"})

    def read_file(self, name: str, rows: int, size: int) -> Update:
        """The local runtime's own event; Databricks has none."""
        file = {"path": f"{LANDING}/{name}.json", "rows": rows, "bytes": size}
        return self.add("source_files", {"files": [file]}, dataset="bronze.orders")

    def write(
        self, dataset: str, rows: int, *, failed: dict[str, int] | None = None, dropped: int = 0
    ) -> Update:
        """One micro-batch of a flow; `failed` gives the failed records per rule."""
        progress: dict[str, Any] = {"status": "RUNNING", "metrics": {"num_output_rows": rows}}
        if failed is not None:
            expectations = [
                {
                    "name": rule,
                    "dataset": f"{CATALOG}.{dataset}",
                    "passed_records": rows + dropped - count,
                    "failed_records": count,
                }
                for rule, count in failed.items()
            ]
            progress["data_quality"] = {"dropped_records": dropped, "expectations": expectations}
        return self.add("flow_progress", progress, dataset=dataset)

    def complete(self, dataset: str) -> Update:
        return self.add("flow_progress", {"status": "COMPLETED"}, dataset=dataset)

    def fail(self, dataset: str, message: str) -> Update:
        self.add("flow_progress", {"status": "FAILED"}, dataset=dataset, level="ERROR", message=message)
        return self.add("update_progress", {"state": "FAILED"}, level="ERROR")

    def end(self) -> Update:
        return self.add("update_progress", {"state": "COMPLETED"})


@dataclass
class Operations:
    """The workspace under test: append events, run dbt, query.

    Attributes:
        sql: A client of its warehouse.
        environment: All of dbt's environment. What differs between runs goes by it: another variable would make dbt parse
            everything again.
        target: dbt's target folder; dbt writes no artifacts but where a test asks for them.
        statuses: Status per node of the first build.
        statements: SQL of the latest run.
    """

    sql: SqlClient
    environment: dict[str, str]
    target: Path
    statuses: dict[str, str] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)

    def append(self, events: list[dict[str, Any]]) -> None:
        self.sql.execute(
            f"""
            insert into ops.event_log
            select
                e.id,
                cast(null as struct<control_plane_seq_no: bigint>),
                named_struct(
                    'pipeline_id', 'p1', 'pipeline_name', 'orders_ingest', 'update_id', e.update_id,
                    'flow_name', e.dataset, 'dataset_name', e.dataset
                ),
                cast(e.timestamp as timestamp),
                e.message,
                e.level,
                'STABLE',
                cast(null as struct<fatal: boolean, exceptions: array<struct<class_name: string, message: string>>>),
                e.details,
                e.event_type
            from (select explode(from_json({literal(events)}, 'array<struct<{EVENT_FIELDS}>>')) as e)
            """
        )

    def load_file(self, name: str, valid: int, quarantined: int, at: datetime) -> None:
        """Rows of one source file in Silver and quarantine, the same order over and over."""
        file, loaded = f"{LANDING}/{name}.json", at.isoformat(sep=" ")
        values = {
            "order_event_id": f"concat('{name}-', cast(n as string))",
            "quarantine_id": f"concat('{name}-', cast(n as string))",
            "order_id": f"concat('{name}-', cast(n as string))",
            "customer_id": "'c1'",
            "order_item": "'item'",
            "status": "'fulfilled'",
            "items_ordered": "1",
            "price": "10.00",
            "order_value": "10.00",
            "date_ordered": "date'2026-01-01'",
            "order_timestamp": f"timestamp'{loaded}'",
            "quarantined_at": f"timestamp'{loaded}'",
            "ingested_at": f"timestamp'{loaded}'",
            "source_file": f"'{file}'",
            "batch_id": f"'{name}'",
        }
        for table, rows, failed in (
            ("orders", valid, "array()"),
            ("orders_quarantine", quarantined, "array('price_positive')"),
        ):
            columns = self.sql.query_arrow(f"select * from silver.{table} limit 0").schema.names
            selected = ", ".join({**values, "failed_rules": failed}.get(column, "null") for column in columns)
            if rows:
                self.sql.execute(
                    f"insert into silver.{table} select {selected} from (select explode(sequence(1, {rows})) as n)"
                )

    def dbt(self, *arguments: str, **changed: str) -> Outcome:
        """Run one dbt command, with changes to its environment."""
        outcome = dbt_process().run(
            [*arguments, "--quiet"], folder=PROJECT, environment={**self.environment, **changed}
        )
        assert outcome.exception is None, outcome.exception
        self.statements = outcome.statements
        return outcome

    def build(
        self, *arguments: str, select: str = SELECTION, command: str = "build", **changed: str
    ) -> dict[str, str]:
        """`dbt build` as the job gives it, or another command, over the operations models; status per node."""
        # Tests that also read models of other folders belong to those folders.
        narrow = ("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test")
        options = narrow if command == "build" else ()
        return self.dbt(command, "--select", *select.split(), *options, *arguments, **changed).statuses

    @staticmethod
    def failures(statuses: dict[str, str]) -> list[str]:
        return [name for name, status in statuses.items() if status not in ("success", "pass")]

    def rows(self, table: str, *columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        """Rows of a gold table, sorted."""
        found = self.sql.query(f"select {', '.join(columns) or '*'} from gold.{table} where {where}")
        return sorted((tuple(row.values()) for row in found), key=repr)


@pytest.fixture(scope="session")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operations]:
    """A running workspace with empty source tables."""
    home = tmp_path_factory.mktemp("operations")
    options = WorkspaceOptions(
        catalogs=(CATALOG,), schemas=("bronze", "silver", "gold", "ops", "billing"), start_postgres=False
    )
    with Workspace.attach(WorkspaceLayout(home / "workspace"), options) as workspace:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
            **workspace.environment(),
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_PROFILES_DIR": str(PROJECT / "profiles"),
            "DBT_TARGET_PATH": str(home / "target"),
            "DBT_LOG_LEVEL_FILE": "none",
            "DBT_WRITE_JSON": "false",
            # dbt-databricks asks the workspace a question through an HTTP client that knows no other way to trust a server.
            "REQUESTS_CA_BUNDLE": str(workspace.warehouse.ca_file),
        }
        with SqlClient(WarehouseConnection.from_environment(environment, catalog=CATALOG)) as sql:
            for statement in (EVENT_LOG, SILVER_ORDERS, SILVER_QUARANTINE):
                sql.execute(statement)
            yield Operations(sql, environment, home / "target")


@pytest.fixture(scope="session")
def first_build(operations: Operations) -> Operations:
    """Two updates that ended and one that runs, built for the first time, with every test."""
    day = datetime(2026, 1, 1)  # noqa: DTZ001  # written out as UTC
    complete = Update("u1", day + timedelta(hours=1)).begin(full_refresh=True)
    complete.read_file("orders_1", rows=100, size=12_345)
    complete.write("bronze.orders", 60).write("bronze.orders", 40).complete("bronze.orders")
    complete.write("silver.orders", 59, failed={"price_positive": 1, "id_present": 0}, dropped=1)
    complete.write("silver.orders", 38, failed={"price_positive": 2, "id_present": 1}, dropped=2)
    complete.complete("silver.orders").write("silver.orders_quarantine", 3)
    complete.complete("silver.orders_quarantine").end()
    failed = (
        Update("u2", day + timedelta(hours=2)).begin().write("bronze.orders", 10).complete("bronze.orders")
    )
    failed.fail("silver.orders", "Flow silver.orders has FAILED")
    running = Update("u3", day + timedelta(hours=3)).begin().write("bronze.orders", 50)
    operations.append([*complete.events, *failed.events, *running.events])
    operations.load_file("orders_1", 97, 3, day + timedelta(hours=1, seconds=5))
    operations.load_file("orders_2", 10, 0, day + timedelta(hours=2, seconds=5))
    operations.statuses = operations.build("--write-json", ORDERS_RUN_ID="first")
    return operations


@pytest.fixture(scope="session")
def second_build(first_build: Operations) -> Operations:
    """The running update has ended, and two more followed: an incremental build."""
    day = datetime(2026, 1, 1)  # noqa: DTZ001
    continued = Update("u3", day + timedelta(hours=3)).begin().write("bronze.orders", 50)
    seen = len(continued.events)
    continued.complete("bronze.orders").write(
        "silver.orders", 60, failed={"price_positive": 0, "id_present": 0}
    ).end()
    dry = (
        Update("u4", day + timedelta(hours=4))
        .add("create_update", {"cause": "USER_ACTION", "validate_only": True})
        .end()
    )
    named = Update("u5", day + timedelta(hours=5)).begin(full_refresh_selection=["silver.orders"])
    named.write("bronze.orders", 5).write("silver.orders", 165, failed={"price_positive": 0, "id_present": 0})
    named.complete("silver.orders").end()
    first_build.append([*continued.events[seen:], *dry.events, *named.events])
    first_build.load_file("orders_3", 50, 0, day + timedelta(hours=3, seconds=5))
    assert not first_build.failures(first_build.build(*TABLES_ONLY, command="run", ORDERS_RUN_ID="second"))
    return first_build
