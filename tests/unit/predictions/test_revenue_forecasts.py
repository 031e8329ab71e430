"""Guards the forecast of revenue: it must learn the week, know nothing of the future, and stay silent without history."""

from __future__ import annotations

import numpy as np
import pytest

from dlt_ingest.predictions.errors import NotFittedError
from dlt_ingest.predictions.revenue import FEWEST_DAYS, HORIZON, forecast, forecasts

WEEK = np.array([100.0, 120.0, 90.0, 110.0, 200.0, 300.0, 50.0])


def shop(weeks: int) -> np.ndarray:
    """A shop with a weekly rhythm, and scatter that no forecast can know."""
    scatter = np.random.default_rng(3).normal(1.0, 0.2, weeks * 7)
    return np.tile(WEEK, weeks) * np.maximum(scatter, 0.1)


def test_the_week_is_learned_and_beats_last_week():
    """Guards the model: over four weeks to come it is nearer to the true rhythm than last week's scatter is."""
    revenue = shop(30)
    made = forecast(revenue, len(revenue) - 1)
    truth = np.tile(WEEK, 4)
    assert np.abs(made.expected - truth).mean() < np.abs(made.naive - truth).mean()
    assert (made.low <= made.expected).all()
    assert (made.expected <= made.high).all()
    assert made.naive.tolist() == np.tile(revenue[-7:], 4).tolist()


def test_an_earlier_forecast_does_not_see_later_days():
    """Guards the backtest: what came after an origin must not move its forecast."""
    revenue = shop(20)
    changed = revenue.copy()
    changed[-HORIZON:] *= 5
    origin = len(revenue) - 1 - HORIZON
    assert np.array_equal(forecast(revenue, origin).expected, forecast(changed, origin).expected)
    assert [made.origin for made in forecasts(revenue)] == [139, 111, 83]


@pytest.mark.parametrize("revenue", [np.zeros(FEWEST_DAYS), -shop(12), np.full(FEWEST_DAYS, 7.5)])
def test_days_without_scatter_or_below_zero_are_forecast(revenue: np.ndarray):
    """Guards a shop that is closed, or that only gave back: figures come, all finite, none negative."""
    made = forecast(revenue, len(revenue) - 1)
    for values in (made.expected, made.low, made.high):
        assert np.isfinite(values).all()
        assert (values >= 0).all()


def test_too_few_days_are_refused():
    """Guards young shops: a forecast of four weeks from less than twelve."""
    with pytest.raises(NotFittedError, match="83 days"):
        forecast(np.ones(FEWEST_DAYS - 1), FEWEST_DAYS - 2)
    assert forecasts(np.ones(FEWEST_DAYS - 1)) == []
