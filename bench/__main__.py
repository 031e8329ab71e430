"""`make bench`: all benchmarks as one table of ratios."""

from __future__ import annotations

import argparse
import os
import platform

from bench import export, ingest, loop, marts, statements
from bench.case import Case


def main() -> None:
    """Run the benchmarks one after the other and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", choices=["export", "ingest", "loop", "marts", "statements"], help="only these"
    )
    only = parser.parse_args().only
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if only in (None, "loop"):
        show("orders run, a batch of 100, against its first run", loop.main())
    if only in (None, "statements"):
        show("small statements of the SQL warehouse, against the engine alone", statements.main())
    if only in (None, "ingest"):
        show("DLT update", ingest.main())
    if only in (None, "marts"):
        show("dbt run", marts.main())
    if only in (None, "export"):
        with export.metrics_database() as settings:
            measured = export.measure(1_000_000, 3, settings)
        show(
            "Postgres export, 1,000,000 rows",
            [Case(c.name, c.seconds, c.ratio, "median of 3") for c in measured],
        )


def show(title: str, cases: list[Case]) -> None:
    """Print one group of cases."""
    print(f"\n{title}\n{'':54}{'seconds':>9}{'ratio':>8}")
    for case in cases:
        print(f"  {case.name:52}{case.seconds:9.2f}{case.ratio:8.2f}  {case.note}")


if __name__ == "__main__":
    main()
