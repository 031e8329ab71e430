"""The settings of one environment: what its JSON file may say, and the frozen object that the rest of the code gets.

`{local,dev,staging,prod}.json` in this folder are the single source. The pipeline's configuration and the
exporter's address come from here; the bundle's variables are tested to agree with it. A secret is never in a
file, only its name.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from dlt_ingest.configurations.pipeline import ENVIRONMENT, LANDING_PATH, RUN_ID, reading_from
from dlt_ingest.configurations.volume import OrdersVolume
from dlt_ingest.quality.order_record import ORDER_FIELD_NAMES
from dlt_ingest.quality.order_statuses import STATUS_RANKS
from dlt_ingest.quality.reading import Reading

ENVIRONMENTS = ("local", "dev", "staging", "prod")
CONFIGURATION_FOLDER = Path(__file__).parent

# What a deployment may set beside its file: the address of Postgres, which a laptop and a CI runner choose
# again each time.
OVERRIDABLE = ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DATABASE", "POSTGRES_USER", "POSTGRES_SSLMODE")

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
Host = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:]+$")
]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Dataset = Annotated[str, Field(pattern=r"^(bronze|silver|gold|ops)\.[a-z][a-z0-9_]*$")]


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("should be a number")  # noqa: TRY004  # pydantic reports a ValueError by key
    return Decimal(str(value))


# Compared with exact counts, so exact itself: 0.95 as a float is a little less.
Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
# A field is renamed before any rule sees it, so these names are the contract of the project, not the shop's.
TheirName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^`\x00-\x1f]+$")]
# Editors offer these; `reading_findings` checks them, and says which one may be meant.
OurField = Annotated[str, WithJsonSchema({"type": "string", "enum": list(ORDER_FIELD_NAMES)})]
OurStatus = Annotated[str, WithJsonSchema({"type": "string", "enum": list(STATUS_RANKS)})]
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class Settings(BaseModel):
    """The settings of one environment, validated and frozen; the names are those of the JSON file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, title="Settings of one environment")

    CATALOG_NAME: Identifier = Field(
        description="Unity Catalog catalog of this environment, with the schemas bronze, silver, gold and ops."
    )
    SCHEMA_NAME: Identifier = Field(description="Schema of the volume in which files of orders arrive.")
    VOLUME_NAME: Identifier = Field(
        description="Volume in which files of orders arrive, below orders/landing/."
    )

    POSTGRES_HOST: Host = Field(
        description="Server of the metrics database: a host name or an address, without a port."
    )
    POSTGRES_DATABASE: Identifier = Field(description="Database that the metrics are exported to.")
    POSTGRES_PORT: int = Field(default=5432, ge=1, le=65535, description="Port of the metrics database.")
    POSTGRES_USER: Identifier = Field(
        default="orders_exporter",
        description="Role that writes the metrics. Its password is never in this file.",
    )
    POSTGRES_SSLMODE: SslMode = Field(
        default="verify-full",
        description="TLS mode of the connection, as in libpq; only verify-full detects a false server.",
    )
    SECRET_SCOPE: Identifier = Field(
        default="orders", description="Secret scope with the keys postgres_user and postgres_password."
    )
    FIELD_NAMES: dict[TheirName, OurField] = Field(
        default={},
        description="How this shop's files name the fields of an order record: their name, and our field.",
    )
    STATUS_NAMES: dict[str, OurStatus] = Field(
        default={},
        description="This shop's words for the statuses of an order: their word, and our status.",
    )
    TIME_ZONE: str = Field(
        default="UTC",
        description="Region of date_ordered, such as Asia/Tokyo, and of an order_timestamp without a zone.",
    )

    EXPORT_POLICY: Literal["fail", "warn"] = Field(
        default="fail",
        description="Whether a metrics export that cannot be delivered fails the run or only warns.",
    )

    QUALITY_RATE_MINIMUM: Number = Field(
        default=Decimal("0.95"),
        ge=0,
        le=1,
        description="Minimum share of an update's records that keep every rule.",
    )
    FRESHNESS_SLA_MINUTES: dict[Dataset, Annotated[int, Field(ge=1)]] = Field(
        default={"bronze.orders": 1440, "silver.orders": 1440, "gold.fct_orders": 1500},
        description="Minutes without a new row after which each watched dataset is stale.",
    )
    EXPORT_LAG_MINUTES: int = Field(
        default=120, ge=1, description="Minutes by which the metrics in Postgres may lag behind the marts."
    )
    SLOW_UPDATE_FACTOR: Number = Field(
        default=Decimal(3),
        gt=1,
        description="An update is slow if it takes this many times the median of the updates before it.",
    )
    REVENUE_ANOMALY_THRESHOLD: Number = Field(
        default=Decimal("3.5"),
        gt=0,
        description="Robust standard deviations from its baseline at which a day's revenue is an anomaly.",
    )
    LANDING_BACKLOG_FILES: int = Field(
        default=1000,
        ge=1,
        description="Files that may wait in landing before the ingest counts as behind.",
    )

    NOTIFICATION_EMAILS: tuple[Email, ...] = Field(
        default=(),
        description="E-mail address that gets failures and alerts; for staging and prod, that of a group.",
    )
    WAREHOUSE_NAME: str = Field(
        default="Serverless Starter Warehouse",
        min_length=1,
        description="Name of the SQL warehouse for dbt, dashboards and alerts.",
    )
    RUN_AS_SERVICE_PRINCIPAL: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        description="Application id of the service principal that runs and owns everything; without it, the deployer.",
    )

    @property
    def catalog(self) -> str:
        """Catalog of this environment."""
        return self.CATALOG_NAME

    @property
    def environment(self) -> str:
        """Name of the environment: the name of its file."""
        return self._environment

    _environment: str = "local"

    @property
    def volume(self) -> OrdersVolume:
        """The folders of the orders volume."""
        return OrdersVolume(self.CATALOG_NAME, self.SCHEMA_NAME, self.VOLUME_NAME)

    @property
    def reading(self) -> Reading:
        """How the records of this shop are read."""
        return reading_from(self.model_dump(include={"FIELD_NAMES", "STATUS_NAMES", "TIME_ZONE"}))

    @property
    def landing_path(self) -> str:
        """Folder in which files of orders arrive, as a `/Volumes/...` path."""
        return self.volume.landing

    def pipeline_configuration(self, run_id: str | None = None) -> dict[str, str]:
        """Return the pipeline's `configuration`: all that the DLT code and its event log get to know of the settings.

        Args:
            run_id: Id that joins this update to its job run and its dbt run, where there is one.
        """
        configuration = {ENVIRONMENT: self.environment, LANDING_PATH: self.landing_path}
        if run_id:
            configuration[RUN_ID] = run_id
        return configuration

    def postgres_environment(self) -> dict[str, str]:
        """Return the address of the metrics database as POSTGRES_* variables; the password is not among them."""
        return {name: str(getattr(self, name)) for name in OVERRIDABLE}
