"""The output of commands: one console, tables and JSON in one place.

On a terminal: colour, and a status line for long work. In a pipe or a log: plain lines.
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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from dlt_ingest.errors import InputError
from orders.cli.tables import CUT, Cell, is_cut, lay_out, one_line, without_controls


class _DataConsole(Console):
    """A console whose texts cannot steer the terminal, because they hold what others wrote: names of files, errors, data."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(without_controls(segment.text), segment.style)


if os.environ.get("COLUMNS", "").isdigit() and not int(os.environ["COLUMNS"]):
    # Editors and containers set it where no width is known; rich would print nothing.
    del os.environ["COLUMNS"]
# Neither markup nor emoji codes: `[red]` and `:ok:` are legal in a path, a file name and an order item.
console = _DataConsole(highlight=False, soft_wrap=True, markup=False, emoji=False)
progress_console = _DataConsole(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
# The verdict of a check, as a mark of four characters.
MARKS = {
    "ok": ("ok  ", "green"),
    "warn": ("warn", "yellow"),
    "fail": ("FAIL", "red"),
    "not_applicable": ("n/a ", "dim"),
}

_CONTROLS_IN_JSON = re.compile("[\x7f-\x9f]")

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
    """Show what is running: a spinner on a terminal, one plain line in a log. Write to standard error."""
    if progress_console.is_terminal:
        with progress_console.status(Text(text)):
            yield
    else:
        progress_console.print(f"{text} ...")
        yield


@contextmanager
def moving_line(text: str) -> Iterator[Callable[[str], None]]:
    """Show a line that changes during the work; yield the function that changes it. A log gets only the first text."""
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
    """Print a head and a text, wrapped between words at the terminal's width and indented below itself."""
    first = Text.assemble(*head)
    room = None if width() is None else max((width() or 0) - first.cell_len, 20)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) if room else [text]
    console.print(first + Text((lines or [""])[0]))
    for line in lines[1:]:
        console.print(" " * first.cell_len + line)


def plain(value: object) -> object:
    """Return a value for JSON: dates in ISO form, bytes in hexadecimal, decimals unchanged."""
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
    """Return JSON text in which a decimal is a number with exactly its digits: 2.50 is neither "2.50" nor 2.5.

    The standard encoder has no exact decimal, so each is first written as a marked text and then unquoted.
    """
    mark = f"decimal {secrets.token_hex(8)} "  # no text in the data can contain it

    def exact(item: object) -> str:
        if isinstance(item, Decimal):
            return f"{mark}{item:f}"
        return str(item)

    text = json_without_controls(json.dumps(plain(value), ensure_ascii=False, default=exact))
    return re.sub(f'"{mark}(-?[0-9.]+)"', r"\1", text)


def json_without_controls(text: str) -> str:
    """Return the same JSON with U+007F to U+009F as escapes, which the encoder leaves to the terminal."""
    return _CONTROLS_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
        columns: The columns to print; those of the first row by default.
        ends_matter: Columns of paths and qualified names, which are cut at the beginning.
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
    """Print rows by the position of their values: two columns of a statement may have the same name.

    Raises:
        InputError: If the format is JSON and two columns have the same name, because an object has each name once.
    """
    if output_format == "json":
        if twice := [name for name, number in Counter(names).items() if number > 1]:
            raise InputError(
                "Two columns of the result have the same name",
                got=", ".join(twice),
                allowed="unique names in JSON",
                consequence="Nothing was printed",
                next_step="Rename one of them with AS, or use --format csv",
            )
        click.echo(to_json([dict(zip(names, row, strict=True)) for row in rows]))
    elif output_format == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(names)
        # A file gets what the tables have; a terminal would execute it.
        text = one_line if sys.stdout.isatty() else str
        writer.writerows([text(_shown(value) or "") for value in row] for row in rows)
        # Without color, click drops escape sequences out of the data.
        click.echo(buffer.getvalue(), nl=False, color=True)
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
            console.print(f"{CUT} marks a cut text; --format json shows all of it.", style="dim")


def print_cells(names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bool:
    """Print a table of cells in the available width; return whether a text was cut."""
    lines = lay_out(names, rows, width())
    for line in lines:
        console.print(line)
    return width() is not None and is_cut(lines)


def width() -> int | None:
    """Return the width of the terminal, or that in COLUMNS; None in a pipe or a log, which have no width."""
    return console.width if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else None


def _shown(value: object) -> str | None:
    """Return a value as text; None for a missing value."""
    if value is None:
        return None
    shown = plain(value)
    return to_json(shown) if isinstance(shown, (dict, list)) else str(shown)
