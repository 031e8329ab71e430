"""The project's own steps of the job erase_customer (resources/erase_customer.job.yml).

Between them, the job refreshes datasets of the pipeline and runs dbt, which only Databricks can start. Each step can be
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
    """Return a path in a volume as a folder of this machine: Databricks compute mounts volumes under their own path."""
    return Path(volume_path)


@dataclass(frozen=True)
class DeployedErasure:
    """The erasure of one customer from a deployment.

    Attributes:
        project: The project with the environment of the deployment.
        queries: Its warehouse, or the Spark session of the job.
        customer: The customer to erase.
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
            ConfigurationError: The volume is not mounted here, for example on a laptop.
        """
        folder = mounted(self.project.settings.landing_path)
        if not folder.is_dir():
            raise ConfigurationError(
                "The landing files cannot be reached",
                got=f"no folder {folder}",
                allowed="a machine that mounts Unity Catalog volumes, such as the compute of a Databricks job",
                consequence="This step erased nothing",
                next_step="Run the job erase_customer instead",
            )
        return folder

    def count(self) -> dict[str, int]:
        """Count the customer's records by place; change nothing."""
        lines = sum(landing_lines(self.landing, self.customer).values())
        return {"landing": lines, **self.tables.count(), **self._metrics_count()}

    def erase_source(self) -> None:
        """Erase in landing files, then in Bronze. Nothing comes back, because Auto Loader takes a file name once."""
        erase_from_landing(self.landing, self.customer, lambda *_: None)
        self.tables.delete(self.tables.bronze)

    def erase_tables(self) -> None:
        """Erase in Silver's streaming tables and in Gold, after an update has passed all of Bronze to the streams.

        Raises:
            DataFault: Bronze and Silver do not agree afterwards.
        """
        self.tables.delete(self.tables.silver)
        self.tables.delete(self.tables.gold)
        if self.tables.silver and not self.tables.silver_has_all_of_bronze():
            raise DataFault(
                "Bronze and Silver with the quarantine have different numbers of records",
                got="a different number",
                consequence="A record that names the customer in a new column may still be in Silver",
                next_step="Pause the job orders, refresh silver.orders and silver.orders_quarantine in full, and repair "
                "this run",
            )

    def erase_metrics(self) -> None:
        """Erase in dead letters and exported tables in Postgres.

        Raises:
            ServerUnavailableError: Postgres does not answer, and the configuration requires it.
        """
        from dlt_ingest.governance.metrics_erasure import erase_from_metrics

        try:
            erase_from_metrics(self.project.postgres_settings(), self.customer)
        except ServerUnavailableError as error:
            self._go_on_without_postgres(error)

    def forget_versions(self) -> None:
        """Remove old versions of the tables, as far as their retention allows."""
        self.tables.forget_versions()

    def verify(self) -> None:
        """Count again.

        Raises:
            DataFault: Records of the customer remain.
        """
        left = {place: rows for place, rows in self.count().items() if rows}
        if left:
            raise DataFault(
                "The customer is not erased",
                got=", ".join(f"{place} {rows:,}" for place, rows in left.items()),
                consequence="What has been erased stays erased",
                next_step="Make sure that neither the job orders nor a sender adds the records, then run this job again",
            )

    def _metrics_count(self) -> dict[str, int]:
        from dlt_ingest.governance.metrics_erasure import metrics_rows

        try:
            return {_POSTGRES: metrics_rows(self.project.postgres_settings(), self.customer)}
        except ServerUnavailableError as error:
            self._go_on_without_postgres(error)
            return {}

    def _go_on_without_postgres(self, error: ServerUnavailableError) -> None:
        """Return the export's policy: if the export may run without Postgres, so may this."""
        if self.project.settings.EXPORT_POLICY != "warn":
            raise error
        console.print("Postgres does not answer; EXPORT_POLICY is warn, so the erasure continues without it.")


STEPS: dict[str, Callable[[DeployedErasure], None]] = {
    "source": DeployedErasure.erase_source,
    "tables": DeployedErasure.erase_tables,
    "metrics": DeployedErasure.erase_metrics,
    "versions": DeployedErasure.forget_versions,
    "verify": DeployedErasure.verify,
}
