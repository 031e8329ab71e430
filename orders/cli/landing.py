"""`orders generate`, `orders sample` and `orders land`: how files come into landing."""

from __future__ import annotations

from pathlib import Path

import click

from orders.cli.console import console
from orders.cli.project import Project


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
    "--batch-size", type=click.IntRange(min=1), default=100, show_default=True, help="Records in a batch."
)
@click.option(
    "--seed", type=int, default=None, help="Same seed and same history so far: the same bytes again."
)
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Share of records with a planted fault.",
)
def generate(interval: float, end: int, batch_size: int, seed: int | None, faults: float) -> None:
    """Write batches of made-up orders into landing; each file appears whole."""
    from dlt_ingest.generators.orders import generate_batches

    for batch in generate_batches(
        Project.find().landing,
        batches=end,
        interval=interval,
        batch_size=batch_size,
        seed=seed,
        faults=faults,
    ):
        console.print(
            f"Landed {batch.file_name}: {batch.records:,} records, {batch.faulty:,} with a planted fault"
        )


@click.command()
@click.argument("name", type=click.Choice(["cdnow"]))
def sample(name: str) -> None:
    """Write a real order history into landing: `cdnow`, an online music shop, 1997-01 to 1998-06."""
    from dlt_ingest.generators.cdnow import write_batches

    del name
    written = write_batches(Project.find().landing)
    records = sum(batch.records for batch in written)
    if written:
        console.print(f"Landed {len(written)} monthly batches with {records:,} purchases. Next: orders run")
    else:
        console.print("Every batch of the sample is in landing already; nothing was written.")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def land(paths: tuple[Path, ...]) -> None:
    """Copy your own JSON files into landing, each appearing whole; the same file twice lands once."""
    from dlt_ingest.generators.landing import land as land_files

    for landed in land_files(paths, Project.find().landing):
        console.print(
            f"{landed.file_name}: {'landed' if landed.written else 'was there already, same content'}"
        )
