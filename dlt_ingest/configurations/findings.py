"""What a check of a configuration file says, as data: a command prints it, a program counts it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or not finished, in a configuration file.

    Attributes:
        file: Name of the file.
        key: Key in the file, with its place inside of it (`FRESHNESS_SLA_MINUTES.silver.orders`), or "" for
            the whole file.
        problem: What is wrong, as a clause.
        remedy: What to do.
        got: The value, unless it is or may be a secret.
        allowed: What is accepted.
        severity: `error` makes the configuration unusable; `warning` is something still to be filled in.
    """

    file: str
    key: str
    problem: str
    remedy: str
    got: str | None = None
    allowed: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        facts = "; ".join(
            text
            for text in (self.got and f"got {self.got}", self.allowed and f"allowed: {self.allowed}")
            if text
        )
        return f"{place}: {self.problem}{f' ({facts})' if facts else ''}. {self.remedy}."

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for a report in JSON."""
        return asdict(self)
