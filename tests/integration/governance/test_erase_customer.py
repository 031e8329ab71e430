"""One customer is erased from everywhere, under kill -9 too, and nobody else loses a row.

The tests stand on one small workspace and run in the order of the file.
"""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow.parquet as pq
import pytest

from dlt_ingest.governance.erasure_statements import GOLD_TABLES

PROJECT = Path(__file__).resolve().parents[3]
WITHOUT_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
OTHER = "C-00000010"  # begins like the id that is erased
ERASED = "C-0000001"
NAMED_IN_A_NOTE = "X-3b"  # in a column that only Bronze has
THEIRS = f"select order_event_id from silver.orders where customer_id = '{ERASED}' order by 1"


@dataclass(frozen=True)
class Small:
    """The workspace, and what it held of the others before."""

    orders: Any
    others: Counter[str]

    @property
    def landing(self) -> Path:
        return self.orders.home / "Volumes/ecommerce_local/bronze/files/orders/landing"


def record(customer: str | None, number: str, **more: Any) -> bytes:
    """A good order record, unless `more` spoils it."""
    fields = {
        "order_id": f"X-{number}",
        "order_item": "Lamp",
        "price": 10.5,
        "items_ordered": 2,
        "status": "approved",
        "date_ordered": "2025-01-09",
        "customer_id": customer,
        "order_timestamp": "2025-01-09T10:00:00Z",
    }
    return json.dumps({**fields, **more}).encode() + b"\n"


def others(orders: Any) -> Counter[str]:
    """Every row of other customers, of which no field may change, table by table."""
    rows: Counter[str] = Counter()
    for table, columns in (
        (
            "bronze.orders",
            "order_id, customer_id, status, order_timestamp, source_file, _corrupt_record, _rescued_data",
        ),
        ("silver.orders", "order_event_id, order_id, customer_id, order_value, source_file"),
        ("silver.orders_quarantine", "quarantine_id, order_id, customer_id, _corrupt_record, _rescued_data"),
        ("gold.fct_order_events", "order_event_id, customer_id, order_value, event_at"),
        ("gold.fct_orders", "order_id, customer_id, status_path, net_revenue"),
    ):
        for row in orders.sql(f"select {columns} from {table}"):
            named = any(ERASED in str(value).replace(OTHER, "") for value in row.values())
            if not named and row.get("order_id") != NAMED_IN_A_NOTE:
                rows[f"{table} {json.dumps(row, sort_keys=True)}"] += 1
    return rows


def postgres(orders: Any, statement: str) -> list[tuple[Any, ...]]:
    uri = orders.run("postgres", "uri").stdout.strip()
    with psycopg2.connect(uri) as link, link.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def files_with(text: str, home: Path) -> set[str]:
    """Search every file below a folder, here with none of the code under test."""
    found = set()
    for path in home.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content = b"\n".join(str(row).encode() for row in pq.ParquetFile(path).read().to_pylist())
        elif path.suffix == ".gz":
            content = gzip.decompress(content)
        if text.encode() in content.replace(OTHER.encode(), b""):
            found.add(str(path.relative_to(home)))
    return found


@pytest.fixture(scope="module")
def small(fresh_workspace: Any) -> Small:
    orders = fresh_workspace
    orders.run("generate", "--batch-size", "60", "--end", "2", "--seed", "5", "--faults", "0.1")
    built = Small(orders, Counter())
    theirs = [
        record(ERASED, "1"),
        record(ERASED, "2", price=-1),
        record(None, "3", Customer_ID=ERASED),
        record("", NAMED_IN_A_NOTE.removeprefix("X-"), note=f"by {ERASED}"),
        b'{"order_id": "X-4", "customer_id": "' + ERASED.encode() + b'", "pri\n',
    ]
    kept = [record(OTHER, "5"), record(OTHER, "6", price=-1), b'{"customer_id": "' + OTHER.encode() + b'"\n']
    (built.landing / "odd.json").write_bytes(b"".join(theirs + kept))
    (built.landing / "packed.json.gz").write_bytes(gzip.compress(record(ERASED, "7") + record(OTHER, "8")))
    orders.run("ingest")
    orders.run("build", "--full-refresh", *WITHOUT_TESTS, "--quiet")
    for digest, customer in (("a", ERASED), ("b", OTHER)):
        payload = json.dumps({"customer_id": customer})
        postgres(
            orders,
            "insert into metrics._dead_letter (target, payload_hash, payload, reason, sqlstate, message) "
            f"values ('t', '{digest}', '{payload}', 'r', '23514', 'm')",
        )
    # Waits for the next update when the customer is erased.
    (built.landing / "waiting.json").write_bytes(record(ERASED, "9") + record(OTHER, "10"))
    return Small(orders, others(orders))


def test_every_table_with_customers_is_known(small: Small) -> None:
    """Guards the list of Gold against a model that is new and has customer ids."""
    rows = small.orders.sql(
        "select c.table_name from ecommerce_local.information_schema.columns as c "
        "inner join ecommerce_local.information_schema.tables as t "
        "on c.table_schema = t.table_schema and c.table_name = t.table_name "
        "where c.table_schema = 'gold' and c.column_name = 'customer_id' and t.table_type <> 'VIEW'"
    )
    assert {row["table_name"] for row in rows} == set(GOLD_TABLES)


def test_a_dry_run_counts_and_changes_nothing(small: Small) -> None:
    """Guards the look before the leap: counts by place, and every file as it was."""
    before = small.orders.sql(THEIRS)
    printed = small.orders.run("erase", ERASED, "--dry-run").stdout
    counts = {line.split()[0]: int(line.split()[1]) for line in printed.splitlines() if line[-1:].isdigit()}
    assert counts["Postgres"] == 1
    assert counts["gold.dim_customers"] == 1
    assert counts["landing"] == counts["bronze.orders"] + 1, "one line waits for the next update"
    in_silver = counts["silver.orders"] + counts["silver.orders_quarantine"]
    assert counts["bronze.orders"] == in_silver + 1, (
        "Silver has no column for the note that names the customer"
    )
    assert counts["silver.orders_quarantine"] >= 3
    assert others(small.orders) == small.others
    assert small.orders.sql(THEIRS) == before != []


def test_nobody_is_erased_unasked_or_elsewhere(small: Small) -> None:
    """Guards the refusals: without an answer, and in an environment that the command does not reach."""
    refused = small.orders.run("erase", ERASED, check=False)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    elsewhere = subprocess.run(
        [sys.executable, "-m", "orders.cli.main", "erase", ERASED, "--yes"],
        cwd=PROJECT,
        env={**small.orders.environment, "ORDERS_ENV": "prod"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert elsewhere.returncode == 2
    assert "erase-customer.md" in elsewhere.stderr
    assert small.orders.sql(THEIRS)


@pytest.mark.parametrize("step", ["landing", "gold"])
def test_killed_between_two_steps(small: Small, step: str) -> None:
    """Guards kill -9: the steps after it are missing, and the same command does them, as the next test shows."""
    killed = subprocess.run(
        [sys.executable, "-m", "orders.cli.main", "erase", ERASED, "--yes"],
        cwd=PROJECT,
        env={**small.orders.environment, "LOCAL_WORKSPACE_CRASH_AT": f"erase_{step}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert files_with(ERASED, small.orders.home)


def test_the_customer_is_gone_everywhere(small: Small) -> None:
    """Guards the promise: no file holds the id, the layers agree, and of the others every row is there."""
    orders = small.orders
    done = orders.run("erase", ERASED, "--yes")
    assert "No file of the workspace contains the id" in done.stdout
    assert files_with(ERASED, orders.home) == set()
    assert postgres(orders, "select payload_hash from metrics._dead_letter where target = 't'") == [("b",)]
    assert json.loads(orders.run("reconcile", "--format", "json").stdout)["equal"]
    assert others(orders) == small.others
    assert "has no data of this customer" in orders.run("erase", ERASED, "--yes").stdout


def test_the_pipeline_goes_on(small: Small) -> None:
    """Guards the streams below Bronze: an update after an erasure takes what is new, once, and warns of nothing."""
    orders = small.orders
    orders.run("generate", "--batch-size", "60", "--end", "1")
    printed = orders.run("ingest", "--verify").stdout
    assert "has changed since it was taken" not in printed
    counts = orders.sql(
        "select (select count(*) from bronze.orders) as bronze, (select count(*) from silver.orders) as silver, "
        "(select count(*) from silver.orders_quarantine) as quarantine, "
        "(select count(*) from bronze.orders where batch_id = 'waiting') as waited"
    )[0]
    assert counts["bronze"] == counts["silver"] + counts["quarantine"]
    assert counts["bronze"] == sum(n for row, n in small.others.items() if row.startswith("bronze")) + 61
    assert counts["waited"] == 1
    # The log of statements that this test itself has made names nobody.
    assert files_with(ERASED, orders.home) == set()


def test_a_full_refresh_of_bronze_alone_doubles_nothing(small: Small) -> None:
    """Guards the price of skipChangeCommits: Bronze read again must not come into Silver a second time."""
    before = small.orders.sql("select count(*) as n from silver.orders")
    refused = small.orders.run("ingest", "--full-refresh", "bronze.orders", check=False)
    assert refused.returncode == 1
    assert "full refresh" in refused.stdout
    assert small.orders.sql("select count(*) as n from silver.orders") == before
