"""`orders bundle`: check the deployment offline."""

from __future__ import annotations

import json

import click

from orders.cli.console import console
from orders.cli.project import Project


@click.group()
def bundle() -> None:
    """Check databricks.yml and resources/."""


@bundle.command()
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def check(output_format: str) -> None:
    """Check the bundle offline: keys, references, paths, tasks, SQL. The exit code is 1 if there is a mistake."""
    from orders.bundle_check.rules import check_bundle
    from orders.bundle_check.rules.deployed_code import hash_of
    from orders.cli.ingest import pipeline_spec

    project = Project.find()
    project.require_local("it compares the deployed files with those that run here")
    # The files that the local runtime loads, by content: the bundle must deploy these and no others.
    loaded = {file: hash_of(file) for file in pipeline_spec(project).files()}
    findings = check_bundle(project.root, local_files=loaded)
    if output_format == "json":
        click.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        for finding in findings:
            console.print(str(finding))
        console.print(
            f"Found {len(findings)} mistake{'s' if len(findings) > 1 else ''}."
            if findings
            else "The bundle has no mistakes."
        )
    if findings:
        raise SystemExit(1)
