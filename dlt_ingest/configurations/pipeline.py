"""The settings that the DLT code sees: the pipeline's `configuration`, and how records are read out of the file.

Databricks hands the `configuration`, a map of strings, to the code as Spark configuration. It names the environment,
whose file lies beside this module wherever the pipeline runs. This module is the only one of `configurations` that
pipeline code imports, and it needs nothing but the standard library and the rules: the file was checked by
`orders config validate`, with pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt_ingest.errors import ConfigurationError
from dlt_ingest.quality.reading import STANDARD, Reading

ENVIRONMENT = "orders.environment"
LANDING_PATH = "orders.landing_path"
# Joins an update to its job run, its dbt run and its export.
RUN_ID = "orders.run_id"
# Set by whoever runs the update, where it is known.
UPDATE_ID = "pipelines.update_id"

CONFIGURATION_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PipelineSettings:
    """What the DLT code of this pipeline has to know about its environment.

    Catalog and schema are not among it: they belong to the pipeline, and the code names its datasets by two
    levels.

    Attributes:
        landing_path: Folder in the volume in which files of orders arrive.
        update_id: Id of the running update, or None where the platform does not tell it.
        reading: How the records of this shop are read.
    """

    landing_path: str
    update_id: str | None = None
    reading: Reading = STANDARD

    @classmethod
    def from_spark(cls, spark: Any) -> PipelineSettings:
        """Read the settings from the configuration of the Spark session that evaluates the pipeline's code.

        Args:
            spark: The active Spark session. Only read: a session must not be changed while datasets are
                declared.

        Raises:
            ConfigurationError: If the pipeline's configuration lacks a key, or names an environment without a usable
                file.
        """
        landing_path = spark.conf.get(LANDING_PATH, None)
        if not landing_path:
            raise ConfigurationError(
                f"The pipeline's configuration lacks the key {LANDING_PATH}",
                allowed="a folder such as /Volumes/<catalog>/<schema>/<volume>/orders/landing",
                consequence="No dataset can be declared",
                next_step="Add the keys that Settings.pipeline_configuration() names to the pipeline",
            )
        environment = spark.conf.get(ENVIRONMENT, None)
        return cls(
            landing_path=landing_path,
            update_id=spark.conf.get(UPDATE_ID, None) or None,
            reading=reading_of(environment) if environment else STANDARD,
        )


def reading_of(environment: str, folder: Path | None = None) -> Reading:
    """Read from the file of an environment how records are read.

    Args:
        environment: Name of the file without `.json`.
        folder: Where the files are; None for this package.

    Raises:
        ConfigurationError: If the file is missing or no JSON object.
    """
    path = (folder or CONFIGURATION_FOLDER) / f"{environment}.json"
    try:
        return reading_from(dict(json.loads(path.read_text(encoding="utf-8-sig"))))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            "The configuration file of the environment cannot be read",
            got=f"{path.name}: {error}",
            consequence="No dataset can be declared",
            next_step=f"Set {ENVIRONMENT} to an environment that has a file, and run `orders config validate`",
        ) from error


def reading_from(document: Mapping[str, Any]) -> Reading:
    """Take out of the settings of an environment how records are read."""
    return Reading(
        field_names=dict(document.get("FIELD_NAMES", {})),
        status_names=dict(document.get("STATUS_NAMES", {})),
        time_zone=document.get("TIME_ZONE", STANDARD.time_zone),
    )
