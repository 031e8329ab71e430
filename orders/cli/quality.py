"""`orders quality`: the rules of the order record."""

from __future__ import annotations

import click

from orders.cli.console import console, format_option, print_rows, say, say_hanging, step
from orders.cli.project import Project


@click.group()
def quality() -> None:
    """Test and list the rules that decide between Silver and quarantine."""


@quality.command()
def test() -> None:
    """Run all rules on built-in valid and invalid rows, on the engine. The exit code is 1 if a result is wrong."""
    from dlt_ingest.quality.check import check_rules

    with step("Checking the built-in rows"), Project.find().queries() as client:
        results = check_rules(client.query)
    wrong = [result for result in results if not result.passed]
    for result in wrong:
        say(
            ("misjudged", "red"),
            f"  {result.row.name}: broke {', '.join(result.broke) or 'no rule'}, "
            f"expected {', '.join(result.row.breaks) or 'no rule'}",
        )
    console.print(f"{len(results) - len(wrong)} of {len(results)} built-in rows have the expected result")
    if wrong:
        raise SystemExit(1)


@quality.command(name="list")
@format_option
def list_rules(output_format: str) -> None:
    """Show every rule with its meaning and its predicate."""
    from dlt_ingest.quality.rules import RULES, predicate_sql

    if output_format != "table":
        rows = [{"rule": r.name, "meaning": r.meaning, "predicate": predicate_sql(r)} for r in RULES]
        print_rows(rows, output_format)
        return
    longest = max(len(rule.name) for rule in RULES)
    for rule in RULES:
        say_hanging([(rule.name.ljust(longest), "bold"), "  "], rule.meaning)
        say_hanging([" " * longest, "  "], predicate_sql(rule))
