"""`orders erase`: one customer out of everything that the local workspace holds.

The steps go from the source to what is computed from it, so that nothing brings the customer back after it was
cleaned. Each step can be repeated: an erasure that was killed is finished by the same command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlt_ingest.cli.console import console, print_rows, step
from dlt_ingest.cli.dbt import run_quietly
from dlt_ingest.cli.ingest import pipeline_spec
from dlt_ingest.cli.project import Project, run_id
from dlt_ingest.errors import DataFault
from dlt_ingest.governance import erasure_statements as statements
from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.governance.landing_erasure import (
    erase_from_generator,
    erase_from_landing,
    generator_entries,
    landing_lines,
)
from dlt_ingest.governance.traces import mask, traces
from dlt_ingest.sql_client import SqlClient

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

_GUIDE = "docs/operations/erase-customer.md"


@click.command()
@click.argument("customer_id")
@click.option("--dry-run", is_flag=True, help="Count what is there, place by place; erase nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(customer_id: str, dry_run: bool, yes: bool) -> None:
    """Erase one customer from files, tables, their old versions, Postgres and logs.

    It cannot be undone. Killed halfway, the same command finishes it. Exit code 1 when a trace is left.
    """
    customer = CustomerId(customer_id.strip())
    project = Project.find()
    project.require_local(f"on Databricks {_GUIDE} has the statements of this command, for a job")
    with (
        project.workspace() as workspace,
        SqlClient.from_environment(catalog=project.settings.catalog) as client,
    ):
        erasure = Erasure(project, workspace, client, customer)
        with step("Looking for the customer"):
            places = erasure.count()
        if not any(places.values()):
            # The warehouse has just logged the questions, and in them the id.
            erasure.mask_logs()
        print_rows(
            [{"place": place, "rows": rows} for place, rows in places.items()], "table", ["place", "rows"]
        )
        if dry_run:
            console.print("Nothing was erased.")
            return
        if not any(places.values()) and not erasure.left():
            console.print("The workspace holds nothing of this customer.")
            return
        if not yes and not sys.stdin.isatty():
            raise click.UsageError("An erasure asks first, and here is nobody to answer. Next: add --yes")
        if not yes and not click.confirm("Erase all of this, for good?"):
            console.print("Nothing was erased.")
            return
        erasure.run()
        with step("Looking for traces"):
            left = erasure.left()
    if left:
        for path in left:
            console.print(f"[red]left[/red]  {path.relative_to(project.home)}")
        console.print(
            f"The id still stands in {len(left):,} files. What can hold it there, and what to do: {_GUIDE}"
        )
        raise SystemExit(1)
    console.print("Erased: no file of the workspace holds the id. Next: orders reconcile")


@dataclass(frozen=True)
class Erasure:
    """The erasure of one customer from one workspace.

    Attributes:
        project: The project.
        workspace: Its running workspace.
        client: A connection to its SQL warehouse.
        customer: Whom to erase.
    """

    project: Project
    workspace: Workspace
    client: SqlClient
    customer: CustomerId

    @property
    def _generator(self) -> Path:
        return self.project.landing.parent / "generator"

    @cached_property
    def _tables(self) -> frozenset[str]:
        catalog = self.project.settings.catalog
        rows = self.client.query(
            f"SELECT table_schema, table_name FROM {catalog}.information_schema.tables WHERE table_type <> 'VIEW'"
        )
        return frozenset(f"{row['table_schema']}.{row['table_name']}" for row in rows)

    def _columns(self, condition: str) -> list[dict[str, Any]]:
        catalog = self.project.settings.catalog
        return self.client.query(
            "SELECT table_schema, table_name, column_name "
            f"FROM {catalog}.information_schema.columns WHERE {condition} ORDER BY 1, 2, 3"
        )

    @cached_property
    def _bronze(self) -> tuple[statements.Deletion, ...]:
        known = {*statements.FREE_TEXT, "customer_id", "source_file", "batch_id"}
        found = self._columns("table_schema = 'bronze' AND table_name = 'orders' AND data_type = 'STRING'")
        evolved = [f"`{row['column_name']}`" for row in found if row["column_name"] not in known]
        return self._existing((statements.bronze_deletion(evolved),))

    @cached_property
    def _silver(self) -> tuple[statements.Deletion, ...]:
        return self._existing(statements.silver_deletions())

    @cached_property
    def _gold(self) -> tuple[statements.Deletion, ...]:
        """Those of this project, and every other table of Gold that has a customer id."""
        found = [
            r["table_name"] for r in self._columns("table_schema = 'gold' AND column_name = 'customer_id'")
        ]
        others = [name for name in found if name not in statements.GOLD_TABLES]
        return self._existing(statements.gold_deletions([*statements.GOLD_TABLES, *others]))

    def _existing(self, deletions: tuple[statements.Deletion, ...]) -> tuple[statements.Deletion, ...]:
        return tuple(deletion for deletion in deletions if deletion.table in self._tables)

    def count(self) -> Mapping[str, int]:
        """Rows of the customer by place; nothing is changed."""
        from dlt_ingest.governance.metrics_erasure import metrics_rows

        lines = landing_lines(self.project.landing, self.customer)
        places = {
            "landing": sum(lines.values()),
            "generator": generator_entries(self._generator, self.customer),
        }
        for deletion in (*self._bronze, *self._silver, *self._gold):
            places[deletion.table] = self.client.query(deletion.count(self.customer))[0]["n"]
        places["Postgres"] = metrics_rows(self.project.postgres_settings(), self.customer)
        return places

    def run(self) -> None:
        """Erase, step by step."""
        from local_workspace.dlt_runtime.crash_points import crash_point

        steps: dict[str, tuple[str, Callable[[], None]]] = {
            "landing": ("Rewriting files and deleting in Bronze", self._erase_source),
            "silver": ("Deleting in Silver", self._erase_silver),
            "gold": ("Deleting in Gold", self._erase_gold),
            "marts": ("Computing the marts anew", self._rebuild_marts),
            "postgres": ("Deleting in Postgres", self._erase_metrics),
            "versions": ("Removing old versions", self._forget_versions),
            "logs": ("Masking logs", self.mask_logs),
        }
        for name, (text, work) in steps.items():
            with step(text):
                work()
            crash_point(f"erase_{name}")

    def left(self) -> list[Path]:
        """Files of the workspace that still hold the id."""
        return list(traces(self.project.home, self.customer))

    @contextmanager
    def _no_update(self) -> Iterator[None]:
        from local_workspace.dlt_runtime.lock import pipeline_lock

        spec = pipeline_spec(self.project)
        lock = self.workspace.layout.pipelines / spec.folder_name / "lock"
        with pipeline_lock(lock, spec.name, wait_seconds=0):
            yield

    def _erase_source(self) -> None:
        from dlt_ingest.generators.ledger import Ledger
        from local_workspace.dlt_runtime.rewritten_files import note_rewritten

        landing, layout = self.project.landing, self.workspace.layout
        state = layout.pipelines / pipeline_spec(self.project).folder_name / "state.sqlite"

        def announce(path: Path, size: int, mtime_ns: int) -> None:
            note_rewritten(state, layout.volume_uri(path), size, mtime_ns)

        ledger = Ledger(self._generator, landing)
        with self._no_update(), ledger.locked():
            ledger.settle()
            erase_from_landing(landing, self.customer, announce)
            erase_from_generator(self._generator, landing, self.customer)
            self._delete(self._bronze)

    def _erase_silver(self) -> None:
        if self._silver:
            self._refresh(statements.STREAMS)
        self._delete(self._silver)
        if self._silver:
            # Silver has not the columns that schema evolution added to Bronze, so a record that names the customer
            # only there is found by what is missing.
            rows = self.client.query(statements.BRONZE_AGAINST_SILVER)[0]
            again = () if rows["bronze"] == rows["silver"] else statements.STREAMS
            self._refresh(statements.VIEWS, full_refresh=again)

    def _erase_gold(self) -> None:
        self._delete(self._gold)

    def _delete(self, deletions: tuple[statements.Deletion, ...]) -> None:
        for deletion in deletions:
            self.client.execute(deletion.delete(self.customer))

    def _refresh(self, datasets: tuple[str, ...], full_refresh: tuple[str, ...] = ()) -> None:
        from local_workspace.dlt_runtime.update import run_update

        result = run_update(
            pipeline_spec(self.project),
            layout=self.workspace.layout,
            catalog=self.workspace.catalog,
            engine_address=self.workspace.engine_address,
            refresh=datasets,
            full_refresh=full_refresh,
            run_id=run_id(),
        )
        if not result.ok:
            raise DataFault(
                "Silver could not be refreshed",
                got=result.error,
                consequence="The erasure stopped; what is erased so far stays erased",
                next_step="Mend what the message names, then run the same command again",
            )

    def _rebuild_marts(self) -> None:
        if not self._gold:
            return
        log = self.workspace.layout.logs / f"dbt-{run_id()}.log"
        outcome = run_quietly(statements.DBT_ARGUMENTS, environment={}, root=self.project.root, log=log)
        if outcome.exit_code:
            raise DataFault(
                "The marts could not be computed anew",
                got=outcome.totals or f"dbt ended with {outcome.exit_code}",
                consequence="The erasure stopped; what is erased so far stays erased",
                next_step=f"Mend what {log} names, then run the same command again",
            )

    def _erase_metrics(self) -> None:
        from dlt_ingest.governance.metrics_erasure import (
            erase_from_metrics,
            rewrite_storage,
        )

        settings = self.project.postgres_settings()
        erase_from_metrics(settings, self.customer)
        if any(traces(self.workspace.layout.postgres, self.customer)):
            rewrite_storage(settings)

    def _forget_versions(self) -> None:
        from dlt_ingest.governance.old_versions import delta_tables, forget_versions
        from local_workspace.catalog import TableName
        from local_workspace.sql_warehouse.table_lock import table_lock

        layout = self.workspace.layout
        with self._no_update():
            for folder in delta_tables(layout.warehouse):
                catalog, schema, table = folder.relative_to(layout.warehouse).parts
                with table_lock(layout, TableName(catalog, schema, table)):
                    forget_versions(folder, self.customer)
                self.workspace.catalog.touch(TableName(catalog, schema, table))

    def mask_logs(self) -> None:
        """Mask the id in the logs of the workspace and of dbt."""
        mask(self.workspace.layout.logs, self.customer)
        # What dbt leaves in the clone: compiled SQL and its own log.
        for name in ("target", "logs"):
            mask(self.project.root / name, self.customer)
