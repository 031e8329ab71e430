"""Net revenue of the next four weeks, day by day, and how well the same method would have predicted earlier ones.

Exponential smoothing with a level and a season of seven days (R. J. Hyndman, A. B. Koehler, J. K. Ord, R. D. Snyder,
Forecasting with Exponential Smoothing, 2008) over the square roots of the days: their scatter hardly grows with the level,
so the intervals have one width. Squared again, the mean of the roots is the middle of what is expected, not its mean.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlt_ingest.predictions.errors import NotFittedError

Numbers = npt.NDArray[np.float64]

HORIZON = 28
SEASON = 7
FEWEST_DAYS = 84
"""Fewest days of history for a forecast: three times the forecast period."""
MOST_DAYS = 365
"""Latest days that a forecast learns from, which bounds its cost."""
MOST_ORIGINS = 8
"""Earlier forecasts, four weeks apart, that are made again to be compared with what came."""
_IN_FOUR_OF_FIVE = 0.2


@dataclass(frozen=True)
class Forecast:
    """What was expected on one evening, one entry per day ahead.

    Attributes:
        origin: Index of the last day that was known.
        expected: The middle of what is expected, in dollars.
        low: Dollars that are exceeded in nine of ten cases.
        high: Dollars that are exceeded in one of ten.
        naive: The seasonal-naive forecast: the same weekday of the last week that was known.
    """

    origin: int
    expected: Numbers
    low: Numbers
    high: Numbers
    naive: Numbers


def forecast(revenue: Numbers, origin: int) -> Forecast:
    """Forecast the days after one from it and the days before it.

    Args:
        revenue: Net revenue by day, without a gap; negative days count as zero.
        origin: Index of the last day that is known.

    Raises:
        NotFittedError: If there are too few days.
    """
    known = revenue[max(0, origin + 1 - MOST_DAYS) : origin + 1]
    if len(known) < FEWEST_DAYS:
        raise NotFittedError(
            "There is too little history to forecast revenue",
            got=f"{len(known)} days",
            allowed=f"at least {FEWEST_DAYS}",
        )
    import pandas as pd  # noqa: PLC0415  # with statsmodels 2 s of imports, which a shop without history does not need
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415  # as above

    roots = pd.Series(np.sqrt(np.maximum(known, 0.0)))
    with warnings.catch_warnings():
        # That the search did not converge: its best point is used, and the backtest says how good that is.
        warnings.simplefilter("ignore")
        fitted = ETSModel(roots, error="add", seasonal="add", seasonal_periods=SEASON).fit(disp=False)
        ahead = fitted.get_prediction(start=len(roots), end=len(roots) + HORIZON - 1)
        table = ahead.summary_frame(alpha=_IN_FOUR_OF_FIVE)
    expected, low, high = (
        np.square(np.maximum(table[name].to_numpy(dtype=float), 0.0))
        for name in ("mean", "pi_lower", "pi_upper")
    )
    return Forecast(origin, expected, low, high, np.tile(known[-SEASON:], HORIZON // SEASON))


def forecasts(revenue: Numbers) -> list[Forecast]:
    """Forecast from the last day, then from earlier ones in steps of the horizon, as far back as there is history enough."""
    origins = range(len(revenue) - 1, -1, -HORIZON)[: MOST_ORIGINS + 1]
    return [forecast(revenue, origin) for origin in origins if origin + 1 >= FEWEST_DAYS]
