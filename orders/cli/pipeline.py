"""`orders pipeline`: any DLT pipeline, in this workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orders.cli.console import console, format_option, print_rows, say, step
from orders.cli.ingest import print_update
from orders.cli.project import Project

if TYPE_CHECKING:
    from local_workspace.catalog import Catalog
    from local_workspace.dlt_runtime.spec import PipelineSpec
    from local_workspace.workspace import Workspace


@click.group()
def pipeline() -> None:
    """Run any DLT pipeline in this workspace: Python files, SQL files and notebooks."""


@pipeline.command()
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--catalog", help="The pipeline's catalog, created if missing. With --bundle: replaces the bundle's."
)
@click.option(
    "--schema", help="The pipeline's schema, created if missing. With --bundle: replaces the bundle's."
)
@click.option(
    "--name", help="The next run with this name continues from this one. Default: the first PATH's name."
)
@click.option("--conf", multiple=True, metavar="KEY=VALUE", help="A value that spark.conf.get returns.")
@click.option(
    "--volume",
    multiple=True,
    metavar="PATH=FOLDER",
    help="A folder to read in place of a path in the code, such as /Volumes/main/raw/files or s3://bucket/raw.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="A folder with databricks.yml, whose pipeline to run.",
)
@click.option("--target", help="Target of the bundle. Default: its default target.")
@click.option("--pipeline", "resource", help="Pipeline of the bundle, if it has several: its key or name.")
@click.option("--full-refresh", is_flag=True, help="Empty every table of the pipeline and rebuild it.")
@click.option("--dry-run", is_flag=True, help="Build and check the graph without moving rows.")
def run(
    paths: tuple[Path, ...],
    catalog: str | None,
    schema: str | None,
    name: str | None,
    conf: tuple[str, ...],
    volume: tuple[str, ...],
    bundle: Path | None,
    target: str | None,
    resource: str | None,
    full_refresh: bool,
    dry_run: bool,
) -> None:
    """Run one update of a pipeline, defined by files, folders or a bundle."""
    from local_workspace.pipeline_host import mounts_of, run_spec, spec_of_paths

    configuration, volumes = _pairs(conf, "--conf"), _pairs(volume, "--volume")
    if bundle is not None:
        if paths:
            raise click.UsageError("PATH and --bundle exclude each other. Next: omit one of them.")
        spec = _bundle_spec(bundle, target, resource, catalog, schema)
        spec = replace(
            spec,
            name=name or spec.name,
            configuration={**spec.configuration, **configuration},
            mounts=mounts_of(volumes),
        )
    else:
        if target or resource:
            raise click.UsageError("--target and --pipeline need --bundle. Next: add it, or omit them.")
        if not paths:
            raise click.UsageError("Nothing to run was given. Next: give files or folders, or --bundle DIR.")
        if not catalog or not schema:
            raise click.UsageError(
                "Files do not name a catalog and schema. Next: give --catalog and --schema."
            )
        spec = spec_of_paths(
            paths, catalog=catalog, schema=schema, name=name, configuration=configuration, volumes=volumes
        )
    spec.files()  # a mistake in the paths is reported before a server starts
    with _workspace() as workspace, step(f"Update of pipeline {spec.name}"):
        result = run_spec(workspace, spec, full_refresh=full_refresh, dry_run=dry_run)
    if dry_run and result.ok:
        for warning in result.warnings:
            say(("note", "yellow"), f"  {warning}")
        console.print(f"The graph is valid: {', '.join(result.datasets)}. No rows were moved.")
        return
    print_update(result)
    if not result.ok:
        raise SystemExit(1)
    say((f"Next: orders pipeline show {spec.name}", "dim"))


@pipeline.command("list")
@format_option
def list_(output_format: str) -> None:
    """List the pipelines that have run in this workspace."""
    from local_workspace.pipeline_host import known_pipelines

    project = Project.find()
    project.require_local("pipeline list")
    rows = [
        {
            "pipeline": known.name,
            "lands in": f"{known.catalog}.{known.schema}" if known.catalog else "",
            "tables": len(known.tables),
            "updates": known.updates,
            "last update": _moment(known.started_ms),
            "state": known.state or "",
        }
        for known in known_pipelines(project.layout, _catalog(project))
    ]
    print_rows(rows, output_format, ["pipeline", "lands in", "tables", "updates", "last update", "state"])


@pipeline.command()
@click.argument("name")
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def show(name: str, output_format: str) -> None:
    """Show one pipeline: its files, its tables with their rows, and the state of its last update."""
    from local_workspace.delta import log
    from local_workspace.pipeline_host import find_pipeline

    project = Project.find()
    project.require_local("pipeline show")
    catalog = _catalog(project)
    known = find_pipeline(project.layout, catalog, name)
    tables = []
    for table in known.tables:
        found = catalog.get(table)
        if found is not None and found.location is not None:
            rows = log.table_rows(found.location)
            tables.append(
                {"table": str(table), "kind": found.kind, "rows": rows, "comment": found.comment or ""}
            )
    if output_format == "json":
        content = {
            "name": known.name,
            "catalog": known.catalog,
            "schema": known.schema,
            "files": list(known.files),
            "updates": known.updates,
            "state": known.state,
            "last_update": _moment(known.started_ms),
            "tables": tables,
        }
        click.echo(json.dumps(content))
        return
    ended = f"{known.state or 'never'} {_moment(known.started_ms)}".rstrip()
    say((known.name, "bold"), f"  {known.updates} updates, the last one {ended}")
    for file in known.files:
        console.print(f"  {file}")
    print_rows(tables, "table", ["table", "kind", "rows", "comment"])


@pipeline.command()
@click.argument("name")
def reset(name: str) -> None:
    """Drop a pipeline's tables and forget what it has read: its next run starts from the beginning. Keep input files."""
    from local_workspace.pipeline_host import reset_pipeline

    project = Project.find()
    project.require_local("pipeline reset")
    dropped = reset_pipeline(project.layout, _catalog(project), name)
    console.print(f"Pipeline {name} is reset: {', '.join(map(str, dropped)) or 'it had no table'} dropped.")


def _catalog(project: Project) -> Catalog:
    from local_workspace import catalog

    return catalog.Catalog.open(project.layout.create())


@contextmanager
def _workspace() -> Iterator[Workspace]:
    """Open the running workspace, without Postgres, which a pipeline does not need."""
    from local_workspace.workspace import Workspace

    project = Project.find()
    project.require_local("pipeline run")
    with Workspace.attach(
        project.layout, replace(project.workspace_options(), start_postgres=False)
    ) as workspace:
        yield workspace


def _pairs(values: tuple[str, ...], option: str) -> dict[str, str]:
    wrong = [value for value in values if not value.partition("=")[0] or "=" not in value]
    if wrong:
        raise click.UsageError(
            f"{option} takes KEY=VALUE, got {', '.join(wrong)}. Next: add the equals sign."
        )
    return {key: value for key, _, value in (text.partition("=") for text in values)}


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _bundle_spec(
    folder: Path, target: str | None, resource: str | None, catalog: str | None, schema: str | None
) -> PipelineSpec:
    """Read a pipeline of a bundle as `databricks bundle deploy` would deploy it.

    Raises:
        InputError: The folder has no bundle, or it has several pipelines and none is named.
    """
    from dlt_ingest.errors import InputError
    from local_workspace.dlt_runtime.spec import EventLogTarget, PipelineSpec
    from orders.bundle_check.loader import Bundle

    root = folder.expanduser().resolve()
    if not (root / "databricks.yml").is_file():
        raise InputError(
            "There is no databricks.yml in the folder", got=str(folder), consequence="Nothing was run"
        )
    bundle = Bundle.load(root, target)
    pipelines = bundle.resources("pipelines")
    if resource is None:
        if len(pipelines) != 1:
            raise InputError(
                "The bundle has several pipelines" if pipelines else "The bundle has no pipeline",
                got=", ".join(pipelines) or str(folder),
                consequence="Nothing was run",
                next_step="Name one: --pipeline KEY",
            )
        resource = next(iter(pipelines))
    found = bundle.pipeline(resource)
    where = {
        "catalog": catalog or found.get("catalog"),
        "schema": schema or found.get("schema") or found.get("target"),
    }
    for key, value in where.items():
        if not value or "${" in str(value):
            raise InputError(
                f"Pipeline {resource} of the bundle has no {key} that is known offline",
                got=str(value),
                consequence="Nothing was run",
                next_step=f"Give --{key}",
            )
    log = found.get("event_log")
    event_log = None
    if log and "${" not in json.dumps(log):
        there = {**where, **log}
        event_log = EventLogTarget(str(there["catalog"]), str(there["schema"]), str(log["name"]))
    return PipelineSpec(
        name=str(found.get("name") or resource),
        catalog=str(where["catalog"]),
        schema=str(where["schema"]),
        libraries=found.get("libraries") or [],
        base_path=root,
        root_path=Path(found["root_path"]) if found.get("root_path") else None,
        configuration={key: str(value) for key, value in (found.get("configuration") or {}).items()},
        event_log=event_log,
    )
