"""`orders predict`: fits the models again when it is time, and writes predictions, forecasts and their backtests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from dlt_ingest.predictions.errors import NotFittedError
from dlt_ingest.predictions.tables import PredictionTables
from dlt_ingest.sql_client import Queries

REFIT_AFTER_DAYS = 7
"""Days with new orders after which the models are fitted again."""
_LAST_DAY = "(SELECT max(date_ordered) FROM gold.fct_daily_revenue WHERE orders > 0)"


@dataclass(frozen=True)
class Outcome:
    """What one part of the step did.

    Attributes:
        table: The table in Gold.
        rows: Rows that it has now; None where it was left as it was.
        reason: Why it was left, or what it was made from.
    """

    table: str
    rows: int | None
    reason: str


def predict(tables: PredictionTables, *, always: bool = False, now: datetime | None = None) -> list[Outcome]:
    """Predict customers and forecast revenue, each if it is due.

    Args:
        tables: Where to write; their queries read the marts.
        always: Fit again though the last fit is recent.
        now: The moment to be written down; the present when None.
    """
    fitted_at = now or datetime.now(timezone.utc)
    due = _due(tables.queries)
    outcomes = []
    for table, part in (("customer_predictions", _customers), ("revenue_forecasts", _revenue)):
        if not always and (reason := due[table]) is not None:
            outcomes.append(Outcome(table, None, reason))
            continue
        try:
            outcomes += part(tables, fitted_at)
        except NotFittedError as error:
            outcomes.append(Outcome(table, None, str(error)))
    return outcomes


def _due(queries: Queries) -> dict[str, str | None]:
    """Why each part need not be made again; None where it should be."""
    # Asked here and not in the modules that fit: they import scipy, which a young shop need not wait for.
    found = queries.query(
        f"SELECT {_LAST_DAY} AS last_day, "
        "(SELECT max(as_of_date) FROM gold.customer_predictions) AS customers, "
        "(SELECT max(origin_date) FROM gold.revenue_forecasts) AS revenue"
    )[0]
    if found["last_day"] is None:
        return dict.fromkeys(("customer_predictions", "revenue_forecasts"), "there are no orders yet")
    return {
        "customer_predictions": _recent(found["customers"], found["last_day"]),
        # A forecast ends on the day before the last one with an order, which may not be over.
        "revenue_forecasts": _recent(found["revenue"], found["last_day"] - timedelta(days=1)),
    }


def _recent(fitted: date | None, last_day: date) -> str | None:
    # An older last day than that of the fit: orders were erased or moved.
    if fitted is None or not 0 <= (last_day - fitted).days < REFIT_AFTER_DAYS:
        return None
    return (
        f"fitted to the days until {fitted}; again with orders of {fitted + timedelta(days=REFIT_AFTER_DAYS)}"
    )


def _customers(tables: PredictionTables, fitted_at: datetime) -> list[Outcome]:
    known = tables.queries.query(
        "SELECT count_if(repeat_monetary_value > 0) AS repeat_buyers, max(age_days) AS days FROM gold.dim_customers"
    )[0]
    if known["repeat_buyers"] < 2:
        raise NotFittedError(
            "There is too little history to predict customers",
            got=f"{known['repeat_buyers']} customers who bought again",
        )
    import numpy as np  # noqa: PLC0415  # see _due
    import pyarrow.compute as pc  # noqa: PLC0415

    from dlt_ingest.predictions.customers import (  # noqa: PLC0415
        HORIZONS,
        Buyers,
        CustomerModel,
        PurchaseDays,
        backtest,
    )

    found = tables.queries.query_arrow(
        "SELECT customer_id, date_ordered, cast(sum(net_revenue) AS double) AS value, "
        f"{_LAST_DAY} AS last_day "
        "FROM gold.fct_orders GROUP BY customer_id, date_ordered HAVING count_if(is_revenue) > 0 "
        "ORDER BY customer_id, date_ordered"
    )
    encoded = pc.dictionary_encode(found["customer_id"].combine_chunks())
    day = found["date_ordered"].cast("int32").to_numpy().astype("int64")
    days = PurchaseDays(encoded.indices.to_numpy().astype("int64"), day, found["value"].to_numpy())
    as_of = found["last_day"][0].as_py()
    number = (as_of - date(1970, 1, 1)).days
    buyers = Buyers.at(days, number)
    model = CustomerModel.fit(buyers)
    alive = model.probability_alive(buyers)
    names = encoded.dictionary.to_pylist()
    rows: list[dict[str, Any]] = []
    for horizon in HORIZONS:
        expected = model.predict(buyers, horizon)
        rows += [
            {
                "customer_id": names[customer],
                "horizon_days": horizon,
                "probability_alive": _rounded(alive[at], 6),
                "expected_purchases": _rounded(expected.purchases[at], 4),
                "expected_value": _rounded(expected.value[at]),
                "value_low": _rounded(expected.low[at]),
                "value_high": _rounded(expected.high[at]),
                "as_of_date": as_of,
                "fitted_at": fitted_at,
            }
            for at, customer in enumerate(buyers.customer)
        ]
    tests = [
        {
            "cutoff_date": date(1970, 1, 1) + timedelta(days=row.pop("cutoff")),
            **{name: _rounded(value) if isinstance(value, float) else value for name, value in row.items()},
            "fitted_at": fitted_at,
        }
        for row in backtest(days, number)
    ]
    # The backtest first: what is shown is never without the error beside it.
    tables.replace("prediction_backtests", tests)
    tables.replace("customer_predictions", rows)
    repeat = int(np.count_nonzero(buyers.frequency))
    return [
        Outcome("customer_predictions", len(rows), f"{len(names)} customers, {repeat} of them bought again"),
        Outcome("prediction_backtests", len(tests), "earlier days, compared with the actual revenue"),
    ]


def _revenue(tables: PredictionTables, fitted_at: datetime) -> list[Outcome]:
    found = tables.queries.query(
        "SELECT date_ordered, cast(net_revenue AS double) AS value FROM gold.fct_daily_revenue "
        f"WHERE date_ordered < {_LAST_DAY} ORDER BY date_ordered"
    )
    import numpy as np  # noqa: PLC0415  # see _due

    from dlt_ingest.predictions.revenue import FEWEST_DAYS, forecasts  # noqa: PLC0415

    made = forecasts(np.array([row["value"] for row in found], dtype=float))
    if not made:
        raise NotFittedError(
            "There is too little history to forecast revenue",
            got=f"{len(found)} days",
            allowed=f"at least {FEWEST_DAYS}",
        )
    rows = [
        {
            "origin_date": found[one.origin]["date_ordered"],
            "date_ordered": found[one.origin]["date_ordered"] + timedelta(days=ahead + 1),
            "days_ahead": ahead + 1,
            "forecast_revenue": _rounded(one.expected[ahead]),
            "revenue_low": _rounded(one.low[ahead]),
            "revenue_high": _rounded(one.high[ahead]),
            "naive_revenue": _rounded(one.naive[ahead]),
            "fitted_at": fitted_at,
        }
        for one in made
        for ahead in range(len(one.expected))
    ]
    tables.replace("revenue_forecasts", rows)
    return [
        Outcome(
            "revenue_forecasts", len(rows), f"from the days until {found[made[0].origin]['date_ordered']}"
        )
    ]


def _rounded(value: float, digits: int = 2) -> Decimal:
    return Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
