"""BG/NBD: how often a customer buys, and whether the customer still does.

P. S. Fader, B. G. S. Hardie, K. L. Lee, "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model,
Marketing Science 24 (2005). An active customer buys at random at an individual rate, and stops after each purchase with
an individual probability; rates are gamma distributed over customers, probabilities beta distributed. The formulas are
the paper's; docs/decisions/predictions-by-bg-nbd.md says why they are here and not from a library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlt_ingest.predictions.likelihood import Numbers, most_likely

_STARTS = ((0.0, 1.0, 0.0, 1.0), (-1.5, 2.0, -0.5, 0.5), (1.0, 4.0, -2.0, 1.5))


@dataclass(frozen=True)
class BgNbd:
    """The fitted model. Times are in weeks.

    Attributes:
        r: Shape of the distribution of purchase rates.
        alpha: Its rate, in weeks.
        a: First parameter of the distribution of the probability to stop.
        b: Its second parameter.
    """

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, frequency: Numbers, recency: Numbers, age: Numbers) -> BgNbd:
        """Fit by maximum likelihood.

        Args:
            frequency: Purchases after the first one, by customer (x in the paper).
            recency: Weeks from the first to the last purchase (t_x).
            age: Weeks from the first purchase to the end of the observed period (T).

        Raises:
            NotFittedError: If no maximum of the likelihood was found.
        """
        rows, customers = np.unique(np.column_stack((frequency, recency, age)), axis=0, return_counts=True)
        x, t_x, t = rows.T

        def cost(logs: Numbers) -> float:
            return -float(np.average(cls(*np.exp(logs)).log_likelihood(x, t_x, t), weights=customers))

        logs = most_likely(cost, _STARTS, model="BG/NBD", customers=len(frequency))
        return cls(*(float(value) for value in np.exp(logs)))

    def log_likelihood(self, frequency: Numbers, recency: Numbers, age: Numbers) -> Numbers:
        """Return the logarithm of the likelihood of each customer (equation 6)."""
        from scipy.special import gammaln  # noqa: PLC0415  # a second of imports, which only a fit needs

        r, alpha, a, b, x = self.r, self.alpha, self.a, self.b, frequency
        constant = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        constant += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        alive = -(r + x) * np.log(alpha + age)
        stopped = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + recency)
        likelihood: Numbers = constant + np.where(x > 0, np.logaddexp(alive, stopped), alive)
        return likelihood

    def probability_alive(self, frequency: Numbers, recency: Numbers, age: Numbers) -> Numbers:
        """Return the probability that a customer has not stopped: 1 after one purchase, because each stop follows one."""
        x = frequency
        odds = (
            self.a
            / (self.b + np.maximum(x, 1) - 1)
            * np.exp((self.r + x) * np.log((self.alpha + age) / (self.alpha + recency)))
        )
        probability: Numbers = np.where(x > 0, 1 / (1 + odds), 1.0)
        return probability

    def expected_purchases(self, weeks: float, frequency: Numbers, recency: Numbers, age: Numbers) -> Numbers:
        """Return the purchases that a customer is expected to make in the weeks to come (equation 10)."""
        from scipy.special import hyp2f1  # noqa: PLC0415  # as above

        r, alpha, b, x = self.r, self.alpha, self.b, frequency
        # At a = 1 the formula is 0 / 0; the value next to it is close to the limit.
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6
        power = np.exp((r + x) * np.log((alpha + age) / (alpha + age + weeks)))
        gauss = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + age + weeks))
        if_alive = (a + b + x - 1) / (a - 1) * (1 - power * gauss)
        expected: Numbers = if_alive * self.probability_alive(frequency, recency, age)
        return expected

    def simulate_purchases(
        self,
        *,
        chance: np.random.Generator,
        draws: int,
        weeks: float,
        frequency: Numbers,
        recency: Numbers,
        age: Numbers,
    ) -> npt.NDArray[np.int64]:
        """Draw what each customer buys in the weeks to come.

        Who is alive has a rate and a probability to stop that are distributed as the paper's posterior. Purchases go on
        until the time or the customer ends, whichever is first.

        Returns:
            Numbers of purchases, one row per customer and one column per draw.
        """
        x = frequency[:, None]
        shape = (len(frequency), draws)
        alive = chance.random(shape) < self.probability_alive(frequency, recency, age)[:, None]
        rate = chance.gamma(self.r + x, 1 / (self.alpha + age[:, None]), shape)
        stop = np.clip(chance.beta(self.a, self.b + x, shape), 1e-12, 1.0)
        bought = np.minimum(chance.poisson(rate * weeks), chance.geometric(stop))
        drawn: npt.NDArray[np.int64] = np.where(alive, bought, 0)
        return drawn
