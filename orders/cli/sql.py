"""`orders sql`: run one statement on the workspace."""

from __future__ import annotations

import os
import sys

import click

from dlt_ingest.errors import InputError
from orders.cli.console import format_option, print_columns
from orders.cli.project import Project


# A statement may begin with a comment, which looks like an option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("query", type=click.UNPROCESSED)
@format_option
def sql(query: str, output_format: str) -> None:
    """Run one SQL statement and print its rows. `-` reads the statement from standard input.

    Example: orders sql "select count(*) from gold.fct_orders" --format json
    """
    statement = _text(sys.stdin.buffer.read() if query == "-" else os.fsencode(query))
    with Project.find().sql_client() as client:
        table = client.query_arrow(statement.strip().rstrip(";"))
    if table.num_columns:
        # Not to_pylist(): if two columns have the same name, a dictionary keeps only the last.
        columns = [column.to_pylist() for column in table.columns]
        print_columns(table.column_names, [list(row) for row in zip(*columns, strict=True)], output_format)


def _text(statement: bytes) -> str:
    try:
        return statement.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            "The statement is not UTF-8",
            got=f"byte {statement[error.start]:#04x} at position {error.start}",
            consequence="Nothing was run",
            next_step="Save the file as UTF-8",
        ) from None
