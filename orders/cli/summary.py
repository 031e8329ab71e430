"""The summary of `orders run`: rows per layer, quality, revenue, metrics, time, and where to look next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg2

from dlt_ingest.metrics.health.report import metrics_query
from dlt_ingest.metrics.percent import percent
from dlt_ingest.sql_client import Queries
from orders.cli.console import console, print_cells, say
from orders.cli.project import Project
from orders.cli.tables import Cell

_LAYERS = (
    ("bronze.orders", "records as they landed"),
    ("silver.orders", "order events that keep every rule"),
    ("silver.orders_quarantine", "records that break a rule"),
    ("silver.customers", "customers"),
    ("gold.fct_orders", "orders in their current state"),
    ("gold.fct_daily_revenue", "days"),
)
_DAYS_SHOWN = 10
_BAR_WIDTH = 32
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class Summary:
    """The figures of the summary.

    Attributes:
        rows: Rows by table.
        broken_rules: Quarantined records by rule; one record can break several.
        days: The last days with their net revenue in dollars, oldest first.
        net_revenue: Net revenue of all days in dollars.
        metrics: Rows in Postgres by exported table; None if Postgres does not answer.
    """

    rows: Mapping[str, int]
    broken_rules: Mapping[str, int]
    days: Mapping[date, Decimal]
    net_revenue: Decimal
    metrics: Mapping[str, int] | None


def collect(project: Project, client: Queries) -> Summary:
    """Read the figures from the warehouse and Postgres."""
    counts = " union all ".join(
        f"select '{table}' as table_name, count(*) as row_count from {table}" for table, _ in _LAYERS
    )
    rules = client.query(
        "select rule_name, count(*) as records from "
        "(select explode(failed_rules) as rule_name from silver.orders_quarantine) as broken "
        "group by rule_name order by records desc, rule_name"
    )
    days = client.query(
        f"select date_ordered, net_revenue from gold.fct_daily_revenue order by date_ordered desc limit {_DAYS_SHOWN}"
    )
    total = client.query("select sum(net_revenue) as net_revenue from gold.fct_daily_revenue")[0][
        "net_revenue"
    ]
    return Summary(
        rows={row["table_name"]: row["row_count"] for row in client.query(counts)},
        broken_rules={row["rule_name"]: row["records"] for row in rules},
        days={row["date_ordered"]: row["net_revenue"] for row in reversed(days)},
        net_revenue=total or Decimal(0),
        metrics=_exported(project),
    )


def _exported(project: Project) -> dict[str, int] | None:
    settings = project.postgres_settings()
    try:
        targets = [
            row["target"] for row in metrics_query(settings, "select target from metrics._export_state")
        ]
        # The rows that are there now; a run may have sent fewer.
        counts = [
            f"select '{target}' as target, count(*) as rows from metrics.{target}" for target in targets
        ]
        rows = metrics_query(settings, f"{' union all '.join(counts)} order by target") if counts else []
    except psycopg2.Error:
        return None
    return {row["target"]: row["rows"] for row in rows}


def print_summary(project: Project, summary: Summary, seconds: Mapping[str, float]) -> None:
    """Print the figures for people."""
    console.print()
    _print_layers(summary)
    silver, quarantine = summary.rows["silver.orders"], summary.rows["silver.orders_quarantine"]
    if silver + quarantine:
        share = percent(Decimal(silver) / (silver + quarantine))
        say("\n", ("Quality", "bold"), f"  {share} of all records keep every rule")
    for rule, records in summary.broken_rules.items():
        console.print(f"  {records:>8,}  {rule}")
    say(
        "\n",
        ("Net revenue", "bold"),
        f"  {summary.net_revenue:,.2f} in total; the last {len(summary.days)} days:",
    )
    highest = max(summary.days.values(), default=Decimal(0))
    for day, revenue in summary.days.items():
        say(f"  {day}  {revenue:>12,.2f}  ", (_bar(revenue, highest), "blue"))
    if summary.metrics is None:
        say("\n", ("In Postgres", "bold"), "  no answer; the next run delivers what is missing")
    else:
        say("\n", ("In Postgres", "bold"), f"  {sum(summary.metrics.values()):,} rows")
        for name, rows in summary.metrics.items():
            console.print(f"  {rows:>8,}  metrics.{name}")
    console.print()
    steps = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    say(("Time", "bold"), f"         {steps}")
    _print_next(project)


def _print_layers(summary: Summary) -> None:
    rows = [
        [Cell(name), Cell(f"{summary.rows[name]:,}", to_the_right=True), Cell(meaning, style="dim")]
        for name, meaning in _LAYERS
    ]
    print_cells(["table", "rows", ""], rows)


def _bar(value: Decimal, highest: Decimal) -> str:
    """Return a bar in eighths of a character; empty for a day without positive revenue."""
    if value <= 0 or highest <= 0:
        return ""
    eighths = max(1, round(value / highest * _BAR_WIDTH * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _print_next(project: Project) -> None:
    say("\n", ("Look further", "bold"))
    for command, what in (
        ('orders sql "select * from gold.fct_daily_revenue"', "any table of any layer"),
        ("orders quarantine list", "what was rejected, and why"),
        ("orders dashboard --open", "the dashboards"),
        ("orders reconcile", "landing to Postgres, to the cent"),
        ("orders up", "keep the workspace running, for dbt and psql"),
    ):
        say(f"  {_as_typed(command):<54}  ", (what, "dim"))
    say((f"The workspace is in {project.home}.", "dim"))


def _as_typed(command: str) -> str:
    """Return an `orders` command for this shell: with the program's path if the shell would not find it."""
    own = Path(sys.executable).with_name("orders")
    found = shutil.which("orders")
    if not own.is_file() or (found is not None and Path(found).resolve() == own.resolve()):
        return command
    folder = Path.cwd()
    shown = own.relative_to(folder) if own.is_relative_to(folder) else own
    return command.replace("orders", shlex.quote(str(shown)), 1)
