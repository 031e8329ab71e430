"""`orders quarantine`: show the rows that break a rule, and send corrected rows back."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from orders.cli.console import console, format_option, json_without_controls, print_rows
from orders.cli.project import Project


@click.group()
def quarantine() -> None:
    """List, show and replay rows that break a rule."""


@quarantine.command(name="list")
@click.option("--by", type=click.Choice(["rule", "file"]), default="rule", show_default=True)
@format_option
def list_rows(by: str, output_format: str) -> None:
    """Count quarantined rows by rule or by source file. `open` counts those whose replay has not reached Silver."""
    from dlt_ingest.quarantine.rows import count_by_file, count_by_rule

    with Project.find().queries() as client:
        counts = (count_by_rule if by == "rule" else count_by_file)(client.query)
    # To the second, so that a table fits 80 columns; the formats for programs have the full timestamp.
    at = _to_the_second if output_format == "table" else _whole
    rows = [
        {by: c.name, "rows": c.rows, "open": c.open_rows, "first": at(c.first_at), "last": at(c.last_at)}
        for c in counts
    ]
    if rows or output_format != "table":
        print_rows(rows, output_format, [by, "rows", "open", "first", "last"])
    else:
        console.print("The quarantine is empty.")


@quarantine.command()
@click.option("--rule", help="Only rows that break this rule.")
@click.option("--file", "file_name", help="Only rows from this source file.")
@click.option("--open", "open_only", is_flag=True, help="Only rows that have not reached Silver yet.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json", "csv", "jsonl"]), default="table"
)
@click.argument("ids", nargs=-1)
def show(
    rule: str | None,
    file_name: str | None,
    open_only: bool,
    limit: int,
    output_format: str,
    ids: tuple[str, ...],
) -> None:
    """Show quarantined rows as they arrived, with every rule they break.

    `--format jsonl` writes lines that you can correct in an editor and send back with `orders quarantine replay FILE`.
    """
    from dlt_ingest.quarantine.rows import Selection, read_rows

    with Project.find().queries() as client:
        rows = read_rows(client.query, Selection(rule, file_name, ids, open_only), limit)
    if output_format == "jsonl":
        for row in rows:
            click.echo(json_without_controls(row.as_json_line().rstrip("\n")))
        return
    shown = [
        {
            "quarantine_id": row.quarantine_id,
            "failed_rules": ", ".join(row.failed_rules)
            if output_format == "table"
            else list(row.failed_rules),
            **row.record,
            "unread": row.corrupt_record
            or row.rescued_data
            or (json.dumps(row.texts) if row.texts else None),
            "replayed": row.replayed,
        }
        for row in rows
    ]
    if shown or output_format != "table":
        print_rows(shown, output_format)
    else:
        console.print("No quarantined row matches.")


@quarantine.command()
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Set this field in all selected rows."
)
@click.option("--rule", help="Select rows that break this rule.")
@click.option(
    "--id", "ids", multiple=True, help="Select a row by its id, or by at least its first 8 characters."
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
def replay(changes: tuple[str, ...], rule: str | None, ids: tuple[str, ...], file: Path | None) -> None:
    """Send corrected rows back: those in FILE (from `show --format jsonl`), or selected rows changed with --set.

    They land as a new file. The next update brings each into Silver exactly once, however often it is replayed.
    """
    from dlt_ingest.quarantine.corrections import read_corrections
    from dlt_ingest.quarantine.replay import replay_corrections, replay_selection
    from dlt_ingest.quarantine.rows import Selection

    if (file is None) == (not changes):
        raise click.UsageError(
            "Give either FILE or --set FIELD=VALUE. Next: orders quarantine show --format jsonl"
        )
    if file is None and not rule and not ids:
        raise click.UsageError("--set needs --rule or --id to select rows.")
    pairs = [change.partition("=") for change in changes]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise click.UsageError(f"--set {wrong[0]} has no value. Next: --set {wrong[0]}=VALUE")
    project = Project.find()
    with project.queries() as client:
        if file is not None:
            outcome = replay_corrections(
                client.query, project.landing, read_corrections(file), project.settings.reading
            )
        else:
            selection = Selection(rule=rule, ids=ids, open_only=True)
            values = {name: value for name, _, value in pairs}
            outcome = replay_selection(
                client.query, project.landing, selection, values, project.settings.reading
            )
    if outcome.already_in_silver:
        console.print(
            f"{len(outcome.already_in_silver):,} rows skipped: their corrections are already in Silver"
        )
    if outcome.waiting_in_landing:
        console.print(
            f"{len(outcome.waiting_in_landing):,} rows skipped: their corrections are waiting in landing"
        )
    if outcome.file_name:
        console.print(f"{len(outcome.sent):,} corrected rows landed in {outcome.file_name}. Next: orders run")
    else:
        console.print("There is nothing to send.")


def _to_the_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _whole(moment: datetime) -> datetime:
    return moment
