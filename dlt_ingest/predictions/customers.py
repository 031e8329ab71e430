"""What each customer is expected to buy and spend, and how well the same method would have predicted the past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dlt_ingest.predictions.bg_nbd import BgNbd
from dlt_ingest.predictions.errors import NotFittedError
from dlt_ingest.predictions.gamma_gamma import GammaGamma

Numbers = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]

HORIZONS = (90, 365)
"""Horizons of the predictions, in days."""
FEWEST_REPEAT_BUYERS = 50
"""Fewest customers with a second purchase day for a fit: with fewer, the parameters would be chance."""
FEWEST_DAYS = 180
"""Fewest days of history for a fit: a rhythm needs time to show."""
BACKTEST_HORIZON = 90
BACKTEST_STEP = 30
MOST_BACKTESTS = 9
LOW, HIGH = 0.1, 0.9
"""Between these quantiles lies what is expected in four of five cases."""
_DRAWS = 400
# Enough where the customers within are counted together.
_DRAWS_OF_BACKTEST = 100
_CUSTOMERS_AT_ONCE = 2_000
_SEED = 20_050_501


@dataclass(frozen=True)
class PurchaseDays:
    """All purchase days, of all customers: a day with at least one order that counts as revenue.

    Attributes:
        customer: Number of the customer, from 0 without a gap.
        day: The day, counted from any first one.
        value: Net revenue of the day in dollars.
    """

    customer: Days
    day: Days
    value: Numbers

    def until(self, last_day: int) -> PurchaseDays:
        """Those up to and including a day; numbers of customers stay."""
        return self._where(self.day <= last_day)

    def spent_by(self, customers: Days, after: int, until: int) -> Numbers:
        """Dollars that each of some customers spent after one day, up to and including another."""
        chosen = self._where((self.day > after) & (self.day <= until))
        most = int(max(customers.max(initial=-1), chosen.customer.max(initial=-1))) + 1
        spent = np.bincount(chosen.customer, weights=chosen.value, minlength=most).astype(np.float64)
        return spent[customers]

    def _where(self, chosen: npt.NDArray[np.bool_]) -> PurchaseDays:
        return PurchaseDays(self.customer[chosen], self.day[chosen], self.value[chosen])


@dataclass(frozen=True)
class Buyers:
    """The statistics that both models start from, one entry per customer with a purchase.

    Attributes:
        customer: Number of the customer.
        frequency: Purchase days after the first one.
        recency: Weeks from the first to the last of them.
        age: Weeks from the first one to the day of the prediction.
        value: Mean dollars of a purchase day after the first one; 0 without any.
    """

    customer: Days
    frequency: Numbers
    recency: Numbers
    age: Numbers
    value: Numbers

    @classmethod
    def at(cls, days: PurchaseDays, as_of: int) -> Buyers:
        """Count what was known on the evening of a day."""
        known = days.until(as_of)
        order = np.lexsort((known.day, known.customer))
        customer, first, count = np.unique(known.customer[order], return_index=True, return_counts=True)
        day, value = known.day[order], known.value[order]
        total = np.add.reduceat(value, first) if len(first) else np.zeros(0)
        repeats = count - 1
        later = total - value[first]
        return cls(
            customer=customer,
            frequency=repeats.astype(float),
            recency=(day[first + repeats] - day[first]) / 7,
            age=(as_of - day[first]) / 7,
            value=np.where(repeats > 0, later / np.maximum(repeats, 1), 0.0),
        )

    def part(self, start: int) -> Buyers:
        """Return some of them, so that draws need a bounded memory."""
        end = start + _CUSTOMERS_AT_ONCE
        return Buyers(*(getattr(self, name)[start:end] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Prediction:
    """What is expected of each customer of `buyers`, in their order.

    Attributes:
        purchases: Expected purchase days.
        value: Expected dollars.
        low: Dollars that are exceeded in nine of ten cases.
        high: Dollars that are exceeded in one of ten.
    """

    purchases: Numbers
    value: Numbers
    low: Numbers
    high: Numbers


@dataclass(frozen=True)
class CustomerModel:
    """BG/NBD for how often and Gamma-Gamma for how much."""

    purchases: BgNbd
    spend: GammaGamma

    @classmethod
    def fit(cls, buyers: Buyers) -> CustomerModel:
        """Fit both models.

        Raises:
            NotFittedError: If there are too few customers who have bought again, or too little history.
        """
        spending = (buyers.frequency > 0) & (buyers.value > 0)
        if spending.sum() < FEWEST_REPEAT_BUYERS or buyers.age.max(initial=0.0) * 7 < FEWEST_DAYS:
            raise NotFittedError(
                "There is too little history to predict customers",
                got=f"{int(spending.sum())} customers who bought again, {buyers.age.max(initial=0.0) * 7:.0f} days",
                allowed=f"at least {FEWEST_REPEAT_BUYERS} customers and {FEWEST_DAYS} days",
            )
        return cls(
            BgNbd.fit(buyers.frequency, buyers.recency, buyers.age),
            GammaGamma.fit(buyers.frequency[spending], buyers.value[spending]),
        )

    def predict(self, buyers: Buyers, horizon_days: int, draws: int = _DRAWS) -> Prediction:
        """Say what is expected of each customer within some days.

        Means are the papers' formulas. The spread is drawn, with a fixed seed: the same history gives the same rows.
        """
        weeks = horizon_days / 7
        low, high = np.empty(len(buyers.customer)), np.empty(len(buyers.customer))
        for start in range(0, len(buyers.customer), _CUSTOMERS_AT_ONCE):
            part = buyers.part(start)
            chance = np.random.default_rng((_SEED, horizon_days, start))
            bought = self.purchases.simulate_purchases(
                chance=chance,
                draws=draws,
                weeks=weeks,
                frequency=part.frequency,
                recency=part.recency,
                age=part.age,
            )
            spent = self.spend.simulate_value(chance, bought, part.frequency, part.value)
            here = slice(start, start + len(part.customer))
            low[here], high[here] = np.quantile(spent, (LOW, HIGH), axis=1)
        purchases = self.purchases.expected_purchases(weeks, buyers.frequency, buyers.recency, buyers.age)
        value = purchases * self.spend.expected_value(buyers.frequency, buyers.value)
        return Prediction(purchases, value, low, high)

    def probability_alive(self, buyers: Buyers) -> Numbers:
        """Return the probability that each customer still buys."""
        return self.purchases.probability_alive(buyers.frequency, buyers.recency, buyers.age)


def backtest(days: PurchaseDays, as_of: int) -> list[dict[str, Any]]:
    """Predict from earlier days what is known by now, beside the naive forecast: the same customers spend as much as before.

    Returns:
        One row per earlier day, the latest first, with dollars of all customers of that day together; `cutoff` is the day.
    """
    rows: list[dict[str, Any]] = []
    for number in range(MOST_BACKTESTS):
        cutoff = as_of - BACKTEST_HORIZON - number * BACKTEST_STEP
        buyers = Buyers.at(days, cutoff)
        try:
            model = CustomerModel.fit(buyers)
        except NotFittedError:
            break
        predicted = model.predict(buyers, BACKTEST_HORIZON, _DRAWS_OF_BACKTEST)
        actual = days.spent_by(buyers.customer, cutoff, cutoff + BACKTEST_HORIZON)
        naive = days.spent_by(buyers.customer, cutoff - BACKTEST_HORIZON, cutoff)
        within = (actual >= predicted.low - 0.005) & (actual <= predicted.high + 0.005)
        rows.append(
            {
                "cutoff": cutoff,
                "horizon_days": BACKTEST_HORIZON,
                "customers": len(buyers.customer),
                "actual_value": float(actual.sum()),
                "predicted_value": float(predicted.value.sum()),
                "naive_value": float(naive.sum()),
                "predicted_error_per_customer": float(np.abs(predicted.value - actual).mean()),
                "naive_error_per_customer": float(np.abs(naive - actual).mean()),
                "customers_within": int(within.sum()),
            }
        )
    return rows
