"""Guards the seam between DLT and dbt: the tables that the pipeline lands are the tables that dbt's sources name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot

LANDED_SCHEMAS = ("bronze", "silver")


def landed_tables(transformations: Path) -> Iterator[tuple[str, list[str] | None]]:
    """Name of each dataset of the pipeline, and its columns where the code declares them (None where they are inferred)."""
    for file in sorted(transformations.glob("*.py")):
        tree = ast.parse(file.read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) != "dlt.table":
                continue
            arguments = {keyword.arg: keyword.value for keyword in call.keywords}
            name, schema = arguments["name"], arguments.get("schema")
            assert isinstance(name, ast.Constant), (
                f"{file.name}: the name of a dataset must be readable without running it"
            )
            columns = None
            if isinstance(schema, ast.Name):
                table = sqlglot.parse_one(f"create table t ({constants[schema.id]})", read="databricks")
                # A key of the table is in the same list.
                parts = table.this.expressions
                columns = [part.name for part in parts if isinstance(part, sqlglot.exp.ColumnDef)]
            yield str(name.value), columns


@pytest.fixture(scope="module")
def landed(project_root: Path) -> dict[str, list[str] | None]:
    return dict(landed_tables(project_root / "dlt_ingest" / "transformations"))


def _sources(manifest: dict[str, Any]) -> dict[str, list[str]]:
    return {
        f"{source['schema']}.{source['identifier']}": list(source["columns"])
        for source in manifest["sources"].values()
        if source["schema"] in LANDED_SCHEMAS
    }


def test_datasets_of_the_pipeline_are_the_sources_of_dbt(
    landed: dict[str, list[str] | None], manifest: dict[str, Any]
) -> None:
    """Guards against a dataset that is renamed on one side: dbt would go on reading the old table, which never changes."""
    assert set(landed) == set(_sources(manifest))


def test_declared_columns_are_the_described_columns(
    landed: dict[str, list[str] | None], manifest: dict[str, Any]
) -> None:
    """Guards the documentation of the landed tables: a column added in DLT is described in dbt, in the same order."""
    declared = {name: columns for name, columns in landed.items() if columns is not None}
    assert declared, "no dataset declares its columns: the comparison would prove nothing"
    sources = _sources(manifest)
    assert {name: sources[name] for name in declared} == declared
