"""A Spark Connect session on Sail, the DLT files as modules, and the whole pipeline in a workspace of each test's own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dlt_ingest.configurations.loading import load_settings
from local_workspace.catalog import Catalog
from local_workspace.dlt_runtime.refresh.update import run_update
from local_workspace.dlt_runtime.spec import PipelineSpec, UpdateResult
from local_workspace.engine import SailEngine, connect
from local_workspace.layout import WorkspaceLayout

PROJECT = Path(__file__).resolve().parents[3]
MODULES = ("bronze_orders", "silver_orders", "silver_orders_quarantine", "silver_customers")


@dataclass
class Declared:
    """What the DLT files declared, and the modules themselves for their pure functions."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    expectations: dict[str, dict[str, str]] = field(default_factory=dict)
    modules: dict[str, ModuleType] = field(default_factory=dict)


@dataclass
class Pipeline:
    """The project's DLT files over a landing folder, run by the local runtime.

    Its tables are in Sail's session catalog, too, by their two-level names, so that plain SQL reads them.
    """

    spec: PipelineSpec
    layout: WorkspaceLayout
    catalog: Catalog
    landing: Path
    address: str
    spark: Any

    def ingest(self, *, full_refresh: bool = False) -> UpdateResult:
        result = run_update(
            self.spec,
            layout=self.layout,
            catalog=self.catalog,
            engine_address=self.address,
            full_refresh=full_refresh,
        )
        assert result.ok, result.error
        for name in ("bronze.orders", "silver.orders", "silver.orders_quarantine", "silver.customers"):
            path = self.layout.table_path(self.spec.catalog, *name.split("."))
            self.spark.sql(f"CREATE DATABASE IF NOT EXISTS {name.split('.')[0]}")
            self.spark.sql(f"DROP TABLE IF EXISTS {name}")
            self.spark.sql(f"CREATE TABLE {name} USING DELTA LOCATION '{path}'")
        return result


@pytest.fixture(scope="session")
def engine_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An engine of its own process: one within this process would end with the first interrupt that a test sends to it."""
    with SailEngine.start(WorkspaceLayout(tmp_path_factory.mktemp("engine"))) as handle:
        yield handle.address


@pytest.fixture(scope="session")
def spark(engine_address: str) -> Iterator[Any]:
    session = connect(engine_address)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def query(spark: Any) -> Callable[[str], list[dict[str, Any]]]:
    return lambda statement: [row.asDict() for row in spark.sql(statement).collect()]


@pytest.fixture
def pipeline(spark: Any, engine_address: str, tmp_path: Path) -> Pipeline:
    settings = load_settings("local", environ={})
    layout = WorkspaceLayout(tmp_path / "home")
    catalog = Catalog.open(layout)
    catalog.create_catalog(settings.catalog)
    for schema in ("bronze", "silver", "gold", "ops"):
        catalog.create_schema(settings.catalog, schema)
    landing = layout.local_path(settings.landing_path)
    landing.mkdir(parents=True)
    spec = PipelineSpec(
        name="orders_ingest",
        catalog=settings.catalog,
        schema=settings.SCHEMA_NAME,
        libraries=[{"glob": {"include": "dlt_ingest/transformations/**"}}],
        base_path=PROJECT,
        root_path=Path(),
        configuration=settings.pipeline_configuration(),
    )
    return Pipeline(spec, layout, catalog, landing, engine_address, spark)


@pytest.fixture(scope="session")
def declared(spark: Any) -> Declared:
    """The DLT files, loaded with a module `dlt` that only notes what they declare."""
    found = Declared()

    def table(**arguments: Any) -> Callable[[Any], Any]:
        def register(function: Any) -> Any:
            found.tables[arguments["name"]] = arguments
            found.expectations[arguments["name"]] = getattr(function, "rules", {})
            return function

        return register

    def expect_all_or_drop(rules: dict[str, str]) -> Callable[[Any], Any]:
        def note(function: Any) -> Any:
            function.rules = rules
            return function

        return note

    names = [f"dlt_ingest.transformations.{name}" for name in MODULES]
    before = {name: sys.modules.pop(name, None) for name in ("dlt", *names)}
    sys.modules["dlt"] = SimpleNamespace(table=table, expect_all_or_drop=expect_all_or_drop)  # type: ignore[assignment]
    try:
        found.modules = {name.rsplit(".", 1)[1]: importlib.import_module(name) for name in names}
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
    return found
