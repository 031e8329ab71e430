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
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from dlt_ingest.errors import InputError
from orders.cli.tables import CUT, Cell, is_cut, lay_out

# Neither markup nor emoji codes: `[red]` and `:ok:` are legal in a path, a file name and an order's item.
console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
progress_console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
# What a check found, as a mark of four characters.
MARKS = {
    "ok": ("ok  ", "green"),
    "warn": ("warn", "yellow"),
    "fail": ("FAIL", "red"),
    "not_applicable": ("n/a ", "dim"),
}

FORMATS = ("table", "json", "csv")
format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="Output format.",
)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is under way: a spinner on a terminal, one plain line in a log. Goes to standard error."""
    if progress_console.is_terminal:
        with progress_console.status(Text(text)):
            yield
    else:
        progress_console.print(f"{text} ...")
        yield


@contextmanager
def moving_line(text: str) -> Iterator[Callable[[str], None]]:
    """A line that changes while work goes on, and the function that changes it; in a log only its first text."""
    if progress_console.is_terminal:
        with progress_console.status(Text(text)) as status:
            yield lambda changed: status.update(Text(changed))
    else:
        progress_console.print(f"{text} ...")
        yield lambda _: None


def say(*parts: str | tuple[str, str]) -> None:
    """Print one line of parts, each a text or a text with its style."""
    console.print(Text.assemble(*parts))


def say_hanging(head: Sequence[str | tuple[str, str]], text: str) -> None:
    """Print a text behind a head, broken between words where the terminal ends and indented below itself."""
    first = Text.assemble(*head)
    room = None if width() is None else max((width() or 0) - first.cell_len, 20)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) if room else [text]
    console.print(first + Text((lines or [""])[0]))
    for line in lines[1:]:
        console.print(" " * first.cell_len + line)


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
    rows: Sequence[Mapping[str, Any]],
    output_format: str,
    columns: Sequence[str] | None = None,
    *,
    ends_matter: Collection[str] = (),
) -> None:
    """Print rows as a table for people, a list of objects in JSON, or CSV with a header line.

    Args:
        rows: Values by column.
        output_format: One of FORMATS.
        columns: The columns to print; else those of the first row.
        ends_matter: Columns of paths and qualified names, of which a cut takes the beginning.
    """
    names = list(columns or (rows[0].keys() if rows else ()))
    print_columns(
        names, [[row[name] for name in names] for row in rows], output_format, ends_matter=ends_matter
    )


def print_columns(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    output_format: str,
    *,
    ends_matter: Collection[str] = (),
) -> None:
    """Print rows by the place of their values: two columns of a statement may share a name.

    Raises:
        InputError: If JSON is asked for and two columns share a name, since an object has each name once.
    """
    if output_format == "json":
        if twice := [name for name, number in Counter(names).items() if number > 1]:
            raise InputError(
                "Two columns of the result have the same name",
                got=", ".join(twice),
                allowed="each name once in JSON",
                consequence="Nothing was printed",
                next_step="Give one of them another name with AS, or use --format csv",
            )
        click.echo(to_json([dict(zip(names, row, strict=True)) for row in rows]))
    elif output_format == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_shown(value) or "" for value in row] for row in rows)
        click.echo(buffer.getvalue(), nl=False)
    else:
        cells = [
            [
                Cell.of(value, _shown(value), ends_matter=name in ends_matter)
                for name, value in zip(names, row, strict=True)
            ]
            for row in rows
        ]
        was_cut = print_cells(names, cells)
        console.print(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}", style="dim")
        if was_cut:
            console.print(f"{CUT} marks a cut text; --format json shows it whole.", style="dim")


def print_cells(names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bool:
    """Print a table of cells in the width that there is, and say whether a text was cut for it."""
    lines = lay_out(names, rows, width())
    for line in lines:
        console.print(line)
    return width() is not None and is_cut(lines)


def width() -> int | None:
    """Columns of the terminal, or those that COLUMNS says; None in a pipe or a log, which have no width."""
    return console.width if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else None


def _shown(value: object) -> str | None:
    """What a value looks like; None for one that is missing."""
    if value is None:
        return None
    shown = plain(value)
    return to_json(shown) if isinstance(shown, (dict, list)) else str(shown)
