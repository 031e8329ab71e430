"""Reading the settings of one environment: its file, checked, with what a deployment sets beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlt_ingest.configurations.settings import CONFIGURATION_FOLDER, OVERRIDABLE, Settings
from dlt_ingest.configurations.validation import check_environment, refuse, structure_findings


def load_settings(
    environment: str, *, folder: Path = CONFIGURATION_FOLDER, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read and check the settings of one environment.

    Args:
        environment: Name of the file without `.json`.
        folder: Where the files are.
        environ: Environment variables; those of `OVERRIDABLE` replace what the file says. The deployment that
            sets them answers for them: they are checked for their type, not for being wise in production.

    Raises:
        ConfigurationError: With every error of the file by key, or the variable that is not acceptable.
    """
    document, findings = check_environment(environment, folder)
    refuse(findings, f"The configuration of {environment} cannot be used")
    environ = os.environ if environ is None else environ
    overrides = {name: environ[name] for name in OVERRIDABLE if environ.get(name)}
    return settings_from({**document, **overrides}, environment)


def settings_from(document: Mapping[str, Any], environment: str) -> Settings:
    """Make settings of a checked document, with overrides from the environment in it.

    Raises:
        ConfigurationError: If an override has the wrong type.
    """
    values = dict(document)
    port = values.get("POSTGRES_PORT")
    if isinstance(port, str) and port.isdecimal():
        values["POSTGRES_PORT"] = int(port)
    refuse(
        structure_findings(values, "environment variables"), "An environment variable has an invalid value"
    )
    settings = Settings.model_validate_json(json.dumps(values))
    # A private attribute of pydantic, not a field: frozen does not cover it.
    settings._environment = environment  # noqa: SLF001
    return settings
