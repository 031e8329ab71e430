"""Errors of predictions."""

from __future__ import annotations

from dlt_ingest.errors import OrdersError


class NotFittedError(OrdersError):
    """A model could not be fitted. Nobody needs to act: the tables stay unchanged, and the next fit tries again."""
