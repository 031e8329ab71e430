"""`orders config`: the configuration files."""

from __future__ import annotations

import json

import click

from orders.cli.console import console, say


@click.group()
def config() -> None:
    """Check dlt_ingest/configurations/*.json."""


@config.command()
@click.option("--env", "environment", default="all", show_default=True, help="An environment, or all.")
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def validate(environment: str, output_format: str) -> None:
    """Find unknown, missing, mistyped and dangerous settings. The exit code is 1 if a file cannot be used."""
    from dlt_ingest.configurations.settings import ENVIRONMENTS
    from dlt_ingest.configurations.validation import validate_environments

    names = ENVIRONMENTS if environment == "all" else (environment,)
    findings = validate_environments(names)
    errors = [finding for finding in findings if finding.severity == "error"]
    if output_format == "json":
        click.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        for finding in findings:
            colour = "red" if finding.severity == "error" else "yellow"
            say((finding.severity, colour), "  ", str(finding))
        console.print(
            f"{len(names)} configuration{'s' if len(names) > 1 else ''} checked: {len(errors)} errors, "
            f"{len(findings) - len(errors)} warnings"
        )
    if errors:
        raise SystemExit(1)
