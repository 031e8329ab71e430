"""`orders generate`, `orders sample` and `orders land`: put files into landing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orders.cli.console import console, print_rows
from orders.cli.project import Project

if TYPE_CHECKING:
    from orders.landing.field_map import FieldMap


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds between batches.",
)
@click.option("--end", type=click.IntRange(min=1), default=1, show_default=True, help="Number of batches.")
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=100, show_default=True, help="Records per batch."
)
@click.option(
    "--seed", type=int, default=None, help="The same seed after the same history gives the same bytes."
)
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Share of records with a deliberate fault.",
)
@click.option(
    "--lines",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Most lines of an order. Above 1, a return may name a part of an order.",
)
def generate(interval: float, end: int, batch_size: int, seed: int | None, faults: float, lines: int) -> None:
    """Write batches of generated orders to landing."""
    from dlt_ingest.generators.orders import generate_batches

    for batch in generate_batches(
        Project.find().landing,
        batches=end,
        interval=interval,
        batch_size=batch_size,
        seed=seed,
        faults=faults,
        lines=lines,
    ):
        console.print(
            f"Landed {batch.file_name}: {batch.records:,} records, {batch.faulty:,} with a deliberate fault"
        )


@click.command()
@click.argument("name", type=click.Choice(["cdnow"]))
def sample(name: str) -> None:
    """Write a real order history to landing: `cdnow`, an online music shop, January 1997 to June 1998."""
    from dlt_ingest.generators.cdnow import write_batches

    del name
    written = write_batches(Project.find().landing)
    records = sum(batch.records for batch in written)
    if written:
        console.print(f"Landed {len(written)} monthly batches with {records:,} purchases. Next: orders run")
    else:
        console.print("The whole sample is already in landing. Nothing was written.")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--split", is_flag=True, help="Land arrays and objects that span several lines as one record per line."
)
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    help="For delimited text (CSV): which column is which field (docs/your-files.md).",
)
@click.option("--profile", "only_profile", is_flag=True, help="Only show what would happen; land nothing.")
def land(paths: tuple[Path, ...], split: bool, map_file: Path | None, only_profile: bool) -> None:
    """Copy your own files into landing, each atomically. Landing the same file twice has no effect."""
    from orders.landing.conversion import land_sources, read_sources
    from orders.landing.field_map import read_map

    field_map = read_map(map_file) if map_file else None
    project = Project.find()
    if only_profile:
        _print_profile(project, paths, field_map)
        return
    sources = read_sources(paths, field_map, split=split)
    originals = project.layout.local_path(project.settings.volume.originals)
    for source in sources:
        if source.delimited is not None and source.delimited.guessed:
            console.print(
                f"{source.path.name}: read as {source.delimited.encoding}, a guess; set `encoding` in the map to change it"
            )
    for landed in land_sources(sources, field_map, project.landing, originals):
        console.print(
            f"{landed.file_name}: {'landed' if landed.written else 'already there, with the same content'}"
        )
    kept = [source.path.name for source in sources if source.is_converted]
    if kept:
        console.print(f"Original kept in {originals}: {', '.join(kept)}")


def _print_profile(project: Project, paths: tuple[Path, ...], field_map: FieldMap | None) -> None:
    from orders.cli.ingest import pipeline_spec
    from orders.landing.conversion import files_of, source_of
    from orders.landing.profile import profile
    from orders.landing.suggestion import map_to_begin_with

    def say(text: str = "") -> None:
        console.print(text)

    sources = [source_of(path, field_map) for path in files_of(paths)]
    for source in sources:
        say(f"{source.path}: {source.kind.value}")
        written = source.delimited
        if written is not None:
            say(f"  {written.encoding}, separated by {written.delimiter!r}: {', '.join(written.header)}")
        if written is not None and field_map is None:
            say("A mapping is needed. Save this map, correct it, and pass it with --map:\n")
            click.echo(map_to_begin_with(written.header))
    ready = [source for source in sources if source.delimited is None or field_map is not None]
    if not ready:
        return
    found = profile(ready, field_map, pipeline_spec(project), project.settings.landing_path)
    say()
    print_rows(
        [{"field": f.name, "records": f.values, "what it is": f.meaning} for f in found.fields], "table"
    )
    if found.missing:
        say(f"\nNo record has {', '.join(found.missing)}.")
    if found.suggestions:
        names = {theirs: ours for ours, theirs in found.suggestions.items()}
        say("A mapping is needed. For example, in dlt_ingest/configurations/local.json:")
        say(f'  "FIELD_NAMES": {json.dumps(names, ensure_ascii=False)}')
    if found.broken:
        say()
        rows = [
            {"rule": b.rule, "records": b.records, "for example": ", ".join(b.examples)} for b in found.broken
        ]
        print_rows(rows, "table")
    for fault in found.faults:
        say(f"Unreadable: {fault}")
    say(
        f"\n{found.records:,} records: {found.accepted:,} would be in silver.orders, "
        f"{found.records - found.accepted:,} in quarantine. Nothing has landed."
    )
