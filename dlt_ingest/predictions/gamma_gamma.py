"""Gamma-Gamma: what a customer spends on a purchase.

P. S. Fader, B. G. S. Hardie, The Gamma-Gamma Model of Monetary Value (2013). Purchases of a customer scatter around a
mean of its own, and means over customers; both are gamma distributed, independently of how often the customer buys.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlt_ingest.predictions.likelihood import Numbers, most_likely

_STARTS = ((1.0, 1.0, 2.0), (2.0, 0.0, 3.0), (0.0, 2.0, 5.0))


@dataclass(frozen=True)
class GammaGamma:
    """The fitted model. Amounts are in dollars.

    Attributes:
        p: Shape of a customer's purchases.
        q: Shape of the distribution of their rates over customers, above 1: else the mean of all would be infinite.
        v: Its rate.
    """

    p: float
    q: float
    v: float

    @classmethod
    def fit(cls, frequency: Numbers, value: Numbers) -> GammaGamma:
        """Fit by maximum likelihood.

        Args:
            frequency: Purchases that the mean is of, by customer, at least 1.
            value: Mean dollars of these purchases, above zero.

        Raises:
            NotFittedError: If no maximum of the likelihood was found.
        """

        def model(logs: Numbers) -> GammaGamma:
            p, q, v = np.exp(logs)
            return cls(float(p), 1 + float(q), float(v))

        def cost(logs: Numbers) -> float:
            return -float(np.mean(model(logs).log_likelihood(frequency, value)))

        return model(most_likely(cost, _STARTS, model="Gamma-Gamma", customers=len(frequency)))

    def log_likelihood(self, frequency: Numbers, value: Numbers) -> Numbers:
        """Return the logarithm of the likelihood of each customer's mean (equation 1a)."""
        from scipy.special import gammaln  # noqa: PLC0415  # a second of imports, which only a fit needs

        shape = self.p * frequency
        likelihood: Numbers = (
            gammaln(shape + self.q)
            - gammaln(shape)
            - gammaln(self.q)
            + self.q * np.log(self.v)
            + (shape - 1) * np.log(value)
            + shape * np.log(frequency)
            - (shape + self.q) * np.log(frequency * value + self.v)
        )
        return likelihood

    def expected_value(self, frequency: Numbers, value: Numbers) -> Numbers:
        """Return the dollars that a customer's next purchase is expected to have; after one purchase, those of all."""
        mean: Numbers = self.p * (self.v + frequency * value) / (self.p * frequency + self.q - 1)
        return mean

    def simulate_value(
        self,
        chance: np.random.Generator,
        purchases: npt.NDArray[np.int64],
        frequency: Numbers,
        value: Numbers,
    ) -> Numbers:
        """Draw the dollars of so many purchases: one row per customer and one column per draw, as `purchases` has them."""
        known = (self.v + frequency * value)[:, None]
        rate = chance.gamma(self.q + self.p * frequency[:, None], 1 / known, purchases.shape)
        spent: Numbers = np.where(purchases > 0, chance.gamma(self.p * np.maximum(purchases, 1)) / rate, 0.0)
        return spent
