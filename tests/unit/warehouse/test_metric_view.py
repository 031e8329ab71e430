"""Guards what a metric view is read as: measures over the rows of the source, and never under a name of the user's."""

from __future__ import annotations

import pytest

from local_workspace.sql.metric_view import MetricView, read_metric_view, with_measures
from local_workspace.sql.sql_error import SqlError

TEXT = """$$
version: 1.1
source: c.s.orders
filter: source.status <> 'test'
dimensions:
  - name: status
    expr: upper(source.status)
  - name: Order day
    expr: to_date(at)
measures:
  - name: revenue
    expr: sum(source.amount)
    synonyms: [turnover]
  - name: orders
    expr: count(distinct id) filter (where amount > 0)
  - name: average
    expr: MEASURE(revenue) / measure(orders)
  - name: open
    expr: count_if(status = 'OPEN')
$$"""


def _lookup(parts: tuple[str, ...]) -> MetricView | None:
    return read_metric_view(TEXT) if parts[-1] == "kpis" else None


def test_measures_are_computed_from_columns_of_the_source() -> None:
    """Guards names: a measure sees the source's columns under hidden names, and dimensions under their own."""
    view = read_metric_view(TEXT)
    assert view.query() == (
        "SELECT (upper(source.status)) AS `status`, (to_date(at)) AS `Order day`, source.`amount` AS `__measured_amount`,"
        " source.`id` AS `__measured_id` FROM c.s.orders AS source WHERE (source.status <> 'test')"
    )
    assert view.measure("REVENUE") == "(sum(`__measured_amount`))"
    assert view.measure("orders") == (
        "(count(distinct `__measured_id`) filter (where `__measured_amount` > 0))"
    )
    assert view.measure("average") == f"({view.measure('revenue')} / {view.measure('orders')})"
    assert view.measure("open") == "(count_if(status = 'OPEN'))"


def test_a_query_has_the_expression_in_place_of_the_measure() -> None:
    """Guards the rest of the text, names of columns, and clauses other than SELECT; other queries stay as they are."""
    sql = (
        "select status, measure(k.revenue), 2 * MEASURE(open) as o /* kept */ from c.s.kpis k"
        " group by all having measure(revenue) > 1 order by measure(revenue)"
    )
    revenue, opened = "(sum(`__measured_amount`))", "(count_if(status = 'OPEN'))"
    assert with_measures(sql, _lookup) == (
        f"select status, {revenue} AS `measure(revenue)`, 2 * {opened} as o /* kept */ from c.s.kpis k"
        f" group by all having {revenue} > 1 order by {revenue}"
    )
    other = "select measure(a) from other"
    assert with_measures(other, _lookup) == other


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("select *, measure(open) from kpis", "METRIC_VIEW_MISSING_MEASURE_FUNCTION"),
        (
            "select (select measure(open) from kpis), status from s.kpis",
            "METRIC_VIEW_MISSING_MEASURE_FUNCTION",
        ),
        ("select measure(opened) from kpis", "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
        ("select measure(1 + 1) from kpis", "METRIC_VIEW_INVALID_MEASURE_FUNCTION_INPUT"),
        ("select measure(open) from kpis join t using (status)", "UNSUPPORTED_FEATURE.LOCAL_WAREHOUSE"),
    ],
)
def test_a_query_that_cannot_be_right_is_refused(sql: str, error: str) -> None:
    """Guards hidden columns, and groups that a join would make larger."""
    with pytest.raises(SqlError) as caught:
        with_measures(sql, _lookup)
    assert caught.value.error_class == error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source: [", "YAML cannot be read"),
        ("dimensions: []", "it has no source"),
        ("source: t", "it has no measures"),
        ("source: t\nmeasures: [{name: a}]", "lacks its name or its expr"),
        ("source: t\nmeasures: [{name: a, expr: sum(x)}, {name: A, expr: sum(y)}]", "have one name"),
        ("source: t\njoins: []\nmeasures: [{name: a, expr: sum(x)}]", "joins in a metric view"),
        ("source: t\nmeasures: [{name: a, expr: sum(x), window: []}]", "window in a metric view"),
    ],
)
def test_a_definition_that_is_not_understood_is_refused(text: str, says: str) -> None:
    """Guards every key: one that is not known could change a value."""
    with pytest.raises(SqlError, match=says):
        read_metric_view(text)
