"""The real CDNOW history through every layer, held against its published totals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg2

REVENUE = Decimal("244091.94")


def test_cdnow_totals_hold_to_the_cent_from_bronze_to_postgres(fresh_workspace: Any) -> None:
    """Guards the published figures: 6,919 purchases, 8 of them at 0.00, 2,349 paying customers, 244,091.94 dollars."""
    orders = fresh_workspace
    orders.run("sample", "cdnow")
    orders.run("run")
    counts = orders.sql(
        "select (select count(*) from bronze.orders) as bronze, (select count(*) from silver.orders) as silver, "
        "(select count(*) from silver.orders_quarantine) as quarantine, "
        "(select count(distinct customer_id) from gold.fct_orders) as customers, "
        "(select sum(net_revenue) from gold.fct_orders) as revenue, "
        "(select sum(net_revenue) from gold.fct_daily_revenue) as daily_revenue"
    )[0]
    assert (counts["bronze"], counts["silver"], counts["quarantine"]) == (6919, 6911, 8)
    assert counts["customers"] == 2349
    assert Decimal(str(counts["revenue"])) == REVENUE
    assert Decimal(str(counts["daily_revenue"])) == REVENUE
    rules = orders.sql("select distinct failed_rules from silver.orders_quarantine")
    assert [row["failed_rules"] for row in rules] == [["price_positive"]]
    uri = orders.run("postgres", "uri").stdout.strip()
    with psycopg2.connect(uri) as link, link.cursor() as cursor:
        cursor.execute(
            "select sum(metric_value) from metrics.exp_business_metrics where metric_name = 'net_revenue'"
        )
        assert cursor.fetchone()[0] == REVENUE


def test_landing_the_sample_again_adds_nothing(fresh_workspace: Any) -> None:
    """Guards against a sample that doubles when its command is given twice."""
    assert "nothing was written" in fresh_workspace.run("sample", "cdnow").stdout
