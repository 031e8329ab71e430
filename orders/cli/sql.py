"""`orders sql`: one statement on the workspace."""

from __future__ import annotations

import click

from orders.cli.console import format_option, print_rows
from orders.cli.project import Project


# A statement may begin with a comment, which looks like an option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("query", type=click.UNPROCESSED)
@format_option
def sql(query: str, output_format: str) -> None:
    """Run one SQL statement and print its rows; `-` reads it from standard input.

    Example: orders sql "select count(*) from gold.fct_orders" --format json
    """
    statement = click.get_text_stream("stdin").read() if query == "-" else query
    with Project.find().sql_client() as client:
        table = client.query_arrow(statement.strip().rstrip(";"))
    if table.num_columns:
        print_rows(table.to_pylist(), output_format, table.column_names)
