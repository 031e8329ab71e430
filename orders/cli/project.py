"""The project, its configuration and its local workspace: where every command starts.

`dlt_ingest` knows what to run, `local_workspace` knows how to run it on a laptop, and only this package knows both. On
Databricks, the wheel is installed without a clone; commands that only query the warehouse (check, export) work there
too.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dlt_ingest.configurations.loading import load_settings
from dlt_ingest.configurations.settings import Settings
from dlt_ingest.configurations.validation import require_known
from dlt_ingest.errors import ConfigurationError, InputError
from dlt_ingest.metrics.postgres.settings import PostgresSettings
from dlt_ingest.sql_client import SparkQueries, SqlClient

if TYPE_CHECKING:
    from local_workspace.layout import WorkspaceLayout
    from local_workspace.options import WorkspaceOptions
    from local_workspace.workspace import Workspace
    from orders.bundle_check.loader import Bundle

LOCAL = "local"
# The bundle has no target for a laptop: the target dev runs here, in the local catalog.
BUNDLE_TARGET_FOR_LOCAL = "dev"
SCHEMAS = ("bronze", "silver", "gold", "ops")


@dataclass(frozen=True)
class Project:
    """The project with one environment.

    Attributes:
        clone: Folder with dbt_project.yml and databricks.yml; None if only the wheel is installed.
        environment: Name of the configuration, `local` unless ORDERS_ENV says otherwise.
    """

    clone: Path | None
    environment: str

    @classmethod
    def find(cls, *, environment: str | None = None) -> Project:
        """Find the clone from the current folder upwards, otherwise around this package.

        Raises:
            InputError: If ORDERS_ENV or the option names an environment without a configuration.
        """
        environment = environment or os.environ.get("ORDERS_ENV") or LOCAL
        require_known(environment)
        try:
            start = Path.cwd()
        except FileNotFoundError:
            raise InputError(
                "The current folder no longer exists",
                consequence="Nothing was done",
                next_step="Change to a folder that exists, and run the command again",
            ) from None
        installed = Path(__file__).resolve().parents[2]
        clone = next(
            (
                folder
                for folder in (start, *start.parents, installed)
                if (folder / "dbt_project.yml").is_file() and (folder / "databricks.yml").is_file()
            ),
            None,
        )
        return cls(clone=clone, environment=environment)

    @property
    def root(self) -> Path:
        """The clone's folder.

        Raises:
            ConfigurationError: If there is none.
        """
        if self.clone is None:
            raise ConfigurationError(
                "This command needs a clone of the project",
                got=f"no dbt_project.yml and databricks.yml in {Path.cwd()} or above",
                consequence="Nothing was done",
                next_step="Change to the clone and run the command again",
            )
        return self.clone

    @property
    def home(self) -> Path:
        """Folder of the local workspace: ORDERS_HOME, or `.workspace` in the clone."""
        named = os.environ.get("ORDERS_HOME")
        return (Path(named).expanduser() if named else self.root / ".workspace").absolute()

    @cached_property
    def settings(self) -> Settings:
        """The configuration of the environment, validated."""
        return load_settings(self.environment)

    @cached_property
    def bundle(self) -> Bundle:
        """The bundle that deploys the project; local runs read pipeline and dbt commands from it."""
        from orders.bundle_check.loader import Bundle

        if not self.is_local:
            return Bundle.load(self.root, self.environment)
        variables = {"catalog": self.settings.catalog, "environment": self.environment}
        return Bundle.load(self.root, BUNDLE_TARGET_FOR_LOCAL, variables=variables)

    @property
    def is_local(self) -> bool:
        """Whether the environment is the local workspace."""
        return self.environment == LOCAL

    @property
    def layout(self) -> WorkspaceLayout:
        """The folders of the local workspace."""
        from local_workspace.layout import WorkspaceLayout

        return WorkspaceLayout(self.home)

    @property
    def landing(self) -> Path:
        """The landing folder on this machine, in a workspace that has been laid out.

        A folder created under the plain name of a workspace that does not exist yet would be lost or cleared later.
        """
        self.require_local("landing files")
        return self.layout.create().local_path(self.settings.landing_path)

    def require_local(self, what: str) -> None:
        """Raise an error if the environment is not the local workspace.

        Raises:
            InputError: If ORDERS_ENV names another environment.
        """
        if not self.is_local:
            raise InputError(
                f"This command works on the local workspace only ({what})",
                got=f"ORDERS_ENV={self.environment}",
                allowed="ORDERS_ENV=local, or unset",
                consequence="Nothing was done",
                next_step="Unset ORDERS_ENV. On Databricks, the bundle's job does this work (docs/operations/)",
            )

    def workspace_options(self) -> WorkspaceOptions:
        """Return what the local workspace needs for this project: catalog, schemas, volume, Postgres."""
        from local_workspace.options import WorkspaceOptions

        s = self.settings
        return WorkspaceOptions(
            catalogs=(s.catalog,),
            schemas=SCHEMAS,
            volumes=((s.catalog, s.SCHEMA_NAME, s.VOLUME_NAME),),
            postgres_database=s.POSTGRES_DATABASE,
            postgres_user=s.POSTGRES_USER,
        )

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Yield the running local workspace: start it if necessary, release it when the block ends."""
        from local_workspace.workspace import Workspace

        self.require_local("it starts one")
        with Workspace.attach(self.layout, self.workspace_options()) as workspace:
            names = self.environment_of(workspace)
            before = {name: os.environ.get(name) for name in names}
            os.environ.update(names)
            try:
                yield workspace
            finally:
                # The next workspace of this process would take a Postgres named here for the user's own.
                for name, value in before.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value

    def environment_of(self, workspace: Workspace) -> dict[str, str]:
        """Return the variables with which plain dbt and psql reach this workspace (`orders env` prints them)."""
        return {
            "ORDERS_HOME": str(self.home),
            "ORDERS_ENV": self.environment,
            "DBT_PROJECT_DIR": str(self.root),
            "DBT_PROFILES_DIR": str(self.root / "profiles"),
            "DBT_TARGET": LOCAL,
            "ORDERS_EXPORT_POLICY": self.settings.EXPORT_POLICY,
            **self._dbt_folders(),
            "PYTHONWARNINGS": _with_quiet_agate(os.environ.get("PYTHONWARNINGS", "")),
            **workspace.environment(),
        }

    def _dbt_folders(self) -> dict[str, str]:
        """Return where dbt writes its files: in the clone for the clone's workspace, otherwise in the workspace.

        If two workspaces shared one folder, dbt would parse the whole project at each change between them.
        """
        if self.clone is not None and self.home == self.clone / ".workspace":
            return {}
        folders = {"DBT_TARGET_PATH": self.home / "target", "DBT_LOG_PATH": self.home / "logs" / "dbt"}
        return {name: os.environ.get(name) or str(folder) for name, folder in folders.items()}

    @contextmanager
    def queries(self, schema: str | None = None) -> Iterator[SqlClient | SparkQueries]:
        """Yield a client that runs SQL in the environment's catalog.

        Locally, it is the workspace's warehouse; elsewhere, the warehouse that ORDERS_WAREHOUSE_HOST names or, in a
        Databricks job, the job's own Spark session.
        """
        catalog = self.settings.catalog
        if (
            not self.is_local
            and not os.environ.get("ORDERS_WAREHOUSE_HOST")
            and os.environ.get("DATABRICKS_RUNTIME_VERSION")
        ):
            yield SparkQueries(catalog, schema)
            return
        with self.sql_client(schema) as client:
            yield client

    @contextmanager
    def sql_client(self, schema: str | None = None) -> Iterator[SqlClient]:
        """Yield a client of the SQL warehouse: the local workspace's, or the one that ORDERS_WAREHOUSE_HOST names."""
        if not self.is_local:
            with SqlClient.from_environment(catalog=self.settings.catalog, schema=schema) as client:
                yield client
            return
        with (
            self.workspace() as workspace,
            workspace.watched(),
            SqlClient.from_environment(catalog=self.settings.catalog, schema=schema) as client,
        ):
            yield client

    def postgres_settings(self) -> PostgresSettings:
        """Return the metrics database: the environment's variables override the configuration file.

        Raises:
            ExportSettingsError: If a variable has an invalid value.
        """
        return PostgresSettings.from_environment({**self.settings.postgres_environment(), **os.environ})


def _with_quiet_agate(filters: str) -> str:
    """Return the shell's warning filters, and one more.

    dbt-databricks 1.12.7 names text columns for the catalog that most of its tables do not have, and agate warns about
    each, dozens of times in `dbt docs generate`. The filter applies to that module only.
    """
    return ",".join(
        dict.fromkeys([*filter(None, filters.split(",")), "ignore::RuntimeWarning:agate.type_tester"])
    )


def run_id() -> str:
    """Return the id that joins ingest, dbt and export of one run: ORDERS_RUN_ID if a job sets it, otherwise a new one."""
    return os.environ.setdefault("ORDERS_RUN_ID", uuid.uuid4().hex)
