"""Guards the last edge of the lineage: an exposure depends on exactly the marts that its dashboard queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp


def tables_queried(dashboard: Path) -> set[str]:
    """Names of the tables in the SQL of an AI/BI dashboard's datasets, without catalog and schema."""
    definition = json.loads(dashboard.read_text())
    tables: set[str] = set()
    for dataset in definition["datasets"]:
        query = sqlglot.parse_one("".join(dataset.get("queryLines") or [dataset["query"]]), read="databricks")
        defined = {common.alias for common in query.find_all(exp.CTE)}
        tables |= {table.name for table in query.find_all(exp.Table)} - defined
    return tables


@pytest.mark.parametrize("name", ["order_performance", "pipeline_monitoring"])
def test_exposure_shows_what_the_dashboard_queries(
    name: str, manifest: dict[str, Any], project_root: Path
) -> None:
    """Guards impact analysis: who changes a mart must see each dashboard that reads it, and no other."""
    exposure = manifest["exposures"][f"exposure.orders.{name}"]
    shown = {node.rsplit(".", 1)[-1] for node in exposure["depends_on"]["nodes"]}
    queried = tables_queried(project_root / "dashboards" / f"{name}.lvdash.json")
    assert shown == queried, f"correct depends_on of {name} in dbt_project/models/exposures.yml"


def test_postgres_exposure_shows_every_export(manifest: dict[str, Any]) -> None:
    """Guards that a new exp_* model is in the lineage up to Postgres."""
    exported = {node["name"] for node in manifest["nodes"].values() if node["path"].startswith("exports/")}
    shown = manifest["exposures"]["exposure.orders.postgres_metrics"]["depends_on"]["nodes"]
    assert exported
    assert {node.rsplit(".", 1)[-1] for node in shown} == exported
