"""The export against a raw COPY of the same rows: `python bench/export.py [--rows N] [--rounds N]`.

Prints one line a case with the ratio to the raw COPY, which is given its CSV ready-made and loads it into a
table of the same columns and primary key: what any loader would need at least. The export is given Arrow batches;
it also encodes the rows, keeps them for a retry, checks keys and compares values. Medians over the rounds, in each
of which the raw COPY and all cases run once, because a busy machine drifts.

Runs against the server that POSTGRES_* name, else against one of its own in a temporary folder.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlt_ingest.metrics.postgres import ExportSpec, PostgresSettings, export_model
from dlt_ingest.metrics.postgres.connection import connect
from dlt_ingest.metrics.postgres.row_encoding import csv_bytes, prepared

BATCH_ROWS = 50_000
SPEC = ExportSpec(target="exp_bench", key=("update_id", "dataset", "metric_name"))
COLUMNS = "update_id, dataset, metric_name, unit, metric_value, started_at"


@dataclass(frozen=True)
class Case:
    """One measured case.

    Attributes:
        name: What the export did.
        seconds: Median of the export.
        ratio: Median of the export divided by the median of the raw COPY of the same rows.
    """

    name: str
    seconds: float
    ratio: float


def batches(rows: int, *, changed: float = 0.0) -> Iterator[pa.RecordBatch]:
    """Make rows like those of exp_pipeline_metrics, batch by batch; a share of them with another value."""
    begin = np.datetime64("2025-01-01T00:00:00", "us")
    for start in range(0, rows, BATCH_ROWS):
        number = np.arange(start, min(start + BATCH_ROWS, rows))
        cents = number * 7 % 10_000_000
        if changed:
            cents = np.where(number % int(1 / changed) == 0, cents + 1, cents)
        texts = pc.cast(pa.array(number // 50), pa.string())
        yield pa.RecordBatch.from_arrays(
            [
                pc.binary_join_element_wise(pa.scalar("update-"), texts, ""),
                pa.array(np.take(["bronze.orders", "silver.orders", "silver.customers"], number % 3)),
                pc.binary_join_element_wise(
                    pa.scalar("metric_"), pc.cast(pa.array(number % 50), pa.string()), ""
                ),
                pa.array(np.full(len(number), "rows")),
                pc.cast(pa.array(cents / 100), pa.decimal128(24, 6)),
                pa.array(begin + (number // 50) * np.timedelta64(3600, "s"), pa.timestamp("us", "UTC")),
            ],
            names=COLUMNS.split(", "),
        )


def raw_copy(settings: PostgresSettings, payload: bytes) -> float:
    """Load ready-made CSV into a new table with the same primary key and give the seconds of COPY and commit."""
    with closing(connect(settings)) as link, link.cursor() as cursor:
        cursor.execute("drop table if exists metrics.bench_raw")
        cursor.execute("create table metrics.bench_raw (like metrics.exp_bench including all)")
        link.commit()
        began = time.perf_counter()
        cursor.copy_expert(
            f"copy metrics.bench_raw ({COLUMNS}) from stdin (format csv)", io.BytesIO(payload), size=1 << 20
        )
        link.commit()
        return time.perf_counter() - began


def measure(rows: int, rounds: int, settings: PostgresSettings) -> list[Case]:
    """Time the cases: first export, the same again, and one row in a hundred changed."""
    same, other = list(batches(rows)), list(batches(rows, changed=0.01))
    payload = b"".join(map(csv_bytes, prepared(same, BATCH_ROWS)))
    export_model(same[:1], SPEC, settings)  # makes the table
    raw: list[float] = []
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        raw.append(raw_copy(settings, payload))
        empty(settings)
        for name, source, changed in (
            ("first export, empty table", same, rows),
            ("same rows again", same, 0),
            ("1 % of the rows changed", other, -(-rows // 100)),
        ):
            began = time.perf_counter()
            got = export_model(source, SPEC, settings).changed
            times.setdefault(name, []).append(time.perf_counter() - began)
            if got != changed:
                raise AssertionError(f"{name}: {got} rows changed instead of {changed}")
    base = statistics.median(raw)
    cases = [Case("raw COPY of ready-made CSV", base, 1.0)]
    for name, each in times.items():
        cases.append(Case(name, statistics.median(each), statistics.median(each) / base))
    return cases


def peak_memory(rows: int, settings: PostgresSettings) -> tuple[int, int]:
    """Export a tenth of the rows, then all of them, from a stream, and give the process's peak in MB after each."""
    peaks = []
    for count in (rows // 10, rows):
        export_model(batches(count), SPEC, settings)
        empty(settings)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    return peaks[0], peaks[1]


def empty(settings: PostgresSettings) -> None:
    """Empty the table of the bench, which makes the next export a first one."""
    with closing(connect(settings)) as link, link, link.cursor() as cursor:
        cursor.execute("truncate metrics.exp_bench")


@contextmanager
def metrics_database() -> Iterator[PostgresSettings]:
    """Give the server of the environment, or start one for the time of the bench."""
    if os.environ.get("POSTGRES_HOST"):
        yield PostgresSettings.from_environment()
        return
    from local_workspace.layout import WorkspaceLayout  # noqa: PLC0415  # only without a server of one's own
    from local_workspace.postgres import PostgresServer  # noqa: PLC0415

    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        PostgresServer(WorkspaceLayout(home=Path(folder))) as server,
    ):
        address = server.endpoint()
        yield PostgresSettings(
            host=address.host,
            port=address.port,
            database=address.database,
            user=address.user,
            password=address.password,
        )


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with metrics_database() as settings:
        tenth, whole = peak_memory(options.rows, settings)
        for case in measure(options.rows, options.rounds, settings):
            rate = options.rows / case.seconds
            print(f"{case.name:28} {case.seconds:7.2f} s  {rate:10,.0f} rows/s  {case.ratio:5.2f} x raw COPY")
    print(f"{options.rows:,} rows, median of {options.rounds} rounds")
    print(
        f"peak memory of a streamed export: {options.rows // 10:,} rows {tenth} MB, {options.rows:,} rows {whole} MB"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
