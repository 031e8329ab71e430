"""Guards the boundaries between the packages: after a breach, the DLT files run here and not on Databricks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, at its top or inside of a function, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports by a relative path"
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def breaches(files: list[Path], forbidden) -> list[str]:
    assert files, "no file was looked at"
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files
        for line, module in imports(path)
        if forbidden(module)
    ]


def python_files(folder: str, *, without: tuple[str, ...] = ()) -> list[Path]:
    skipped = [ROOT / folder / name for name in without]
    return [p for p in (ROOT / folder).rglob("*.py") if not any(p.is_relative_to(s) for s in skipped)]


def test_transformations_import_only_dlt_pyspark_rules_and_settings():
    """Guards the deployed DLT files: anything else is not there in a pipeline, or pulls the local workspace in."""
    allowed = ("__future__", "dlt", "pyspark.sql", "dlt_ingest.quality", "dlt_ingest.configurations")
    found = breaches(
        python_files("dlt_ingest/transformations"),
        lambda module: not any(within(module, name) for name in allowed),
    )
    assert found == []


@pytest.mark.parametrize(
    "file",
    [
        "dlt_ingest/configurations/pipeline.py",
        "dlt_ingest/quality/evaluation.py",
        "dlt_ingest/quality/rules.py",
        "dlt_ingest/quality/order_record.py",
        "dlt_ingest/quality/order_statuses.py",
        "dlt_ingest/configurations/__init__.py",
        "dlt_ingest/quality/__init__.py",
        "dlt_ingest/__init__.py",
        "dlt_ingest/errors.py",
    ],
)
def test_what_transformations_import_needs_pyspark_at_most(file):
    """Guards the import path of the pipeline: no pydantic, click or connector is needed to evaluate a dataset."""
    allowed = ("__future__", "dataclasses", "decimal", "types", "typing", "pyspark.sql", "dlt_ingest.errors")
    allowed += ("dlt_ingest.quality.rules", "dlt_ingest.quality.order_statuses")
    allowed += ("dlt_ingest.quality.visible_text", "dlt_ingest.quality.order_lines")
    assert breaches([ROOT / file], lambda module: not any(within(module, name) for name in allowed)) == []


def test_only_the_command_line_joins_both_halves():
    """Guards the seam: dlt_ingest outside of cli/ runs where no local_workspace is installed."""
    files = python_files("dlt_ingest", without=("cli",))
    assert breaches(files, lambda module: within(module, "local_workspace")) == []


def test_command_line_is_imported_by_doors_only():
    """Guards the direction of imports: libraries do not reach up into the commands, but for `python -m` doors."""
    files = python_files("dlt_ingest", without=("cli",))
    found = breaches(files, lambda module: within(module, "dlt_ingest.cli"))
    doors = ("__main__.py", "dlt_ingest/generators/orders.py")
    assert [breach for breach in found if not breach.split(":")[0].endswith(doors)] == []


def test_local_workspace_knows_nothing_of_orders():
    """Guards the stand-in: it would run any other project of DLT code and dbt models."""
    found = breaches(python_files("local_workspace"), lambda module: within(module, "dlt_ingest"))
    assert found == []


def test_nothing_of_the_product_imports_dbt():
    """Guards the deployed wheel: dbt is run as a command and never imported."""
    for folder in ("dlt_ingest", "local_workspace"):
        assert breaches(python_files(folder), lambda module: module.split(".")[0] == "dbt") == []
