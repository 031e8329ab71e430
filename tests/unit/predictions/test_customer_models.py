"""Guards the models of customers: a formula with a slip still gives plausible figures, so the papers judge it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dlt_ingest.predictions.bg_nbd import BgNbd
from dlt_ingest.predictions.customers import BACKTEST_HORIZON, Buyers, CustomerModel, PurchaseDays, backtest
from dlt_ingest.predictions.errors import NotFittedError
from dlt_ingest.predictions.gamma_gamma import GammaGamma

SAMPLE = Path(__file__).parents[3] / "dlt_ingest" / "generators" / "cdnow_sample.txt"
END_OF_CALIBRATION = date(1997, 9, 30).toordinal()
PUBLISHED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


@cache
def cdnow() -> PurchaseDays:
    """The sample with the purchases of 0.00, which the papers count."""
    days: dict[tuple[int, int], float] = defaultdict(float)
    for line in SAMPLE.read_text(encoding="ascii").splitlines():
        if line.strip():
            _, customer, day, _, value = line.split()
            when = datetime.strptime(day, "%Y%m%d")  # noqa: DTZ007  # a day
            days[int(customer) - 1, when.toordinal()] += float(value)
    keys = sorted(days)
    return PurchaseDays(
        np.array([customer for customer, _ in keys]),
        np.array([day for _, day in keys]),
        np.array([days[key] for key in keys]),
    )


def test_the_published_parameters_are_found():
    """Guards both likelihoods: Fader, Hardie and Lee (2005), and Fader and Hardie (2013), fitted the same customers."""
    model = CustomerModel.fit(Buyers.at(cdnow(), END_OF_CALIBRATION))
    found = model.purchases
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    assert (model.spend.p, model.spend.q, model.spend.v) == pytest.approx((6.25, 3.74, 15.44), abs=6e-3)


def test_the_papers_customer_is_expected_to_buy_1_226_times():
    """Guards equation 10, by the example that the authors give: two repeat purchases, the last one in week 30.43."""
    expected = PUBLISHED.expected_purchases(39.0, np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert expected[0] == pytest.approx(1.226, abs=1e-3)


def test_what_is_drawn_has_the_mean_of_the_formulas():
    """Guards the spread: a slip in the posterior would move the draws away from the expectation, derived otherwise."""
    chance = np.random.default_rng(7)
    frequency, recency, age = (
        np.array([0.0, 2.0, 12.0]),
        np.array([0.0, 30.43, 70.0]),
        np.array([10.0, 38.86, 75.0]),
    )
    bought = PUBLISHED.simulate_purchases(
        chance=chance, draws=200_000, weeks=52.0, frequency=frequency, recency=recency, age=age
    )
    expected = PUBLISHED.expected_purchases(52.0, frequency, recency, age)
    assert bought.mean(axis=1) == pytest.approx(expected, rel=0.02)
    spend, value = GammaGamma(6.25, 3.74, 15.44), np.array([0.0, 30.0, 55.0])
    spent = spend.simulate_value(chance, bought, frequency, value)
    assert spent.mean(axis=1) == pytest.approx(expected * spend.expected_value(frequency, value), rel=0.03)


def test_a_backtest_knows_nothing_of_what_came_after(monkeypatch: pytest.MonkeyPatch):
    """Guards the errors shown beside predictions: with a look ahead they would be flattering."""
    days = cdnow()
    end = int(days.day.max())
    first = backtest(days, end)
    later = PurchaseDays(
        days.customer, days.day, np.where(days.day > end - BACKTEST_HORIZON, days.value * 3, days.value)
    )
    assert len(first) == 9
    monkeypatch.setattr("dlt_ingest.predictions.customers.MOST_BACKTESTS", 1)
    second = backtest(later, end)
    assert second[0]["predicted_value"] == first[0]["predicted_value"]
    assert second[0]["naive_value"] == first[0]["naive_value"]
    assert second[0]["actual_value"] == pytest.approx(3 * first[0]["actual_value"])
    errors = sorted(abs(row["predicted_value"] / row["actual_value"] - 1) for row in first)
    # The figure of docs/decisions/predictions-by-bg-nbd.md.
    assert round(errors[4], 2) == 0.10
    assert sum(row["predicted_error_per_customer"] < row["naive_error_per_customer"] for row in first) == 8


def test_the_same_history_gives_the_same_spread():
    """Guards idempotence: drawn quantiles must not change from run to run."""
    buyers = Buyers.at(cdnow(), END_OF_CALIBRATION)
    model = CustomerModel(PUBLISHED, GammaGamma(6.25, 3.74, 15.44))
    one, two = model.predict(buyers, 90), model.predict(buyers, 90)
    assert np.array_equal(one.high, two.high)
    assert (one.low <= one.high).all()


def test_too_little_history_is_refused():
    """Guards young shops: parameters of a handful of customers would be chance, shown as knowledge."""
    few = PurchaseDays(np.array([0, 0, 1]), np.array([0, 200, 250]), np.array([10.0, 20.0, 5.0]))
    with pytest.raises(NotFittedError, match="1 customers who bought again"):
        CustomerModel.fit(Buyers.at(few, 300))
    assert backtest(few, 400) == []
    nobody = PurchaseDays(np.zeros(0, dtype="int64"), np.zeros(0, dtype="int64"), np.zeros(0))
    with pytest.raises(NotFittedError):
        CustomerModel.fit(Buyers.at(nobody, 300))


def test_statistics_are_those_of_the_customers_mart():
    """Guards the meaning of x, t_x, T and m: purchases on days 0, 14 and 35 with 20, 30 and 10 dollars, seen on day 70."""
    days = PurchaseDays(np.array([0, 0, 0, 1]), np.array([35, 0, 14, 70]), np.array([10.0, 20.0, 30.0, 5.0]))
    buyers = Buyers.at(days, 70)
    assert buyers.frequency.tolist() == [2, 0]
    assert buyers.recency.tolist() == [5, 0]
    assert buyers.age.tolist() == [10, 0]
    assert buyers.value.tolist() == [20, 0]
