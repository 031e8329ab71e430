"""What a health check is made of: limits from the configuration, checks with a verdict, a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Verdict = Literal["ok", "warn", "fail", "not_applicable"]
Query = Callable[[str], list[dict[str, Any]]]
Number = int | float | Decimal


@dataclass(frozen=True)
class HealthLimits:
    """Limits of the environment, from its configuration file.

    Attributes:
        minimum_quality_rate: Least share of records in the latest update that break no rule, 0 to 1.
        slow_update_factor: An update is slow from this multiple of the median of earlier updates.
        export_lag_minutes: Longest time between a build of the marts and its export.
        landing_backlog_files: Most files that may wait in landing.
    """

    minimum_quality_rate: Decimal
    slow_update_factor: Decimal
    export_lag_minutes: int
    landing_backlog_files: int


@dataclass(frozen=True)
class Check:
    """One question and its answer.

    Attributes:
        name: Stable name, also the label in Prometheus.
        verdict: `fail` makes the product unhealthy, `warn` wants a look, `not_applicable` has no data to judge.
        value: The measured figure; None where there is none.
        limit: What it was compared with; None where there is none.
        unit: Unit of both.
        finding: One sentence with the figures.
        next_step: What to do; empty when all is well.
        subject: What the check is of, where there are several (a dataset, a rule).
    """

    name: str
    verdict: Verdict
    finding: str
    value: Number | None = None
    limit: Number | None = None
    unit: str = ""
    next_step: str = ""
    subject: str = ""


@dataclass(frozen=True)
class HealthReport:
    """All checks of one moment."""

    environment: str
    checked_at: datetime
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether no check failed; warnings do not make the product unhealthy."""
        return not any(check.verdict == "fail" for check in self.checks)

    @property
    def warnings(self) -> Sequence[Check]:
        """The checks that want a look."""
        return [check for check in self.checks if check.verdict == "warn"]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "environment": self.environment,
            "checked_at": self.checked_at.isoformat(),
            "healthy": self.healthy,
            "checks": [
                {k: float(v) if isinstance(v, Decimal) else v for k, v in asdict(check).items()}
                for check in self.checks
            ],
        }
