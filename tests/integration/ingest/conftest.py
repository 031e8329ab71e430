"""A Spark Connect session on Sail, and the DLT files with a module `dlt` that notes what they declare."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession


@dataclass
class Declared:
    """What the DLT files declared, and the modules themselves for their pure functions."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    expectations: dict[str, dict[str, str]] = field(default_factory=dict)
    modules: dict[str, ModuleType] = field(default_factory=dict)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    host, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://{host}:{port}").create()
    session.conf.set("spark.sql.ansi.enabled", "true")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    yield session
    session.stop()
    server.stop()


@pytest.fixture(scope="session")
def query(spark: Any) -> Callable[[str], list[dict[str, Any]]]:
    return lambda statement: [row.asDict() for row in spark.sql(statement).collect()]


@pytest.fixture(scope="session")
def declared(spark: Any) -> Iterator[Declared]:
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

    before = sys.modules.get("dlt")
    sys.modules["dlt"] = SimpleNamespace(table=table, expect_all_or_drop=expect_all_or_drop)  # type: ignore[assignment]
    names = ("bronze_orders", "silver_orders", "silver_orders_quarantine", "silver_customers")
    try:
        for name in names:
            found.modules[name] = importlib.import_module(f"dlt_ingest.transformations.{name}")
        yield found
    finally:
        for name in names:
            sys.modules.pop(f"dlt_ingest.transformations.{name}", None)
        if before is None:
            sys.modules.pop("dlt")
        else:
            sys.modules["dlt"] = before
