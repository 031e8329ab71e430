"""Guards the dashboards from the marts to the screen: their SQL, and the page in a real browser."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
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
# Here CDNOW lies 27 years before two generated batches: nothing came in the periods that were predicted, there is no last
# year, and no forecast that beats the naive one. By dataset the columns without a value; all others must have one.
NULL_HERE = {
    "rules_now": {"baseline_pass_rate"},
    "forecast": {"forecast_revenue", "revenue_low", "revenue_high"},
    "kpis": {"last_year_change_rate"},
    "backtests": {"naive_error_rate", "predicted_error_rate"},
}
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
    empty = {name for name in rows.column_names if rows.column(name).null_count == rows.num_rows}
    assert empty <= NULL_HERE.get(dataset, set()) or dataset in EMPTY_HERE


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
    ("dashboard", "tab", "look"),
    [
        ("order_performance", 0, ("light", 1400)),
        ("order_performance", 0, ("dark", 390)),
        ("order_performance", 1, ("light", 1400)),
        ("order_performance", 1, ("dark", 390)),
        ("order_performance", 2, ("dark", 1400)),
        ("order_performance", 2, ("light", 390)),
        ("pipeline_monitoring", 0, ("dark", 1400)),
        ("pipeline_monitoring", 0, ("light", 390)),
    ],
)
def test_every_chart_is_drawn(browser, page, dashboard, tab, look):
    """Guards the page in a browser: no error in the console, nothing asked of the network, all charts, nothing cut off."""
    browser.problems.clear()
    browser.requests.clear()
    theme, width = look
    tab = DASHBOARDS[dashboard].pages[tab]
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
    browser.evaluate("document.querySelectorAll('#tabs button')[3].click()")
    browser.evaluate("new Promise(done => setTimeout(done, 300))")
    assert figure(browser, "latest_state") == "succeeded"
    assert browser.problems == []


def table_of(browser: Browser, widget: str) -> dict[str, str]:
    """First cell to second cell of a box that shows its rows as a table."""
    rows = browser.evaluate(
        f"[...document.querySelectorAll('[data-widget={widget}] tbody tr')]"
        ".map(row => [...row.children].map(cell => cell.textContent))"
    )
    return {row[0]: row[1] for row in rows}


@needs_chromium
def test_products_of_28_days_are_those_of_the_lines(browser, gold, page):
    """Guards the figures of a period: by month, 28 days had no product at all, and 90 days lost the first month."""
    browser.open(f"{page.as_uri()}?theme=light", width=1400)
    browser.evaluate(
        "[...document.querySelectorAll('.spans button')].find(b => b.textContent === '28 days').click()"
    )
    browser.evaluate("document.querySelector('[data-widget=products_by_revenue] .tools button').click()")
    browser.evaluate("new Promise(done => setTimeout(done, 300))")
    expected = gold.query(
        "select order_item, sum(net_revenue) as net_revenue from fct_order_lines where date_ordered > "
        "(select max(date_ordered) - interval 28 days from fct_daily_revenue) group by order_item"
    )
    found = table_of(browser, "products_by_revenue")
    assert found
    revenue = {row["order_item"]: row["net_revenue"] for row in expected}
    best = {name: shown for name, shown in found.items() if name != "all other items"}
    assert {name: Decimal(re.sub(r"[^0-9.-]", "", shown)) for name, shown in best.items()} == {
        name: revenue[name] for name in best
    }
    assert min(revenue[name] for name in best) >= max(
        (value for name, value in revenue.items() if name not in best), default=Decimal(0)
    )


@needs_chromium
def test_a_period_that_ends_before_it_begins_is_said_to(browser, page):
    """Guards against a page of empty boxes that does not say why."""
    browser.problems.clear()
    browser.open(f"{page.as_uri()}?theme=light", width=1400)
    before = figure(browser, "orders")
    browser.evaluate(
        "(() => { const [from, to] = ['from', 'to'].map(l => document.querySelector(`input[aria-label=${l}]`));"
        " from.value = to.max; to.value = to.min; to.dispatchEvent(new Event('change')); })()"
    )
    assert "no such period" in browser.evaluate("document.querySelector('.note').textContent")
    assert figure(browser, "orders") == before
    assert browser.problems == []


@needs_chromium
def test_a_value_is_picked_by_keyboard_and_rows_are_saved(browser, gold, page):
    """Guards what a click does, and its way for those who cannot click: one value alone, then all again; and the CSV."""
    browser.problems.clear()
    browser.open(f"{page.as_uri()}?theme=light#order_performance/customers", width=1400)
    everyone = gold.query("select count(*) as n from dim_customers")[0]["n"]
    risks = {
        row["churn_risk"]: row["n"]
        for row in gold.query("select churn_risk, count(*) as n from dim_customers group by 1")
    }
    assert figure(browser, "customers_count") == f"{everyone:,}" or everyone > 999
    browser.evaluate("document.querySelector('[data-widget=churn] .tools button').click()")
    browser.evaluate("new Promise(done => setTimeout(done, 300))")
    shown = table_of(browser, "churn")
    assert set(shown) == set(risks)
    browser.evaluate("document.querySelector('[data-widget=churn] button.value').click()")
    picked = browser.evaluate("document.querySelector('[data-widget=churn] button.value').textContent")
    browser.evaluate("new Promise(done => setTimeout(done, 300))")
    assert browser.evaluate("document.getElementById('picked').textContent").startswith(f"Only {picked} ")
    assert figure(browser, "customers_count") == shown[picked]
    saved = browser.evaluate(
        "new Promise(done => { const make = URL.createObjectURL;"
        " URL.createObjectURL = blob => { blob.text().then(done); return make.call(URL, blob); };"
        " document.querySelector('[data-widget=churn] .tools button:last-child').click(); })"
    )
    lines = dict(line.split(",") for line in saved.strip().split("\r\n")[1:])
    assert {name: int(value) for name, value in lines.items()} == risks
    browser.evaluate("document.getElementById('picked').click()")
    assert browser.evaluate("document.getElementById('picked').hidden")
    assert browser.problems == []
