"""Guards that a dashboard file is drawn as Databricks would, or refused by name: never silently less."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from local_workspace.dashboards.definition import Dashboard
from local_workspace.dashboards.render import render, write
from local_workspace.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[3]
FILES = sorted((PROJECT / "dashboards").glob("*.lvdash.json"))


def small_file() -> dict[str, Any]:
    """A dashboard with one bar chart and one filter."""
    return {
        "datasets": [{"name": "days", "queryLines": ["select day, kind, amount\n", "from sales\n"]}],
        "pages": [
            {
                "name": "one",
                "displayName": "One",
                "pageType": "PAGE_TYPE_CANVAS",
                "layout": [
                    {
                        "widget": {
                            "name": "sales",
                            "queries": [
                                {
                                    "name": "main_query",
                                    "query": {
                                        "datasetName": "days",
                                        "fields": [
                                            {"name": "kind", "expression": "`kind`"},
                                            {"name": "sum(amount)", "expression": "SUM(`amount`)"},
                                        ],
                                        "disaggregated": False,
                                    },
                                }
                            ],
                            "spec": {
                                "version": 3,
                                "widgetType": "bar",
                                "encodings": {
                                    "x": {"fieldName": "kind", "scale": {"type": "categorical"}},
                                    "y": {"fieldName": "sum(amount)", "scale": {"type": "quantitative"}},
                                },
                                "frame": {"showTitle": True, "title": "Sales"},
                            },
                        },
                        "position": {"x": 0, "y": 0, "width": 3, "height": 4},
                    },
                    {
                        "widget": {
                            "name": "period",
                            "queries": [
                                {
                                    "name": "period_days",
                                    "query": {
                                        "datasetName": "days",
                                        "fields": [
                                            {"name": "day", "expression": "`day`"},
                                            {
                                                "name": "day_associativity",
                                                "expression": "COUNT_IF(`associative_filter_predicate_group`)",
                                            },
                                        ],
                                    },
                                }
                            ],
                            "spec": {
                                "version": 2,
                                "widgetType": "filter-date-range-picker",
                                "encodings": {"fields": [{"fieldName": "day", "queryName": "period_days"}]},
                            },
                        },
                        "position": {"x": 3, "y": 0, "width": 3, "height": 2},
                    },
                ],
            }
        ],
    }


def read(folder: Path, document: object) -> Dashboard:
    path = folder / "small.lvdash.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return Dashboard.read(path)


def chart(document: dict[str, Any]) -> dict[str, Any]:
    return document["pages"][0]["layout"][0]["widget"]


def test_a_file_is_read(tmp_path):
    """Guards the seam to the page: which dataset, which columns, which filter."""
    dashboard = read(tmp_path, small_file())
    sales, period = dashboard.pages[0].widgets
    assert dashboard.datasets == {"days": "select day, kind, amount\nfrom sales\n"}
    assert (sales.kind, sales.title, sales.dataset) == ("bar", "Sales", "days")
    assert sales.fields["sum(amount)"].aggregate == "SUM"
    assert period.filters == {"days": "day"}


# What is done to the file, and what the refusal must name.
MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], Any], tuple[str, ...]]] = {
    "unknown widget type": (lambda d: chart(d)["spec"].update(widgetType="gauge"), ("widget sales", "gauge")),
    "unknown setting": (lambda d: chart(d)["spec"].update(annotations=[]), ("widget sales", "annotations")),
    "unknown encoding": (
        lambda d: chart(d)["spec"]["encodings"].update(size={"fieldName": "kind"}),
        ("widget sales", "size"),
    ),
    "unknown format": (
        lambda d: chart(d)["spec"]["encodings"]["y"].update(format={"type": "byte"}),
        ("widget sales", "format", "byte"),
    ),
    "query filter that the page would forget": (
        lambda d: chart(d)["queries"][0]["query"].update(filters=[{"expression": "amount > 0"}]),
        ("widget sales", "filters"),
    ),
    "dataset parameter": (lambda d: d["datasets"][0].update(parameters=[]), ("datasets.0.parameters",)),
    "unknown dataset": (
        lambda d: chart(d)["queries"][0]["query"].update(datasetName="weeks"),
        ("widget sales", "weeks", "days"),
    ),
    "computed field": (
        lambda d: chart(d)["queries"][0]["query"]["fields"].append(
            {"name": "p", "expression": "MEDIAN(`amount`)"}
        ),
        ("widget sales", "MEDIAN(`amount`)"),
    ),
    "field that no query has": (
        lambda d: chart(d)["spec"]["encodings"]["x"].update(fieldName="colour"),
        ("widget sales", "colour"),
    ),
    "chart without an axis": (lambda d: chart(d)["spec"]["encodings"].pop("y"), ("widget sales", "y")),
    "filter of two columns": (
        lambda d: d["pages"][0]["layout"][1]["widget"]["queries"][0]["query"]["fields"].append(
            {"name": "kind", "expression": "`kind`"}
        ),
        ("filter period", "days"),
    ),
    "older version of a widget": (lambda d: chart(d)["spec"].update(version=2), ("widget sales", "version")),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_drawn_is_refused_by_name(tmp_path, mistake):
    """Guards against a page that leaves out what Databricks shows."""
    change, names = MISTAKES[mistake]
    document = small_file()
    change(document)
    with pytest.raises(ConfigurationError) as refusal:
        read(tmp_path, document)
    assert [name for name in ("small.lvdash.json", *names) if name not in str(refusal.value)] == []


def test_a_file_that_is_not_json_is_refused(tmp_path):
    """Guards against a stack trace after a bad merge."""
    with pytest.raises(ConfigurationError, match="not JSON"):
        read(tmp_path, '{"datasets": [')


def test_a_missing_column_is_named_before_anything_is_drawn(tmp_path):
    """Guards against an empty chart after a mart's column was renamed."""
    dashboard = read(tmp_path, small_file())
    with pytest.raises(ConfigurationError, match=r"widget sales.*amount.*kind, total"):
        render([dashboard], lambda _: pa.table({"kind": ["a"], "total": [1]}), source="here")


def test_values_stand_in_the_page_as_they_are(tmp_path):
    """Guards the data in the page: money, dates, NaN, and text that looks like markup or like a place of the template."""
    hostile = "</script><script>alert(1)</script> /*SCRIPT*/ \u2028"
    rows = pa.table(
        {
            "day": pa.array([date(2025, 1, 2), None]),
            "kind": [hostile, "b"],
            "amount": pa.array([Decimal("12.30"), None], pa.decimal128(18, 2)),
            "at": pa.array(
                [datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc), None], pa.timestamp("us", tz="UTC")
            ),
            "rate": [float("nan"), 0.5],
        }
    )
    page = render(
        [read(tmp_path, small_file())],
        lambda _: rows,
        source="here",
        now=datetime(2025, 1, 3, tzinfo=timezone.utc),
    )
    body = page.split('<script id="content" type="application/json">')[1].split("</script>")[0]
    content = json.loads(body)
    assert content["dashboards"][0]["datasets"]["days"]["rows"] == [
        ["2025-01-02", hostile, 12.3, "2025-01-02 03:04:05", None],
        [None, "b", None, None, 0.5],
    ]
    assert content["drawn_at"] == "2025-01-03 00:00 UTC"


def test_the_page_may_reach_nothing(tmp_path):
    """Guards the self-contained page: its policy allows its own two scripts by their hash, and no address at all."""
    rows = pa.table({"day": ["2025-01-02"], "kind": ["a"], "amount": [1]})
    page = render([read(tmp_path, small_file())], lambda _: rows, source="here")
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    sources = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    assert sources["default-src"] == ["'none'"]
    assert len(sources["script-src"]) == 2
    assert all(source.startswith("'sha256-") for source in sources["script-src"])
    assert not any("http" in source or "*" in source for allowed in sources.values() for source in allowed)
    markup = page.split("<script>")[0] + page.split("</script>")[-1]
    assert "http" not in markup.replace("http-equiv", "")


def test_the_page_is_written_whole(tmp_path):
    """Guards against a browser that shows half a page, or a folder with leftovers."""
    path = write("<html>", tmp_path / "new" / "folder")
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_our_files_are_drawable_and_complete(path):
    """Guards our own files: readable, every dataset used, no two widgets in one place, titles on all of them."""
    dashboard = Dashboard.read(path)
    widgets = [widget for page in dashboard.pages for widget in page.widgets]
    used = {w.dataset for w in widgets if w.dataset} | {name for w in widgets for name in w.filters}
    assert set(dashboard.datasets) == used
    assert all(widget.title for widget in widgets if widget.kind != "text")
    cells = [
        (page.name, x, y)
        for page in dashboard.pages
        for w in page.widgets
        for x in range(w.position["x"], w.position["x"] + w.position["width"])
        for y in range(w.position["y"], w.position["y"] + w.position["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for _, x, _ in cells) == 5


def test_both_dashboards_are_there():
    """Guards the parametrised test above against looking at nothing."""
    assert [path.name for path in FILES] == [
        "order_performance.lvdash.json",
        "pipeline_monitoring.lvdash.json",
    ]
