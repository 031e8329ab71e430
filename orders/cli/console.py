"""How commands talk: one console, tables and JSON in one place.

On a terminal: colour and a status line for long work. In a pipe or a log: plain lines, nothing that moves.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Table

# A log has no width; 80 columns, rich's guess, would break every table.
_LOG_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
console = Console(highlight=False, soft_wrap=True, width=_LOG_WIDTH)
progress_console = Console(stderr=True, highlight=False, soft_wrap=True)

FORMATS = ("table", "json", "csv")
format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="Form of the output.",
)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is under way: a spinner on a terminal, one plain line in a log. Goes to standard error."""
    if progress_console.is_terminal:
        with progress_console.status(text):
            yield
    else:
        progress_console.print(f"{text} ...")
        yield


def plain(value: object) -> object:
    """A value as JSON can say it: dates in ISO form, bytes in hexadecimal; decimals stay as they are."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return value


def to_json(value: object) -> str:
    """JSON text in which a decimal is a number with exactly its digits: 2.50 is neither "2.50" nor 2.5.

    The standard encoder has no exact decimal, so each is written as a marked text first and unquoted afterwards.
    """
    mark = f"decimal {secrets.token_hex(8)} "  # no text in the data can be taken for it

    def exact(item: object) -> str:
        if isinstance(item, Decimal):
            return f"{mark}{item:f}"
        return str(item)

    text = json.dumps(plain(value), ensure_ascii=False, default=exact)
    return re.sub(f'"{mark}(-?[0-9.]+)"', r"\1", text)


def print_rows(
    rows: Sequence[Mapping[str, Any]], output_format: str, columns: Sequence[str] | None = None
) -> None:
    """Print rows as a table for people, a list of objects in JSON, or CSV with a header line."""
    names = list(columns or (rows[0].keys() if rows else ()))
    if output_format == "json":
        click.echo(to_json(list(rows)))
    elif output_format == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(row[name], "") for name in names] for row in rows)
        click.echo(buffer.getvalue(), nl=False)
    else:
        console.print(rows_table(rows, names))
        console.print(f"[dim]{len(rows):,} row{'' if len(rows) == 1 else 's'}[/dim]")


def rows_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    """Rows as a rich table, numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        numeric = any(isinstance(row[name], (int, float, Decimal)) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[name], "NULL") for name in names))
    return table


def _cell(value: object, null: str) -> str:
    if value is None:
        return null
    shown = plain(value)
    return to_json(shown) if isinstance(shown, (dict, list)) else str(shown)
