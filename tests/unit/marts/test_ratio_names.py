"""Guards the names of ratios: whoever reads a rate in a mart, a metric or a dashboard reads the same division."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[3]
_IN_A_MODEL = re.compile(r"\{\{ (?:ratio|money_per)\('([^']+)', '([^']+)'\) \}\} as (\w+)")
_IN_A_DASHBOARD = re.compile(r"try_divide\((.+), (.+)\)")
_IN_GRAFANA = re.compile(r"(sum\(.+\))\s*/\s*nullif\((.+), 0\), \d+\) as (\w+)")
# The same amount as the marts, the semantic layer and the narrow table of metrics write it.
_SAME = {
    "approved_orders + fulfilled_orders": "revenue_orders",
    "case when is_revenue then 1 else 0 end": "revenue_orders",
}


def _amount(expression: str) -> str:
    text = re.sub(r"`|\b(measured|summed|customers)\.|::numeric", "", expression.strip().lower())
    if summed := re.fullmatch(r"sum\((.+)\)", text):
        text = summed[1]
    return _SAME.get(text, text)


def _ratios() -> Iterator[tuple[str, tuple[str, str], str]]:
    """Name, numerator and denominator of every named ratio, and the file that it stands in."""
    for file in PROJECT.glob("dbt_project/models/**/*.sql"):
        for above, below, name in _IN_A_MODEL.findall(file.read_text(encoding="utf-8")):
            yield name, (_amount(above), _amount(below)), file.name
    for file in PROJECT.glob("dashboards/*.lvdash.json"):
        for field in _fields(json.loads(file.read_text(encoding="utf-8"))):
            if found := _IN_A_DASHBOARD.fullmatch(field["expression"]):
                yield field["name"], (_amount(found[1]), _amount(found[2])), file.name
    for file in PROJECT.glob("dashboards/grafana/dashboards/*.json"):
        for statement in re.findall(r'"rawSql": "(.*)"', file.read_text(encoding="utf-8")):
            for above, below, name in _IN_GRAFANA.findall(statement):
                yield name, (_amount(above), _amount(below)), f"grafana/{file.name}"
    yield from _metrics()


def _fields(node: object) -> Iterator[dict[str, str]]:
    if isinstance(node, dict):
        if isinstance(node.get("expression"), str) and isinstance(node.get("name"), str):
            yield node
        for value in node.values():
            yield from _fields(value)
    elif isinstance(node, list):
        for value in node:
            yield from _fields(value)


def _metrics() -> Iterator[tuple[str, tuple[str, str], str]]:
    folder = PROJECT / "dbt_project/models/semantic"
    models = yaml.safe_load((folder / "_semantic__models.yml").read_text(encoding="utf-8"))["semantic_models"]
    metrics = yaml.safe_load((folder / "_semantic__metrics.yml").read_text(encoding="utf-8"))["metrics"]
    expressions = {m["name"]: str(m.get("expr", m["name"])) for model in models for m in model["measures"]}
    simple = {
        m["name"]: expressions[_measure(m["type_params"]["measure"])]
        for m in metrics
        if m["type"] == "simple"
    }
    for metric in metrics:
        if metric["type"] == "ratio":
            parts = metric["type_params"]
            amounts = (_amount(simple[parts["numerator"]]), _amount(simple[parts["denominator"]]))
            yield metric["name"], amounts, "_semantic__metrics.yml"


def _measure(named: str | dict[str, str]) -> str:
    """The measure of a simple metric, which dbt takes as a name or as a mapping."""
    return named if isinstance(named, str) else named["name"]


def test_one_name_is_one_division() -> None:
    """Guards against a rate of orders and a rate of money that share a name, as `refund_rate` once did."""
    meanings: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, amounts, file in _ratios():
        meanings[name][amounts].append(file)
    twice = {name: dict(found) for name, found in meanings.items() if len(found) > 1}
    assert twice == {}
    everywhere = {file for found in meanings["average_order_value"].values() for file in found}
    assert {"fct_daily_revenue.sql", "_semantic__metrics.yml", "order_performance.lvdash.json"} <= everywhere
    assert "grafana/order_performance.json" in everywhere


def test_a_division_has_one_name() -> None:
    """Guards against one measure under two names; a share of revenue and a share of orders are two measures."""
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, amounts, _ in _ratios():
        names[amounts].add(name)
    assert {amounts: found for amounts, found in names.items() if len(found) > 1} == {}
