"""The real CDNOW history through every layer, held against its published totals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg2

REVENUE = Decimal("244091.94")
# The built workspace holds made-up orders of 2025 beside the sample of 1997 and 1998.
CDNOW = "order_id like 'CDNOW-%'"
BEFORE_2000 = "date '2000-01-01'"


def test_cdnow_totals_hold_to_the_cent_from_bronze_to_postgres(built_workspace: Any) -> None:
    """Guards the published figures: 6,919 purchases, 8 of them at 0.00, 2,349 paying customers, 244,091.94 dollars."""
    orders = built_workspace
    counts = orders.sql(
        f"select (select count(*) from bronze.orders where {CDNOW}) as bronze, "
        f"(select count(*) from silver.orders where {CDNOW}) as silver, "
        f"(select count(*) from silver.orders_quarantine where {CDNOW}) as quarantine, "
        f"(select count(distinct customer_id) from gold.fct_orders where {CDNOW}) as customers, "
        f"(select sum(net_revenue) from gold.fct_orders where {CDNOW}) as revenue, "
        f"(select sum(net_revenue) from gold.fct_daily_revenue where date_ordered < {BEFORE_2000}) as daily_revenue"
    )[0]
    assert (counts["bronze"], counts["silver"], counts["quarantine"]) == (6919, 6911, 8)
    assert counts["customers"] == 2349
    assert Decimal(str(counts["revenue"])) == REVENUE
    assert Decimal(str(counts["daily_revenue"])) == REVENUE
    rules = orders.sql(f"select distinct failed_rules from silver.orders_quarantine where {CDNOW}")
    assert [row["failed_rules"] for row in rules] == [["price_positive"]]
    uri = orders.run("postgres", "uri").stdout.strip()
    with psycopg2.connect(uri) as link, link.cursor() as cursor:
        cursor.execute(
            "select sum(metric_value) from metrics.exp_business_metrics "
            f"where metric_name = 'net_revenue' and metric_date < {BEFORE_2000}"
        )
        found = cursor.fetchone()
    assert found is not None
    assert found[0] == REVENUE


def test_landing_the_sample_again_adds_nothing(built_workspace: Any) -> None:
    """Guards against a sample that doubles when its command is given twice."""
    assert "Nothing was written" in built_workspace.run("sample", "cdnow").stdout


def test_each_buyer_is_predicted_for_each_horizon_beside_backtests(built_workspace: Any) -> None:
    """Guards the step beside dbt: one row per buyer and horizon, from the same purchases as dim_customers has them."""
    counts = built_workspace.sql(
        "select (select count(*) from gold.dim_customers where first_purchase_date is not null) as buyers, "
        "(select count(*) from gold.fct_customer_predictions) as predictions, "
        "(select count(*) from gold.fct_customer_predictions where horizon_days = 365) as for_a_year, "
        "(select count(*) from gold.fct_prediction_backtests) as backtests, "
        "(select count(distinct origin_date) from gold.fct_revenue_forecasts) as forecasts, "
        "(select max(d.as_of_date) = max(p.as_of_date) from gold.dim_customers as d, "
        "gold.fct_customer_predictions as p) as is_of_the_same_day"
    )[0]
    assert counts["buyers"] == counts["for_a_year"] > 2000
    assert counts["predictions"] == 2 * counts["buyers"]
    assert counts["backtests"] == counts["forecasts"] == 9
    assert counts["is_of_the_same_day"]
