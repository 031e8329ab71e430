"""Guards the semantic layer, which dbt parses but never runs: its expressions against the columns of the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlglot
from sqlglot import exp


def columns_used(semantic_model: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each entity, dimension and measure with a column of the model that it reads."""
    for kind in ("entities", "dimensions", "measures"):
        for element in semantic_model[kind]:
            expression = sqlglot.parse_one(element["expr"] or element["name"], read="databricks")
            for column in expression.find_all(exp.Column):
                yield element["name"], column.name


def test_metrics_of_the_business_are_defined(manifest: dict[str, Any]) -> None:
    """Guards the metrics that the business speaks of, each with a description."""
    metrics = {metric["name"]: metric for metric in manifest["metrics"].values()}
    assert {"revenue", "orders", "customers", "average_order_value", "retention_rate"} <= set(metrics)
    assert all(metric["description"].strip() for metric in metrics.values())


def test_expressions_read_columns_of_their_model(manifest: dict[str, Any]) -> None:
    """Guards against a mart's column that is renamed under a metric: only a query would show it."""
    unknown = [
        f"{semantic_model['name']}.{element} reads {column}"
        for semantic_model in manifest["semantic_models"].values()
        for element, column in columns_used(semantic_model)
        if column not in manifest["nodes"][semantic_model["depends_on"]["nodes"][0]]["columns"]
    ]
    assert not unknown
    assert len(manifest["semantic_models"]) == 3


def test_ratios_divide_amounts_of_one_model(manifest: dict[str, Any]) -> None:
    """Guards ratios against numerator and denominator over different rows: each is a simple metric of one mart."""
    home = {
        measure["name"]: semantic_model["name"]
        for semantic_model in manifest["semantic_models"].values()
        for measure in semantic_model["measures"]
    }
    metrics = {metric["name"]: metric for metric in manifest["metrics"].values()}
    ratios = [metric for metric in metrics.values() if metric["type"] == "ratio"]
    assert {ratio["name"] for ratio in ratios} == {
        "average_order_value",
        "refunded_revenue_rate",
        "retention_rate",
    }
    for ratio in ratios:
        parts = (ratio["type_params"][part]["name"] for part in ("numerator", "denominator"))
        assert len({home[metrics[part]["type_params"]["measure"]["name"]] for part in parts}) == 1
