"""The steps of the job erase_customer (resources/erase_customer.job.yml) that are this project's own.

Between them the job refreshes datasets of the pipeline and runs dbt: what Databricks alone can start. Each step can be
repeated, and so can the job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dlt_ingest.errors import ConfigurationError, DataFault
from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.governance.landing_erasure import erase_from_landing, landing_lines
from dlt_ingest.governance.table_erasure import TableErasure
from dlt_ingest.metrics.postgres.errors import ServerUnavailableError
from dlt_ingest.sql_client import Queries
from orders.cli.console import console
from orders.cli.project import Project

_POSTGRES = "Postgres"


def mounted(volume_path: str) -> Path:
    """A path in a volume as a folder of this machine: on Databricks' compute, volumes are mounted under their own path."""
    return Path(volume_path)


@dataclass(frozen=True)
class DeployedErasure:
    """The erasure of one customer from a deployment.

    Attributes:
        project: The project, with the environment of the deployment.
        queries: Its warehouse, or the Spark session of the job.
        customer: Whom to erase.
    """

    project: Project
    queries: Queries
    customer: CustomerId

    @cached_property
    def tables(self) -> TableErasure:
        """The part that is SQL."""
        return TableErasure(self.queries, self.project.settings.catalog, self.customer)

    @property
    def landing(self) -> Path:
        """The landing folder.

        Raises:
            ConfigurationError: The volume is not mounted here, as on a laptop.
        """
        folder = mounted(self.project.settings.landing_path)
        if not folder.is_dir():
            raise ConfigurationError(
                "The landing files cannot be reached",
                got=f"no folder {folder}",
                allowed="a machine that mounts Unity Catalog volumes: compute of a job on Databricks",
                consequence="Nothing was erased by this step",
                next_step="Run it as the job erase_customer",
            )
        return folder

    def count(self) -> dict[str, int]:
        """Records of the customer by place; nothing is changed."""
        lines = sum(landing_lines(self.landing, self.customer).values())
        return {"landing": lines, **self.tables.count(), **self._metrics_count()}

    def erase_source(self) -> None:
        """Landing files, then Bronze; of both nothing comes back, since Auto Loader takes a file name once."""
        erase_from_landing(self.landing, self.customer, lambda *_: None)
        self.tables.delete(self.tables.bronze)

    def erase_tables(self) -> None:
        """Silver's streaming tables and Gold, after an update has given the streams all of Bronze.

        Raises:
            DataFault: Bronze and Silver do not agree afterwards.
        """
        self.tables.delete(self.tables.silver)
        self.tables.delete(self.tables.gold)
        if self.tables.silver and not self.tables.silver_has_all_of_bronze():
            raise DataFault(
                "Bronze has not as many records as Silver and the quarantine",
                got="a different number",
                consequence="A record that named the customer in a new column may still be in Silver",
                next_step="Pause the job orders, refresh silver.orders and silver.orders_quarantine in full, and repair "
                "this run",
            )

    def erase_metrics(self) -> None:
        """Dead letters and exported tables in Postgres.

        Raises:
            ServerUnavailableError: It does not answer, where the configuration says that it must.
        """
        from dlt_ingest.governance.metrics_erasure import erase_from_metrics

        try:
            erase_from_metrics(self.project.postgres_settings(), self.customer)
        except ServerUnavailableError as error:
            self._go_on_without_postgres(error)

    def forget_versions(self) -> None:
        """Old versions of the tables, as far as their retention allows."""
        self.tables.forget_versions()

    def verify(self) -> None:
        """Count again.

        Raises:
            DataFault: Something is left.
        """
        left = {place: rows for place, rows in self.count().items() if rows}
        if left:
            raise DataFault(
                "The customer is not erased",
                got=", ".join(f"{place} {rows:,}" for place, rows in left.items()),
                consequence="What is erased so far stays erased",
                next_step="See that neither the job orders nor a sender brings the records again, and run this job again",
            )

    def _metrics_count(self) -> dict[str, int]:
        from dlt_ingest.governance.metrics_erasure import metrics_rows

        try:
            return {_POSTGRES: metrics_rows(self.project.postgres_settings(), self.customer)}
        except ServerUnavailableError as error:
            self._go_on_without_postgres(error)
            return {}

    def _go_on_without_postgres(self, error: ServerUnavailableError) -> None:
        """The export's own policy: where it may go without Postgres, so may this."""
        if self.project.settings.EXPORT_POLICY != "warn":
            raise error
        console.print("Postgres does not answer; EXPORT_POLICY is warn, so the erasure goes on without it.")


STEPS: dict[str, Callable[[DeployedErasure], None]] = {
    "source": DeployedErasure.erase_source,
    "tables": DeployedErasure.erase_tables,
    "metrics": DeployedErasure.erase_metrics,
    "versions": DeployedErasure.forget_versions,
    "verify": DeployedErasure.verify,
}
