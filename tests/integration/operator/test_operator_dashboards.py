"""Guards the dashboards from the marts to the screen: their SQL, and the page in a real browser."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_workspace.dashboards.definition import Dashboard
from local_workspace.dashboards.render import render, write

sys.path.insert(0, str(Path(__file__).parent))
from chromium import BINARY, Browser, chromium

PROJECT = Path(__file__).resolve().parents[3]
FILES = sorted((PROJECT / "dashboards").glob("*.lvdash.json"))
DASHBOARDS = {path.name.split(".")[0]: Dashboard.read(path) for path in FILES}
# A laptop is billed for nothing.
EMPTY_HERE = {"costs"}
needs_chromium = pytest.mark.skipif(
    BINARY is None,
    reason="no Chromium or Chrome on this machine; apt-get install chromium, or brew install --cask chromium",
)


@pytest.mark.parametrize(
    ("dashboard", "dataset"), [(name, dataset) for name, d in DASHBOARDS.items() for dataset in d.datasets]
)
def test_every_dataset_answers(gold, dashboard, dataset):
    """Guards the SQL of every dataset against the marts as they are built: it runs, and shows something."""
    rows = gold.query_arrow(DASHBOARDS[dashboard].datasets[dataset])
    assert rows.num_rows > 0
    values = {name for name in rows.column_names if rows.column(name).null_count < rows.num_rows}
    assert (values == set(rows.column_names)) or dataset in EMPTY_HERE | {"rules_now"}


def test_figures_are_those_of_the_marts(gold):
    """Guards the sums that the page makes: over all days they are the marts' own totals."""
    daily = gold.query(DASHBOARDS["order_performance"].datasets["daily"])
    stages = gold.query(DASHBOARDS["order_performance"].datasets["stages"])
    total = gold.query("select count(*) as orders, sum(net_revenue) as net_revenue from fct_orders")[0]
    assert sum(day["net_revenue"] for day in daily) == total["net_revenue"]
    assert sum(day["orders"] for day in daily) == total["orders"]
    reached = {
        stage: sum(row["orders"] for row in stages if row["stage"] == stage)
        for stage in ("placed", "paid", "delivered")
    }
    assert reached["placed"] == total["orders"]
    assert reached["placed"] > reached["paid"] > reached["delivered"] > 0


@pytest.fixture(scope="module")
def page(gold, tmp_path_factory) -> Path:
    """Both dashboards over the built marts, as `orders dashboard` writes them."""
    return write(
        render(list(DASHBOARDS.values()), gold.query_arrow, source="ecommerce_local"),
        tmp_path_factory.mktemp("page"),
    )


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """One browser for all pages."""
    with chromium(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


def state(browser: Browser) -> dict[str, str]:
    """What the page says of itself once it has drawn."""
    return json.loads(browser.evaluate("JSON.stringify(document.body.dataset)"))


def figure(browser: Browser, widget: str) -> str:
    """The text of a counter."""
    return browser.evaluate(f"document.querySelector('[data-widget={widget}] .figure').textContent")


@needs_chromium
@pytest.mark.parametrize(
    ("dashboard", "theme", "width"),
    [
        ("order_performance", "light", 1400),
        ("order_performance", "dark", 390),
        ("pipeline_monitoring", "dark", 1400),
        ("pipeline_monitoring", "light", 390),
    ],
)
def test_every_chart_is_drawn(browser, page, dashboard, theme, width):
    """Guards the page in a browser: no error in the console, nothing asked of the network, all charts, nothing cut off."""
    browser.problems.clear()
    browser.requests.clear()
    tab = DASHBOARDS[dashboard].pages[0]
    browser.open(f"{page.as_uri()}?theme={theme}#{dashboard}/{tab.name}", width=width)
    shown = state(browser)
    charts = [w for w in tab.widgets if w.kind in ("bar", "line", "area", "heatmap", "pie", "scatter")]
    empty = [w for w in charts if w.dataset in EMPTY_HERE]
    assert browser.problems == []
    assert {address.split(":")[0] for address in browser.requests} <= {"file", "data", "about", "blob"}
    assert int(shown["charts"]) == len(charts) - len(empty)
    assert (shown["drawn"], shown["empty"]) == (shown["charts"], str(len(empty)))
    # Nothing sticks out to the right of the window.
    assert shown["wide"] == "false"
    assert browser.evaluate("document.documentElement.dataset.theme") == theme
    cut = browser.evaluate(
        "[...document.querySelectorAll('.figure, h3')]"
        ".filter(n => n.scrollWidth > n.clientWidth + 1).map(n => n.textContent)"
    )
    assert cut == []


@needs_chromium
def test_filters_and_tabs_work(browser, gold, page):
    """Guards the page's own arithmetic: a period, all days again, the other tab, the other theme."""
    browser.problems.clear()
    browser.open(f"{page.as_uri()}?theme=light", width=1400)
    expected = "select sum(orders) as orders, sum(new_customers) as new_customers from fct_daily_revenue"
    everything = gold.query(expected)[0]
    spring = gold.query(f"{expected} where date_ordered between date'1997-03-01' and date'1997-03-31'")[0]
    assert 0 < spring["orders"] < everything["orders"]
    assert figure(browser, "orders") == f"{everything['orders']:,}"
    browser.evaluate(
        "(() => { for (const [label, day] of [['from', '1997-03-01'], ['to', '1997-03-31']]) {"
        " const field = document.querySelector(`input[aria-label=${label}]`);"
        " field.value = day; field.dispatchEvent(new Event('change')); } })()"
    )
    assert figure(browser, "orders") == f"{spring['orders']:,}"
    assert figure(browser, "new_customers") == f"{spring['new_customers']:,}"
    browser.evaluate("document.querySelector('.filter button').click()")
    assert figure(browser, "orders") == f"{everything['orders']:,}"
    browser.evaluate("document.getElementById('theme').click()")
    assert browser.evaluate("document.documentElement.dataset.theme") == "dark"
    browser.evaluate("document.querySelectorAll('#tabs button')[1].click()")
    browser.evaluate("new Promise(done => setTimeout(done, 300))")
    assert figure(browser, "latest_state") == "succeeded"
    assert browser.problems == []
