"""What a prediction says when there is nothing to predict from."""

from __future__ import annotations

from dlt_ingest.errors import OrdersError


class NotFittedError(OrdersError):
    """A model could not be fitted. Nobody need act: the tables stay as they are, and the next fit tries again."""
