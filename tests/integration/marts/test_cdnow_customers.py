"""Customer marts of the real CDNOW history, held against what plain Python computes from the raw file."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

RAW = Path(__file__).resolve().parents[3] / "dlt_ingest" / "generators" / "cdnow_sample.txt"
CENT = Decimal("0.01")

# Spending of each customer per day. A line of the raw file: id in the full data set, number in this sample, day, number
# of CDs, dollars. The generator names a customer after the number.
Purchases = dict[str, dict[date, Decimal]]


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    """The raw file, purchases of 0.00 left out, those of one day of one customer added up."""
    spent: Purchases = defaultdict(lambda: defaultdict(Decimal))
    for line in RAW.read_text(encoding="utf-8").splitlines():
        _, customer, day, _, dollars = line.split()
        if Decimal(dollars) > 0:
            spent[f"CDNOW-C{customer}"][date(int(day[:4]), int(day[4:6]), int(day[6:]))] += Decimal(dollars)
    return spent


def test_repeat_buying_statistics_are_those_of_an_independent_computation(
    built_workspace: Any, purchases: Purchases
) -> None:
    """Guards frequency, recency, age and monetary value: the input of every model of customer value."""
    rows = built_workspace.sql(
        "select customer_id, repeat_frequency, repeat_recency_days, age_days, repeat_monetary_value, lifetime_value, "
        "first_order_date, last_order_date, as_of_date from gold.dim_customers where customer_id like 'CDNOW-%'"
    )
    assert len(rows) == len(purchases) == 2349
    for row in rows:
        days = purchases[row["customer_id"]]
        first, last, as_of = min(days), max(days), date.fromisoformat(row["as_of_date"])
        repeats = [spent for day, spent in days.items() if day > first]
        average = (sum(repeats) / len(repeats)).quantize(CENT, ROUND_HALF_UP) if repeats else None
        expected = (
            len(repeats),
            (last - first).days,
            (as_of - first).days,
            average,
            sum(days.values()),
            first,
            last,
        )
        monetary = row["repeat_monetary_value"]
        assert (
            row["repeat_frequency"],
            row["repeat_recency_days"],
            row["age_days"],
            None if monetary is None else Decimal(str(monetary)),
            Decimal(str(row["lifetime_value"])),
            date.fromisoformat(row["first_order_date"]),
            date.fromisoformat(row["last_order_date"]),
        ) == expected, row["customer_id"]


def test_cohort_retention_is_that_of_an_independent_computation(
    built_workspace: Any, purchases: Purchases
) -> None:
    """Guards the three cohorts of 1997: who came back, and what they had spent by then, month by month."""
    cohorts: dict[tuple[int, int], set[str]] = defaultdict(set)
    active: dict[tuple[int, int], set[str]] = defaultdict(set)
    revenue: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for customer, days in purchases.items():
        born = min(day.year * 12 + day.month for day in days)
        cohorts[divmod(born - 1, 12)].add(customer)
        for day, spent in days.items():
            key = (born, day.year * 12 + day.month - born)
            active[key].add(customer)
            revenue[key] += spent
    rows = built_workspace.sql(
        "select cohort_month, months_since, cohort_customers, active_customers, retention_rate, net_revenue, "
        "cumulative_revenue from gold.fct_customer_cohorts where cohort_month < '1998-07-01' "
        "and activity_month < '1998-07-01' "
        "order by cohort_month, months_since"
    )
    assert len(rows) == 18 + 17 + 16
    assert len(cohorts) == 3
    cumulative: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows:
        month = date.fromisoformat(row["cohort_month"])
        born, since = month.year * 12 + month.month, row["months_since"]
        size = len(cohorts[divmod(born - 1, 12)])
        cumulative[born] += revenue[born, since]
        assert row["cohort_customers"] == size
        assert row["active_customers"] == len(active[born, since])
        rate = Decimal(len(active[born, since])) / size
        assert Decimal(str(row["retention_rate"])) == rate.quantize(Decimal("0.000001"), ROUND_HALF_UP)
        assert Decimal(str(row["net_revenue"])) == revenue[born, since]
        assert Decimal(str(row["cumulative_revenue"])) == cumulative[born]
    assert sum(cumulative.values()) == Decimal("244091.94")


def test_equal_customers_have_equal_scores(built_workspace: Any) -> None:
    """Guards the definition of ties: with half of the customers having bought once, ntile would split them at random."""
    split = built_workspace.sql(
        "select revenue_orders, count(distinct frequency_score) as scores from gold.dim_customers "
        "where frequency_score is not null group by revenue_orders having count(distinct frequency_score) > 1"
    )
    assert split == []
    best = built_workspace.sql(
        "select min(net_revenue) as least_of_five, (select max(net_revenue) from gold.dim_customers "
        "where monetary_score = 4) as most_of_four from gold.dim_customers where monetary_score = 5"
    )[0]
    assert Decimal(str(best["least_of_five"])) > Decimal(str(best["most_of_four"]))
