"""One DLT update against its peers, and the cost of a small update on a small and on a large history.

Peer of the update: DuckDB reading the same files and writing the same split to Parquet, without a schema that evolves,
without a transaction log, an event log or anything that survives a kill. What an update does beyond that is what its ratio
buys.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from bench.case import Case
from bench.orders_files import write_files
from local_workspace.workspace import Workspace
from orders.cli.ingest import update
from orders.cli.project import Project

_DUCKDB = """
copy (
    select *, price > 0 and items_ordered > 0 and order_id is not null as is_good
    from read_json('{files}', filename = true, columns = {{
        'order_id': 'varchar', 'order_item': 'varchar', 'price': 'decimal(38,10)', 'items_ordered': 'bigint',
        'status': 'varchar',
        'date_ordered': 'date', 'customer_id': 'varchar', 'order_timestamp': 'timestamp'
    }})
) to '{target}' (format parquet, partition_by (is_good))
"""


@contextmanager
def workspace() -> Iterator[tuple[Project, Workspace]]:
    """Return a workspace in a folder of its own, gone afterwards."""
    import os  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["ORDERS_HOME"] = folder
        project = Project.find()
        with project.workspace() as running:
            yield project, running


def seconds_of_update(project: Project, running: Workspace, expected: int) -> float:
    """Run one update, check that it took what was landed, and give its wall time."""
    began = time.perf_counter()
    result = update(project, running)
    taken = time.perf_counter() - began
    rows = sum(file.rows for file in result.files)
    if not result.ok or rows != expected:
        raise AssertionError(f"the update took {rows:,} records instead of {expected:,}: {result.error}")
    return taken


def bulk(records: int) -> list[Case]:
    """Ingest many records at once, beside DuckDB doing the bare minimum of it."""
    with workspace() as (project, running):
        write_files(project.landing, records)
        with tempfile.TemporaryDirectory(prefix="bench-duckdb-") as target:
            began = time.perf_counter()
            with duckdb.connect() as connection:
                connection.execute(_DUCKDB.format(files=f"{project.landing}/*.json", target=f"{target}/out"))
            bare = time.perf_counter() - began
        taken = seconds_of_update(project, running, records)
    return [
        Case("DuckDB: the same files to Parquet, split", bare, 1.0, f"{records:,} records"),
        Case(
            "DLT update: bronze, silver, quarantine, customers", taken, taken / bare, f"{records:,} records"
        ),
    ]


def incremental(small: int, large: int, new: int) -> list[Case]:
    """Ingest a few new records on a small and on a large history: the cost should follow the new records."""
    times = {}
    for history in (small, large):
        with workspace() as (project, running):
            write_files(project.landing, history)
            seconds_of_update(project, running, history)
            rounds = []
            for round_number in range(3):
                first = history + round_number * new
                write_files(project.landing, new, first=first, name=f"new-{round_number}")
                rounds.append(seconds_of_update(project, running, new))
            times[history] = sorted(rounds)[1]
    return [
        Case(f"update of {new:,} records on {small:,}", times[small], 1.0, "median of 3"),
        Case(
            f"update of {new:,} records on {large:,}",
            times[large],
            times[large] / times[small],
            "median of 3",
        ),
    ]


def main() -> list[Case]:
    """Give the cases of `make bench`; sizes that a laptop finishes in a few minutes."""
    return [*bulk(1_000_000), *incremental(100_000, 1_000_000, 10_000)]
