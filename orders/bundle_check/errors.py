"""What can be wrong with a bundle before anything is deployed."""

from __future__ import annotations

from dlt_ingest.errors import ConfigurationError


class BundleError(ConfigurationError):
    """The bundle's files cannot be read as a bundle. The author of `databricks.yml` or `resources/` must act.

    Args:
        what: What is wrong, in one clause.
        where: File, line and key path, as far as known.
        allowed: What is accepted.
        next_step: What to do about it.
    """

    def __init__(self, what: str, *, where: str, allowed: str, next_step: str) -> None:
        self.where = where
        super().__init__(
            f"{where}: {what}", allowed=allowed, consequence="the bundle was not used", next_step=next_step
        )
