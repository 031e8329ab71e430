"""Fitting a model's positive parameters by maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from dlt_ingest.predictions.errors import NotFittedError

Numbers = npt.NDArray[np.float64]

# For the logarithms of the parameters: beyond this, the likelihood is flat, and no data can distinguish the values.
_BOUND = 9.0


def most_likely(
    cost: Callable[[Numbers], float], starts: Sequence[Sequence[float]], *, model: str, customers: int
) -> Numbers:
    """Return the logarithms of the parameters at which a negative log-likelihood is lowest.

    Args:
        cost: The negative log-likelihood, by the logarithms of the parameters.
        starts: Logarithms to start from; the best of them is used.
        model: Name of the model, for the error's text.
        customers: How many customers the likelihood is of, for the error's text.

    Raises:
        NotFittedError: If no maximum of the likelihood was found.
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # a second of imports, which only a fit needs

    start = min((np.array(start) for start in starts), key=cost)
    # Without gradients: for so few parameters their linear algebra costs more than the likelihood.
    best = minimize(
        cost,
        start,
        method="Nelder-Mead",
        bounds=[(-_BOUND, _BOUND)] * len(start),
        options={"xatol": 1e-5, "fatol": 1e-9},
    )
    if not np.isfinite(best.fun):
        raise NotFittedError(f"{model} found no parameters", got=f"{customers} customers")
    found: Numbers = best.x
    return found
