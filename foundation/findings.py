"""What a check of files says, as data: a command prints it, a program counts it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or not finished, in a file.

    Attributes:
        file: The file to edit.
        key: The key in the file, with its place in it (`FRESHNESS_SLA_MINUTES.silver.orders`), or "" for the whole
            file.
        what: What is wrong, as a clause.
        remedy: What to do.
        line: The line in the file, counted from 1, where the check knows it.
        got: The value, unless it is or may be a secret.
        allowed: What is accepted.
        severity: `error` makes the file unusable; `warning` is something still to be filled in.
    """

    file: str
    key: str
    what: str
    remedy: str
    line: int | None = None
    got: str | None = None
    allowed: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        facts = "; ".join(
            text
            for text in (self.got and f"got {self.got}", self.allowed and f"allowed: {self.allowed}")
            if text
        )
        head = (
            f"{f'{place}: {self.key}' if self.key else place}: {self.what}{f' ({facts})' if facts else ''}."
        )
        return f"{head} {self.remedy.rstrip('.')}."

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for a report in JSON."""
        return asdict(self)

    @property
    def place(self) -> tuple[str, int, str, str]:
        """Return what findings are sorted by: as a reader meets them in the files."""
        return (self.file, self.line or 0, self.key, self.what)
