"""Guards the functions of the dashboards' page, each alone: figures as text, aggregates, order of an axis, CSV.

They run in the browser that reads the page, so nobody needs Node.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_workspace.dashboards import render

sys.path.insert(0, str(Path(__file__).parent))
from chromium import BINARY, chromium

pytestmark = pytest.mark.skipif(
    BINARY is None,
    reason="no Chromium or Chrome on this machine; apt-get install chromium, or brew install --cask chromium",
)
# All but the last script, which draws the page when it is loaded.
CODE = "\n".join(
    (Path(render.__file__).parent / "page" / f"{name}.js").read_text(encoding="utf-8")
    for name in render.SCRIPTS[:-1]
)
BOARD = {
    "datasets": {
        "days": {
            "columns": ["day", "item", "orders", "revenue"],
            "rows": [
                ["d1", "tea", 2, 10],
                ["d1", "cup", 1, None],
                ["d2", "tea", 0, None],
                ["d2", "cup", 3, 6.5],
            ],
        }
    }
}


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Evaluate an expression in the scope of the scripts, with values by name."""
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        page = '<script id="content" type="application/json">{}</script><div id="board"></div>'
        browser.evaluate(f"document.body.innerHTML = {json.dumps(page)}")

        def run(expression: str, **values: Any) -> Any:
            names = "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
            return browser.evaluate(
                f'(function () {{ "use strict";\n{CODE}\n{{ {names} return {expression}; }} }})()'
            )

        yield run


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, None, "\u2013"),
        (1234.567, None, "1,234.57"),
        (1234.5, {"type": "number-currency", "currencyCode": "USD"}, "$1,234.50"),
        (0.256, {"type": "number-percent", "decimalPlaces": {"type": "max", "places": 1}}, "25.6%"),
        (3, {"type": "number-plain", "decimalPlaces": {"type": "exact", "places": 2}}, "3.00"),
        (1234567, {"type": "number-plain", "abbreviation": "compact"}, "1.23M"),
        ("<b>", None, "<b>"),
    ],
)
def test_a_figure_as_text(
    evaluate: Callable[..., Any], value: object, form: dict[str, Any] | None, text: str
) -> None:
    """Guards what a reader sees of a number: its places, its currency, and that nothing is not zero."""
    assert evaluate("shown(value, form)", value=value, form=form) == text


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ({"aggregate": "SUM", "column": "revenue"}, {"d1": 10, "d2": 6.5}),
        ({"aggregate": "COUNT", "column": "revenue"}, {"d1": 1, "d2": 1}),
        ({"aggregate": "AVG", "column": "orders"}, {"d1": 1.5, "d2": 1.5}),
        ({"aggregate": "MIN", "column": "orders"}, {"d1": 1, "d2": 0}),
        ({"aggregate": "MAX", "column": "orders"}, {"d1": 2, "d2": 3}),
    ],
)
def test_an_aggregate_leaves_nulls_out(
    evaluate: Callable[..., Any], measure: dict[str, str], expected: dict[str, float]
) -> None:
    """Guards the sums that the page makes after a filter: as SQL makes them, by day."""
    fields = {"day": {"name": "day", "column": "day"}, "m": {"name": "m", **measure}}
    widget = {"name": "w", "dataset": "days", "fields": fields}
    rows = evaluate("compute(board, widget)", board=BOARD, widget=widget)
    assert {row["day"]: row["m"] for row in rows} == expected


def test_a_ratio_is_of_the_sums_and_null_over_nothing(evaluate: Callable[..., Any]) -> None:
    """Guards an average order value: revenue by orders of the group, and no division by zero."""
    ratio = {
        "name": "m",
        "aggregate": "SUM",
        "column": "revenue",
        "divisor": {"aggregate": "SUM", "column": "orders"},
    }
    widget = {"name": "w", "dataset": "days", "fields": {"m": ratio}}
    assert evaluate("compute(board, widget)", board=BOARD, widget=widget) == [{"m": 16.5 / 6}]
    empty = {"datasets": {"days": {**BOARD["datasets"]["days"], "rows": []}}}
    assert evaluate("compute(board, widget)", board=empty, widget=widget) == [{"m": None}]


@pytest.mark.parametrize(("box", "orders"), [("another", 2), ("picker", 6)])
def test_a_filter_acts_on_every_box_but_its_own(evaluate: Callable[..., Any], box: str, orders: int) -> None:
    """Guards that a picked value filters the other boxes, while its own keeps all values to pick from."""
    widget = {
        "name": box,
        "dataset": "days",
        "fields": {"m": {"name": "m", "aggregate": "SUM", "column": "orders"}},
    }
    put = '{ by: "picker", columns: { days: "item" }, keeps: (item) => item === "tea" }'
    assert evaluate(f"(state.filters.f = {put}, compute(board, widget))", board=BOARD, widget=widget) == [
        {"m": orders}
    ]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, ["a", "b", "c"]),
        ({"by": "y-reversed"}, ["b", "c", "a"]),
        ({"by": "y"}, ["a", "c", "b"]),
        ({"by": "custom-order", "orderedValues": ["c", "a"]}, ["c", "a", "b"]),
    ],
)
def test_order_of_an_axis(
    evaluate: Callable[..., Any], sort: dict[str, Any] | None, expected: list[str]
) -> None:
    """Guards the order that a dashboard asks for: by name, by size, or its own, the rest behind."""
    scale = {"sort": sort} if sort else None
    call = "ordered(['b', 'a', 'c', 'a'], scale, (value) => ({ a: 1, b: 3, c: 2 })[value])"
    assert evaluate(call, scale=scale) == expected


def test_csv_runs_nothing_and_quotes_what_it_must(evaluate: Callable[..., Any]) -> None:
    """Guards the file that a reader opens in a spreadsheet: no formula from an item's name, no broken line."""
    columns = [{"fieldName": "item", "displayName": "Item"}, {"fieldName": "n"}]
    widget = {"kind": "table", "encodings": {"columns": columns}}
    rows = [{"item": "=1+1", "n": -2}, {"item": 'a "b", c', "n": None}, {"item": "two\nlines", "n": 0}]
    text = evaluate("csvOf(widget, rows)", widget=widget, rows=rows)
    assert text == 'Item,n\r\n\'=1+1,-2\r\n"a ""b"", c",\r\n"two\nlines",0\r\n'
