"""The steps of `orders erase` on the local workspace.

They go from the source to what is computed from it, so that nothing brings the customer back into a cleaned place. Each
can be repeated: the same command finishes an erasure that was killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dlt_ingest.errors import DataFault
from dlt_ingest.governance import erasure_statements as statements
from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.governance.landing_erasure import (
    erase_from_generator,
    erase_from_landing,
    generator_entries,
    landing_lines,
)
from dlt_ingest.governance.table_erasure import TableErasure
from dlt_ingest.governance.traces import mask, traces
from dlt_ingest.sql_client import SqlClient
from orders.cli.console import step
from orders.cli.dbt import run_quietly
from orders.cli.ingest import pipeline_spec
from orders.cli.project import Project, run_id
from orders.landing.originals import erase_from_originals, originals_rows

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace


@dataclass(frozen=True)
class LocalErasure:
    """The erasure of one customer from one workspace.

    Attributes:
        project: The project.
        workspace: Its running workspace.
        client: A connection to its SQL warehouse.
        customer: The customer to erase.
    """

    project: Project
    workspace: Workspace
    client: SqlClient
    customer: CustomerId

    @property
    def _generator(self) -> Path:
        return self.project.landing.parent / "generator"

    @property
    def _originals(self) -> Path:
        return self.workspace.layout.local_path(self.project.settings.volume.originals)

    @cached_property
    def _tables(self) -> TableErasure:
        return TableErasure(self.client, self.project.settings.catalog, self.customer)

    def count(self) -> dict[str, int]:
        """Count the customer's rows by place; change nothing."""
        from dlt_ingest.governance.metrics_erasure import metrics_rows

        lines = landing_lines(self.project.landing, self.customer)
        places = {
            "landing": sum(lines.values()),
            "originals": originals_rows(self._originals, self.customer),
            "generator": generator_entries(self._generator, self.customer),
        }
        places |= self._tables.count()
        places["Postgres"] = metrics_rows(self.project.postgres_settings(), self.customer)
        return places

    def run(self) -> None:
        """Erase, step by step."""
        from local_workspace.crash_points import crash_point

        steps: dict[str, tuple[str, Callable[[], None]]] = {
            "landing": ("Rewriting files and deleting in Bronze", self._erase_source),
            "silver": ("Deleting in Silver", self._erase_silver),
            "gold": ("Deleting in Gold", self._erase_gold),
            "marts": ("Rebuilding the marts", self._rebuild_marts),
            "postgres": ("Deleting in Postgres", self._erase_metrics),
            "versions": ("Removing old versions", self._forget_versions),
            "logs": ("Masking logs", self.mask_logs),
        }
        for name, (text, work) in steps.items():
            with step(text):
                work()
            crash_point(f"erase_{name}")

    def left(self) -> list[Path]:
        """Return the files of the workspace that still contain the id."""
        layout = self.workspace.layout
        # If the data is outside the workspace folder, links lead to it, which the search does not follow.
        folders = (
            [layout.home] if layout.root.resolve() == layout.home.resolve() else [layout.home, layout.root]
        )
        return [layout.shown(path) for folder in folders for path in traces(folder, self.customer)]

    @contextmanager
    def _no_update(self) -> Iterator[None]:
        from local_workspace.dlt_runtime.lock import pipeline_lock

        spec = pipeline_spec(self.project)
        lock = self.workspace.layout.pipelines / spec.folder_name / "lock"
        with pipeline_lock(lock, spec.name, wait_seconds=0):
            yield

    def _erase_source(self) -> None:
        from dlt_ingest.generators.ledger import Ledger
        from local_workspace.dlt_runtime.record.rewritten_files import note_rewritten

        landing, layout = self.project.landing, self.workspace.layout
        state = layout.pipelines / pipeline_spec(self.project).folder_name / "state.sqlite"

        def announce(path: Path, size: int, mtime_ns: int) -> None:
            note_rewritten(state, layout.volume_uri(path), size, mtime_ns)

        ledger = Ledger(self._generator, landing)
        with self._no_update(), ledger.locked():
            ledger.settle()
            erase_from_landing(landing, self.customer, announce)
            erase_from_originals(self._originals, self.customer)
            erase_from_generator(self._generator, landing, self.customer)
            self._tables.delete(self._tables.bronze)

    def _erase_silver(self) -> None:
        tables = self._tables
        if not tables.silver:
            return
        self._refresh(statements.STREAMS)
        tables.delete(tables.silver)
        again = () if tables.silver_has_all_of_bronze() else statements.STREAMS
        self._refresh(statements.VIEWS, full_refresh=again)

    def _erase_gold(self) -> None:
        self._tables.delete(self._tables.gold)

    def _refresh(self, datasets: tuple[str, ...], full_refresh: tuple[str, ...] = ()) -> None:
        from local_workspace.dlt_runtime.refresh.update import run_update

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
                consequence="The erasure stopped; what has been erased stays erased",
                next_step="Fix what the message names, then run the same command again",
            )

    def _rebuild_marts(self) -> None:
        if not self._tables.gold:
            return
        log = self.workspace.layout.logs / f"dbt-{run_id()}.log"
        outcome = run_quietly(
            self.workspace,
            statements.DBT_ARGUMENTS,
            environment={},
            root=self.project.root,
            log=log,
        )
        if outcome.exit_code:
            raise DataFault(
                "The marts could not be rebuilt",
                got=outcome.totals or f"dbt ended with {outcome.exit_code}",
                consequence="The erasure stopped; what has been erased stays erased",
                next_step=f"Fix what {log} names, then run the same command again",
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
        from local_workspace.delta.table_lock import table_lock

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
        # dbt's files, in the clone unless its variables say otherwise: compiled SQL and its log.
        for variable, folder in (("DBT_TARGET_PATH", "target"), ("DBT_LOG_PATH", "logs")):
            mask(self.project.root / (os.environ.get(variable) or folder), self.customer)
