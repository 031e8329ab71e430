"""`orders quality`: the rules of the order record."""

from __future__ import annotations

import click

from orders.cli.console import console, print_rows, step
from orders.cli.project import Project


@click.group()
def quality() -> None:
    """Look after the rules that decide between Silver and quarantine."""


@quality.command()
def test() -> None:
    """Run all rules on built-in good and bad rows, on the engine itself. Exit code 1 when a row is misjudged."""
    from dlt_ingest.quality.check import check_rules

    with step("Judging the built-in rows"), Project.find().queries() as client:
        results = check_rules(client.query)
    wrong = [result for result in results if not result.passed]
    for result in wrong:
        console.print(
            f"[red]misjudged[/red]  {result.row.name}: broke {', '.join(result.broke) or 'no rule'}, "
            f"expected {', '.join(result.row.breaks) or 'no rule'}"
        )
    console.print(f"{len(results) - len(wrong)} of {len(results)} built-in rows are judged as they should be")
    if wrong:
        raise SystemExit(1)


@quality.command(name="list")
def list_rules() -> None:
    """Show every rule with its predicate and its meaning."""
    from dlt_ingest.quality.rules import RULES, predicate_sql

    print_rows(
        [{"rule": r.name, "meaning": r.meaning, "predicate": predicate_sql(r)} for r in RULES], "table"
    )
