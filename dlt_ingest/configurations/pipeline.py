"""The settings that the DLT code sees: the pipeline's `configuration`, which is a map of strings.

Databricks hands it to the code as Spark configuration. This module is the only one of `configurations` that
pipeline code imports, and it needs nothing but the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlt_ingest.errors import ConfigurationError

ENVIRONMENT = "orders.environment"
LANDING_PATH = "orders.landing_path"
# Joins an update to its job run, its dbt run and its export.
RUN_ID = "orders.run_id"
# Set by whoever runs the update, where it is known.
UPDATE_ID = "pipelines.update_id"


@dataclass(frozen=True)
class PipelineSettings:
    """What the DLT code of this pipeline has to know about its environment.

    Catalog and schema are not among it: they belong to the pipeline, and the code names its datasets by two
    levels.

    Attributes:
        landing_path: Folder in the volume in which files of orders arrive.
        update_id: Id of the running update, or None where the platform does not tell it.
    """

    landing_path: str
    update_id: str | None = None

    @classmethod
    def from_spark(cls, spark: Any) -> PipelineSettings:
        """Read the settings from the configuration of the Spark session that evaluates the pipeline's code.

        Args:
            spark: The active Spark session. Only read: a session must not be changed while datasets are
                declared.

        Raises:
            ConfigurationError: If the pipeline's configuration lacks a key.
        """
        landing_path = spark.conf.get(LANDING_PATH, None)
        if not landing_path:
            raise ConfigurationError(
                f"The pipeline's configuration lacks the key {LANDING_PATH}",
                allowed="a folder such as /Volumes/<catalog>/<schema>/<volume>/orders/landing",
                consequence="No dataset can be declared",
                next_step="Give the pipeline the keys that Settings.pipeline_configuration() names",
            )
        return cls(landing_path=landing_path, update_id=spark.conf.get(UPDATE_ID, None) or None)
