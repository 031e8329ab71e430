"""Whether anything is new since the last complete run: if not, `orders run` has nothing to do.

The law is about versions, not about hopes: a run is skipped only if the project, every file of the volumes, every table,
view and pipeline of the workspace, and every row of schema metrics in Postgres are those that the last complete run left.
All stored marts are then what a build would make of them, unless one of them reads the clock: a run with such a mart is not
relied on (:mod:`orders.cli.clock_readers`). Those of this project that do are views.
See docs/decisions/runs-with-nothing-new.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from dlt_ingest.metrics.health.report import metrics_query
from dlt_ingest.sql_client import Queries
from orders.cli.clock_readers import clock_readers
from orders.cli.dbt import target_folder
from orders.cli.project import Project

if TYPE_CHECKING:
    from local_workspace.dlt_runtime.spec import UpdateResult
    from orders.cli.dbt import DbtRun

_FILE = "complete-run.json"
_CODE = (
    "dbt_kept_connections",
    "dbt_postgres_export",
    "dlt_ingest",
    "foundation",
    "local_workspace",
    "orders",
)
# Everything in the clone that a run executes or reads. tests/unit/operator/test_nothing_new.py holds it against the clone.
PARTS = (
    *_CODE,
    "databricks.yml",
    "dbt_project.yml",
    "dbt_project",
    "macros",
    "profiles",
    "resources",
    "seeds",
    "tests/dbt",
)
# Of the variables that the project and dbt read, those that name this run, this shell or a server, and not what to build.
_OF_THE_SHELL = frozenset(
    {
        "DBT_ACCESS_TOKEN",
        "DBT_HOST",
        "DBT_LOG_PATH",
        "DBT_PROFILES_DIR",
        "DBT_PROJECT_DIR",
        "DBT_TARGET",
        "DBT_TARGET_PATH",
        "DBT_USE_COLORS",
        "ORDERS_DEBUG",
        "ORDERS_ENV",
        "ORDERS_EXPORT_POLICY",
        "ORDERS_HOME",
        "ORDERS_POSTGRES_URI",
        "ORDERS_RUN_ID",
        "ORDERS_WAREHOUSE_CA",
        "ORDERS_WAREHOUSE_HOST",
        "ORDERS_WAREHOUSE_HTTP_PATH",
        "ORDERS_WAREHOUSE_TOKEN",
        "ORDERS_WAREHOUSE_URI",
    }
)
# What dbt and `orders predict` write; every other table is an input of the build.
_BUILT_SCHEMA = "gold"
_BUILT_TABLES = frozenset({"ops.dbt_run_results", "ops.export_deliveries"})


@dataclass(frozen=True)
class Seen:
    """What there is at one moment, outside of Postgres; equal if nothing has changed in between.

    Attributes:
        project: Digest of the project's files, its libraries and its variables.
        files: Digest of names and attributes of all files in the volumes.
        tables: Three-level name -> where the table stands.
        catalog: Revision of the catalog.
        pipelines: Pipeline -> how far it is.
        day: Date in UTC and on this machine: code of the pipeline may ask for either.
    """

    project: str
    files: str
    tables: dict[str, str]
    catalog: int
    pipelines: dict[str, str]
    day: str


@dataclass(frozen=True)
class CompleteRun:
    """A run that did everything and left nothing open.

    Attributes:
        run_id: Its id.
        ended_at: When it had built the last table, ISO 8601 in UTC.
        seen: What it left.
        metrics: Digest of schema metrics in Postgres.
    """

    run_id: str
    ended_at: str
    seen: Seen
    metrics: str

    @property
    def ended(self) -> str:
        """The moment for people."""
        return datetime.fromisoformat(self.ended_at).strftime("%Y-%m-%d %H:%M UTC")

    def still_holds(self, project: Project, client: Queries) -> bool:
        """Say what only the servers know: the metrics are as they were, and no promise of freshness needs a run.

        A promise to refresh a table is renewed when half of its time is over, so that runs that come often enough to keep it
        keep it, though some of them do nothing.
        """
        late = client.query(
            "select count(*) as n from gold.fct_freshness where measured_by = 'refreshed' and sla_minutes is not null "
            "and (age_minutes is null or age_minutes * 2 > sla_minutes)"
        )[0]["n"]
        return late == 0 and _metrics(project) == self.metrics


def tables_now(project: Project) -> dict[str, str]:
    """Return where each table stands."""
    from local_workspace.catalog import Catalog
    from local_workspace.contents import table_positions

    with closing(Catalog.open(project.layout)) as catalog:
        return table_positions(catalog)


def look(project: Project) -> Seen:
    """Look at everything that needs no server."""
    from local_workspace.catalog import Catalog
    from local_workspace.contents import pipeline_states, table_positions, volume_files

    layout = project.layout.create()
    with closing(Catalog.open(layout)) as catalog:
        return Seen(
            project=_digest(_project(project)),
            files=_digest(
                f"{path}\0{attributes}"
                # What `orders predict` stages there, it has also read.
                for path, attributes in volume_files(layout, but=[project.landing.parent / "predictions"])
            ),
            tables=table_positions(catalog),
            catalog=catalog.revision(),
            pipelines=pipeline_states(layout),
            day=f"{datetime.now(timezone.utc).date()} {datetime.now().astimezone().date()}",
        )


def last_complete_run(project: Project, now: Seen) -> CompleteRun | None:
    """Return the last complete run if all that it left is as it was; a file of another version counts as none."""
    try:
        content = json.loads((project.layout.home / _FILE).read_text(encoding="utf-8"))
        run = CompleteRun(**{**content, "seen": Seen(**content["seen"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return run if run.seen == now else None


def note_complete_run(
    project: Project,
    client: Queries,
    *,
    run_id: str,
    began: Seen,
    built_from: dict[str, str],
    update: UpdateResult,
    builds: Iterable[DbtRun],
) -> None:
    """Note a run that is over, if the next one may rely on it.

    Args:
        project: The project.
        client: The warehouse.
        run_id: The run.
        began: What there was before its update.
        built_from: Where the tables stood between its update and its first build.
        update: How its update ended.
        builds: How its builds ended, all without a failure.
    """
    from local_workspace.private_files import write_private

    if update.may_change_alone or update.warnings:
        return
    manifest = target_folder(project.root, os.environ) / "manifest.json"
    if clock_readers(json.loads(manifest.read_text(encoding="utf-8"))):
        return
    if not all("WARN=0 ERROR=0 SKIP=0" in build.totals for build in builds):
        return
    ended = look(project)
    changed = {
        name
        for name in built_from.keys() | ended.tables.keys()
        if built_from.get(name) != ended.tables.get(name)
    }
    if any(not _is_built(name) for name in changed):
        return  # somebody wrote to an input of the build while it ran
    if (ended.project, ended.day) != (began.project, began.day):
        return
    open_exports = client.query(
        f"select count(*) as n from ops.export_deliveries where run_id = '{run_id}' and outcome <> 'delivered'"
    )[0]["n"]
    metrics = _metrics(project)
    if open_exports or metrics is None:
        return
    # A file that came after the update had begun is new to the next run.
    seen = Seen(**{**asdict(ended), "files": began.files})
    run = CompleteRun(run_id, datetime.now(timezone.utc).isoformat(timespec="seconds"), seen, metrics)
    write_private(project.layout.home / _FILE, json.dumps(asdict(run), indent=1) + "\n")


def _is_built(table: str) -> bool:
    _, schema, name = table.split(".", 2)
    return schema == _BUILT_SCHEMA or f"{schema}.{name}" in _BUILT_TABLES


def _project(project: Project) -> Iterator[str]:
    for part in PARTS:
        yield from _contents(project.root / part)
    # An installed `orders` runs its own code, whatever clone it is called in.
    own = Path(__file__).parents[2]
    if own != project.root:
        for part in _CODE:
            yield from _contents(own / part)
    yield from sorted(path.name for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    for name, value in sorted(os.environ.items()):
        if name.startswith(("ORDERS_", "DBT_")) and name not in _OF_THE_SHELL:
            yield f"{name}={value}"


def _contents(place: Path) -> Iterator[str]:
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    for file in files:
        if "__pycache__" not in file.parts:
            yield f"{file}\0{hashlib.sha256(file.read_bytes()).hexdigest()}"


def _metrics(project: Project) -> str | None:
    """Digest the relations of schema metrics and the versions of their rows; None if Postgres does not answer."""
    settings = project.postgres_settings()
    try:
        relations = metrics_query(
            settings,
            "select c.relname, c.relkind::text as kind, c.oid::bigint as id, quote_ident(c.relname) as quoted "
            "from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid "
            "where n.nspname = 'metrics' order by c.relname",
        )
        # A row that is new or changed has another xmin.
        rows = [
            f"select '{r['id']}' as id, count(*) as n, sum(xmin::text::bigint) as versions from metrics.{r['quoted']}"
            for r in relations
            if r["kind"] == "r"
        ]
        counted = metrics_query(settings, f"{' union all '.join(rows)} order by id") if rows else []
    except psycopg2.Error:
        return None
    return _digest(str(row) for row in [*relations, *counted])


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()
