"""Which models are exported, and how: read from the yml files of dbt_project/models/exports, where dbt reads it too."""

from __future__ import annotations

from pathlib import Path

from dlt_ingest.errors import ConfigurationError
from dlt_ingest.metrics.postgres import ExportSpec
from dlt_ingest.yaml_files import read_mapping

EXPORTS = Path("dbt_project") / "models" / "exports"


def declared_exports(project_root: Path) -> list[ExportSpec]:
    """Return every exported model with its key, in the order of the files.

    Raises:
        ConfigurationError: If no model is declared there.
        ExportDeclarationError: If a model's `meta.export` cannot be used.
    """
    specs = []
    for path in sorted((project_root / EXPORTS).glob("*.yml")):
        for model in read_mapping(path).get("models", []):
            meta = (model.get("config") or {}).get("meta") or {}
            specs.append(ExportSpec.from_meta(model["name"], meta.get("export")))
    if not specs:
        raise ConfigurationError(
            "No model is declared for export",
            got=f"no model in {EXPORTS}/*.yml",
            consequence="Nothing was exported",
            next_step="Declare a model there with config.meta.export.key",
        )
    return specs
