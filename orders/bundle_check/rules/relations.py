"""The relations that SQL of alerts and dashboards may name, with the columns that the project declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlt_ingest.yaml_files import read_mapping

Relations = dict[str, dict[str, dict[str, str]]]
"""Schema to relation to column to type; a relation without declared columns has an empty mapping."""

_DBT_SCHEMA = "gold"


def read_relations(project_root: Path) -> Relations:
    """Collect relations from dbt's properties files and models.

    Args:
        project_root: The folder of dbt_project.yml.

    Returns:
        Models, seeds and snapshots in `gold`, and the sources in the schemas that they name.
    """
    relations: Relations = {}
    for folder, suffix in (
        ("dbt_project/models", ".sql"),
        ("dbt_project/snapshots", ".sql"),
        ("seeds", ".csv"),
    ):
        for file in sorted((project_root / folder).rglob(f"*{suffix}")):
            relations.setdefault(_DBT_SCHEMA, {}).setdefault(file.stem.lower(), {})
    for folder in ("dbt_project", "seeds"):
        for file in sorted((project_root / folder).rglob("*.yml")):
            properties = read_mapping(file)
            for kind in ("models", "seeds", "snapshots"):
                for entry in properties.get(kind) or []:
                    _add(relations, _DBT_SCHEMA, entry)
            for source in properties.get("sources") or []:
                for table in source.get("tables") or []:
                    _add(relations, str(source.get("schema") or source["name"]), table)
    return relations


def _add(relations: Relations, schema: str, entry: dict[str, Any]) -> None:
    name = str(entry.get("identifier") or entry.get("alias") or entry["name"]).lower()
    columns = {
        str(column["name"]).lower(): str(column.get("data_type") or "string")
        for column in entry.get("columns") or []
    }
    relations.setdefault(schema.lower(), {}).setdefault(name, {}).update(columns)
